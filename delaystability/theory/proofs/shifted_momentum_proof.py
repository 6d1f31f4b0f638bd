"""The elementary proof for shifted momentum with momentum from 0 on, as in formal/Shifted*.v."""

from __future__ import annotations

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.general_steps import polynomial_steps
from delaystability.theory.proofs.elementary_steps import OUTSIDE
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import m, tau
from delaystability.theory.vocabulary import step

__all__ = ["BELOW", "BEYOND", "CHI"]

CHI = {
    "chi(z)": lambda loop: loop.polynomial,
    "chi(z, a)": lambda loop: loop.polynomial,
    "chi_HB(z)": lambda _: SymbolicLoop(HeavyBall(m)).polynomial.subs(tau, 0),
}

BELOW = (
    polynomial_steps("shifted_momentum"),
    step(
        "polar",
        OUTSIDE
        + """ With $f(x, v) := x^(tau + 1) (x sin((tau + 1) v) - sin(tau v)) - m sin(v)$
        the polynomial is""",
        """chi(x exp(I v)) = x exp(I v) (x^tau (x cos((tau + 1) v) - cos(tau v)) - m (1 -
        cos(v)/x) + a + I f(x, v)/x)""",
        CHI,
        rocq="Shifted.shifted_polar Shifted.shifted_root",
    ),
    step(
        "split",
        r"""It is the difference of two terms, which are the same at a root. The squares of their
        moduli are \(x^{2\tau} x^2 (x^2 + 1 - 2x\cos v)\) and \(x^2 f_1(x, v)\), where
        $f_1(x, v) := (m - a)^2 + m^2/x^2 - 2 m (m - a) cos(v)/x$:""",
        "chi(z) = z^(tau + 1) (z - 1) - ((m - a) z - m)",
        CHI,
        rocq="Shifted.shifted_modulus",
    ),
    step(
        "slope",
        r"""Let \(m \ge 0\) first, and \(a < 1 + m\). Then \(x + m(m - a) > 0\), and the difference
        of \(x^2 + 1 - 2x\cos v\) and $f_1(x, v)$ is at least that at $x = 1$, because the terms in
        the bracket are not negative:""",
        """(x^2 + 1 - 2 x cos(v) - f_1(x, v)) - (2 - 2 cos(v) - f_1(1, v)) = ((x - 1)/x^2) ((x - 1)
        (x^2 - m^2) + 2 (1 - cos(v)) x (x + m (m - a)) + 2 a m x)""",
        rocq="Shifted.shifted_slope",
    ),
    step(
        "angle-form",
        r"""The equation of the angle says that $X(theta)$ vanishes, where
        $X(theta) := cos((tau + 1/2) theta) - m cos(theta/2)$. The addition theorem gives""",
        "X(theta) = (cos(tau theta) - m) cos(theta/2) - sin(tau theta) sin(theta/2)",
        rocq="Shifted.shifted_X_form",
    ),
    step(
        "on-circle",
        r"On the circle \(f\) has the sign of \(X\):",
        "f(1, v) = 2 sin(v/2) X(v)",
        rocq="Shifted.shifted_F_one",
    ),
    step(
        "first",
        r"""Let \(0 < v < \theta\). Then $f(1, v)$ is positive, and $sin((tau + 1) v)$ is not
        negative, because $theta$ is at most $pi/(2 tau + 1)$, by the value below. As $x$ grows
        $f(x, v)$ does not fall, so that there is no root of this angle:""",
        "X(pi/(2 tau + 1)) = -m cos[pi/(2 (2 tau + 1))]",
        rocq="Shifted.shifted_T Shifted.shifted_gap",
    ),
    step(
        "gain-form",
        r"""With $b_1 := 2 sin(theta/2) (sin((tau + 1/2) theta) + m sin(theta/2))$, which is not
        negative, the gain of the theorem is $b_1$, because $X(theta)$ vanishes in""",
        "(1 - m)^2 + 4 m sin((tau + 1) theta/2)^2 = (b_1/(2 sin(theta/2)))^2 + X(theta)^2",
        rocq="Shifted.shifted_gain_form",
    ),
    step(
        "gain-facts",
        r"""It is at most $1 + m$ for \(\tau \ge 1\), as then \(2\sin(\theta/2) \le 1\), and it
        solves a quadratic equation:""",
        """b_1^2 = 4 sin(theta/2)^2 (1 - m^2 + m b_1) - 4 sin(theta/2)^2 X(theta)
        (cos((tau + 1/2) theta) + m cos(theta/2))""",
        rocq="Shifted.shifted_gain_facts",
    ),
    step(
        "beyond",
        r"""Let \(\tau \ge 1\), \(a < b_1\) and \(\theta \le v \le \pi\). At $x = 1$ the difference
        in {ref:slope} is positive, by {ref:gain-facts} and because \(\sin(v/2) \ge
        \sin(\theta/2)\). So it is for every $x$, and the moduli in {ref:split} are never the
        same:""",
        "2 - 2 cos(v) - f_1(1, v) = 4 sin(v/2)^2 (1 - m^2 + m a) - a^2",
        rocq="Shifted.shifted_beyond",
    ),
    step(
        "half-line",
        r"For $v = 0$, and for every \(|m| < 1\), the polynomial is positive:",
        "chi(x) = x ((x - 1) (x^tau - m/x) + a)",
        CHI,
        rocq="Shifted.shifted_no_positive_root",
    ),
)
"""For momentum from 0 on no root is on or outside the circle below the threshold."""

