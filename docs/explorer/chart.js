"use strict";

/**
 * Draw lines over an axis, with the setting as a mark.
 *
 * @param {SVGElement} svg
 * @param {object} picture x and y ({label, low, high, log}), lines ({points, name, style}), stable
 *     (whether what is below the first line is so), point ({x, y, inside}, or null)
 */
function drawChart(svg, { x, y, lines, stable, point }) {
    const width = Math.max(svg.clientWidth, 240);
    const height = Math.max(Math.min(width * 0.62, 400), 260);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    const box = { left: 66, right: width - 14, top: 10, bottom: height - 42 };
    const across = scaleOf(x, box.left, box.right);
    const up = scaleOf(y, box.bottom, box.top);
    const path = (points) => points.map(([a, b]) => `${across(a).toFixed(2)},${up(b).toFixed(2)}`).join(" L");
    const scene = document.createDocumentFragment();
    if (stable) {
        const edge = path(lines[0].points);
        const ends = [lines[0].points[0][0], lines[0].points.at(-1)[0]].map((place) => across(place).toFixed(2));
        drawn(scene, "path", { class: "beyond-area", d: `M${ends[0]},${box.top} L${edge} L${ends[1]},${box.top} Z` });
        drawn(scene, "path", { class: "stable-area", d: `M${ends[0]},${box.bottom} L${edge} L${ends[1]},${box.bottom} Z` });
    }
    drawChartAxes(scene, { x, y, across, up, box, height });
    for (const { points, style } of lines) {
        drawn(scene, "path", { class: style, d: `M${path(points)}` });
    }
    if (stable) {
        drawn(scene, "text", { class: "area-name", x: box.left + 10, y: box.bottom - 12 }, "stable");
        drawn(scene, "text", { class: "area-name", x: box.right - 10, y: box.top + 20, "text-anchor": "end" }, "beyond the edge");
    }
    if (point) {
        const place = drawn(scene, "g", {
            class: point.inside ? "stable" : "beyond",
            transform: `translate(${across(point.x).toFixed(2)} ${up(point.y).toFixed(2)})`,
        });
        drawn(place, "circle", { class: "ring", r: 11 });
        drawn(place, "path", { class: "mark", d: markPath(point.inside, 6) });
    }
    svg.replaceChildren(scene);
}

/** From a value to a place between two ends, which it does not leave. */
function scaleOf({ low, high, log }, first, last) {
    const part = log
        ? (value) => Math.log(Math.max(value, 1e-300) / low) / Math.log(high / low)
        : (value) => (value - low) / (high - low);
    return (value) => first + Math.min(Math.max(part(value), 0), 1) * (last - first);
}

/** Round values on an axis, about five to ten. */
function ticksOf({ low, high, log }) {
    if (log) {
        const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
        const every = Math.ceil((last - first) / 8);
        const factors = Math.log10(high / low) < 2.5 ? [1, 2, 5] : [1];
        return spread(first, last, (power) => power)
            .filter((power) => power % every === 0)
            .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
            .filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
    }
    const rough = (high - low) / 6;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
    return spread(Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9), (k) => Number((k * step).toPrecision(12)));
}

function drawChartAxes(scene, { x, y, across, up, box, height }) {
    let end = -Infinity;
    for (const value of ticksOf(x)) {
        const [place, text] = [across(value), tickLabel(value)];
        drawn(scene, "line", { class: "grid", x1: place, x2: place, y1: box.top, y2: box.bottom });
        if (place - 4 * text.length > end + 4) {
            drawn(scene, "text", { class: "tick", x: place, y: box.bottom + 16, "text-anchor": "middle" }, text);
            end = place + 4 * text.length;
        }
    }
    for (const value of ticksOf(y)) {
        drawn(scene, "line", { class: "grid", x1: box.left, x2: box.right, y1: up(value), y2: up(value) });
        drawn(scene, "text", { class: "tick", x: box.left - 6, y: up(value) + 4, "text-anchor": "end" }, tickLabel(value));
    }
    const middle = (box.top + box.bottom) / 2;
    drawn(scene, "text", { class: "axis", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label);
    drawn(scene, "text", { class: "axis", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, y.label);
}

function tickLabel(value) {
    const size = Math.abs(value);
    return size === 0 || (size >= 1e-3 && size < 1e5) ? String(value) : value.toExponential(0).replace("e+", "e");
}

/** A logarithmic axis around values, from a third of the least to three times the largest. */
function logAxis(label, values) {
    const allowed = values.filter((value) => value > 0 && value < Infinity);
    return { label, low: Math.min(...allowed) / 3, high: Math.max(...allowed) * 3, log: true };
}

/** A hundred values between two, evenly spaced on a logarithmic scale. */
function logSpread(low, high) {
    return spread(0, 99, (k) => low * (high / low) ** (k / 99));
}
