"""Outer loops: what local SGD and DiLoCo become where outer steps arrive late."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from delaystability.theory.outer_edges import merged_edge
from delaystability.theory.outer_modes import SHARES, SYMBOLS, edge_of_algorithm, of_algorithm
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    decided,
    positive,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("outer-loops", "Outer loops")


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
            "x - r^K x = h_K x",
            {"h_K": "1 - r^K"},
        ),
    )


outer_late = theorem(
    "outer-late",
    "Outer steps that are late",
    states("identity", "alpha(z) = (1 - z) z^tau A(z)/(h_K B(z))"),
    r"""Let replicas start each round at shared parameters and take $K$ inner steps of gradient
    descent with learning rate $eta$, along a direction of curvature $h$, and let an outer optimizer
    with the tables \(A\), \(B\) and learning rate $gamma$ apply the average of how far they moved,
    $tau$ rounds late. With $h_K = 1 - (1 - eta h)^K$, this is the delayed loop at the gain $gamma
    h_K$: $z$ is a root exactly for the outer learning rate $gamma = alpha(z)$ with {statement} The
    curvature enters through $h_K$ only. If the inner optimizer reaches the minimum in every round,
    $h_K = 1$, whichever it is.""",
    *_inner(),
    step(
        "loop",
        r"""The average over replicas that start alike is that of any of them. For parameters
        $z^t$ the late gradient is \(h_K z^{t - \tau}\), and the outer optimizer moves by
        $gamma B(z)/A(z)$ times it. Hence $(z - 1) A(z) + gamma h_K B(z) z^(-tau) = 0$, that is""",
        "alpha(z) = (1 - z) z^tau A(z)/(h_K B(z))",
        {"alpha(z)": "gamma - z^tau ((z - 1) A(z) + gamma h_K B(z) z^(-tau))/(h_K B(z))"},
    ),
    conclusion(
        "With {ref:outer-gradient}, the outer learning rate that a root needs is",
        of_algorithm("late"),
    ),
    symbols=SYMBOLS,
    sources=("douillard2023",),
    prior_art="""Outer steps are those of {cite:douillard2023}; that momentum suffers when they are
    late was seen by {cite:liu2024}. That it is the loop of a delayed optimizer was not found
    elsewhere.""",
)

outer_merge = theorem(
    "outer-merge",
    "Replicas that go on while an outer step is under way",
    states("identity", "alpha(z) = (1 - z) A(z)/(B(z) D(z))"),
    r"""Let replicas go on for $j$ of the $K$ inner steps of a round while the outer step is under
    way, and then keep the share $beta$ of themselves and take $1 - beta$ of the shared parameters
    {cite:douillard2025}. With $r_1 = r^(K - j)$, $r_2 = r^K$, $r = 1 - eta h$ and
    $$filter: D(z) = 1 - (1 - beta) r_1 z/(z - beta r_2)$$ a root $z$ needs the outer learning rate
    {statement} If nothing is kept, the last $j$ inner steps are thrown away: there is no delay, and
    the gain is $gamma (1 - r^(K - j))$. Differences of replicas shrink by $beta r_2$ a round.""",
    step(
        "replica",
        r"""Let the shared parameters be $z^t$ and a replica, when it sends, \(y z^t\). Then it
        takes $j$ steps, merges with the shared parameters of the next round and takes $K - j$
        more:""",
        "z y = r_1 (beta r^j y + (1 - beta) z)",
        {"r_1": "r^(K - j)", "y": "(1 - beta) r^(K - j) z/(z - beta r^K)"},
    ),
    step(
        "gradient",
        "The outer gradient over the shared parameters is thus",
        "1 - y = 1 - (1 - beta) r_1 z/(z - beta r_2)",
        {"y": "(1 - beta) r_1 z/(z - beta r_2)"},
    ),
    step(
        "nothing-kept",
        "which for $beta = 0$ does not depend on $z$:",
        "1 - (1 - beta) r_1 z/(z - beta r_2) = 1 - r_1",
        {"beta": "0"},
    ),
    step(
        "difference",
        "For the difference of two replicas the shared parameters drop out, and",
        "r_1 beta r^j = beta r_2",
        {"r_1": "r^(K - j)", "r_2": "r^K"},
    ),
    step(
        "loop",
        "The outer optimizer moves by $gamma B(z)/A(z)$ times the gradient, so that",
        "alpha(z) = (1 - z) A(z)/(B(z) D(z))",
        {"alpha(z)": "gamma - ((z - 1) A(z) + gamma B(z) D(z))/(B(z) D(z))"},
    ),
    conclusion("With $D(z)$ from {ref:gradient},", of_algorithm("merged")),
    symbols=SYMBOLS,
    sources=("douillard2025",),
    prior_art="The method is due to {cite:douillard2025}. Its stability was not found elsewhere.",
)

outer_merge_sgd = corollary(
    "outer-merge-sgd",
    "Replicas that go on, with averaging as the outer step",
    states(
        "outer-threshold",
        "gamma_1 = 2 (1 + beta r_2)/(1 - (1 - beta) r_1 + beta r_2)",
        domain=["beta < 1", "r_2 >= 0", "r_2 <= r_1", "r_1 < 1"],
    ),
    r"""In the setting of {theorem:outer-merge}, let the outer optimizer be SGD, let replicas keep a
    share \(0 < \beta < 1\), and let \(0 < \eta h \le 1\). The outer loop is stable exactly for
    \(0 < \gamma < \gamma_1\), where {statement} This is at least 2, the threshold of outer steps on
    time: to go on while an outer step is under way makes nothing unstable.""",
    step(
        "quadratic",
        r"""Here \(A = B = 1\). Times $z - beta r_2$, which adds no root that is not cancelled, the
        characteristic function is
        $f(z) := (z - 1) (z - beta r_2) + gamma ((1 - (1 - beta) r_1) z - beta r_2)$:""",
        "(z - beta r_2) (z - 1 + gamma (1 - (1 - beta) r_1 z/(z - beta r_2))) = f(z)",
    ),
    step("at-one", "At 1 it is", "f(1) = gamma (1 - (1 - beta) r_1 - beta r_2)"),
    positive(
        "positive",
        r"which is positive, since \(0 \le r_2 \le r_1 < 1\):",
        "1 - (1 - beta) r_1 - beta r_2 > 0",
        (SHARES,),
    ),
    step(
        "at-minus-one",
        "At -1 it is",
        "f(-1) = 2 (1 + beta r_2) - gamma (1 - (1 - beta) r_1 + beta r_2)",
    ),
    step(
        "at-zero",
        r"and at 0, which is below 1 for all \(\gamma > 0\),",
        "f(0) = beta r_2 (1 - gamma)",
    ),
    conclusion(
        r"""A real quadratic has both roots in \(|z| < 1\) exactly if it is positive at 1 and at
        \(-1\) and of modulus less than 1 at 0. It is positive at 1 by {ref:positive}. As
        \(f(1) + f(-1)\) is twice \(1 + f(0)\), the value at 0 is above \(-1\) if both are. What
        remains is {ref:at-minus-one}, positive exactly below""",
        decided(merged_edge, partial(edge_of_algorithm, "merged")),
    ),
    symbols=SYMBOLS,
    of="outer-merge",
)
