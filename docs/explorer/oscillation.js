"use strict";

/** Adam and its kind do not diverge: they swing. */
QUESTIONS["oscillation"] = {
    title: "AdamW and signs",
    lead: "Adaptive optimizers do not diverge where gradients are late: they tune their own preconditioner until the loop is at its edge, and swing there. Optimizers that step by a sign swing in triangles. How far, and what does it cost?",
    fields: [
        { name: "optimizer", label: "Optimizer", initial: "adam", options: [["adam", "Adam, AdamW"], ["rmsprop", "RMSProp"], ["signsgd", "signSGD"]] },
        { name: "beta1", label: "beta1", initial: "0.9", slider: spread(0, 19, (k) => k / 20), shown: (texts) => texts.optimizer === "adam" },
        { name: "beta2", label: "beta2", hint: "alpha of RMSProp", initial: "0.999", slider: [0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999], shown: (texts) => texts.optimizer !== "signsgd" },
        { name: "delay", label: "Delay", hint: "updates", initial: "4", slider: spread(0, 64, (k) => k) },
        { name: "lr", label: "Learning rate", initial: "0.001", slider: SLIDER_VALUES.lr },
        { name: "trace", label: "Trace of the Hessian", hint: "sum of its curvatures", initial: "100", slider: SLIDER_VALUES.sharpness },
    ],
    answer(number, texts) {
        const adam = texts.optimizer === "adam";
        const signs = texts.optimizer === "signsgd";
        const { adamOscillation, rmspropOscillation, signsgdOscillation } = delaystability;
        const [beta1, beta2] = [adam ? number("beta1") : 0, signs ? 0 : number("beta2")];
        const swingAt = (place, rate) => {
            if (signs) {
                return signsgdOscillation(rate, place);
            }
            return adam ? adamOscillation(rate, beta1, beta2, place) : rmspropOscillation(rate, beta2, 0, place);
        };
        inField("beta1", () => adamOscillation(1, beta1, 0.5, 1));
        inField("beta2", () => adamOscillation(1, 0, beta2, 1));
        const [lr, trace] = ["lr", "trace"].map((name) => positiveNumber(name, number));
        const delay = number("delay");
        const rms = inField("delay", () => swingAt(delay, lr));
        const delays = lineDelays(Math.min(Math.max(64, 2 * delay), 2 ** 53));
        const line = delays.map((place) => [place + 1, swingAt(place, lr)]);
        const optimizer = signs ? "ds.SignSGD()" : adam ? `ds.Adam(${beta1}, ${beta2})` : `ds.RMSProp(${beta2})`;
        return {
            verdict: `Each weight swings by ${shown(rms)} (rms)`,
            state: "",
            detail: `${shown(rms / lr)} learning rates, whatever the curvature. ${swingNote(signs, beta1, beta2, delay)}`,
            numbers: [
                ["oscillation-rms", "Swing of a weight (rms)", rms, "whatever its curvature"],
                ["oscillation-rates", "In learning rates", rms / lr, "rms / learning rate"],
                ["oscillation-loss", "Loss floor", (trace * rms * rms) / 2, "for a diagonal Hessian; else larger"],
            ],
            picture: {
                x: { label: "delay + 1 (updates)", low: 1, high: delays.at(-1) + 1, log: true },
                y: logAxis("rms", line.map(([, value]) => value)),
                lines: [{ points: line, style: "edge" }],
                stable: false,
                point: { x: delay + 1, y: rms, inside: true },
            },
            caption: "Line: how far each weight swings (root mean square) over the delay, at this learning rate.",
            python: [
                `optimizer = ${optimizer}`,
                `ds.oscillation(${lr}, optimizer, ${delay}).rms  # ${rms}`,
            ],
        };
    },
};

/** How it is known. */
function swingNote(signs, beta1, beta2, delay) {
    if (signs) {
        return "It steps by its learning rate, as often down as up.";
    }
    if (delay === 0 && beta1 > 0) {
        return "But without delay this cycle is stable only for small beta1; else runs burst.";
    }
    return (1 - beta2) * (delay + 1 / (1 - beta1)) > 0.5
        ? "Undecided: delay and momentum take more than half of the memory of the second moment."
        : "To the next order in 1 − beta2.";
}
