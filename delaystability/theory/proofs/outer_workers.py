"""Outer loops of workers that do not wait: eager updates, and momentum once in a turn."""

from __future__ import annotations

from functools import partial

from sympy import Symbol

from delaystability.theory.outer_edges import eager_edge
from delaystability.theory.outer_modes import (
    SYMBOLS,
    at_offsets,
    edge_of_algorithm,
    of_algorithm,
    of_mean,
)
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    decided,
    limit,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("outer-loops", "Outer loops")

outer_eager = theorem(
    "outer-eager",
    "Eager updates: the mean of the replicas",
    states("identity", "alpha(z) = (1 - z) A(z)/(h_K B(z) (1/n + (1 - 1/n)/z))"),
    r"""Let each of $n$ replicas have its own outer optimizer, which averages the fresh outer
    gradient of its replica and those of the others of the round before {cite:kale2025}. The mean of
    the replicas obeys the delayed loop in which a gradient is late by one round with weight
    \(1 - 1/n\) and on time with weight \(1/n\): a root needs the outer learning rate
    {statement}""",
    step(
        "mean",
        r"""Replicas that are equal stay equal, and for parameters $z^t$ have the gradient""",
        "h_K z^t/n + (n - 1) h_K z^(t - 1)/n = h_K (1/n + (1 - 1/n)/z) z^t",
    ),
    step(
        "loop",
        "With $D$ for the last bracket, $(z - 1) A(z) + gamma h_K B(z) D = 0$, so that",
        "alpha(z) = (1 - z) A(z)/(h_K B(z) (1/n + (1 - 1/n)/z))",
        {
            "alpha(z)": """gamma - ((z - 1) A(z) + gamma h_K B(z) (1/n + (1 - 1/n)/z))/(h_K B(z)
            (1/n + (1 - 1/n)/z))"""
        },
    ),
    conclusion(
        "The step is linear, so that the mean obeys this loop, with the gradient {ref:mean}:",
        of_mean,
    ),
    symbols=(*SYMBOLS, Symbol("D")),
    sources=("kale2025",),
    prior_art="The method is due to {cite:kale2025}. Its stability was not found elsewhere.",
)


outer_eager_offsets = corollary(
    "outer-eager-offsets",
    "Eager updates: an offset between replicas never heals",
    states(
        "identity",
        "(z - 1) A(z) + gamma h_K B(z) (1 - 1/z)/n = (z - 1) (A(z) + gamma h_K B(z)/(n z))",
    ),
    r"""In the setting of {theorem:outer-eager}, the characteristic function of a difference between
    replicas is {statement} It vanishes at $z = 1$ at every outer learning rate, once for each of
    the $n - 1$ differences: an offset stays as it is for ever. The other roots are those of the
    last bracket.""",
    step(
        "difference",
        r"""The gradients of two replicas at $x$ and $y$, of which the others' parts are equal but
        for their own last ones, differ by""",
        "(h_K x + h_K y/z)/n - (h_K y + h_K x/z)/n = h_K (x - y) (1 - 1/z)/n",
        {},
    ),
    conclusion("and so, in the loop of the difference,", at_offsets),
    symbols=(*SYMBOLS, Symbol("y")),
    sources=("kale2025",),
    of="outer-eager",
)

outer_eager_sgd = corollary(
    "outer-eager-sgd",
    "Eager updates, with averaging as the outer step",
    states("outer-threshold", "gamma_1 = n/((n - 1) h_K)", domain=["n >= 2", "h_K > 0"]),
    r"""In the setting of {theorem:outer-eager}, let the outer optimizer be SGD and \(n \ge 2\). The
    mean of the replicas is stable, and no difference between them grows, exactly for
    \(0 < \gamma < \gamma_1\), where {statement}""",
    step(
        "quadratic",
        r"""Times $z$, the characteristic function of the mean is
        $f(z) := z^2 + (gamma h_K/n - 1) z + gamma h_K (1 - 1/n)$:""",
        "z (z - 1 + gamma h_K (1/n + (1 - 1/n)/z)) = f(z)",
    ),
    step("at-one", "At 1 it is", "f(1) = gamma h_K"),
    step("at-minus-one", "and at -1, positive too,", "f(-1) = 2 + gamma h_K (n - 2)/n"),
    step("at-zero", "At 0 it is", "f(0) = gamma h_K (n - 1)/n"),
    conclusion(
        r"""A real quadratic that is positive at 1 and at \(-1\) has both roots in \(|z| < 1\)
        exactly if it is of modulus less than 1 at 0. The other root of a difference is
        \(-\gamma h_K/n\) by {theorem:outer-eager-offsets}, inside for \(\gamma h_K < n\), which
        {ref:at-zero} below 1 implies. Hence the edge is""",
        decided(eager_edge, partial(edge_of_algorithm, "eager")),
    ),
    symbols=SYMBOLS,
    of="outer-eager",
)

delayed_nesterov = theorem(
    "delayed-nesterov",
    "Delayed Nesterov momentum is Nesterov momentum around blocks",
    states("identity", "1 - z = ((1 + m) z - m) (1 + a - (z/(z + a))^(n - 1))/(z - m)"),
    r"""Let $n$ workers take turns, so that each outer gradient is $n - 1$ updates late; let each
    update apply the part \(1/n\) of it, and each $n$-th also the momentum, into which the mean of
    the last $n$ gradients has gone {cite:liu2024}. With $a = gamma h_K/n$, a block of $n$ updates
    multiplies a perturbation by $z$ exactly if {statement} With $y_1 = (z/(z + a))^(n - 1)$, a
    block without momentum multiplies it by $y_1 - a$. This is thus Nesterov momentum, at learning
    rate 1, whose gradient is what a whole block of plain updates changes. For small $a$ that is $n
    a (1/n + (1 - 1/n)/z)$, as for eager updates.""",
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
        r"their sum, times $a$, telescopes; with $y_1$ for the power \(y^{n-1}\) it is",
        "a + (1 - y_1) = 1 + a - y_1",
    ),
    step(
        "momentum",
        r"""The momentum \(y_2\) of the block, which is part of its last update, is $m/z$ times
        itself plus this sum:""",
        "y_2 = m y_2/z + 1 + a - y_1",
        {"y_2": "z (1 + a - y_1)/(z - m)"},
    ),
    step(
        "block",
        """The last update leads from $y_1$ to $z = y_1 - a - m y_2$. The difference of the two
        sides is""",
        "z - (y_1 - a - m y_2) = z - 1 + ((1 + m) z - m) (1 + a - y_1)/(z - m)",
        {"y_2": "z (1 + a - y_1)/(z - m)"},
    ),
    limit(
        "small",
        "For small $a$, the last factor over $a$ tends to",
        "lim((1 + a - (z/(z + a))^(n - 1))/a, a, 0) = n (1/n + (1 - 1/n)/z)",
    ),
    conclusion(
        "With $y_1$ from {ref:turn}, it vanishes exactly if", of_algorithm("delayed_nesterov")
    ),
    symbols=SYMBOLS,
    sources=("liu2024",),
    prior_art="The method is due to {cite:liu2024}. The equivalence was not found elsewhere.",
)
