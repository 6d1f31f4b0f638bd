"""Two reasons for which a loop is stable at no gain, whatever its crossings are."""

from __future__ import annotations

from sympy import Eq

from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Step
from delaystability.theory.fixed_delay import with_delay
from delaystability.theory.proofs.custom_boundary import Boundary
from delaystability.theory.proofs.custom_checks import COUNT, NeverInside, confirm_gain
from delaystability.theory.proofs.custom_steps import in_order
from delaystability.theory.symbols import a, alpha, chi, ordered_product, ordered_sum, tau, z

__all__ = ["unstable_steps"]


def unstable_steps(
    boundary: Boundary, general: tuple[Step, ...], threshold: Eq
) -> tuple[Step, ...]:
    """The whole proof that no gain is stable.

    Either a root with |z| >= 1 does not move with the gain, or with z always 1/z is a root.
    """
    recurrence, polynomial = general[:2]
    reason = _constant_steps(boundary) if boundary.has_constant_root else _mirror_steps(boundary)
    premises = ("recurrence", "polynomial", *(step.label for step in reason))
    if boundary.has_constant_root:
        text = "That root is the same for all gains, so that no gain is stable:"
    else:
        text = (
            "With {z} therefore {mirror} is a root, for the same gain. Both cannot lie inside the "
            "unit circle, so that no gain is stable:"
        )
    conclusion = Step(
        label="conclusion",
        text=text,
        claim=threshold,
        check=Deduced(premises, confirm_gain(boundary)),
        given={"z": z, "mirror": 1 / z},
    )
    return (recurrence, polynomial, *reason, conclusion)


def _constant_steps(boundary: Boundary) -> tuple[Step, ...]:
    factor = boundary.constant_factor
    free, driven = (part.quo(factor) for part in boundary.parts)
    rest = in_order(free)
    if not driven.is_zero:
        rest = ordered_sum(rest, a if driven.is_one else ordered_product(a, in_order(driven)))
    return (
        Step(
            label="constant-factor",
            text="What the gain multiplies and the rest have a factor in common:",
            claim=Eq(chi(z), ordered_product(in_order(factor), rest), evaluate=False),
            check=Identity({chi(z): with_delay(boundary.loop.polynomial, boundary.delay)}),
        ),
        Step(
            label="constant-root",
            text="On or outside the unit circle lie {n} roots of {factor}, with",
            claim=COUNT >= 1,
            check=NeverInside(boundary),
            given={"n": COUNT, "factor": in_order(factor)},
        ),
    )


def _mirror_steps(boundary: Boundary) -> tuple[Step, ...]:
    gain = boundary.loop.gain_of_root.subs(tau, boundary.delay)
    return (
        Step(
            label="mirror",
            text="A root {z} needs the gain {alpha}, which is that of its mirror image {mirror}:",
            claim=Eq(alpha(1 / z), alpha(z), evaluate=False),
            check=Identity({alpha(1 / z): gain.subs(z, 1 / z), alpha(z): gain}),
            given={
                "z": z,
                "mirror": 1 / z,
                "alpha": Eq(
                    alpha(z), with_delay(boundary.loop.gain_of_root, boundary.delay), evaluate=False
                ),
            },
        ),
    )
