"""The symbols of the theory, each with the assumptions that its definition gives."""

from __future__ import annotations

from sympy import Add, Expr, Function, Mul, Pow, Symbol, cos, sin

__all__ = [
    "DECAY",
    "THRESHOLD",
    "a",
    "alpha",
    "chi",
    "curvature",
    "eta",
    "half_cosine",
    "half_sine",
    "kappa",
    "m",
    "ordered_product",
    "ordered_quotient",
    "ordered_sum",
    "phi",
    "t",
    "tau",
    "theta",
    "u",
    "w",
    "z",
]

tau = Symbol("tau", integer=True, nonnegative=True)  # delay; nonnegative, so that 0 is included
m = Symbol("m", real=True)  # momentum
a = Symbol("a", positive=True)  # gain, learning rate times curvature
eta = Symbol("eta", positive=True)  # learning rate
curvature = Symbol("h", positive=True)
theta = Symbol("theta", real=True)  # angle of a root on the unit circle
phi = Symbol("phi", real=True)  # angle of a gain: a = 2 sin(phi/2)
kappa = Symbol("kappa", nonnegative=True)  # variance of the curvature over its squared mean
t = Symbol("t", integer=True)  # number of the update
z = Symbol("z")
DECAY = Symbol("c", real=True)  # learning rate times weight decay
THRESHOLD = Symbol("a_*", positive=True)
w = Function("w")  # iterate, measured from the minimum
u = Function("u")  # update
chi = Function("chi")  # characteristic polynomial
alpha = Function("alpha")  # the gain that a root z needs

half_sine = sin(theta / 2)
half_cosine = cos(theta / 2)


def ordered_sum(*terms: Expr) -> Expr:
    """The sum, printed in this order."""
    return Add(*terms, evaluate=False)


def ordered_product(*factors: Expr) -> Expr:
    """The product, printed in this order and not multiplied out."""
    return Mul(*factors, evaluate=False)


def ordered_quotient(numerator: Expr, denominator: Expr) -> Expr:
    """The quotient, with both parts printed as they are."""
    return Mul(numerator, Pow(denominator, -1, evaluate=False), evaluate=False)
