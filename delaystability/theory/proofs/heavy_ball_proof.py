"""The elementary proof for heavy ball, in the order of HeavyBall.v, HeavyBallUnstable.v."""

from __future__ import annotations

from sympy import Symbol

from delaystability.theory.domains import UNIT_INTERVAL, closed_unit_interval, momentum
from delaystability.theory.general_steps import polynomial_steps
from delaystability.theory.proofs.elementary_steps import (
    OUTSIDE,
    distance_from_one,
    distance_from_pole,
)
from delaystability.theory.symbols import m
from delaystability.theory.vocabulary import positive, step

__all__ = ["BELOW", "BEYOND"]

_CHI = {"chi(z)": lambda loop: loop.polynomial, "chi(z, a)": lambda loop: loop.polynomial}
_y = Symbol("y", positive=True)

BELOW = (
    polynomial_steps("heavy_ball"),
    step(
        "polar",
        OUTSIDE
        + """ With $f_1(x, v) := (x + m/x) cos(v) - (1 + m)$ and
        $f_2(x, v) := (x - m/x) sin(v)$ the polynomial is""",
        """chi(x exp(I v)) = x exp(I v) (x^tau (f_1(x, v) cos(tau v) - f_2(x, v) sin(tau v)) + a +
        I x^tau (f_1(x, v) sin(tau v) + f_2(x, v) cos(tau v)))""",
        _CHI,
        rocq="HeavyBall.heavy_ball_polar HeavyBall.heavy_ball_root",
    ),
    step(
        "modulus",
        """At a root both parts in brackets vanish, so that $a^2$ is $x^(2 tau)$ times""",
        "f_1(x, v)^2 + f_2(x, v)^2 = (x^2 + 1 - 2 x cos(v)) (x^2 + m^2 - 2 m x cos(v))/x^2",
        rocq="HeavyBall.hb_modulus Trigonometry.modulus_squared",
    ),
    step(
        "imaginary",
        """Let $f(x, v) := x^2 sin((tau + 1) v) - (1 + m) x sin(tau v) + m sin((tau - 1) v)$. It has
        the sign of the imaginary part:""",
        "x (f_1(x, v) sin(tau v) + f_2(x, v) cos(tau v)) = f(x, v)",
        rocq="HeavyBall.hb_F_imaginary",
    ),
    step(
        "angle-form",
        r"""The equation of the angle says that $X(theta)$ vanishes, where
        $X(theta) := cos((tau + 1/2) theta) - m cos((tau - 1/2) theta)$. The addition theorems
        separate the angles \(\tau\theta, \theta/2\):""",
        "X(theta) = (1 - m) cos(tau theta) cos(theta/2) - (1 + m) sin(tau theta) sin(theta/2)",
        rocq="HeavyBall.hb_X_angle",
    ),
    step(
        "on-circle",
        r"On the circle \(f\) has the sign of \(X\):",
        "f(1, v) = 2 sin(v/2) X(v)",
        rocq="HeavyBall.hb_F_one",
    ),
    step(
        "first",
        r"""Let \(\tau \ge 1\). The angle $theta$ is below $pi/(2 tau)$, because \(X\) is $1 - m$ at
        0 and negative there:""",
        "X(pi/(2 tau)) = -(1 + m) sin(pi/(4 tau))",
        rocq="HeavyBall.T_bounds",
    ),
    step(
        "powers",
        r"""Let \(0 < v < \theta\). The sines and cosines of $v$ and $tau v$ and the sine of
        $(tau + 1) v$ are positive, and $f(1, v)$ is, by {ref:on-circle}. So $f(x, v)$ is, and
        there is no root of this angle:""",
        """f(x, v) = f(1, v) + (x - 1) (f(1, v) + (1 - m) cos(v) sin(tau v) + (1 + m) sin(v)
        cos(tau v)) + (x - 1)^2 sin((tau + 1) v)""",
        rocq="HeavyBall.hb_F_taylor HeavyBall.signs HeavyBall.gap",
    ),
    step(
        "mirrored",
        r"""Nor is there one of the angle \(\pi - v\). What $(-1)^tau$ is multiplied by is positive,
        since \(|m| < 1 \le x\):""",
        """f(x, pi - v) = (-1)^tau ((x^2 + m) cos(v) sin(tau v) + (x^2 - m) sin(v) cos(tau v) +
        (1 + m) x sin(tau v))""",
        rocq="HeavyBall.mirrored",
    ),
    distance_from_one(
        r"Between $theta$ and \(\pi - \theta\) moduli decide. Of the factors in {ref:modulus},"
    ),
    distance_from_pole("where the last square is not negative, and likewise"),
    positive(
        "square-sign",
        r"""The bracket is positive, for $y = sin(v/2)^2$ in \([0, 1]\):""",
        "(1 - m)^2 + 4 m y > 0",
        [{m: momentum, _y: chart} for chart in closed_unit_interval],
        over=({_y: UNIT_INTERVAL},),
        rocq="HeavyBall.hb_square_positive",
    ),
    step(
        "order",
        r"""So \(a^2 \ge f_3(y)\), where $f_3(y) := 4 y ((1 - m)^2 + 4 m y)$. The square of the gain
        of the theorem is $f_3(y_1)$ with $y_1 = sin(theta/2)^2$, and \(y_1 \le y \le 1 - y_1\). By
        {ref:square-sign}, whose $y$ may be $y_1 + y$, no root of these angles has a smaller
        gain:""",
        "f_3(y) - f_3(y_1) = 4 (y - y_1) ((1 - m)^2 + 4 m (y_1 + y))",
        rocq="HeavyBall.heavy_ball_gain_squared HeavyBall.hb_modulus_bound",
    ),
    step(
        "positive-half-line",
        "There remain the two half-lines. On the positive one the polynomial is positive:",
        "chi(x) = x (x^tau (x - 1) (x - m)/x + a)",
        _CHI,
        rocq="HeavyBall.hb_no_positive_root",
    ),
    step(
        "negative-half-line",
        r"""On the negative one, a root $z = -x$ asks for $(-1)^tau a$ to be $x^tau$ times the left
        side below. The delay is even, and the gain at least $2 (1 + m)$:""",
        "(x + 1) (x + m)/x = 2 (1 + m) + (x - 1) (x - m)/x",
        rocq="HeavyBall.hb_no_negative_root",
    ),
    step(
        "undelayed",
        r"""Without delay $X(theta)$ is $(1 - m) cos(theta/2)$, so that the angle is $pi$. For
        \(0 < v < \pi\) there is no root, as \(f(x, v)\) is positive:""",
        "f(x, v) = (x^2 - m) sin(v)",
        {"tau": "0"},
        rocq="HeavyBall.heavy_ball_stable_side",
    ),
)
"""Below the threshold no root is on or outside the circle."""

