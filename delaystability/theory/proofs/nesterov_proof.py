"""The elementary proof for Nesterov momentum, as in formal/Nesterov*.v."""

from __future__ import annotations

from sympy import cos

from delaystability.theory.domains import closed_unit_interval, nonnegative_momentum
from delaystability.theory.general_steps import polynomial_steps
from delaystability.theory.proofs.elementary_steps import (
    ANGLE_OF_ROOT,
    OUTSIDE,
    distance_from_one,
    distance_from_pole,
)
from delaystability.theory.symbols import m
from delaystability.theory.vocabulary import positive, step

__all__ = ["BELOW", "BEYOND", "UNDELAYED"]

_CHI = {"chi(z)": lambda loop: loop.polynomial}

BELOW = (
    polynomial_steps("nesterov"),
    step(
        "angle-form",
        r"""The equation of the angle says that $X(theta)$, its left side, vanishes. Let
        $b_3 := 1 - m + 4 m sin(theta/2)^2$ and $b_4 := 1 - m + 2 m^2 + 4 m sin(theta/2)^2$, which
        are positive. The addition theorems separate the angles \(\tau\theta, \theta/2\):""",
        "X(theta) = b_3 cos(tau theta) cos(theta/2) - b_4 sin(tau theta) sin(theta/2)",
        rocq="Nesterov.nag_X_form",
    ),
    step(
        "tangent-form",
        "and, in the angle of SGD,",
        """X(theta) = cos((tau + 1/2) theta) (1 - m + 2 m (2 + m) sin(theta/2)^2) - 2 m^2
        sin(theta/2) cos(theta/2) sin((tau + 1/2) theta)""",
        rocq="Nesterov.nag_X_tangent",
    ),
    step(
        "factor",
        OUTSIDE
        + """ The square of the modulus of $(1 + m) z - m$ is
        $f_3(x, v) := (1 + m)^2 x^2 + m^2 - 2 m (1 + m) x cos(v)$, which is positive:""",
        "f_3(x, v) = ((1 + m) x - m)^2 + 2 m (1 + m) x (1 - cos(v))",
        rocq="Nesterov.nag_K_positive",
    ),
    step(
        "polar",
        """With $f_1(x, v) := (1 + m) x^3 cos(v) - m x^2 cos(2 v) - (1 + m)^2 x^2 + 2 m (1 + m) x
        cos(v) - m^2$, $f_2(x, v) := x^2 sin(v) ((1 + m) x - 2 m cos(v))$ and $f(x, v) := f_1(x, v)
        sin(tau v) + f_2(x, v) cos(tau v)$ the polynomial is, multiplied by the conjugate of that
        number,""",
        """((1 + m) x exp(-I v) - m) chi(x exp(I v)) = x^tau (f_1(x, v) cos(tau v) - f_2(x, v)
        sin(tau v)) + a f_3(x, v) + I x^tau f(x, v)""",
        _CHI,
        rocq="Nesterov.nesterov_polar Nesterov.nesterov_root",
    ),
    step(
        "modulus",
        "At a root both parts vanish. Then $a^2 f_3(x, v)^2$ is $x^(2 tau)$ times",
        """f_1(x, v)^2 + f_2(x, v)^2 = (x^2 + 1 - 2 x cos(v)) (x^2 + m^2 - 2 m x cos(v))
        f_3(x, v)""",
        rocq="Nesterov.nag_modulus Trigonometry.modulus_squared",
    ),
    step(
        "on-circle",
        r"On the circle \(f\) has the sign of \(X\):",
        "f(1, v) = 2 sin(v/2) X(v)",
        rocq="Nesterov.nag_F_one",
    ),
    step(
        "powers",
        """In powers of $x - 1$, with
        $b_1 := sin(tau v) ((1 - m) cos(v) + 2 m^2 (1 - cos(v))) + (1 + m) sin(v) cos(tau v)$ and
        $b_2 := 2 (1 + m) ((1 - m) cos(v) sin(tau v) + sin(v) cos(tau v)) + m^2 sin(tau v)$,""",
        """f(x, v) = f(1, v) + (2 f(1, v) + b_1) (x - 1) + (f(1, v) + b_2) (x - 1)^2 + (1 + m)
        (x - 1)^3 sin((tau + 1) v)""",
        rocq="Nesterov.nag_F_taylor",
    ),
    step(
        "first",
        r"""Let \(\tau \ge 1\). The angle $theta$ is below $pi/(2 tau)$, because \(X\) is $1 - m$
        at 0 and negative there:""",
        "X(pi/(2 tau)) = -(1 - m + 2 m^2 + 4 m sin(pi/(4 tau))^2) sin(pi/(4 tau))",
        rocq="Nesterov.nag_factors Nesterov.nag_T",
    ),
    step(
        "factor-on-circle",
        r"""Let \(0 < v < \theta\). The sines and cosines of $v$ and $tau v$ and the sine of
        $(tau + 1) v$ are positive, and $f(1, v)$ is. So all terms in {ref:powers} are, and there is
        no root of this angle. Now let \(\theta \le v \le \pi\). With $y = sin(v/2)^2$, the last
        factor in {ref:modulus} is on the circle""",
        "f_3(1, v) = 1 + 4 m (1 + m) sin(v/2)^2",
        rocq="Nesterov.nag_gap_from_X Nesterov.nag_gap Nesterov.nag_gain_squared",
    ),
    step(
        "growth",
        "and grows at most as the fourth power of $x$:",
        """x^4 f_3(1, v) - f_3(x, v) = (x - 1) (x - m) (x^2 + (1 + m) x - m) + 2 m (1 + m) (1 -
        cos(v)) x (x - 1) (x^2 + x + 1)""",
        rocq="Nesterov.nag_K_grows",
    ),
    distance_from_one("The other factors are at least $x$ times their values on the circle:"),
    distance_from_pole("and likewise"),
    step(
        "order",
        r"""Since \(\tau \ge 1\), a root asks for \(a^2 \ge f_4(y)\), where $f_4(y) := 4 y ((1 -
        m)^2 + 4 m y)/(1 + 4 m (1 + m) y)$. The square of the gain of the theorem is $f_4(y_1)$
        with $y_1 = sin(theta/2)^2$, and \(y \ge y_1\): no root of these angles has a smaller
        gain:""",
        """f_4(y) - f_4(y_1) = 4 (y - y_1) ((1 - m)^2 + 4 m (y + y_1) + 16 m^2 (1 + m) y y_1)/((1 +
        4 m (1 + m) y) (1 + 4 m (1 + m) y_1))""",
        rocq="Nesterov.nag_beyond",
    ),
    step(
        "half-line",
        "For $v = 0$ the polynomial is positive:",
        "chi(x) = x^tau (x - 1) (x - m) + a ((1 + m) x - m)",
        _CHI,
        rocq="Nesterov.nag_no_positive_root",
    ),
)
"""Below the threshold no root is on or outside the circle, if there is a delay."""

