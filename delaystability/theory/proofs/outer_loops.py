"""Outer loops: what local SGD and DiLoCo become where outer steps arrive late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from sympy import Basic, Eq, Expr, Function, Symbol, symbols

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer
from delaystability.model.outer_algorithms import ALGORITHMS, OuterSetting
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, alpha, m, tau, z
from delaystability.theory.trials import Trial
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    limit,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("outer-loops", "Outer loops")

_K, _d, _n, _j = symbols("K d n j", integer=True, positive=True)
_r, _c, _p, _q = symbols("r c p q", real=True)
_beta, _gamma = symbols("beta gamma", positive=True)
_y, _Y, _S, _M = symbols("y Y S M")
_INNER, _CURVATURE = 0.25, 1.5
_SETTINGS: tuple[tuple[Optimizer, float, int], ...] = (
    (SGD(), 0.3, 2),
    (HeavyBall(0.4), 0.7, 3),
    (Nesterov(0.9), 0.2, 4),
)
_NEAR = 1e-9


def _setting(optimizer: Optimizer, rate: float, steps: int, **late: Any) -> OuterSetting:
    return OuterSetting(optimizer, rate, _CURVATURE, _INNER, steps, **late)


@cache
def _modes(name: str) -> tuple[tuple[OuterSetting, complex], ...]:
    """Settings of an algorithm, and the eigenvalues of its round, without those at 0 and 1."""
    late: dict[str, tuple[dict[str, Any], ...]] = {
        "late": ({"delay": 0, "workers": 2}, {"delay": 2}),
        "merged": ({"sync_delay": 1, "alpha": 0.4}, {"sync_delay": 1, "alpha": 0.0}),
        "eager": ({"workers": 2}, {"workers": 3}),
        "delayed_nesterov": ({"workers": 1}, {"workers": 2}, {"workers": 4}),
    }
    settings = (_setting(*each, **more) for each in _SETTINGS for more in late[name])
    found = []
    for setting in settings:
        if name == "delayed_nesterov" and not isinstance(setting.optimizer, Nesterov):
            continue
        values = np.linalg.eigvals(ALGORITHMS[name].matrix(setting))
        found += [(setting, complex(v)) for v in values if min(abs(v), abs(v - 1)) > 1e-4]
    return tuple(found)


def _values(setting: OuterSetting, root: complex) -> dict[Any, Any]:
    power = 1 - setting.inner_learning_rate * setting.curvature
    loss = 1 - power**setting.inner_steps
    return {
        z: root,
        _r: power,
        _c: loss,
        _K: setting.inner_steps,
        _d: setting.sync_delay,
        _p: power ** (setting.inner_steps - setting.sync_delay),
        _q: power**setting.inner_steps,
        _beta: setting.alpha,
        _gamma: setting.outer_learning_rate,
        _n: setting.workers,
        tau: setting.delay,
        m: setting.optimizer.parameters.get("momentum", 0),
        a: setting.outer_learning_rate * loss / setting.workers,
    }


def _side(side: Expr, setting: OuterSetting, values: Mapping[Any, Any]) -> complex:
    loop = SymbolicLoop(setting.optimizer)
    functions = {
        Function("A")(z): loop.pole_part,
        Function("B")(z): loop.zero_part,
        Function("G")(z): 1 - (1 - _beta) * _p * z / (z - _beta * _q),
        alpha(z): _gamma,
    }
    return complex(side.subs(functions).subs(values).evalf(20))


def _of_algorithm(name: str) -> Trial:
    """The claim at every eigenvalue of the algorithm that is run from all unit vectors."""
    return partial(_holds_at_modes, name)


def _holds_at_modes(name: str, claim: Basic | None) -> tuple[int, str]:
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    modes = _modes(name)
    for setting, root in modes:
        values = _values(setting, root)
        left, right = (_side(side, setting, values) for side in claim.args)
        if abs(left - right) > _NEAR * (1 + abs(left)):
            return len(modes), f"{claim} does not hold at {root} of {setting}: {left}, {right}"
    return len(modes), ""


def _offsets(claim: Basic | None) -> tuple[int, str]:
    """Both sides at the eigenvalues of eager replicas, and that offsets stay where they are."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    count = 0
    for optimizer, rate, steps in _SETTINGS:
        setting = _setting(optimizer, rate, steps, workers=3)
        matrix = ALGORITHMS["eager"].matrix(setting)
        values, vectors = np.linalg.eig(matrix)
        # The mean of the replicas is at rest in a mode of their differences.
        rests = np.abs(vectors[:3].sum(axis=0)) < _NEAR * np.abs(vectors).max(axis=0)
        if (np.abs(values[rests] - 1) < 1e-7).sum() != 2:
            return count, f"{values[rests]} should hold 1 twice"
        for root in values[rests & (np.abs(values) > 1e-4)]:
            at = _values(setting, complex(root))
            left, right = (_side(side, setting, at) for side in claim.args)
            count += 1
            if abs(left) + abs(right) > 1e-7:
                return count, f"{claim} is not 0 at {root} of {setting}: {left}, {right}"
    return count, ""


