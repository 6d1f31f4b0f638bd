"""The elementary proof for shifted momentum below 0, as in formal/ShiftedNegative*.v."""

from __future__ import annotations

from delaystability.theory.proofs.shifted_momentum_proof import CHI
from delaystability.theory.vocabulary import step

__all__ = ["NEGATIVE"]

_CHORD = step(
    "chord",
    r"""Let \(0 < v \le v_1\). The quotient $sin[n v]/sin(v)$ falls while \(n v \le \pi\), in which
    the induction from $n$ to $n + 1$ uses that cosines fall:""",
    """sin[(n + 1) v_1] sin(v) - sin[(n + 1) v] sin(v_1) = cos(v_1) sin[n v_1] sin(v) - cos(v)
    sin[n v] sin(v_1) + (cos[n v_1] - cos[n v]) sin(v) sin(v_1)""",
    rocq="Multiples.sine_chord",
)

_COTANGENTS = step(
    "cotangents",
    r"""So $cot((tau + 1) v) cot(v/2)$ falls up to $pi/(tau + 1)$: the right side below is not
    negative for \((\tau + 1) v_1 \le \pi\). Either both sines of multiples are positive in it, or
    the second is minus that of \(2\pi - (\tau + 1)(v_1 + v)\), and {ref:chord} applies with
    $n = 2 tau + 2$:""",
    """2 cos((tau + 1) v) cos(v/2) sin((tau + 1) v_1) sin(v_1/2) - 2 cos((tau + 1) v_1) cos(v_1/2)
    sin((tau + 1) v) sin(v/2) = sin[(tau + 1) (v_1 - v)] sin[(v_1 + v)/2] + sin[(tau + 1) (v_1 + v)]
    sin[(v_1 - v)/2]""",
    rocq="Multiples.cotangents_fall",
)

_BELOW = (
    step(
        "halves",
        r"""Now let \(m < 0\) and \(\tau \ge 1\). In halves of \((\tau + 1)\theta\) and
        \(\tau\theta\) the equation of the angle has a left side that falls up to
        $pi/(tau + 1)$:""",
        """X(theta) = (1 - m) cos((tau + 1) theta/2) cos(tau theta/2) - (1 + m) sin((tau + 1)
        theta/2) sin(tau theta/2)""",
        rocq="ShiftedNegative.shifted_X_halves ShiftedNegative.shifted_X_falls",
    ),
    step(
        "last",
        r"""There it is negative, so that $theta$ is smaller. It is at least $pi/(2 tau + 1)$,
        because both terms of $X(theta)$ are positive before:""",
        "X(pi/(tau + 1)) = -(1 + m) cos[pi/(2 (tau + 1))]",
        rocq="ShiftedNegative.shifted_X_end ShiftedNegative.negative_T",
    ),
    step(
        "negative-gain",
        r"""As before, $b_1$ is the gain of the theorem. It is positive, as by {ref:start}
        $b_1 cos(theta/2) = 2 sin(theta/2) sin((tau + 1) theta)$. Moreover, $X(theta)$ vanishes
        in""",
        """b_1 cos((tau + 1) theta) cos(theta/2) - (2 m - b_1) sin((tau + 1) theta) sin(theta/2) =
        X(theta) (b_1 - 2 m sin(theta/2)^2)""",
        rocq="ShiftedNegative.negative_gain",
    ),
    _CHORD,
    _COTANGENTS,
    step(
        "parts",
        r"""Let \(0 < v < \theta\). The equation \(z^{\tau + 1} - m = -a z/(z - 1)\), multiplied by
        the square of \(|z - 1|\), says at a root""",
        """(x^(tau + 1) exp(I (tau + 1) v) - m) (x^2 + 1 - 2 x cos(v)) = (x exp(-I v) - 1)
        chi(x exp(I v)) - a x (x - cos(v)) + I a x sin(v)""",
        CHI,
        rocq="ShiftedNegative.negative_below",
    ),
    step(
        "quotient",
        r"""The quotient of real and imaginary part gives $a x sin(v) cot((tau + 1) v)$ as the left
        side below. The last two terms are not positive, so that \(a \cot((\tau + 1)v) \cot(v/2)
        \le 2m - a\). But by {ref:negative-gain} and {ref:cotangents} the product of the cotangents
        is at least $2 m/b_1 - 1$, and \(a \ge b_1\). So below $b_1$ there is no root of this
        angle:""",
        """m (x^2 + 1 - 2 x cos(v)) - a x (x - cos(v)) = x (1 - cos(v)) (2 m - a) + m (x - 1)^2 - a
        x (x - 1)""",
        rocq="ShiftedNegative.negative_below",
    ),
    step(
        "negative-moduli",
        r"""Let \(\theta \le v \le \pi\) and \(a < b_1\). With $y = sin(v/2)^2$, the square of the
        modulus of $(m - a) z - m$ in {ref:split} is""",
        "x^2 f_1(x, v) = (a + (a - m) (x - 1))^2 - 4 m (a - m) x sin(v/2)^2",
        rocq="ShiftedNegative.negative_beyond",
    ),
    step(
        "constant",
        r"""By {ref:gain-facts}, \(a^2 < 4y(1 + m(a - m))\), where the bracket is positive. As
        $theta$ is at least $pi/(2 tau + 1)$, \(4\tau\sin(v/2) \ge 1\) by {ref:chord}; and \(a^2 m^2
        \le y\) by the square below, so that \(-am \le 4\tau y\), \(a(a - m) \le 4(\tau + 1)y\) and
        \((a - m)^2 \le 1 + a(a - m)\):""",
        "1 - 4 (1 - m^2) m^2 = (1 - 2 m^2)^2",
        rocq="ShiftedNegative.negative_beyond Multiples.sine_of_multiple",
    ),
    step(
        "powers",
        r"""Since \(x^{\tau + 1} \ge 1 + (\tau + 1)(x - 1)\), the other modulus is greater if the
        left side below, with $n = tau + 1$ and $x_1 = x - 1$, is positive. On the right no bracket
        is negative, and the first is positive. So there is no root of this angle either:""",
        """(1 + n x_1)^2 (x_1^2 + 4 y (1 + x_1)) - (a + (a - m) x_1)^2 + 4 m (a - m) y (1 + x_1) =
        (4 y (1 + m (a - m)) - a^2) + (4 y (1 + m (a - m)) + 8 n y - 2 a (a - m)) x_1 + (1 + 8 n y +
        4 n^2 y - (a - m)^2) x_1^2 + (2 n + 4 n^2 y) x_1^3 + n^2 x_1^4""",
        rocq="ShiftedNegative.negative_beyond",
    ),
)

