"use strict";

/** A number for reading: four significant digits. */
function shown(value) {
    if (!Number.isFinite(value)) {
        return value === Infinity ? "∞" : "–";
    }
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
        const [digits, exponent] = value.toExponential(3).split("e");
        return `${Number(digits)}e${Number(exponent)}`;
    }
    return String(Number(value.toPrecision(4)));
}

/** The ratio to the edge: never "1" on either side of it. */
function shownRatio(ratio) {
    const short = ratio.toPrecision(ratio < 0.1 ? 2 : 3);
    if (Number(short) === 1 && ratio !== 1) {
        return ratio < 1 ? "just under 1" : "just over 1";
    }
    return ratio >= 1e4 ? ratio.toExponential(1).replace("e+", "e") : String(Number(short));
}

/** The verdict in large letters. */
function verdictText({ stable, ratio }) {
    return stable
        ? `Stable: ${shownRatio(ratio)} of the edge`
        : `Beyond the edge: ${shownRatio(ratio)} of it`;
}

/** What becomes of a perturbation. */
function verdictDetail({ stable, radius }) {
    if (radius === null) {
        const course = stable ? "shrinks" : "grows, in this direction or a flatter one";
        return `A perturbation of the minimum ${course}. How fast is computed for up to ${LARGEST_DEGREE} roots.`;
    }
    if (stable) {
        return radius < 1
            ? `A perturbation of the minimum halves every ${updates(Math.log(0.5) / Math.log(radius))}.`
            : "A perturbation of the minimum hardly shrinks.";
    }
    if (radius > 1) {
        const doubling = Math.LN2 / Math.log(radius);
        return doubling < 1
            ? `A perturbation grows ${shown(radius)}-fold every update.`
            : `A perturbation doubles every ${updates(doubling)}.`;
    }
    return "This curvature alone would be stable again, but flatter directions of the same minimum grow.";
}

function updates(count) {
    if (count < 1.5) {
        return "update";
    }
    const text = count < 1e6 ? String(Math.round(count)) : count.toExponential(1).replace("e+", "e");
    return `${text} updates`;
}

/** What fixed delays in place of the measured one would allow. */
function measuredNote({ delays, maxLearningRate }) {
    if (!delays) {
        return "";
    }
    const share = (rate) => `${shown(rate)} (${shown(rate / maxLearningRate)} of it)`;
    return (
        `Measured: mean ${shown(delays.mean)}, from ${delays.shortest} to ${delays.longest}. ` +
        `A fixed delay of ${Math.round(delays.mean)}, the mean, would allow ${share(delays.atMean)}; ` +
        `of ${delays.longest}, the longest, ${share(delays.atLongest)}. ` +
        "This is the edge of the mean: see below."
    );
}
