"use strict";

/** Outer steps of local SGD or DiLoCo that are late. */
QUESTIONS["outer"] = {
    title: "Outer loops",
    lead: "Replicas take many inner steps, then an outer optimizer takes how far they moved for a gradient, as in DiLoCo and federated averaging. Its steps may be late: is the outer learning rate still stable in every direction?",
    fields: [
        { name: "optimizer", label: "Outer optimizer", initial: "nesterov", options: [["nesterov", "Nesterov momentum"], ["heavy-ball", "Heavy ball"], ["sgd", "SGD (averaging)"]] },
        { name: "momentum", label: "Outer momentum", initial: "0.9", slider: SLIDER_VALUES.momentum, shown: (texts) => texts.optimizer !== "sgd" },
        { name: "lr", label: "Outer learning rate", initial: "0.7", slider: spread(-80, 20, tenths) },
        { name: "late", label: "What is late", initial: "steps", options: [["steps", "all outer gradients"], ["eager", "those of the others (eager)"]] },
        { name: "delay", label: "Late by", hint: "outer steps", initial: "1", slider: spread(0, 32, (k) => k), shown: (texts) => texts.late === "steps" },
        { name: "workers", label: "Replicas", initial: "4", slider: spread(1, 64, (k) => k), shown: (texts) => texts.late === "eager" },
        { name: "steps", label: "Inner steps", initial: "100", slider: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
        { name: "inner", label: "Inner learning rate", initial: "0.01", slider: SLIDER_VALUES.lr },
        { name: "sharpness", label: "Sharpness", hint: "largest Hessian eigenvalue", initial: "20", slider: SLIDER_VALUES.sharpness },
    ],
    answer(number, texts) {
        const { edge, lateness } = outerEdge(number, texts);
        const [lr, inner, sharpness] = ["lr", "inner", "sharpness"].map((name) => positiveNumber(name, number));
        const steps = wholeNumber("steps", number, 1, 1e9);
        const { outerThreshold, maxOuterLearningRate } = delaystability;
        const most = inField("inner", () => maxOuterLearningRate(sharpness, inner, steps, edge));
        const places = logSpread(Math.min(sharpness, 0.02 / (inner * steps)), sharpness);
        const rates = places.map((place) => outerThreshold(place, inner, steps, edge) || Infinity);
        const unstable = places.find((place, k) => rates[k] <= lr);
        const stable = lr < most;
        const optimizer = pythonOptimizer({ optimizer: texts.optimizer, parameters: texts.optimizer === "sgd" ? {} : { momentum: number("momentum") } });
        return {
            ...sideOfEdge(lr, most),
            detail: stable
                ? "Stable in every direction up to this sharpness."
                : `Unstable in every direction in which inner steps take away more than ${shown((100 * edge) / lr)} % of the distance: from a curvature of about ${shown(Number(unstable.toPrecision(2)))} on.`,
            numbers: [
                ["outer-most", "Largest stable outer learning rate", most, "in every direction"],
                ["outer-edge", "Edge where the minimum is reached", edge, "as an inner AdamW nearly does"],
                ["outer-moved", "Taken away by inner steps", edge / most, "largest share of the distance"],
            ],
            picture: {
                x: { label: "curvature of the direction", low: places[0], high: places.at(-1), log: true },
                y: logAxis("outer learning rate", [...rates, lr]),
                lines: [
                    { points: places.map((place, k) => [place, rates[k]]), style: "edge" },
                    { points: [[places[0], lr], [places.at(-1), lr]], style: "level" },
                ],
                stable: true,
                point: { x: sharpness, y: lr, inside: stable },
            },
            caption: "Line: the largest stable outer learning rate over the curvature of a direction. Dashed: yours; it must stay below the line up to the sharpness.",
            python: [
                `loop = ds.OuterLoop(${optimizer}, ${inner}, ${steps}${lateness})`,
                `loop.max_outer_learning_rate(${sharpness})  # ${most}`,
                `ds.OuterLoop(${optimizer}${lateness}).threshold()  # ${edge}`,
            ],
        };
    },
};

/** The threshold of the outer optimizer where the inner one reaches the minimum. */
function outerEdge(number, texts) {
    const setting = { optimizer: texts.optimizer, parameters: {} };
    if (texts.optimizer !== "sgd") {
        setting.parameters.momentum = number("momentum");
    }
    inField("momentum", () => fixedThreshold(setting, 0));
    if (texts.late === "steps") {
        const delay = number("delay");
        return { edge: inField("delay", () => fixedThreshold(setting, delay)), lateness: delay ? `, delay=${delay}` : "" };
    }
    const workers = wholeNumber("workers", number, 1, 1000);
    const lateness = `, eager=True, workers=${workers}`;
    if (workers === 1) {
        return { edge: fixedThreshold(setting, 0), lateness };
    }
    // The own gradient is fresh, those of the others are one step late.
    const { feedback, feedforward } = tablesOf(setting, 0);
    return { edge: meanThreshold(feedback, feedforward, [[0, 1 / workers], [1, 1 - 1 / workers]]), lateness };
}
