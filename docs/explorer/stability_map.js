"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** A new SVG element with attributes. */
function drawn(parent, name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
        made.setAttribute(key, typeof value === "number" ? Math.round(value * 100) / 100 : value);
    }
    if (text !== undefined) {
        made.textContent = text;
    }
    parent.append(made);
    return made;
}

/** The delays of the threshold line: each of the first ones, then neighbours ever further apart. */
function lineDelays(last) {
    const delays = new Set();
    for (let delay = 0; delay <= Math.min(last, 64); delay += 1) {
        delays.add(delay);
    }
    for (let delay = 66; delay + 1 < last; delay = Math.ceil(delay * 1.06)) {
        delays.add(delay).add(delay + 1);
    }
    return [...delays.add(last)];
}

/**
 * Scales and threshold line of the map.
 *
 * The delay is on the scale log(1 + delay), the learning rate on a logarithmic one.
 */
function mapGeometry(setting, width, height) {
    const largest = setting.measured ? setting.measured.weights.at(-1)[0] : setting.delay;
    const last = largest <= 256 ? 256 : Math.min(10 ** Math.ceil(Math.log10(largest)), 2 ** 53);
    const box = { left: 66, right: width - 12, top: 10, bottom: height - 42 };
    const line = lineDelays(last).map((delay) => [
        delay,
        fixedThreshold(setting, delay, setting.horizon) / setting.sharpness,
    ]);
    const rates = line.map(([, rate]) => rate).filter((rate) => rate > 0 && rate < Infinity);
    const low = Math.log10(Math.max(Math.min(...rates) / 5, 1e-290));
    const high = Math.log10(Math.min(Math.max(...rates) * 5, 1e290));
    const across = (box.right - box.left) / Math.log1p(last);
    const up = (box.bottom - box.top) / (high - low);
    return {
        box,
        line,
        last,
        low,
        high,
        x: (delay) => box.left + Math.log1p(delay) * across,
        y: (lr) => Math.min(Math.max(box.bottom - (Math.log10(lr) - low) * up, box.top), box.bottom),
        delayAt: (x) => Math.min(Math.max(Math.round(Math.expm1((x - box.left) / across)), 0), last),
        lrAt: (y) => Number((10 ** (low + (box.bottom - Math.min(Math.max(y, box.top), box.bottom)) / up)).toPrecision(3)),
    };
}

