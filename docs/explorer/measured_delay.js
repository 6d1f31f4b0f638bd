"use strict";

/** Longest delay in a log or histogram: the package's own limit on filters is a little above. */
const LONGEST_MEASURED = 512;

/**
 * A pasted log or histogram as weights of delays.
 *
 * A log holds whole numbers, one for each applied gradient. A histogram holds pairs
 * "delay: count", where counts may be probabilities. Lines that start with # are skipped.
 *
 * @param {string} text
 * @returns {{weights: [number, number][], log: number[] | null}} increasing delays with their
 *     positive weights, which sum to 1 or to the number of entries; the log in its order
 * @throws {RangeError} that names line, value and what is allowed
 */
function measuredDelay(text) {
    const lines = text.split("\n").map((line) => (line.trimStart().startsWith("#") ? "" : line));
    const found = lines.some((line) => line.includes(":")) ? readHistogram(lines) : readLog(lines);
    if (found.weights.length === 0) {
        throw new RangeError("a log or histogram must hold at least one delay; got none");
    }
    found.weights.sort((one, other) => one[0] - other[0]);
    return found;
}

function readLog(lines) {
    const log = [];
    lines.forEach((line, index) => {
        for (const word of line.split(/[\s,;[\]]+/).filter(Boolean)) {
            log.push(checkedDelay(word, index));
        }
    });
    const counts = new Map();
    for (const delay of log) {
        counts.set(delay, (counts.get(delay) ?? 0) + 1);
    }
    return { weights: [...counts], log };
}

function readHistogram(lines) {
    const weights = new Map();
    lines.forEach((line, index) => {
        for (const pair of line.split(/[,;{}]+/).filter((part) => part.trim())) {
            const words = pair.split(":").map((word) => word.trim());
            if (words.length !== 2) {
                throw new RangeError(
                    `line ${index + 1}: a histogram must hold "delay: count"; got "${pair.trim()}"`,
                );
            }
            const delay = checkedDelay(words[0], index);
            const weight = words[1] === "" ? NaN : Number(words[1]);
            if (!(weight >= 0 && weight < Infinity)) {
                throw new RangeError(
                    `line ${index + 1}: a count must be a number >= 0; got "${words[1]}"`,
                );
            }
            if (weights.has(delay)) {
                throw new RangeError(`line ${index + 1}: each delay must stand once; got ${delay} again`);
            }
            weights.set(delay, weight);
        }
    });
    return { weights: [...weights].filter(([, weight]) => weight > 0), log: null };
}

function checkedDelay(word, index) {
    const value = /^\d+(\.0*)?$/.test(word) ? Number(word) : NaN;
    if (!(value <= LONGEST_MEASURED)) {
        throw new RangeError(
            `line ${index + 1}: a delay must be a whole number from 0 to ${LONGEST_MEASURED}; got "${word}"`,
        );
    }
    return value;
}

/** The weights divided by their sum. */
function probabilities(weights) {
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    return weights.map(([delay, weight]) => [delay, weight / total]);
}

/**
 * Largest stable gain of the mean loop under a random delay.
 *
 * With z = exp(i theta), A = 1 - sum_j feedback_j z^-j, B = sum_k feedforward_k z^-k and
 * D = sum_k p_k z^-k, a gain puts a root at z exactly if
 *
 *     alpha(theta) = 2 sin(theta/2) exp(i (theta - pi)/2) A / (B D)
 *
 * is real and positive; the threshold is the smallest of these gains. The imaginary part of
 * exp(i (theta - pi)/2) A conj(B D) is a trigonometric sum of bounded frequency, hence its second
 * and third derivatives are bounded (Bernstein): cells of [0, pi] are halved until the bound proves
 * that a cell holds no zero, or just one, or only gains above the smallest one found.
 *
 * @param {[number, number][]} feedback lag 0 or 1 only
 * @param {[number, number][]} feedforward lags 0 and 1 only
 * @param {[number, number][]} pmf delays with their probabilities
 * @returns {number} in units of learning rate times curvature; Infinity if every gain is stable
 */