_SIGN_BEYOND = (
    step(
        "sines",
        r"""Let \(0 < v \le v_1\). The quotient $sin[(n + 1) v]/sin[n v]$ falls while
        \(n v \le \pi\), because $f_5(n) := sin[n v_1] sin[(n + 1) v] - sin[(n + 1) v_1] sin[n v]$
        is not negative, by induction:""",
        "f_5(n + 1) = f_5(n) + 2 sin[(n + 1) v_1] sin[(n + 1) v] (cos(v) - cos(v_1))",
        rocq="Multiples.sine_ratio",
    ),
    step(
        "tangents",
        "So $tan((tau + 1/2) v) cot(v/2)$ rises:",
        """2 sin((tau + 1/2) v_1) cos(v_1/2) cos((tau + 1/2) v) sin(v/2) - 2 sin((tau + 1/2) v)
        cos(v/2) cos((tau + 1/2) v_1) sin(v_1/2) = f_5(tau)""",
        rocq="Multiples.tangent_ratio",
    ),
    step(
        "beyond",
        r"""Let \(a\) be at least the gain of the theorem. For \(\theta \le v < \pi/(\tau + 1)\),
        $X(v)$ is not positive. Where $cos((tau + 1/2) v)$ is not, this follows from
        {ref:tangent-form} if $cos(tau v)$ is positive, and from {ref:angle-form} if not; in this
        case it is negative. Elsewhere the quotient below, where $f_7(v) := tan((tau + 1/2) v)
        cot(v/2)$ rises by {ref:tangents}, is 0 at $theta$, so that the last bracket is negative
        there, and falls from there on:""",
        "X(v)/cos((tau + 1/2) v) = 1 - m + 2 m sin(v/2)^2 (2 + m - m f_7(v))",
        rocq="NesterovUnstable.nag_X_beyond NesterovUnstable.nag_X_zero",
    ),
)

_ONCE = (
    positive(
        "coefficient-sign",
        """As $x$ grows from 1, $f(x, v)$ changes its sign once. First, let
        $f_6(v) := 3 (1 + m + m^2) - 6 m (1 + m) cos(v) + 4 m^2 cos(v)^2$. Then""",
        "f_6(v) > 0",
        [
            {m: nonnegative_momentum, cos(ANGLE_OF_ROOT): 1 - 2 * chart}
            for chart in closed_unit_interval
        ],
        rocq="NesterovUnstable.nag_coefficients",
    ),
    step(
        "coefficients",
        """so that in {ref:powers} the coefficient of the square is not negative if that of $x - 1$
        is positive:""",
        """(f(1, v) + b_2) (3 + 3 m - 4 m cos(v)) = (2 f(1, v) + b_1) (3 + 3 m - 2 m cos(v)) + (1 +
        m) f_6(v) sin(tau v)""",
        rocq="NesterovUnstable.nag_coefficients",
    ),
    step(
        "once",
        r"""Let \(1 < x < x_1\) and \(f(x, v) \ge 0\). Then \(f(x_1, v) > 0\). If the coefficient
        of $x - 1$ is positive, this is so because all terms but the first increase, and else by""",
        """(x - 1)^2 f(x_1, v) = (x_1 - 1)^2 f(x, v) - ((x_1 - 1)^2 - (x - 1)^2) f(1, v) - (2 f(1,
        v) + b_1) (x - 1) (x_1 - 1) (x_1 - x) + (1 + m) (x - 1)^2 (x_1 - 1)^2 (x_1 - x)
        sin((tau + 1) v)""",
        rocq="NesterovUnstable.nag_once",
    ),
)

