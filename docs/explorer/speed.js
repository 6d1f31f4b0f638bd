"use strict";

/** The fastest optimizer under a delay, beside the limit of all linear methods. */
QUESTIONS["speed"] = {
    title: "Speed",
    lead: "Gradients are late: which momentum, look-ahead and learning rate converge fastest on a range of curvatures, and how near do they come to the limit of all linear methods?",
    fields: [
        { name: "delay", label: "Delay", hint: "updates, up to 128", initial: "4", slider: spread(0, 128, (k) => k) },
        { name: "condition", label: "Condition number", hint: "largest over smallest curvature", initial: "100", slider: spread(13, 120, tenths) },
        { name: "sharpness", label: "Sharpness", hint: "largest Hessian eigenvalue", initial: "20", slider: SLIDER_VALUES.sharpness },
    ],
    answer(number) {
        const delay = wholeNumber("delay", number, 0, 128);
        const condition = number("condition");
        if (!(condition >= 4 && condition <= 1e12)) {
            throw Object.assign(new RangeError(`condition number must be from 4 to 1e12; got ${condition}`), { field: "condition" });
        }
        const sharpness = positiveNumber("sharpness", number);
        const best = fastestOptimizer(delay, condition);
        const limit = (late) => -Math.log(delaystability.speedLimit(condition, late));
        const delays = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
        const halving = (nats) => updates(Math.LN2 / nats);
        return {
            verdict: `Halves every ${halving(best.nats)}`,
            state: "",
            detail: `${shown((100 * best.nats) / limit(delay))} % of the limit: no linear method halves the slowest perturbation in less than ${shown(Math.LN2 / limit(delay))} updates.`,
            numbers: [
                ["speed-momentum", "Momentum", best.momentum, "as in torch.optim.SGD"],
                ["speed-horizon", "Horizon", best.horizon, "updates that weights are predicted ahead"],
                ["speed-lr", "Learning rate", best.gain / sharpness, `× sharpness: ${shown(best.gain)}`],
                ["speed-rate", "Rate", Math.exp(-best.nats), "of the slowest perturbation, an update"],
                ["speed-limit", "Limit of linear methods", Math.exp(-limit(delay)), "an update"],
                ["speed-share", "Share of the limit", best.nats / limit(delay), "in nats"],
            ],
            picture: {
                x: { label: "delay + 1 (updates)", low: 1, high: 129, log: true },
                y: logAxis("nats an update", [limit(0), limit(128), best.nats, fastestOptimizer(128, condition).nats]),
                lines: [
                    { points: delays.map((late) => [late + 1, fastestOptimizer(late, condition).nats]), style: "edge" },
                    { points: [0, ...delays].map((late) => [late + 1, limit(late)]), style: "level" },
                ],
                stable: false,
                point: { x: delay + 1, y: best.nats, inside: true },
            },
            caption: "Line: the fastest optimizer with gradients that are late. Dashed: the limit of all methods that combine gradients linearly.",
            python: [
                `best = ds.best_optimizer(${delay}, ${condition})`,
                `best.rate  # ${Math.exp(-best.nats)}`,
                `best.limit  # ${Math.exp(-limit(delay))}`,
                `best.momentum, best.horizon, best.learning_rate(${sharpness})`,
            ],
        };
    },
};

/** Momentum, horizon, learning rate times sharpness, and nats an update. */
function fastestOptimizer(delay, condition) {
    if (delay === 0) {
        // Heavy ball is at the limit.
        const rate = delaystability.speedLimit(condition, 0);
        return { momentum: rate * rate, horizon: 0, gain: (1 + rate) ** 2, nats: -Math.log(rate) };
    }
    if (delay === 1) {
        return {
            momentum: delaystability.fastestMomentum(condition),
            horizon: delaystability.fastestHorizon(condition),
            gain: delaystability.fastestLearningRate(1, condition),
            nats: -Math.log(delaystability.fastestRate(condition)),
        };
    }
    return searchedOptimizer(delay, condition);
}

