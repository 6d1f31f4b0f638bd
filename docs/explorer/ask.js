"use strict";

/** The sheet of the other questions: fields in, answer and picture out. */
(() => {
    let current = null;
    let frame = 0;
    let addressTimer = 0;
    let speechTimer = 0;

    const idOf = (question, name) => `${question}-${name}`;
    const chosen = () => document.querySelector("input[name=question]:checked").value;

    function made(name, attributes, ...children) {
        const one = Object.assign(document.createElement(name), attributes);
        one.append(...children);
        return one;
    }

    function addQuestion(question, { title, fields }) {
        const choice = made("input", { type: "radio", name: "question", value: question });
        element("questions").append(made("label", {}, choice, ` ${title}`));
        const form = made("form", { id: `${question}-form`, className: "controls", autocomplete: "off", hidden: true });
        form.append(made("fieldset", {}, made("legend", {}, title), ...fields.map((field) => fieldOf(question, field))));
        form.addEventListener("input", schedule);
        form.addEventListener("submit", (event) => event.preventDefault());
        element("asked-numbers").parentElement.after(form);
    }

    function fieldOf(question, { name, label, hint, initial, options, slider }) {
        const id = idOf(question, name);
        const text = made("label", { htmlFor: id }, `${label} `, ...(hint ? [made("small", {}, hint)] : []));
        const field = made("div", { className: "field", id: `${id}-field` }, text);
        if (options) {
            field.append(made("select", { id, value: initial }, ...options.map(([value, shownText]) => new Option(shownText, value))));
            return field;
        }
        const box = made("input", { id, value: initial, inputMode: "decimal", spellcheck: false });
        box.setAttribute("aria-describedby", `${id}-error`);
        field.append(box);
        if (slider) {
            SLIDER_VALUES[id] = slider;
            const range = made("input", { type: "range", id: `${id}-slider` });
            range.setAttribute("aria-label", label);
            field.append(range);
        }
        field.append(made("p", { className: "error", id: `${id}-error` }));
        return field;
    }

    function textsOf(question) {
        return Object.fromEntries(QUESTIONS[question].fields.map(({ name }) => [name, element(idOf(question, name)).value]));
    }

    function schedule() {
        if (frame === 0) {
            frame = requestAnimationFrame(() => {
                frame = 0;
                render();
            });
        }
        clearTimeout(addressTimer);
        addressTimer = setTimeout(writeAddress, 250);
    }

    function writeAddress() {
        const question = chosen();
        if (!(question in QUESTIONS)) {
            return;
        }
        const kept = new URLSearchParams({ question });
        const texts = textsOf(question);
        for (const { name, initial, shown: isShown } of QUESTIONS[question].fields) {
            if (texts[name] !== initial && (!isShown || isShown(texts))) {
                kept.set(name, texts[name]);
            }
        }
        if (kept.toString() !== location.hash.slice(1)) {
            history.replaceState(null, "", `#${kept}`);
        }
    }

    function readAddress() {
        const asked = new URLSearchParams(location.hash.slice(1));
        const question = asked.get("question") in QUESTIONS ? asked.get("question") : "training";
        document.querySelector(`input[name=question][value=${question}]`).checked = true;
        for (const { name, initial, options } of QUESTIONS[question]?.fields ?? []) {
            const text = asked.get(name) ?? initial;
            const allowed = !options || options.some(([value]) => value === text);
            element(idOf(question, name)).value = allowed ? text : initial;
        }
        render();
    }

    function render() {
        const question = chosen();
        element("training").hidden = question in QUESTIONS;
        element("asked").hidden = !(question in QUESTIONS);
        current = null;
        if (!(question in QUESTIONS)) {
            return;
        }
        const { fields, lead, answer: answered } = QUESTIONS[question];
        const texts = textsOf(question);
        for (const name of Object.keys(QUESTIONS)) {
            element(`${name}-form`).hidden = name !== question;
        }
        for (const field of fields) {
            element(`${idOf(question, field.name)}-field`).hidden = Boolean(field.shown && !field.shown(texts));
            if (!field.options) {
                showError(idOf(question, field.name), "");
            }
            if (field.slider) {
                followBox(idOf(question, field.name));
            }
        }
        element("asked-lead").textContent = lead;
        const number = (name) => inField(name, () => checkedNumber(name, texts[name]));
        try {
            show(question, answered(number, texts));
        } catch (error) {
            if (!(error instanceof RangeError)) {
                throw error;
            }
            refuse(question, error);
        }
    }

    function showError(id, message) {
        element(`${id}-error`).textContent = message;
        if (message) {
            element(id).setAttribute("aria-invalid", "true");
        } else {
            element(id).removeAttribute("aria-invalid");
        }
    }

    function put(state, verdict, detail) {
        element("asked-verdict").className = `card ${state}`;
        element("asked-text").textContent = verdict;
        element("asked-detail").textContent = detail;
        clearTimeout(speechTimer);
        speechTimer = setTimeout(() => {
            element("asked-announcement").textContent = `${verdict}. ${detail}`;
        }, 500);
    }

    function show(question, found) {
        put(found.state, found.verdict, found.detail);
        element("asked-meter").hidden = found.ratio === undefined;
        element("asked-fill").style.width = `${Math.min(50 * (found.ratio ?? 0), 100)}%`;
        element("asked-numbers").replaceChildren(...found.numbers.map(([id, label, value, note]) => {
            const output = made("output", { id }, shown(value));
            output.dataset.value = String(value);
            return made("div", {}, made("dt", {}, label), made("dd", {}, output), made("dd", { className: "note" }, note));
        }));
        element("asked-title").textContent = QUESTIONS[question].title;
        element("asked-caption").textContent = found.caption;
        element("asked-python").textContent = ["import delaystability as ds", "", ...found.python].join("\n");
        current = found;
        drawChart(element("asked-picture"), found.picture);
    }

    function refuse(question, error) {
        put("refused", "No answer", error.message);
        if (element(`${idOf(question, error.field)}-error`)) {
            showError(idOf(question, error.field), error.message);
        }
        element("asked-fill").style.width = "0";
        element("asked-numbers").replaceChildren();
        element("asked-picture").replaceChildren();
        for (const id of ["asked-title", "asked-caption", "asked-python"]) {
            element(id).textContent = "";
        }
    }

    Object.entries(QUESTIONS).forEach(([name, question]) => addQuestion(name, question));
    element("questions").addEventListener("change", () => {
        if (chosen() in QUESTIONS) {
            schedule();
        } else {
            render();
            // The other sheet writes its own address.
            element("controls").dispatchEvent(new Event("input"));
        }
    });
    element("asked-copy").addEventListener("click", (event) => copy(event.currentTarget, element("asked-python").textContent));
    element("asked-link").addEventListener("click", (event) => {
        writeAddress();
        copy(event.currentTarget, location.href);
    });
    addEventListener("hashchange", readAddress);
    new ResizeObserver(() => current && drawChart(element("asked-picture"), current.picture)).observe(element("asked-picture"));
    readAddress();
})();