/** Draw the map; returns its geometry, for dragging. */
function drawMap(svg, setting, found) {
    const width = Math.max(svg.clientWidth, 240);
    const height = Math.max(Math.min(width * 0.78, 380), 250);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    const geometry = mapGeometry(setting, width, height);
    const { box, line, x, y } = geometry;
    const scene = document.createDocumentFragment();
    const hatch = drawn(scene, "pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    drawn(hatch, "line", { x1: 0, y1: 0, x2: 0, y2: 7, class: "hatch" });
    const path = line.map(([delay, rate]) => `${x(delay).toFixed(2)},${y(rate).toFixed(2)}`).join(" L");
    drawn(scene, "path", { class: "beyond-area", d: `M${box.left},${box.top} L${path} L${box.right},${box.top} Z` });
    drawn(scene, "path", { fill: "url(#hatch)", d: `M${box.left},${box.top} L${path} L${box.right},${box.top} Z` });
    drawn(scene, "path", { class: "stable-area", d: `M${box.left},${box.bottom} L${path} L${box.right},${box.bottom} Z` });
    drawAxes(scene, geometry, height);
    drawn(scene, "path", { class: "edge", d: `M${path}` });
    drawn(scene, "text", { class: "area-name", x: box.left + 10, y: box.bottom - 12 }, "stable");
    drawn(scene, "text", { class: "area-name", x: box.right - 10, y: box.top + 20, "text-anchor": "end" }, "beyond the edge");
    if (found.delays) {
        const { shortest, longest } = found.delays;
        const level = y(found.maxLearningRate);
        drawn(scene, "path", { class: "measured", d: `M${x(shortest)},${level} H${x(longest)} M${x(shortest)},${level - 5} v10 M${x(longest)},${level - 5} v10` });
    }
    drawPoint(scene, geometry, setting, found);
    svg.replaceChildren(scene);
    return geometry;
}

function drawAxes(scene, { box, last, low, high, x, y }, height) {
    const delays = last === 256 ? [0, 1, 2, 4, 8, 16, 32, 64, 128, 256] : [0, 1];
    for (let delay = 10; last > 256 && delay <= last; delay *= 10) {
        delays.push(delay);
    }
    let end = -Infinity;
    for (const delay of delays) {
        drawn(scene, "line", { class: "grid", x1: x(delay), x2: x(delay), y1: box.top, y2: box.bottom });
        const text = delay < 1e4 ? String(delay) : delay.toExponential(0).replace("e+", "e");
        if (x(delay) - 4 * text.length > end + 4) {
            drawn(scene, "text", { class: "tick", x: x(delay), y: box.bottom + 16, "text-anchor": "middle" }, text);
            end = x(delay) + 4 * text.length;
        }
    }
    const factors = high - low < 2.5 ? [1, 2, 5] : [1];
    const every = Math.ceil((high - low) / 8);
    for (let decade = Math.floor(low); decade <= high; decade += 1) {
        for (const factor of decade % every === 0 ? factors : []) {
            const rate = Number(`${factor}e${decade}`);
            if (Math.log10(rate) >= low && Math.log10(rate) <= high) {
                drawn(scene, "line", { class: "grid", x1: box.left, x2: box.right, y1: y(rate), y2: y(rate) });
                drawn(scene, "text", { class: "tick", x: box.left - 6, y: y(rate) + 4, "text-anchor": "end" }, tickText(rate, decade));
            }
        }
    }
    drawn(scene, "text", { class: "axis", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "delay (updates)");
    const middle = (box.top + box.bottom) / 2;
    drawn(scene, "text", { class: "axis", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, "learning rate");
}

function tickText(rate, decade) {
    return decade >= -4 && decade <= 4 ? String(rate) : rate.toExponential(0).replace("e+", "e");
}

/** The current setting: a disc inside, a diamond outside, as everywhere on the page. */
function drawPoint(scene, { x, y, box }, setting, found) {
    const delay = found.delays ? found.delays.mean : setting.delay;
    const [cx, cy] = [x(delay), y(setting.lr)];
    const group = drawn(scene, "g", {
        id: "point",
        class: found.stable ? "point stable" : "point beyond",
        tabindex: "0",
        role: "slider",
        "aria-label": "Setting on the map: up and down change the learning rate, left and right the delay",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": Math.round(100 * Math.min(found.ratio, 1)),
        "aria-valuetext": `delay ${shown(delay)}, learning rate ${shown(setting.lr)}`,
        transform: `translate(${cx.toFixed(2)} ${cy.toFixed(2)})`,
    });
    drawn(group, "circle", { class: "handle", r: 22 });
    drawn(group, "circle", { class: "ring", r: 12 });
    drawn(group, "path", { class: "mark", d: markPath(found.stable, 6) });
    const clipped = cy <= box.top || cy >= box.bottom;
    if (clipped) {
        const left = cx > (box.left + box.right) / 2;
        const place = { class: "area-name", x: left ? -18 : 18, y: cy <= box.top ? 14 : -6, "text-anchor": left ? "end" : "start" };
        drawn(group, "text", place, cy <= box.top ? "↑ further up" : "↓ further down");
    }
}

/** A disc or a diamond around 0, 0. */
function markPath(inside, size) {
    return inside
        ? `M${-size},0 a${size},${size} 0 1,0 ${2 * size},0 a${size},${size} 0 1,0 ${-2 * size},0 Z`
        : `M0,${-size * 1.3} L${size * 1.3},0 L0,${size * 1.3} L${-size * 1.3},0 Z`;
}

function mapCaption(setting) {
    return setting.measured
        ? "Line: the largest stable learning rate at a fixed delay. Bar: at your measured delay, over its range; the mark stands at its mean. Drag the mark up and down, or use the arrow keys."
        : "Line: the largest stable learning rate. Drag the mark, or use the arrow keys on it.";
}