/**
 * As the package searches it: the flattest curvature has a double root at 1 - d, the sharpest a pair
 * of this modulus, whose angle makes the range as wide as can be; d is solved for.
 */
function searchedOptimizer(delay, condition) {
    const phases = spread(0, 199, (k) => 0.5 + (1.05 * k) / 199);
    const width = (phase) => {
        const half = phase / (2 * delay + 1);
        return (4 * Math.sin(half) ** 2 * Math.cos(phase)) / Math.cos(half);
    };
    const start = Math.log(Math.max(...phases.map(width)) / condition) / 2;
    let [low, high] = [start - 0.7, Math.min(start + 0.7, -1e-3)];
    for (let round = 0; round < 50; round += 1) {
        const middle = (low + high) / 2;
        const excess = Math.log(widest(delay, Math.exp(middle)).width) - 2 * middle - Math.log(condition);
        [low, high] = excess > 0 ? [middle, high] : [low, middle];
    }
    const d = Math.exp((low + high) / 2);
    const g = d * d * widest(delay, d).excess;
    const rate = 1 - d;
    const flattest = d * d * (rate + delay * (d - g));
    const late = g * rate + delay * d * (d - g);
    return {
        momentum: 1 - 2 * d + g,
        horizon: late / flattest - 1,
        gain: flattest * rate ** (delay - 1) * condition,
        nats: -Math.log1p(-d),
    };
}

/** The pair with the largest condition number times d^2, by golden section. */
function widest(delay, d) {
    const golden = (Math.sqrt(5) - 1) / 2;
    let [low, high] = [0.5, 1.55];
    let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    let [atLeft, atRight] = [pairAt(delay, d, left), pairAt(delay, d, right)];
    for (let round = 0; round < 45; round += 1) {
        if (atLeft.width > atRight.width) {
            [high, right, atRight] = [right, left, atLeft];
            left = high - golden * (high - low);
            atLeft = pairAt(delay, d, left);
        } else {
            [low, left, atLeft] = [left, right, atRight];
            right = low + golden * (high - low);
            atRight = pairAt(delay, d, right);
        }
    }
    return atLeft.width > atRight.width ? atLeft : atRight;
}

/** The condition number times d^2, and the excess momentum over d^2, for a pair of this phase. */
function pairAt(delay, d, phase) {
    const theta = phase / (delay + 0.5);
    const rate = 1 - d;
    const times = ([a, b], [c, e]) => [a * c - b * e, a * e + b * c];
    const crossed = ([a, b], [c, e]) => b * c - a * e;
    const chord = 2 * rate * Math.sin(theta / 2);
    const y = [-chord * Math.sin(theta / 2) - d, chord * Math.cos(theta / 2)];
    const turn = [rate * Math.cos(delay * theta), rate * Math.sin(delay * theta)];
    const memory = times(times(y, [y[0] + 2 * d, y[1]]), turn);
    const memorySlope = times(y, turn).map((part) => -d * d * part);
    const late = [delay * y[0] + rate + delay * d, delay * y[1]];
    const lateSlope = [(rate - delay * d) * y[0] - delay * d * d, (rate - delay * d) * y[1]];
    const c0 = crossed(memory, late);
    const c1 = crossed(memory, lateSlope) + crossed(memorySlope, late);
    const c2 = crossed(memorySlope, lateSlope);
    const discriminant = c1 * c1 - 4 * c0 * c2;
    if (discriminant < 0) {
        return { width: 1e-300, excess: 0 };
    }
    const excess = (-2 * c0) / (c1 + (c1 < 0 ? -1 : 1) * Math.sqrt(discriminant));
    const [top, below] = [[0, 1].map((k) => memory[k] + excess * memorySlope[k]), [0, 1].map((k) => late[k] + excess * lateSlope[k])];
    const real = (top[0] * below[0] + top[1] * below[1]) / (below[0] ** 2 + below[1] ** 2);
    return { width: Math.max(-real, 1e-300), excess };
}
