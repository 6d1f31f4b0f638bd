"use strict";

/**
 * The other questions of the page, by their name in the address; each file adds one.
 *
 * A question has a title, a lead, fields, and answer(number, texts), where number(name) is the
 * number in a field. The answer has verdict, state ("stable", "beyond" or ""), ratio (of the edge),
 * detail, numbers ([id, label, value, note]), picture (of drawChart), caption and python (lines).
 */
const QUESTIONS = {};

/** The verdict about a gain and its edge. */
function sideOfEdge(gain, threshold) {
    const [stable, ratio] = [gain < threshold, gain / threshold];
    return { verdict: verdictText({ stable, ratio }), state: stable ? "stable" : "beyond", ratio };
}

function positiveNumber(name, number) {
    const value = number(name);
    if (!(value > 0 && value < Infinity)) {
        throw Object.assign(new RangeError(`${name} must be positive and finite; got ${value}`), { field: name });
    }
    return value;
}

function wholeNumber(name, number, least, most) {
    const value = number(name);
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
        throw Object.assign(new RangeError(`${name} must be a whole number from ${least} to ${most}; got ${value}`), { field: name });
    }
    return value;
}

function rateAndSharpness(number) {
    const [lr, sharpness] = [positiveNumber("lr", number), positiveNumber("sharpness", number)];
    return { lr, sharpness };
}
