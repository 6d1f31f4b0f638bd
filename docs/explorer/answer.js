"use strict";

/** Highest degree of the characteristic polynomial whose roots are computed while one drags. */
const LARGEST_DEGREE = 260;

/**
 * Everything that the page says about a setting.
 *
 * @param {object} setting optimizer, parameters (by name; null: the delay), delay, measured (null or
 *     the result of measuredDelay), lr, sharpness, and reference: lr, optimizer, parameters, delay
 * @returns {object} gain, threshold, ratio, stable, maxLearningRate, maxSharpness, effective rates,
 *     adjusted, adjustedRatio, roots and radius (null beyond LARGEST_DEGREE), delays
 * @throws {RangeError} that names the argument, its value and what is allowed
 */
function answer(setting) {
    const { lr, sharpness, reference } = setting;
    const threshold = thresholdOf(setting);
    const maxLearningRate = delaystability.maxLearningRate(sharpness, threshold);
    const maxSharpness = delaystability.maxSharpness(lr, threshold);
    const gain = lr * sharpness;
    const before = fixedThreshold(reference, reference.delay);
    const adjusted = delaystability.adjustLearningRate(reference.lr, before, threshold);
    const roots = characteristicRoots(setting, gain);
    const factor = effectiveFactor(setting);
    return {
        gain,
        threshold,
        ratio: gain / threshold,
        stable: gain < threshold,
        maxLearningRate,
        maxSharpness,
        effective: lr * factor,
        maxEffective: maxLearningRate * factor,
        adjusted,
        adjustedFactor: adjusted / reference.lr,
        roots,
        radius: roots && largestModulus(roots),
        delays: setting.measured && measuredSummary(setting),
    };
}

/** The threshold at the fixed or measured delay of the setting. */
function thresholdOf(setting) {
    const { measured } = setting;
    if (measured === null) {
        return fixedThreshold(setting, setting.delay);
    }
    const pmf = probabilities(measured.weights);
    if (pmf.length === 1) {
        return fixedThreshold(setting, pmf[0][0]);
    }
    // The exported threshold refuses a wrong momentum with its own message.
    fixedThreshold(setting, pmf[0][0]);
    const tables = [0, 1, 2].map((delay) => tablesOf(setting, delay));
    if (tables.some((table) => JSON.stringify(table) !== JSON.stringify(tables[0]))) {
        const { title } = delaystability.catalogue[setting.optimizer];
        throw new RangeError(
            `optimizer must have coefficients that do not depend on the delay when the delay is measured; got ${title}`,
        );
    }
    return meanThreshold(tables[0].feedback, tables[0].feedforward, pmf);
}

function fixedThreshold({ optimizer, parameters }, delay) {
    return delaystability.catalogue[optimizer].threshold(parameters, delay);
}

/** The tables of the optimizer at a delay, without zeros. */
function tablesOf({ optimizer, parameters }, delay) {
    const entry = delaystability.catalogue[optimizer];
    const terms = (table) => table(parameters, delay).filter(([, value]) => value !== 0);
    return { feedback: terms(entry.feedback), feedforward: terms(entry.feedforward) };
}

/** The largest power of z in the characteristic polynomial. */
function degreeOf({ feedback, feedforward }, longest) {
    const largest = (terms) => terms.reduce((lag, term) => Math.max(lag, term[0]), 0);
    return 1 + Math.max(largest(feedback), longest + largest(feedforward));
}

/**
 * Coefficients of (z - 1) A + gain B E[z^-delay] times the power of z that clears z^-1.
 *
 * @returns {number[]} highest power first
 */
function characteristicPolynomial({ feedback, feedforward }, pmf, gain) {
    const degree = degreeOf({ feedback, feedforward }, pmf[pmf.length - 1][0]);
    const coefficients = new Array(degree + 1).fill(0);
    for (const [lag, value] of [[0, 1], ...feedback.map(([lag, value]) => [lag, -value])]) {
        coefficients[lag] += value;
        coefficients[lag + 1] -= value;
    }
    for (const [lag, value] of feedforward) {
        for (const [delay, probability] of pmf) {
            coefficients[delay + lag + 1] += gain * value * probability;
        }
    }
    return coefficients;
}

