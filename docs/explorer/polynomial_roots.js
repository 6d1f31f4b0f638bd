"use strict";

/**
 * All roots of a real polynomial, by Aberth's method from the starts of Bini (1996).
 *
 * The starts lie on circles whose radii are the slopes of the Newton polygon: the upper convex hull
 * of log|c_k| over k. Each step divides Newton's correction by 1 minus itself times the sum of
 * 1/(z - other roots), so that no two iterates fall into the same root.
 *
 * @param {number[]} coefficients highest power first, the first one not 0
 * @returns {{re: number, im: number}[]} as many roots as the degree, roots at 0 included
 */
function polynomialRoots(coefficients) {
    let length = coefficients.length;
    while (length > 1 && coefficients[length - 1] === 0) {
        length -= 1;
    }
    const kept = Array.from(coefficients.slice(0, length));
    const degree = length - 1;
    const [re, im] = startingPoints(kept);
    const forward = sparseTerms(kept);
    const backward = sparseTerms(kept.slice().reverse());
    const open = new Set(re.keys());
    for (let round = 0; round < 120 && open.size > 0; round += 1) {
        for (const index of open) {
            const size = step(forward, backward, degree, re, im, index);
            if (size <= 2e-16) {
                open.delete(index);
            }
        }
    }
    const roots = Array.from(re, (value, index) => ({ re: value, im: im[index] }));
    return roots.concat(Array.from({ length: coefficients.length - length }, () => ({ re: 0, im: 0 })));
}

/** Largest modulus of the roots; 0 if there are none. */
function largestModulus(roots) {
    return roots.reduce((largest, root) => Math.max(largest, Math.hypot(root.re, root.im)), 0);
}

/** The terms that do not vanish, highest power first, each with the power that comes before it. */
function sparseTerms(coefficients) {
    const terms = [];
    let before = 0;
    coefficients.forEach((value, index) => {
        if (value !== 0) {
            terms.push([index - before, value]);
            before = index;
        }
    });
    return { terms, rest: coefficients.length - 1 - before };
}

/** One step of one root, in place; returns its size relative to the root. */
function step(forward, backward, degree, re, im, index) {
    const x = re[index];
    const y = im[index];
    const square = x * x + y * y;
    let quotient;
    if (square <= 1) {
        // p'/p, and its size where p vanishes within rounding.
        quotient = logarithmicDerivative(forward, x, y);
    } else {
        // With w = 1/z and the reversed polynomial q: p'/p = (degree - w q'/q) w.
        const u = x / square;
        const v = -y / square;
        const inner = logarithmicDerivative(backward, u, v);
        if (inner === null) {
            return 0;
        }
        const a = degree - (u * inner[0] - v * inner[1]);
        const b = -(u * inner[1] + v * inner[0]);
        quotient = [a * u - b * v, a * v + b * u];
    }
    if (quotient === null) {
        return 0;
    }
    let [a, b] = quotient;
    for (let other = 0; other < re.length; other += 1) {
        if (other !== index) {
            const dx = x - re[other];
            const dy = y - im[other];
            const distance = dx * dx + dy * dy || 1e-300;
            a -= dx / distance;
            b += dy / distance;
        }
    }
    const size = a * a + b * b || 1e-300;
    re[index] -= a / size;
    im[index] += b / size;
    return 1 / Math.sqrt(size * square || 1e-300);
}

/** p'/p at x + iy by Horner's scheme over the terms; null where p is 0 within rounding. */
function logarithmicDerivative(polynomial, x, y) {
    let pRe = 0;
    let pIm = 0;
    let dRe = 0;
    let dIm = 0;
    let bound = 0;
    const modulus = Math.hypot(x, y);
    const multiply = (gap) => {
        if (gap > 0) {
            const [a, b] = power(x, y, gap - 1);
            const [c, d] = [a * x - b * y, a * y + b * x];
            [dRe, dIm] = [
                dRe * c - dIm * d + gap * (pRe * a - pIm * b),
                dRe * d + dIm * c + gap * (pRe * b + pIm * a),
            ];
            [pRe, pIm] = [pRe * c - pIm * d, pRe * d + pIm * c];
            bound *= modulus ** gap;
        }
    };
    for (const [gap, value] of polynomial.terms) {
        multiply(gap);
        pRe += value;
        bound += Math.abs(value);
    }
    multiply(polynomial.rest);
    const square = pRe * pRe + pIm * pIm;
    if (square <= (1e-16 * bound) ** 2) {
        return null;
    }
    return [(dRe * pRe + dIm * pIm) / square, (dIm * pRe - dRe * pIm) / square];
}

/** (x + iy)^exponent by repeated squaring. */
function power(x, y, exponent) {
    let re = 1;
    let im = 0;
    for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
        if (rest % 2 === 1) {
            [re, im] = [re * x - im * y, re * y + im * x];
        }
        [x, y] = [x * x - y * y, 2 * x * y];
    }
    return [re, im];
}

/** Starts on the circles of the Newton polygon, turned so that none is real. */
function startingPoints(coefficients) {
    const degree = coefficients.length - 1;
    const hull = [];
    // Over the power of z, from the constant term up.
    coefficients.slice().reverse().forEach((value, exponent) => {
        if (value === 0) {
            return;
        }
        const point = [exponent, Math.log(Math.abs(value))];
        while (hull.length > 1 && above(hull[hull.length - 2], hull[hull.length - 1], point)) {
            hull.pop();
        }
        hull.push(point);
    });
    const re = new Float64Array(degree);
    const im = new Float64Array(degree);
    let index = 0;
    for (let side = 1; side < hull.length; side += 1) {
        const [first, low] = hull[side - 1];
        const [last, high] = hull[side];
        const count = last - first;
        const radius = Math.exp((low - high) / count);
        for (let k = 0; k < count; k += 1) {
            const angle = (2 * Math.PI * k) / count + (2 * Math.PI * side) / degree + 0.7;
            re[index] = radius * Math.cos(angle);
            im[index] = radius * Math.sin(angle);
            index += 1;
        }
    }
    return [re, im];
}

/** Whether the point between two others lies on or below their chord. */
function above([x0, y0], [x1, y1], [x2, y2]) {
    return (y1 - y0) * (x2 - x0) <= (y2 - y0) * (x1 - x0);
}