_BEYOND = (
    step(
        "argument",
        r"""Let \(a \ge b_1\), and let $b_2 := -m/a$ and $f_3(x, v) := ((1 + b_2) x^2 + b_2)
        sin((tau + 1) v) - x (sin(tau v) + 2 b_2 cos(v) sin((tau + 1) v))$. On the circle it has the
        sign of $f_4(v) := (1 + 2 b_2) sin((tau + 1) v) sin(v/2) + cos((tau + 1) v) cos(v/2)$:""",
        "f_3(1, v) = 2 sin(v/2) f_4(v)",
        rocq="ShiftedNegativeUnstable.argument_F_one",
    ),
    step(
        "argument-start",
        r"""There is an angle \(v_1 \le \theta\) where \(f_4\) vanishes, because it is 1 at 0, and
        not positive at $theta$: by {ref:negative-gain}, where $X(theta)$ vanishes, and \(b_1 b_2
        \le -m\),""",
        """b_1 f_4(theta) = 2 (b_1 b_2 + m) sin((tau + 1) theta) sin(theta/2) + X(theta) (b_1 - 2 m
        sin(theta/2)^2)""",
        rocq="ShiftedNegativeUnstable.start_exists",
    ),
    step(
        "argument-once",
        r"""Let \(v_1 \le v < \pi/(\tau + 1)\). There \(f_4\) is not positive by {ref:cotangents},
        and $f_3(x, v)$ changes its sign once as $x$ grows from 1. For let \(1 < x < x_1\) and
        \(f_3(x, v) \ge 0\). Then \(f_3(x_1, v) > 0\), as $sin((tau + 1) v)$ is positive:""",
        """(x - 1) f_3(x_1, v) = (x_1 - 1) f_3(x, v) - (x_1 - x) f_3(1, v) + (1 + b_2) (x_1 - 1)
        (x_1 - x) (x - 1) sin((tau + 1) v)""",
        rocq="ShiftedNegativeUnstable.argument_Z_beyond ShiftedNegativeUnstable.argument_once",
    ),
    step(
        "argument-one",
        "If $f_3(1, v)$ vanishes, it is positive for $x$ above 1:",
        "f_3(x, v) - x f_3(1, v) = (x - 1) ((1 + b_2) x - b_2) sin((tau + 1) v)",
        rocq="ShiftedNegativeUnstable.argument_once",
    ),
    step(
        "argument-gain",
        r"""At $v_1$, where $x = 1$, the gain in {ref:gain} is \(2\tan(v_1/2)\sin((\tau + 1)v_1)\).
        It is at most $a$, because \(X(v_1) \ge 0\) by {ref:halves} and \(m = -a b_2\) in""",
        "X(v) = f_4(v) - 2 b_2 sin((tau + 1) v) sin(v/2) - m cos(v/2)",
        rocq="ShiftedNegativeUnstable.start_gain",
    ),
    step(
        "argument-branch",
        r"""So $f_3(x, v)$ vanishes at one \(x \ge 1\), which depends continuously on $v$, and with
        it the gain $f_2(x, v)/sin(v)$. At the last angle it is negative for every $x$, and modulus
        and gain grow beyond all bounds:""",
        "f_3(x, pi/(tau + 1)) = -x sin(pi/(tau + 1))",
        rocq="Branch.branch",
    ),
    step(
        "argument-root",
        r"""By the intermediate value theorem the gain is $a$ at some angle. There \(f(x, v)\)
        vanishes, and $z$ is a root for the gain $a$ by {ref:gain}:""",
        "f(x, v) = x^tau f_3(x, v) - b_2 (f_2(x, v) - a sin(v))",
        rocq="ShiftedNegativeUnstable.negative_branch",
    ),
)

NEGATIVE = (*_BELOW, *_BEYOND)
"""For negative momentum: no root on or outside the circle below the threshold, one from it on."""