_SYMBOLS = (_K, _d, _n, _j, _r, _c, _p, _q, _beta, _gamma, _y, _Y, _S, _M, Symbol("x"))


def _inner() -> Iterable[Any]:
    return (
        step(
            "inner-step",
            """Near the minimum an inner step of gradient descent multiplies the parameters by
            $r = 1 - eta h$:""",
            "x - eta h x = r x",
            {"r": "1 - eta h"},
        ),
        step(
            "outer-gradient",
            """After $K$ of them, the parameters before minus those after, which is the gradient
            of the outer optimizer, are""",
            "x - r^K x = c x",
            {"c": "1 - r^K"},
        ),
    )


outer_late = theorem(
    "outer-late",
    "Outer steps that are late",
    states("identity", "alpha(z) = (1 - z) z^tau A(z)/(c B(z))"),
    r"""Let replicas start each round at shared parameters and take $K$ inner steps of gradient
    descent with learning rate $eta$, along a direction of curvature $h$, and let an outer optimizer
    with the tables \(A\), \(B\) and learning rate $gamma$ apply the average of how far they moved,
    $tau$ rounds late. With $c = 1 - (1 - eta h)^K$, this is the delayed loop at the gain
    $gamma c$: $z$ is a root exactly for the outer learning rate $gamma = alpha(z)$ with {statement}
    The curvature enters through $c$ only. If the inner optimizer reaches the minimum in every
    round, $c = 1$, whichever it is.""",
    *_inner(),
    step(
        "loop",
        r"""The average over replicas that start alike is that of any of them. For parameters
        $z^t$ the late gradient is \(c z^{t - \tau}\), and the outer optimizer moves by
        $gamma B(z)/A(z)$ times it. Hence $(z - 1) A(z) + gamma c B(z) z^(-tau) = 0$, that is""",
        "alpha(z) = (1 - z) z^tau A(z)/(c B(z))",
        {"alpha(z)": "gamma - z^tau ((z - 1) A(z) + gamma c B(z) z^(-tau))/(c B(z))"},
    ),
    conclusion(
        "With {ref:outer-gradient}, the outer learning rate that a root needs is",
        _of_algorithm("late"),
    ),
    symbols=_SYMBOLS,
    sources=("douillard2023",),
)