BEYOND = (
    step(
        "beyond",
        r"""Now let \(\tau \ge 1\), and let the gain be at least that of the theorem. For \(\theta
        \le v < \pi/(\tau + 1)\), $X(v)$ is not positive: by {ref:angle-form} it falls up to $pi/(2
        tau)$ and is negative from there on. As $x$ grows from 1, $f(x, v)$ changes its sign once.
        For let \(1 < x < x_1\) and \(f(x, v) \ge 0\). Then \(f(x_1, v) > 0\), as $sin((tau + 1) v)$
        is positive; and by {ref:powers} also for $x = 1$:""",
        """(x - 1) f(x_1, v) = (x_1 - 1) f(x, v) - (x_1 - x) f(1, v) + (x_1 - 1) (x_1 - x) (x - 1)
        sin((tau + 1) v)""",
        rocq="HeavyBallUnstable.X_beyond HeavyBallUnstable.hb_once",
    ),
    step(
        "branch",
        r"""So $f(x, v)$ vanishes at one \(x \ge 1\), which depends continuously on $v$. At the last
        angle it is negative for every $x$, and this modulus grows beyond all bounds:""",
        "f(x, pi/(tau + 1)) = -((1 + m) x - 2 m cos(pi/(tau + 1))) sin(pi/(tau + 1))",
        rocq="Branch.branch",
    ),
    step(
        "gain",
        """With this modulus $z$ is a root for the gain $x^tau f_2(x, v)/sin(tau v)$. For where
        $f(x, v)$ vanishes, the real part without $a$ is minus this gain:""",
        """x^tau (f_1(x, v) cos(tau v) - f_2(x, v) sin(tau v)) sin(tau v) = x^(tau - 1) f(x, v)
        cos(tau v) - x^tau f_2(x, v)""",
        rocq="Trigonometry.real_part_from_imaginary",
    ),
    step(
        "start",
        r"""It is continuous and grows beyond all bounds. It begins at $theta$, where $x = 1$, with
        $(1 - m) sin(theta)/sin(tau theta)$. This is the gain of the theorem, because $X(theta)$
        vanishes in""",
        """(1 - m)^2 cos(theta/2)^2 - ((1 - m)^2 + 4 m sin(theta/2)^2) sin(tau theta)^2 = X(theta)
        ((1 - m) cos(tau theta) cos(theta/2) + (1 + m) sin(tau theta) sin(theta/2))""",
        rocq="HeavyBallUnstable.hb_G_start HeavyBallUnstable.hb_branch",
    ),
    step(
        "gain-undelayed",
        r"""By the intermediate value theorem every gain from there on has a root that is not
        inside. Without delay the gain at $theta = pi$ is $2 (1 + m)$, as""",
        "(1 - m)^2 + 4 m = (1 + m)^2",
        rocq="HeavyBallUnstable.hb_angle_zero HeavyBallUnstable.hb_gain_zero",
    ),
    step(
        "even",
        r"""For that and every even delay, let \(a \ge 2 (1 + m)\). At $-x$ the polynomial is
        $x^tau (x + 1) (x + m) - a x$. This is not positive at $x = 1$, and at $x = 1 + a$ it is at
        least the number below, so that there is a root from $-1$ on:""",
        "(2 + a) (1 + a + m) - a (1 + a) = 2 (1 + m) + a (2 + m)",
        rocq="HeavyBallUnstable.hb_even_unstable",
    ),
    step(
        "not-positive",
        r"""At a gain $-b$, \(b \ge 0\), the polynomial is $-b$ at 1, and at $2 + b$ at least the
        number below, so that it has a root from 1 on:""",
        "(1 + b) (2 + b - m) - b (2 + b) = 2 - m + b (1 - m)",
        rocq="Loop.real_root HeavyBallUnstable.heavy_ball_is_threshold",
    ),
    step(
        "no-minimum",
        r"""For \(m \ge 0\) the gain of the theorem is at most $2 (1 + m)$, with \(y \le 1\) in""",
        "(1 + m)^2 - ((1 - m)^2 + 4 m y) = 4 m (1 - y)",
        rocq="HeavyBallUnstable.heavy_ball_threshold_gain",
    ),
)
"""From the threshold on some root is not inside the circle."""
