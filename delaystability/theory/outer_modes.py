"""Claims about outer loops, tried on the algorithms themselves: at the eigenvalues of a round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from sympy import Basic, Eq, Expr, Function, Symbol, symbols

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer
from delaystability.model.outer_algorithms import ALGORITHMS, OuterSetting
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, alpha, m, tau, z
from delaystability.theory.trials import Trial

__all__ = ["SHARES", "SYMBOLS", "at_offsets", "edge_of_algorithm", "of_algorithm", "of_mean"]

_K, _n, _j = symbols("K n j", integer=True, positive=True)
_r, _c, _p, _q = symbols("r h_K r_1 r_2", real=True)
_beta, _gamma = symbols("beta gamma", positive=True)
_y, _Y, _M = symbols("y y_1 y_2")
_INNER, _CURVATURE = 0.25, 1.5
_SETTINGS: tuple[tuple[Optimizer, float, int], ...] = (
    (SGD(), 0.3, 2),
    (HeavyBall(0.4), 0.7, 3),
    (Nesterov(0.9), 0.2, 4),
)
_NEAR = 1e-9
_CLOSE, _ROUNDING = 5e-9, 1e-12
"""How far from an edge it is tried, and what the moduli of roots are computed to."""
_EDGE = Symbol("gamma_1", positive=True)
_s, _v = symbols("s v", nonnegative=True)
_u = Symbol("u", positive=True)
SHARES = {_q: _s / (1 + _s), _p: (_s + _v) / (1 + _s + _v), _beta: _u / (1 + _u)}
"""0 <= q <= p < 1 and 0 < beta < 1."""


def _setting(optimizer: Optimizer, rate: float, steps: int, **late: Any) -> OuterSetting:
    return OuterSetting(optimizer, rate, _CURVATURE, _INNER, steps, **late)


@cache
def _modes(name: str) -> tuple[tuple[OuterSetting, complex], ...]:
    """Settings of an algorithm, and the eigenvalues of its round, without those at 0 and 1."""
    late: dict[str, tuple[dict[str, Any], ...]] = {
        "late": ({"delay": 0, "workers": 2}, {"delay": 2}, {"delay": 13}),
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
        _j: setting.sync_delay,
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
        Function("D")(z): 1 - (1 - _beta) * _p * z / (z - _beta * _q),
        alpha(z): _gamma,
    }
    return complex(side.subs(functions).subs(values).evalf(20))


def of_algorithm(name: str) -> Trial:
    """The claim at every eigenvalue of the algorithm that is run from all unit vectors."""
    return partial(_holds_at_modes, name)


def _late_roots() -> Iterator[tuple[OuterSetting, complex]]:
    """Settings with long delays, and points where a perturbation could be multiplied by z."""
    for optimizer, rate, steps in _SETTINGS:
        for delay in (100, 1000, 10**4):
            for angle in (0.7 / delay, 1.1, 3.0):
                yield _setting(optimizer, rate, steps, delay=delay), complex(np.exp(1j * angle))


def late_rounds(claim: Basic | None) -> tuple[int, str]:
    """The claim at long delays: with its rate, a round of the algorithm multiplies a state by z.

    The state is what the algorithm holds where all parameters so far were powers of z.
    """
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    count = 0
    for setting, root in _late_roots():
        rate = _side(claim.rhs, setting, _values(setting, root))
        past: Any = root ** -np.arange(setting.delay + 1.0)[:, None]
        # The gradients that are under way, oldest first, and the last that was applied.
        gradients = (past - setting.inner(past))[::-1]
        memory = [(past[1] - past[0]) / rate, gradients[0] / root]
        state = np.stack([past[0], *memory, *gradients[:-1]])
        tried = replace(setting, outer_learning_rate=rate)  # type: ignore[arg-type]
        after = ALGORITHMS["late"].round(tried, state)[0, 0]
        count += 1
        if abs(after - root) > _NEAR * abs(root - 1):
            return count, f"{claim} does not hold at {root} of {setting}: {after}"
    return count, ""


def _holds_at_modes(name: str, claim: Basic | None) -> tuple[int, str]:
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    tried, failure = late_rounds(claim) if name == "late" else (0, "")
    if failure:
        return tried, failure
    modes = _modes(name)
    for setting, root in modes:
        values = _values(setting, root)
        left, right = (_side(side, setting, values) for side in claim.args)
        if abs(left - right) > _NEAR * (1 + abs(left)):
            return len(modes), f"{claim} does not hold at {root} of {setting}: {left}, {right}"
    return tried + len(modes), ""


def edge_of_algorithm(name: str, claim: Basic | None) -> tuple[int, str]:
    """The claimed outer learning rate of averaging, against the algorithm on both sides of it."""
    if not isinstance(claim, Eq) or claim.lhs != _EDGE:
        return 0, f"an equation for the outer threshold is needed, not {claim}"
    late: dict[str, Any] = {"workers": 3}
    if name == "merged":
        late |= {"sync_delay": 1, "alpha": 0.4}
    count = 0
    for steps in (2, 3, 6):
        setting = _setting(SGD(), 1.0, steps, **late)
        edge = _side(claim.rhs, setting, _values(setting, 1.0)).real
        # Differences between eager replicas have roots at 1, which neither shrink nor grow.
        ones = 2 if name == "eager" else 0
        for factor, grows in ((1 - _CLOSE, 0), (1 + _CLOSE, 1)):
            tried = replace(setting, outer_learning_rate=edge * factor)
            moduli = np.abs(np.linalg.eigvals(ALGORITHMS[name].matrix(tried)))
            shrinking = (moduli < 1 - _ROUNDING).sum() == moduli.size - ones
            count += 1
            if grows == shrinking or grows != (moduli > 1 + _ROUNDING).any():
                return count, f"{edge} is not the edge of {setting}"
    return count, ""


def at_offsets(claim: Basic | None) -> tuple[int, str]:
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


def of_mean(claim: Basic | None) -> tuple[int, str]:
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


SYMBOLS = (_EDGE, _K, _n, _j, _r, _c, _p, _q, _beta, _gamma, _y, _Y, _M, Symbol("x"))