outer_merge = theorem(
    "outer-merge",
    "Replicas that go on while an outer step is under way",
    states("identity", "alpha(z) = (1 - z) A(z)/(B(z) G(z))"),
    r"""Let replicas go on for $d$ of the $K$ inner steps of a round while the outer step is under
    way, and then keep the share $beta$ of themselves and take $1 - beta$ of the shared parameters
    {cite:douillard2025}. With $p = r^(K - d)$, $q = r^K$, $r = 1 - eta h$ and
    $$filter: G(z) = 1 - (1 - beta) p z/(z - beta q)$$ a root $z$ needs the outer learning rate
    {statement} If nothing is kept, the last $d$ inner steps are thrown away: there is no delay, and
    the gain is $gamma (1 - r^(K - d))$. Differences of replicas shrink by $beta q$ a round.""",
    step(
        "replica",
        r"""Let the shared parameters be $z^t$ and a replica, when it sends, \(S z^t\). Then it
        takes $d$ steps, merges with the shared parameters of the next round and takes $K - d$
        more:""",
        "z S = p (beta r^d S + (1 - beta) z)",
        {"p": "r^(K - d)", "S": "(1 - beta) r^(K - d) z/(z - beta r^K)"},
    ),
    step(
        "gradient",
        "The outer gradient over the shared parameters is thus",
        "1 - S = 1 - (1 - beta) p z/(z - beta q)",
        {"S": "(1 - beta) p z/(z - beta q)"},
    ),
    step(
        "nothing-kept",
        "which for $beta = 0$ does not depend on $z$:",
        "1 - (1 - beta) p z/(z - beta q) = 1 - p",
        {"beta": "0"},
    ),
    step(
        "difference",
        "For the difference of two replicas the shared parameters drop out, and",
        "p beta r^d = beta q",
        {"p": "r^(K - d)", "q": "r^K"},
    ),
    step(
        "loop",
        "The outer optimizer moves by $gamma B(z)/A(z)$ times the gradient, so that",
        "alpha(z) = (1 - z) A(z)/(B(z) G(z))",
        {"alpha(z)": "gamma - ((z - 1) A(z) + gamma B(z) G(z))/(B(z) G(z))"},
    ),
    conclusion("With $G(z)$ from {ref:gradient},", _of_algorithm("merged")),
    symbols=_SYMBOLS,
    sources=("douillard2025",),
)

outer_eager = theorem(
    "outer-eager",
    "Eager updates: the mean of the replicas",
    states("identity", "alpha(z) = (1 - z) A(z)/(c B(z) (1/n + (1 - 1/n)/z))"),
    r"""Let each of $n$ replicas have its own outer optimizer, which averages the fresh outer
    gradient of its replica and those of the others of the round before {cite:kale2025}. The mean of
    the replicas obeys the delayed loop in which a gradient is late by one round with weight
    \(1 - 1/n\) and on time with weight \(1/n\): a root needs the outer learning rate
    {statement}""",
    step(
        "mean",
        r"""Replicas that are equal stay equal, and for parameters $z^t$ have the gradient""",
        "c z^t/n + (n - 1) c z^(t - 1)/n = c (1/n + (1 - 1/n)/z) z^t",
    ),
    step(
        "loop",
        "With $D$ for the last bracket, $(z - 1) A(z) + gamma c B(z) D = 0$, so that",
        "alpha(z) = (1 - z) A(z)/(c B(z) (1/n + (1 - 1/n)/z))",
        {
            "alpha(z)": """gamma - ((z - 1) A(z) + gamma c B(z) (1/n + (1 - 1/n)/z))/(c B(z)
            (1/n + (1 - 1/n)/z))"""
        },
    ),
    conclusion(
        "The step is linear, so that the mean obeys this loop, with the gradient {ref:mean}:",
        lambda claim: _of_mean(claim),
    ),
    symbols=(*_SYMBOLS, Symbol("D")),
    sources=("kale2025",),
)


