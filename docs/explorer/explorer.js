"use strict";

/** The page: controls in, numbers and pictures out. */
(() => {
    const BOXES = [...PARAMETERS, "delay", "data", "lr", "sharpness", "reference-lr", "reference-delay", "reference-momentum"];
    const OUTPUTS = {
        "threshold": "threshold",
        "gain": "gain",
        "max-learning-rate": "maxLearningRate",
        "max-effective": "maxEffective",
        "effective": "effective",
        "adjusted": "adjusted",
        "adjusted-factor": "adjustedFactor",
        "max-sharpness": "maxSharpness",
        "radius": "radius",
    };
    let current = null;
    let geometry = null;
    let frame = 0;
    let addressTimer = 0;
    let speechTimer = 0;
    let dragging = false;

    function fillSelects() {
        for (const [name, { title }] of Object.entries(delaystability.catalogue)) {
            element("optimizer").append(new Option(title, name));
            element("reference-optimizer").append(new Option(title, name));
        }
    }

    /** A box for each parameter that has none on the page. */
    function addFields() {
        let last = document.querySelector("[data-needs=horizon]");
        for (const name of PARAMETERS.filter((other) => !element(other))) {
            const field = last.cloneNode(true);
            field.dataset.needs = name;
            field.querySelector("label").textContent = name[0].toUpperCase() + name.slice(1);
            field.querySelector("label").htmlFor = name;
            Object.assign(field.querySelector("input"), { id: name, value: INITIAL[name] });
            field.querySelector("input").setAttribute("aria-describedby", `${name}-error`);
            field.querySelector(".error").id = `${name}-error`;
            last.after(field);
            last = field;
        }
    }

    function schedule() {
        if (frame === 0) {
            frame = requestAnimationFrame(() => {
                frame = 0;
                render();
            });
        }
        clearTimeout(addressTimer);
        // Browsers limit how often an address may change.
        addressTimer = setTimeout(writeAddress, 250);
    }

    function writeAddress() {
        if (element("training").hidden) {
            return;
        }
        const hash = toAddress(readControls());
        if (hash !== location.hash.slice(1)) {
            history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
        }
    }

    function readAddress() {
        writeControls(fromAddress(location.hash));
        render();
    }

    function render() {
        const texts = readControls();
        showFields(texts);
        Object.keys(SLIDER_VALUES).forEach(followBox);
        BOXES.forEach((name) => showError(name, ""));
        try {
            const setting = settingFrom(texts);
            const found = answer(setting);
            current = { setting, found };
            show(setting, found);
        } catch (error) {
            if (!(error instanceof RangeError)) {
                throw error;
            }
            current = null;
            showRefusal(error);
        }
    }

    function showFields(texts) {
        const { ordinary } = delaystability.catalogue[texts.optimizer];
        for (const field of document.querySelectorAll("[data-needs]")) {
            field.hidden = !(field.dataset.needs in ordinary);
        }
        for (const field of document.querySelectorAll("[data-mode]")) {
            field.hidden = field.dataset.mode !== texts.mode;
        }
        const other = texts["reference-optimizer"];
        element("reference-momentum-field").hidden =
            other === "" || !("momentum" in delaystability.catalogue[other].ordinary);
    }

    function showError(name, message) {
        element(`${name}-error`).textContent = message;
        element(name).toggleAttribute("aria-invalid", message !== "");
        if (message !== "") {
            element(name).setAttribute("aria-invalid", "true");
        }
    }

    function put(id, value) {
        element(id).textContent = shown(value);
        element(id).dataset.value = String(value);
    }

    function show(setting, found) {
        for (const [id, key] of Object.entries(OUTPUTS)) {
            put(id, found[key] ?? NaN);
        }
        const verdict = element("verdict");
        verdict.className = `card ${found.stable ? "stable" : "beyond"}`;
        Object.assign(verdict.dataset, { stable: found.stable, ratio: found.ratio });
        element("raw").textContent = shown(setting.lr);
        element("given-sharpness").textContent = shown(setting.sharpness);
        element("verdict-text").textContent = verdictText(found);
        element("verdict-detail").textContent = verdictDetail(found);
        // Half of the bar is the edge: what is beyond it stays visible.
        element("meter-fill").style.width = `${Math.min(50 * found.ratio, 100)}%`;
        element("measured-note").textContent = measuredNote(found);
        element("python-text").textContent = pythonLines(setting, found);
        draw(setting, found);
        speak(`${verdictText(found)}. ${verdictDetail(found)}`);
    }

    function draw(setting, found) {
        const focused = document.activeElement?.id === "point";
        geometry = drawMap(element("map"), setting, found);
        if (focused) {
            element("point").focus({ preventScroll: true });
        }
        element("map-caption").textContent = mapCaption(setting);
        drawCircle(element("circle"), found);
        element("circle-caption").textContent = circleCaption(found);
    }

    function showRefusal(error) {
        if (BOXES.includes(error.field)) {
            showError(error.field, error.message);
        }
        Object.keys(OUTPUTS).forEach((id) => put(id, NaN));
        const verdict = element("verdict");
        verdict.className = "card refused";
        Object.assign(verdict.dataset, { stable: "", ratio: "" });
        element("verdict-text").textContent = "No answer";
        element("verdict-detail").textContent = error.message;
        element("meter-fill").style.width = "0";
        for (const id of ["raw", "given-sharpness", "measured-note", "python-text", "map-caption", "circle-caption"]) {
            element(id).textContent = "";
        }
        element("map").replaceChildren();
        element("circle").replaceChildren();
        speak(`No answer: ${error.message}`);
    }

    /** Once the controls rest, so that moving a slider is not a flood of words. */
    function speak(text) {
        clearTimeout(speechTimer);
        speechTimer = setTimeout(() => {
            element("announcement").textContent = text;
        }, 500);
    }

    function change(texts) {
        writeControls(texts);
        schedule();
    }

    function moveTo(event) {
        if (!current || !geometry) {
            return;
        }
        const place = element("map").getBoundingClientRect();
        const texts = { lr: String(geometry.lrAt(event.clientY - place.top)) };
        if (!current.setting.measured) {
            texts.delay = String(geometry.delayAt(event.clientX - place.left));
        }
        change(texts);
    }

    function bindMap() {
        const map = element("map");
        map.addEventListener("pointerdown", (event) => {
            if (event.target.closest("#point") && event.button === 0) {
                dragging = true;
                map.setPointerCapture(event.pointerId);
                element("point").focus({ preventScroll: true });
                event.preventDefault();
            }
        });
        map.addEventListener("pointermove", (event) => {
            if (dragging) {
                moveTo(event);
            }
        });
        for (const name of ["pointerup", "pointercancel"]) {
            map.addEventListener(name, () => {
                dragging = false;
            });
        }
        map.addEventListener("click", moveTo);
        map.addEventListener("keydown", (event) => {
            if (event.target.id !== "point" || !current) {
                return;
            }
            const { setting } = current;
            const large = event.shiftKey ? 10 : 1;
            const rise = { ArrowUp: 1, ArrowDown: -1 }[event.key];
            const shift = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (rise) {
                const lr = setting.lr * 10 ** ((rise * large) / 50);
                change({ lr: String(Number(lr.toPrecision(3))) });
            } else if (shift && !setting.measured) {
                change({ delay: String(Math.max(setting.delay + shift * large, 0)) });
            } else {
                return;
            }
            event.preventDefault();
        });
    }

    addFields();
    fillSelects();
    Object.keys(SLIDER_VALUES).forEach(bindSlider);
    bindMap();
    element("controls").addEventListener("input", schedule);
    element("controls").addEventListener("submit", (event) => event.preventDefault());
    element("copy-python").addEventListener("click", (event) => copy(event.currentTarget, element("python-text").textContent));
    element("copy-link").addEventListener("click", (event) => {
        writeAddress();
        copy(event.currentTarget, location.href);
    });
    addEventListener("hashchange", readAddress);
    new ResizeObserver(() => current && draw(current.setting, current.found)).observe(element("map"));
    readAddress();
})();
