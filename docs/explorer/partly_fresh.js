"use strict";

/** Each gradient is taken at a mixture of present and late weights. */
QUESTIONS["fresh"] = {
    title: "Partly fresh gradients",
    lead: "Each gradient of SGD is taken at a mixture of a share of the present weights and the rest late, as in delay compensation; a negative share is a discrepancy of forward and backward pass.",
    fields: [
        { name: "share", label: "Fresh share", hint: "of the present weights", initial: "0.25", slider: spread(-40, 40, (k) => k / 40) },
        { name: "delay", label: "Delay of the rest", hint: "updates", initial: "4", slider: spread(0, 64, (k) => k) },
        { name: "lr", label: "Learning rate", initial: "0.02", slider: SLIDER_VALUES.lr },
        { name: "sharpness", label: "Sharpness", hint: "largest Hessian eigenvalue", initial: "20", slider: SLIDER_VALUES.sharpness },
    ],
    answer(number) {
        const [share, delay] = [number("share"), number("delay")];
        inField("delay", () => delaystability.sgdThreshold(delay));
        const threshold = inField("share", () => delaystability.mixedReadThreshold(share, delay));
        const { lr, sharpness } = rateAndSharpness(number);
        const always = share >= 0.5 ? delaystability.mostlyFreshThreshold(share) : null;
        const rate = (edge) => delaystability.maxLearningRate(sharpness, edge);
        const shares = spread(-100, 100, (k) => k / 100);
        const edges = shares.map((place) => rate(delaystability.mixedReadThreshold(place, delay)));
        return {
            ...sideOfEdge(lr * sharpness, threshold),
            detail: always
                ? `More than half is fresh: below ${shown(rate(always))}, every sequence of delays is stable, however long.`
                : "Less than half is fresh: the longer the delay of the rest, the smaller the edge.",
            numbers: [
                ["fresh-rate", "Largest stable learning rate", rate(threshold), `× sharpness: ${shown(threshold)}`],
                ["fresh-none", "Without a fresh share", rate(delaystability.sgdThreshold(delay)), "learning rate"],
                ["fresh-always", "For every sequence of delays", always ? rate(always) : NaN, always ? "learning rate" : "from a share of 1/2 on"],
            ],
            picture: {
                x: { label: "fresh share", low: -1, high: 1 },
                y: logAxis("learning rate", [...edges, rate(threshold)]),
                lines: [{ points: shares.map((place, k) => [place, edges[k]]), style: "edge" }],
                stable: true,
                point: { x: share, y: lr, inside: lr * sharpness < threshold },
            },
            caption: `Line: the largest stable learning rate over the fresh share, with the rest ${delay} updates late.`,
            python: [
                `read = ds.MixedRead.partly_fresh(${share}, ${delay})`,
                `ds.stability_threshold(ds.SGD(), read)  # ${threshold}`,
                `ds.max_learning_rate(${sharpness}, ds.SGD(), read)  # ${rate(threshold)}`,
            ],
        };
    },
};