def _of_mean(claim: Basic | None) -> tuple[int, str]:
    """The claim at the eigenvalues of replicas that start alike."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    count = 0
    for optimizer, rate, steps in _SETTINGS:
        for workers in (2, 3):
            setting = _setting(optimizer, rate, steps, workers=workers)
            values, vectors = np.linalg.eig(ALGORITHMS["eager"].matrix(setting))
            spread = np.abs(vectors[:workers] - vectors[:1]).max(axis=0)
            alike = (spread < _NEAR) & (np.abs(vectors[0]) > 1e-6) & (np.abs(values) > 1e-4)
            for root in values[alike]:
                at = _values(setting, complex(root))
                left, right = (_side(side, setting, at) for side in claim.args)
                count += 1
                if abs(left - right) > _NEAR * (1 + abs(left)):
                    return count, f"{claim} does not hold at {root} of {setting}"
    return count, ""


outer_eager_offsets = corollary(
    "outer-eager-offsets",
    "Eager updates: an offset between replicas never heals",
    states(
        "identity",
        "(z - 1) A(z) + gamma c B(z) (1 - 1/z)/n = (z - 1) (A(z) + gamma c B(z)/(n z))",
    ),
    r"""In the setting of {theorem:outer-eager}, the characteristic function of a difference between
    replicas is {statement} It vanishes at $z = 1$ at every outer learning rate, once for each of
    the $n - 1$ differences: an offset stays as it is for ever. The other roots are those of the
    last bracket.""",
    step(
        "difference",
        r"""The gradients of two replicas at $x$ and $y$, of which the others' parts are equal but
        for their own last ones, differ by""",
        "(c x + c y/z)/n - (c y + c x/z)/n = c (x - y) (1 - 1/z)/n",
        {},
    ),
    conclusion("and so, in the loop of the difference,", _offsets),
    symbols=(*_SYMBOLS, Symbol("y")),
    sources=("kale2025",),
)

delayed_nesterov = theorem(
    "delayed-nesterov",
    "Delayed Nesterov momentum is Nesterov momentum around blocks",
    states("identity", "1 - z = ((1 + m) z - m) (1 + a - (z/(z + a))^(n - 1))/(z - m)"),
    r"""Let $n$ workers take turns, so that each outer gradient is $n - 1$ updates late; let each
    update apply the part \(1/n\) of it, and each $n$-th also the momentum, into which the mean of
    the last $n$ gradients has gone {cite:liu2024}. With $a = gamma c/n$, a block of $n$ updates
    multiplies a perturbation by $z$ exactly if {statement} With $Y = (z/(z + a))^(n - 1)$, a block
    without momentum multiplies it by $Y - a$. This is thus Nesterov momentum, at learning rate 1,
    whose gradient is what a whole block of plain updates changes. For small $a$ that is
    $n a (1/n + (1 - 1/n)/z)$, as for eager updates.""",
    step(
        "turn",
        r"""Within a block let the parameters be \(x_0, x_1, \dots\) and those of the block before
        $1/z$ times them. The plain update $j$ reads the parameters that were the result of this
        very update one block ago: \(x_j = x_{j-1} - a x_j/z\), hence \(x_j = y x_{j-1}\) with""",
        "y = 1 - a y/z",
        {"y": "z/(z + a)"},
    ),
    step(
        "telescope",
        r"""so that \(x_j = y^j x_0\). The gradients of the block are \(x_0\), in its last update,
        and \(x_j/z\), and as""",
        "a y^j/z = y^(j - 1) - y^j",
        {"z": "a y/(1 - y)"},
    ),
    step(
        "gathered",
        r"their sum, times $a$, telescopes; with $Y$ for the power \(y^{n-1}\) it is",
        "a + (1 - Y) = 1 + a - Y",
    ),
    step(
        "momentum",
        r"""The momentum \(M\) of the block, which is part of its last update, is $m/z$ times itself
        plus this sum:""",
        "M = m M/z + 1 + a - Y",
        {"M": "z (1 + a - Y)/(z - m)"},
    ),
    step(
        "block",
        "The last update leads from $Y$ to $z = Y - a - m M$. The difference of the two sides is",
        "z - (Y - a - m M) = z - 1 + ((1 + m) z - m) (1 + a - Y)/(z - m)",
        {"M": "z (1 + a - Y)/(z - m)"},
    ),
    limit(
        "small",
        "For small $a$, the last factor over $a$ tends to",
        "lim((1 + a - (z/(z + a))^(n - 1))/a, a, 0) = n (1/n + (1 - 1/n)/z)",
    ),
    conclusion(
        "With $Y$ from {ref:turn}, it vanishes exactly if", _of_algorithm("delayed_nesterov")
    ),
    symbols=_SYMBOLS,
    sources=("liu2024",),
)
