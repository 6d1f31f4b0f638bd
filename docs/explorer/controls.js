"use strict";

/** What a slider can show; the box beside it takes any allowed number. */
const SLIDER_VALUES = {
    "momentum": [
        ...spread(-19, 18, (k) => k / 20),
        ...spread(91, 99, (k) => k / 100),
        ...spread(991, 999, (k) => k / 1000),
    ],
    "delay": [...new Set([...spread(0, 32, (k) => k), ...spread(33, 60, (k) => 2 ** (5 + (k - 33) / 9))])].map(Math.round),
    "lr": spread(-120, 20, tenths),
    "sharpness": spread(-40, 80, tenths),
    "reference-lr": spread(-120, 20, tenths),
};

/** Settings by their name in the address, with their values at first. */
const INITIAL = {
    "optimizer": "heavy-ball",
    "momentum": "0.9",
    "horizon": "",
    "mode": "fixed",
    "delay": "4",
    "data": "1: 12\n2: 40\n3: 120\n4: 31\n5: 9\n9: 2",
    "lr": "0.001",
    "sharpness": "20",
    "reference-lr": "0.01",
    "reference-delay": "0",
    "reference-optimizer": "",
    "reference-momentum": "0",
};

/** The parameters of all optimizers; those without a control at first get one. */
const PARAMETERS = [...new Set(Object.values(delaystability.catalogue).flatMap(({ ordinary }) => Object.keys(ordinary)))];
for (const { ordinary } of Object.values(delaystability.catalogue)) {
    for (const [name, value] of Object.entries(ordinary)) {
        INITIAL[name] ??= value === null ? "" : String(value);
    }
}

const LONGEST_ADDRESS = 4000;

function spread(first, last, value) {
    return Array.from({ length: last - first + 1 }, (_, index) => value(first + index));
}

/** Twenty steps a decade, in three digits. */
function tenths(step) {
    return Number((10 ** (step / 20)).toPrecision(3));
}

function element(id) {
    return document.getElementById(id);
}

/** What stands in the controls, as text by name. */
function readControls() {
    const texts = {};
    for (const name of Object.keys(INITIAL)) {
        texts[name] = name === "mode" ? document.querySelector("input[name=mode]:checked").value : element(name).value;
    }
    return texts;
}

/** Put texts into the controls; unknown names of optimizers and modes are ignored. */
function writeControls(texts) {
    for (const [name, text] of Object.entries(texts)) {
        if (name === "mode") {
            const choice = document.querySelector(`input[name=mode][value="${CSS.escape(text)}"]`);
            if (choice) {
                choice.checked = true;
            }
        } else if (name in INITIAL) {
            const control = element(name);
            const allowed = control.options && [...control.options].map((option) => option.value);
            if (!allowed || allowed.includes(text)) {
                control.value = text;
            }
        }
    }
}

/** The texts in the part of an address after #, over the initial ones. */
function fromAddress(hash) {
    const asked = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
    // What belongs to another question is not about this one.
    return "question" in asked ? { ...INITIAL } : { ...INITIAL, ...asked };
}

/** The part of an address after #: what differs from the initial texts and matters. */
function toAddress(texts) {
    const kept = new URLSearchParams();
    for (const [name, text] of Object.entries(texts)) {
        const idle = name === (texts.mode === "fixed" ? "data" : "delay");
        if (text !== INITIAL[name] && !idle) {
            kept.set(name, name === "data" ? shortened(text) : text);
        }
    }
    return kept.toString();
}

/** A long log as its histogram, which has the same answers. */
function shortened(text) {
    if (text.length <= LONGEST_ADDRESS) {
        return text;
    }
    try {
        return measuredDelay(text).weights.map((pair) => pair.join(":")).join(",");
    } catch {
        return text.slice(0, LONGEST_ADDRESS);
    }
}

/**
 * The setting that the texts describe.
 *
 * @throws {RangeError} whose `field` is the name of the control that is wrong
 */