BEYOND = (
    step(
        "branch",
        r"""Let \(\tau \ge 1\) and \(a \ge b_1\). For \(\theta \le v < \pi/(\tau + 1)\), $X(v)$ is
        not positive by {ref:angle-form}: while \(\cos\tau v > m\) both terms fall, and after that
        neither is positive. Nor is $f(1, v)$. Where $f(x, v)$ is not negative it increases with
        $x$, as a product of factors that increase, less \(m\sin v\). So it vanishes at one \(x \ge
        1\), which depends continuously on $v$. At the last angle it is negative for every $x$, and
        this modulus grows beyond all bounds:""",
        "f(x, pi/(tau + 1)) = -(x^(tau + 1) + m) sin(pi/(tau + 1))",
        rocq="ShiftedUnstable.shifted_X_beyond Branch.branch",
    ),
    step(
        "gain",
        r"""With this modulus $z$ is a root for the gain $f_2(x, v)/sin(v)$, where
        $f_2(x, v) := x^tau sin((tau + 1) v) (x^2 + 1 - 2 x cos(v))$. For where $f(x, v)$ vanishes,
        the real part without $a$ is minus this gain:""",
        """(x^tau (x cos((tau + 1) v) - cos(tau v)) - m (1 - cos(v)/x)) sin(v) = (1 - cos(v)/x)
        f(x, v) - f_2(x, v)""",
        rocq="ShiftedUnstable.shifted_G_root",
    ),
    step(
        "start",
        r"""It is continuous and grows beyond all bounds, since \(\sin v \le \sin\tau v \le
        x\sin(\tau + 1)v\). It begins at $theta$, where $x = 1$, with
        $2 tan(theta/2) sin((tau + 1) theta)$. This is $b_1$, because $X(theta)$ vanishes in""",
        "2 sin(theta/2) sin((tau + 1) theta) = b_1 cos(theta/2) + 2 sin(theta/2)^2 X(theta)",
        rocq="ShiftedUnstable.shifted_G_start ShiftedUnstable.shifted_branch",
    ),
    step(
        "undelayed",
        r"""By the intermediate value theorem every gain from $b_1$ on has a root that is not
        inside. Without delay, for every \(|m| < 1\), the polynomial is that of heavy ball, whose
        threshold is $2 (1 + m)$ by {theorem:heavy-ball}. The angle is $pi$, since \(X(\theta) = (1
        - m)\cos(\theta/2)\), and the gain the same:""",
        "chi(z) = chi_HB(z)",
        {**CHI, "chi(z)": lambda loop: loop.polynomial.subs(tau, 0)},
        rocq="ShiftedUnstable.shifted_zero",
    ),
    step(
        "not-positive",
        r"""At a gain $-b$, \(b \ge 0\), the polynomial is $-b$ at 1, and at $2 + b$ at least the
        number below, so that it has a root from 1 on, again for every \(|m| < 1\):""",
        "(1 + b) (2 + b - m) - b (2 + b) = 2 - m + b (1 - m)",
        rocq="ShiftedUnstable.shifted_negative_gain ShiftedUnstable.shifted_is_threshold",
    ),
)
"""From the threshold on some root is not inside, and what holds for every momentum."""
