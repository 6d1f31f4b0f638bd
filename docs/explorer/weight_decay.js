"use strict";

/** Weights decay past the optimizer, as in AdamW. */
QUESTIONS["decay"] = {
    title: "Weight decay",
    lead: "Weights decay by learning rate × weight decay an update, past the optimizer, as in AdamW. That is damping that is never late: under delay it raises the edge.",
    fields: [
        { name: "optimizer", label: "Optimizer", initial: "sgd", options: [["sgd", "SGD"], ["heavy-ball", "Heavy ball"]] },
        { name: "momentum", label: "Momentum", initial: "0.9", slider: SLIDER_VALUES.momentum, shown: (texts) => texts.optimizer !== "sgd" },
        { name: "delay", label: "Delay", hint: "updates", initial: "4", slider: spread(0, 64, (k) => k) },
        { name: "lr", label: "Learning rate", initial: "0.02", slider: SLIDER_VALUES.lr },
        { name: "weight-decay", label: "Weight decay", hint: "as in torch.optim.AdamW", initial: "1", slider: SLIDER_VALUES.lr },
        { name: "sharpness", label: "Sharpness", hint: "largest Hessian eigenvalue", initial: "20", slider: SLIDER_VALUES.sharpness },
    ],
    answer(number, texts) {
        const plain = texts.optimizer === "sgd";
        const momentum = plain ? 0 : number("momentum");
        const delay = number("delay");
        inField("delay", () => delaystability.sgdThreshold(delay));
        inField("momentum", () => delaystability.heavyBallThreshold(momentum, delay));
        const { lr, sharpness } = rateAndSharpness(number);
        const decay = lr * number("weight-decay");
        const edgeAt = (place) => plain
            ? delaystability.decayedSgdThreshold(place, delay)
            : delaystability.decayedHeavyBallThreshold(momentum, place, delay);
        const threshold = inField("weight-decay", () => edgeAt(decay));
        const before = edgeAt(0);
        const decays = spread(0, 100, (k) => (k / 100) * Math.min(0.99, Math.max(0.2, 2 * decay)));
        const edges = decays.map(edgeAt);
        const optimizer = plain ? "ds.SGD()" : `ds.HeavyBall(${momentum})`;
        return {
            ...sideOfEdge(lr * sharpness, threshold),
            detail: `The decay of ${shown(decay)} an update moves the edge from ${shown(before)} to ${shown(threshold)}.`,
            numbers: [
                ["decay-edge", "Edge of learning rate × sharpness", threshold, `yours: ${shown(lr * sharpness)}`],
                ["decay-none", "Edge without decay", before, "learning rate × sharpness"],
                ["decay-step", "Decay an update", decay, "learning rate × weight decay"],
            ],
            picture: {
                x: { label: "decay an update", low: 0, high: decays.at(-1) },
                y: logAxis("learning rate × sharpness", [...edges, threshold]),
                lines: [{ points: decays.map((place, k) => [place, edges[k]]), style: "edge" }],
                stable: true,
                point: { x: decay, y: lr * sharpness, inside: lr * sharpness < threshold },
            },
            caption: `Line: the edge over the decay, at delay ${delay}.`,
            python: [
                `optimizer = ${optimizer}`,
                `ds.stability_threshold(optimizer, ${delay}, decay=${decay})  # ${threshold}`,
                `ds.stability_threshold(optimizer, ${delay})  # ${before}`,
            ],
        };
    },
};