/** The roots at a gain, or null where their number is too large. */
function characteristicRoots(setting, gain) {
    const pmf = setting.measured ? probabilities(setting.measured.weights) : [[setting.delay, 1]];
    const longest = pmf[pmf.length - 1][0];
    const tables = tablesOf(setting, longest);
    if (degreeOf(tables, longest) > LARGEST_DEGREE || !(gain > 0 && gain < 1e100)) {
        return null;
    }
    return polynomialRoots(characteristicPolynomial(tables, pmf, gain));
}

/** The update at a constant gradient of 1: B(1)/A(1). */
function effectiveFactor(setting) {
    const delay = setting.measured ? setting.measured.weights[0][0] : setting.delay;
    const { feedback, feedforward } = tablesOf(setting, delay);
    const sum = (terms) => terms.reduce((total, [, value]) => total + value, 0);
    const total = sum(feedforward);
    // B(1) is exactly 1 but for rounding at long delays; EMA momentum has 1 - m.
    return (Math.abs(total - 1) < 1e-6 ? 1 : total) / (1 - sum(feedback));
}

/** Mean and range of a measured delay, and what fixed delays in its place would allow. */
function measuredSummary(setting) {
    const pmf = probabilities(setting.measured.weights);
    const mean = pmf.reduce((sum, [delay, probability]) => sum + delay * probability, 0);
    const longest = pmf[pmf.length - 1][0];
    const allowed = (delay) =>
        fixedThreshold(setting, delay) / setting.sharpness;
    return {
        mean,
        shortest: pmf[0][0],
        longest,
        atMean: allowed(Math.round(mean)),
        atLongest: allowed(longest),
    };
}

/** Python that gives the same numbers, one question a line. */
function pythonLines(setting, found) {
    const { measured, reference, lr, sharpness } = setting;
    const own = pythonOptimizer(setting);
    const other = pythonOptimizer(reference);
    const moment = measured ? ', moment="mean"' : "";
    const [lines, delay] = measured ? pythonDelay(measured) : [[], String(setting.delay)];
    lines.push("import delaystability as ds", "", `optimizer = ${own}`, `delay = ${delay}`);
    const before = own === other ? "optimizer" : other;
    const after = own === other ? "" : ", optimizer";
    lines.push(
        `ds.is_stable(${lr}, ${sharpness}, optimizer, delay${moment})  # ${found.stable ? "True" : "False"}`,
        `ds.stability_threshold(optimizer, delay${moment})  # ${found.threshold}`,
        `ds.max_learning_rate(${sharpness}, optimizer, delay${moment})  # ${found.maxLearningRate}`,
        `ds.adjust_learning_rate(${reference.lr}, ${before}, ${reference.delay}, delay${after}${moment})  # ${found.adjusted}`,
    );
    if (!measured && found.radius !== null) {
        lines.push(`ds.spectral_radius(optimizer, delay, ${lr} * ${sharpness})  # ${found.radius}`);
    }
    return lines.join("\n");
}

function pythonOptimizer({ optimizer, parameters }) {
    const { pythonClass, ordinary } = delaystability.catalogue[optimizer];
    const values = [];
    for (const [name, value] of Object.entries(ordinary)) {
        if (value !== null) {
            values.push(parameters[name]);
        } else if (parameters[name] !== null) {
            values.push(`${name}=${parameters[name]}`);
        }
    }
    return `ds.${pythonClass}(${values.join(", ")})`;
}

/** Import lines, and the delay object: the log itself, or exact shares of whole counts. */
function pythonDelay({ weights, log }) {
    if (log !== null) {
        return [[], `ds.MeasuredDelay.from_log([${log.join(", ")}])`];
    }
    const whole = weights.every(([, weight]) => Number.isInteger(weight));
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    const pairs = whole
        ? weights.map(([delay, weight]) => `${delay}: Fraction(${weight}, ${total})`)
        : probabilities(weights).map(([delay, share]) => `${delay}: ${share}`);
    const imports = whole ? ["from fractions import Fraction"] : [];
    return [imports, `ds.RandomDelay({${pairs.join(", ")}})`];
}