function meanThreshold(feedback, feedforward, pmf) {
    const momentum = feedback.reduce((sum, [, value]) => sum + value, 0);
    const forward = [0, 0];
    for (const [lag, value] of feedforward) {
        forward[lag] += value;
    }
    const loop = { momentum, forward, delays: denseDelays(pmf) };
    const frequency = pmf[pmf.length - 1][0] + 1.5;
    const size = (1 + Math.abs(momentum)) * (Math.abs(forward[0]) + Math.abs(forward[1]));
    const second = frequency * frequency * size;
    const third = frequency * second;
    let smallest = gainAtMinusOne(loop);
    // Cells from left to right: crossings of small gain come first and rule out the others.
    const cells = [[0, imaginaryPart(loop, 0).im, Math.PI, 0]];
    while (cells.length > 0) {
        const [low, atLow, high, atHigh] = cells.pop();
        const width = high - low;
        if (leastGain(loop, low, high) >= smallest) {
            continue;
        }
        const last = high === Math.PI;
        if (last && Math.abs(atLow) > (third * width ** 3) / 3) {
            continue;
        }
        const opposite = atLow < 0 !== atHigh < 0;
        if (!last && !opposite && Math.min(Math.abs(atLow), Math.abs(atHigh)) > (second * width ** 2) / 8) {
            continue;
        }
        const single = opposite && Math.abs(atHigh - atLow) > second * width ** 2;
        if (!last && (single || (opposite && width < 1e-12))) {
            smallest = Math.min(smallest, gainOfZero(loop, low, high, atLow < 0));
            continue;
        }
        if (width < 1e-12) {
            continue;
        }
        const middle = low + width / 2;
        const value = imaginaryPart(loop, middle).im;
        cells.push([middle, value, high, atHigh], [low, atLow, middle, value]);
    }
    return smallest;
}

/** Probabilities over the delays 0, 1, 2, ... */
function denseDelays(pmf) {
    const dense = new Float64Array(pmf[pmf.length - 1][0] + 1);
    for (const [delay, probability] of pmf) {
        dense[delay] = probability;
    }
    return dense;
}

/** 1 - m z^-1 or b0 + b1 z^-1, free of cancellation near z = 1: its value there and the rest. */
function firstOrder(atOne, second, theta) {
    const half = Math.sin(theta / 2);
    return [atOne - 2 * second * half * half, -second * Math.sin(theta)];
}

/** exp(i (theta - pi)/2) A conj(B D): real and imaginary part, and |A|^2, |B D|^2. */
function imaginaryPart(loop, theta) {
    const { momentum, forward, delays } = loop;
    const [aRe, aIm] = firstOrder(1 - momentum, -momentum, theta);
    const [bRe, bIm] = firstOrder(forward[0] + forward[1], forward[1], theta);
    const c = Math.cos(theta);
    const s = -Math.sin(theta);
    let dRe = 0;
    let dIm = 0;
    for (let lag = delays.length - 1; lag >= 0; lag -= 1) {
        const next = dRe * c - dIm * s + delays[lag];
        dIm = dRe * s + dIm * c;
        dRe = next;
    }
    const belowRe = bRe * dRe - bIm * dIm;
    const belowIm = bRe * dIm + bIm * dRe;
    // exp(i (theta - pi)/2) = sin(theta/2) - i cos(theta/2).
    const sine = Math.sin(theta / 2);
    const cosine = Math.cos(theta / 2);
    const topRe = sine * aRe + cosine * aIm;
    const topIm = sine * aIm - cosine * aRe;
    return {
        re: topRe * belowRe + topIm * belowIm,
        im: topIm * belowRe - topRe * belowIm,
        above: Math.hypot(aRe, aIm),
        below: Math.hypot(belowRe, belowIm),
    };
}

/** The gain of the root z = -1, or Infinity if that is not positive. */
function gainAtMinusOne({ momentum, forward, delays }) {
    const delayed = delays.reduce((sum, value, lag) => sum + (lag % 2 ? -value : value), 0);
    const gain = (2 * (1 + momentum)) / ((forward[0] - forward[1]) * delayed);
    return gain > 0 ? gain : Infinity;
}

/** A lower bound of |alpha| in a cell: |A|, |B| are monotone in theta, and |D| <= 1. */
function leastGain({ momentum, forward }, low, high) {
    const modulus = (atOne, second, theta) => Math.hypot(...firstOrder(atOne, second, theta));
    const above = (theta) => modulus(1 - momentum, -momentum, theta);
    const below = (theta) => modulus(forward[0] + forward[1], forward[1], theta);
    const least = Math.min(above(low), above(high)) / Math.max(below(low), below(high));
    return 2 * Math.sin(low / 2) * least;
}

/** The gain at the zero between two angles, or Infinity if it is negative there. */
function gainOfZero(loop, low, high, rising) {
    let [left, right] = [low, high];
    for (let round = 0; round < 200; round += 1) {
        const middle = (left + right) / 2;
        if (middle === left || middle === right) {
            break;
        }
        if (imaginaryPart(loop, middle).im > 0 === rising) {
            right = middle;
        } else {
            left = middle;
        }
    }
    const found = imaginaryPart(loop, (left + right) / 2);
    return found.re > 0 ? (2 * Math.sin((left + right) / 4) * found.above) / found.below : Infinity;
}
