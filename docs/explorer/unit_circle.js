"use strict";

const WIDEST_VIEW = 2.5;

/** Draw the unit circle with the roots: discs inside, diamonds on or outside of it. */
function drawCircle(svg, { roots, radius }) {
    const width = Math.max(svg.clientWidth, 240);
    const height = Math.max(Math.min(width * 0.78, 380), 250);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    const scene = document.createDocumentFragment();
    const view = Math.min(Math.max(1.12, (radius ?? 0) * 1.1), WIDEST_VIEW);
    const unit = (height / 2 - 8) / view;
    const [x, y] = [(re) => width / 2 + re * unit, (im) => height / 2 - im * unit];
    drawn(scene, "circle", { class: "disc", cx: x(0), cy: y(0), r: unit });
    drawn(scene, "line", { class: "grid", x1: 8, x2: width - 8, y1: y(0), y2: y(0) });
    drawn(scene, "line", { class: "grid", x1: x(0), x2: x(0), y1: 8, y2: height - 8 });
    drawn(scene, "circle", { class: "unit", cx: x(0), cy: y(0), r: unit });
    drawn(scene, "text", { class: "tick", x: x(1) + 10, y: y(0) - 5 }, "1");
    const size = roots && roots.length > 80 ? 2.6 : 4;
    for (const root of roots ?? []) {
        const modulus = Math.hypot(root.re, root.im);
        const [cx, cy] = [x(root.re), y(root.im)];
        if (cx > 4 && cx < width - 4 && cy > 4 && cy < height - 4) {
            const place = `translate(${cx.toFixed(2)} ${cy.toFixed(2)})`;
            if (modulus >= radius * (1 - 1e-9)) {
                drawn(scene, "circle", { class: "dominant", r: size + 5, transform: place });
            }
            const name = modulus < 1 ? "root inside" : "root outside";
            drawn(scene, "path", { class: name, d: markPath(modulus < 1, size), transform: place });
        }
    }
    if (roots === null) {
        drawn(scene, "text", { class: "area-name", x: x(0), y: y(0) - 10, "text-anchor": "middle" }, `more than ${LARGEST_DEGREE} roots`);
    }
    svg.replaceChildren(scene);
}

function circleCaption({ roots, radius }) {
    if (roots === null) {
        return `Roots are drawn up to degree ${LARGEST_DEGREE}. Numbers and map hold at any delay.`;
    }
    const outside = roots.filter((root) => Math.hypot(root.re, root.im) >= 1).length;
    const inside = roots.length - outside;
    const far = radius > WIDEST_VIEW ? " Some lie beyond the picture." : "";
    return (
        `● ${inside} inside: die out. ◆ ${outside} outside: grow. ` +
        `Ringed: the largest modulus, ${radius.toPrecision(6)} an update.${far}`
    );
}