BEYOND = (
    *_SIGN_BEYOND,
    *_ONCE,
    step(
        "branch",
        r"""By {ref:powers} the same holds for $x = 1$, if $X(v)$ vanishes. So $f(x, v)$ vanishes
        at one \(x \ge 1\), which depends continuously on $v$. At the last angle it is negative for
        every $x$, and this modulus grows beyond all bounds:""",
        """f(x, pi/(tau + 1)) = -((1 + m + m^2) x^2 - 2 m (1 + m) x cos(pi/(tau + 1)) + m^2)
        sin(pi/(tau + 1))""",
        rocq="Branch.branch",
    ),
    step(
        "gain",
        """With this modulus $z$ is a root for the gain $x^tau f_2(x, v)/(f_3(x, v) sin(tau v))$.
        For where $f(x, v)$ vanishes, $a$ times $f_3(x, v)$ is what is subtracted in""",
        """x^tau (f_1(x, v) cos(tau v) - f_2(x, v) sin(tau v)) sin(tau v) = x^tau f(x, v) cos(tau
        v) - x^tau f_2(x, v)""",
        rocq="Trigonometry.real_part_from_imaginary",
    ),
    step(
        "start",
        r"""It is continuous and grows beyond all bounds. At $theta$, where $x = 1$, its square is
        $f_4(y_1)$, because $X(theta)$ vanishes in""",
        """b_3^2 cos(theta/2)^2 - ((1 - m)^2 + 4 m sin(theta/2)^2) f_3(1, theta) sin(tau theta)^2 =
        X(theta) (b_3 cos(tau theta) cos(theta/2) + b_4 sin(tau theta) sin(theta/2))""",
        rocq="NesterovUnstable.nag_G_start NesterovUnstable.nag_branch",
    ),
)
"""With a delay, some root is not inside the circle from the threshold on."""

UNDELAYED = (
    step(
        "undelayed-angle",
        r"""By the intermediate value theorem every gain from there on has a root that is not
        inside. Without delay the angle is $pi$, the first root of""",
        "X(theta) = cos(theta/2) (1 - m + 4 m sin(theta/2)^2)",
        {"tau": "0"},
        rocq="NesterovThreshold.nag_zero_angle",
    ),
    step(
        "undelayed-gain",
        "and the gain of the theorem is $2 (1 + m)/(1 + 2 m)$, since there",
        "4 ((1 - m)^2 + 4 m)/(1 + 4 m (1 + m)) = (2 (1 + m)/(1 + 2 m))^2",
        rocq="NesterovThreshold.nag_zero_gain",
    ),
    step(
        "undelayed-below",
        r"""There is no root for \(0 < v < \pi\), where $f(x, v)$ is $f_2(x, v)$ and positive. The
        root $-x$ asks for $a ((1 + m) x + m) = (1 + x) (x + m)$, which is no smaller gain:""",
        "(1 + 2 m) (1 + x) (x + m) - 2 (1 + m) ((1 + m) x + m) = (x - 1) ((1 + 2 m) x + m)",
        rocq="NesterovThreshold.nag_zero_stable",
    ),
    step(
        "undelayed-beyond",
        r"""From that gain on there is one with \(x \ge 1\): the difference of the two sides is not
        positive at $x = 1$, and positive at $1 + 2 a$:""",
        "2 (1 + a) (1 + 2 a + m) - a ((1 + m) (1 + 2 a) + m) = 2 (1 + m) + 5 a + 2 (1 - m) a^2",
        rocq="NesterovThreshold.nag_zero_unstable",
    ),
    step(
        "not-positive",
        r"""At a gain $-b$, \(b \ge 0\), with any delay, the polynomial is $-b$ at 1, and at $2 + 2
        b$ at least the number below, so that it has a root from 1 on:""",
        """(1 + 2 b) (2 + 2 b - m) - b ((1 + m) (2 + 2 b) - m) = 2 - m + (4 - 3 m) b + 2 (1 - m)
        b^2""",
        rocq="Loop.real_root NesterovThreshold.nesterov_is_threshold",
    ),
)
"""Without delay, and for gains that are not positive."""