function settingFrom(texts) {
    const number = (name) => inField(name, () => checkedNumber(name, texts[name]));
    const { optimizer } = texts;
    if (!(optimizer in delaystability.catalogue)) {
        throw new RangeError("optimizer must be one of the list; got none");
    }
    const parameters = { ...delaystability.catalogue[optimizer].ordinary };
    for (const [name, value] of Object.entries(parameters)) {
        // Only what may be left out is null.
        parameters[name] = value === null && texts[name].trim() === "" ? null : number(name);
    }
    const other = texts["reference-optimizer"] || optimizer;
    const measured = texts.mode === "measured";
    const setting = {
        optimizer,
        parameters,
        delay: measured ? null : number("delay"),
        measured: measured ? inField("data", () => measuredDelay(texts.data)) : null,
        lr: number("lr"),
        sharpness: number("sharpness"),
        reference: {
            lr: number("reference-lr"),
            delay: number("reference-delay"),
            optimizer: other,
            parameters: texts["reference-optimizer"] === "" ? parameters : ofReference(other, parameters, number),
        },
    };
    checkAlone(setting);
    return setting;
}

/** The parameters of the reference: a momentum of its own, what it shares, and ordinary values. */
function ofReference(other, shared, number) {
    const parameters = { ...delaystability.catalogue[other].ordinary };
    for (const name of Object.keys(parameters)) {
        if (name === "momentum") {
            parameters[name] = number("reference-momentum");
        } else if (name in shared) {
            parameters[name] = shared[name];
        }
    }
    return parameters;
}

/** Refuse each argument alone, so that the message stands beside its control. */
function checkAlone({ optimizer, parameters, delay, measured, lr, sharpness, reference }) {
    const { sgdThreshold, maxSharpness, maxLearningRate } = delaystability;
    const { threshold, ordinary } = delaystability.catalogue[optimizer];
    for (const [name, value] of Object.entries(parameters)) {
        inField(name, () => threshold({ ...ordinary, [name]: value }, 0));
    }
    inField("delay", () => sgdThreshold(measured ? 0 : delay));
    inField("lr", () => maxSharpness(lr, 1));
    inField("sharpness", () => maxLearningRate(sharpness, 1));
    inField("reference-lr", () => maxSharpness(reference.lr, 1));
    inField("reference-delay", () => sgdThreshold(reference.delay));
    inField("reference-momentum", () => fixedThreshold(reference, 0));
}

function inField(field, compute) {
    try {
        return compute();
    } catch (error) {
        throw Object.assign(error, { field: error.field ?? field });
    }
}

function checkedNumber(name, text) {
    const value = text.trim() === "" ? NaN : Number(text);
    if (Number.isNaN(value)) {
        throw new RangeError(`${name.replace("-", " ")} must be a number; got "${text}"`);
    }
    return value;
}

/** Set up a slider over a list of values, beside the box of the same name. */
function bindSlider(name) {
    const slider = element(`${name}-slider`);
    const box = element(name);
    slider.min = 0;
    slider.max = SLIDER_VALUES[name].length - 1;
    slider.step = 1;
    slider.addEventListener("input", () => {
        box.value = String(SLIDER_VALUES[name][slider.value]);
        box.dispatchEvent(new Event("input", { bubbles: true }));
    });
}

/** Move a slider to the value nearest to what stands in its box. */
function followBox(name) {
    const slider = element(`${name}-slider`);
    const value = Number(element(name).value);
    if (document.activeElement !== slider || SLIDER_VALUES[name][slider.value] !== value) {
        slider.value = nearest(SLIDER_VALUES[name], value);
    }
    slider.setAttribute("aria-valuetext", element(name).value);
}

/** The index of the value nearest to a number, over logarithms where all are positive. */
function nearest(values, number) {
    const scale = values[0] > 0 ? (x) => Math.log(Math.max(x, 1e-300)) : (x) => x;
    let best = 0;
    values.forEach((value, index) => {
        if (Math.abs(scale(value) - scale(number)) < Math.abs(scale(values[best]) - scale(number))) {
            best = index;
        }
    });
    return best;
}
