"""Extreme eigenvalues of many symmetric operators at once, by batched Lanczos iteration.

With a bound on the vectors that are held, the iteration is restarted from the best of them.

The largest *algebraic* eigenvalue, not the largest in size: stability is lost in the direction of
the largest positive curvature, and a strongly negative one must not hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from delaystability.model.arguments import checked_count

__all__ = [
    "Eigenpairs",
    "Extremes",
    "extreme_eigenvalues",
    "largest_eigenvalues",
    "mixed_start",
]

_ROWS = 16  # of the basis at first; doubled as needed
_COLUMNS = 2**15  # of the basis that are rotated at once, so that no copy of it is needed


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues found for each replica, with their certificates.

    Attributes
    ----------
    values : tensor of shape (R,), or (R, k) where k were asked for
    errors : tensor of the same shape
        Residual norm ``||H v - value v||``: some eigenvalue of H lies within this distance.
    vectors : tensor of shape (R, P) or (R, k, P), of unit length
    products : int
        Hessian products spent (each for all replicas at once).
    """

    values: Tensor
    errors: Tensor
    vectors: Tensor
    products: int


@dataclass(frozen=True)
class Extremes:
    """Both ends of each replica's spectrum.

    Attributes
    ----------
    largest : Eigenpairs of shapes (R, k) and (R, k, P), the largest first
    smallest : Eigenpairs of shapes (R, j) and (R, j, P), the smallest first
    """

    largest: Eigenpairs
    smallest: Eigenpairs


def mixed_start(vectors: Tensor, noise: Tensor, share: float = 0.05) -> Tensor:
    """Previous eigenvectors with a little noise, so that a new largest direction can be found.

    Parameters
    ----------
    vectors : tensor of shape (R, P), of unit length
    noise : tensor of shape (R, P)
    share : float
        Length of the noise relative to the eigenvector.
    """
    lengths: Tensor = torch.linalg.vector_norm(noise, dim=1, keepdim=True)
    return vectors + (share / lengths) * noise


def largest_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tolerance: float = 1e-4,
    max_products: int = 100,
) -> Eigenpairs:
    """Find the largest eigenvalue of each replica's symmetric operator: (R,), with vectors (R, P).

    See `extreme_eigenvalues`.
    """
    found = extreme_eigenvalues(
        product, start, largest=1, tolerance=tolerance, max_products=max_products
    ).largest
    return Eigenpairs(found.values[:, 0], found.errors[:, 0], found.vectors[:, 0], found.products)


def extreme_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    largest: int = 1,
    smallest: int = 0,
    tolerance: float = 1e-4,
    max_products: int = 100,
    basis_size: int | None = None,
    deflated: Tensor | None = None,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> Extremes:
    """Both ends of the spectrum of each replica's symmetric operator, by Lanczos iteration.

    Full reorthogonalisation. Stops when every wanted residual bound of every replica is below
    ``tolerance`` times the size of its projected operator, or after ``max_products``. Where the
    space of the start is exhausted, a new direction continues it.

    Parameters
    ----------
    product : map from tensors (R, P) to tensors (R, P)
        Applies each replica's operator to its own row.
    start : tensor of shape (R, P)
        Must not be orthogonal to a wanted eigenvector; random, or from `mixed_start`.
    largest, smallest : int, at least 0 and not both 0
        How many eigenvalues of each end.
    tolerance : float, above 0
    max_products : int, at least ``largest + smallest`` (or P, if that is less)
    basis_size : int, optional
        How many vectors are held at most: then the best combinations of them are kept and the
        others given up (thick restart). At least ``largest + smallest + 2``; all by default.
    deflated : tensor of shape (R, L, P), optional
        Orthonormal vectors to which all others stay orthogonal: the operator is that of the rest
        of the space.
    reduce : callable, optional
        Adds up a small tensor over the processes, where each holds some columns of all vectors.

    Raises
    ------
    ValueError
        For numbers outside their ranges, or a start that is zero.

    Notes
    -----
    B. N. Parlett, *The Symmetric Eigenvalue Problem* (SIAM 1998), chapter 13; the bound is (13.8),
    ``beta_k |last component of the Ritz vector|``. It holds in any case, but it says only that
    *some* eigenvalue is near: one to which the start is almost orthogonal, or one copy of a
    multiple eigenvalue, can be missed. Restarts: K. Wu and H. Simon, Thick-restart Lanczos method
    for large symmetric eigenvalue problems, SIAM J. Matrix Anal. Appl. 22(2), 2000.
    """
    space = _Space(start, deflated, reduce)
    dimension = space.dimension
    checked_count("largest", largest, 0, dimension)
    checked_count("smallest", smallest, 0, dimension)
    wanted = min(largest + smallest, dimension)
    if not wanted:
        raise ValueError("largest or smallest must be at least 1; got 0 for both")
    checked_count("max_products", max_products, wanted)
    if not tolerance > 0:
        raise ValueError(f"tolerance must be a number > 0; got {tolerance!r}")
    rows = steps = min(max_products, dimension)
    if basis_size is not None and checked_count("basis_size", basis_size, wanted + 2) < rows:
        rows, steps = basis_size, max_products
    space.begin(start, rows)
    del start  # the caller may have handed over the only reference
    for products in range(1, steps + 1):
        space.multiply(product)
        values, ritz, errors = space.pairs()
        ends = torch.cat([errors[:, :smallest], errors[:, max(0, space.count - largest) :]], dim=1)
        open_ends = ((ends > tolerance * space.scale[:, None]) & space.finite[:, None]).any(dim=0)
        # One transfer from the device for all questions.
        flags = torch.cat([space.exhausted.any()[None], open_ends])
        any_exhausted, *missed = space.anywhere(flags).tolist()
        if products == steps or (not any(missed) and space.count >= wanted):
            break
        if any_exhausted:
            space.turn_exhausted()
        if space.count == rows:
            unfinished = (any(missed[smallest:]), any(missed[:smallest]))
            space.restart(values, ritz, _kept(rows, (largest, smallest), unfinished))
        space.extend()
    missing = ~space.finite[:, None]
    values, errors = values.masked_fill(missing, torch.nan), errors.masked_fill(missing, torch.nan)

    def pairs(chosen: list[int]) -> Eigenpairs:
        vectors = space.combined(ritz[:, :, chosen])
        return Eigenpairs(values[:, chosen], errors[:, chosen], vectors, products)

    places = list(range(space.count))
    return Extremes(pairs(places[::-1][:largest]), pairs(places[:smallest]))


class _Space:
    """Orthonormal vectors of each replica, the operator projected on them, and what is left of it.

    ``operator basis = basis projected + remainder (last row of the identity)`` at all times.
    """

    def __init__(
        self,
        start: Tensor,
        deflated: Tensor | None,
        reduce: Callable[[Tensor], Tensor] | None,
    ) -> None:
        self._reduce = reduce
        self._outside = [] if deflated is None else [deflated]
        sizes = torch.tensor(float(start.shape[1]), dtype=torch.float64, device=start.device)
        self.dimension = int(self._total(sizes)) - sum(part.shape[1] for part in self._outside)

    def begin(self, start: Tensor, rows: int) -> None:
        """Make the start the first vector of at most so many."""
        replicas, size = start.shape
        first = self._orthogonal(start, *self._outside, *self._outside)
        lengths = self._length(first)
        if not bool((lengths > 0).all()):
            raise ValueError("start must be a finite, nonzero vector for each replica")
        self._rows = rows
        self._basis = start.new_empty(replicas, min(rows, _ROWS), size)
        self._remainder = self._basis[:, 0] = first / lengths[:, None]
        self._projected = start.new_zeros(replicas, rows, rows)
        self._rounding = torch.finfo(start.dtype).eps
        self._coupled = 1  # last vectors that the next image overlaps, but for rounding
        self.scale = start.new_zeros(replicas)
        self.count, self._products = 1, 0

    @property
    def finite(self) -> Tensor:
        """Which replicas have shown no NaN and no infinity."""
        return torch.isfinite(self.scale)

    @property
    def exhausted(self) -> Tensor:
        """Which replicas' vectors the operator maps into their own space."""
        return (self._length_left == 0) & self.finite

    def multiply(self, product: Callable[[Tensor], Tensor]) -> None:
        """Apply the operator to the last vector."""
        known, last = self._basis[:, : self.count], self.count - 1
        del self._remainder  # one vector less while the product is made
        self._products += 1
        image = product(known[:, -1])
        self._projected[:, last, last] = self._total((image * known[:, -1]).sum(dim=1))
        # In exact arithmetic the other components are zero; the second pass removes rounding.
        image = self._orthogonal(image, known[:, -self._coupled :], *self._outside)
        self._remainder = self._orthogonal(image, known, *self._outside)
        # The largest yet: a restart forgets large entries. NaN and infinity stay.
        self.scale = torch.maximum(self.scale, self._projected.flatten(1).abs().amax(dim=1))
        length = self._length(self._remainder)
        # A remainder at rounding level is noise: the space is invariant and its pairs are exact.
        noise = length <= 10 * self._rounding * self.scale
        self._length_left = torch.where(noise, torch.zeros_like(length), length)
        self._border = length.new_zeros(len(length), self.count)
        self._border[:, -1] = self._length_left
        self._coupled = 2

    def pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ritz values in rising order, their vectors in terms of the basis, and residual norms."""
        projected = self._projected[:, : self.count, : self.count].nan_to_num(0.0, 0.0, 0.0)
        values, ritz = torch.linalg.eigh(projected)
        errors = self._length_left[:, None] * ritz[:, -1].abs()
        return values, ritz, errors + self._rounding * self.scale[:, None]

    def turn_exhausted(self) -> None:
        """Continue with new directions where the remainder is zero."""
        known = self._basis[:, : self.count]
        # The same on every device.
        noise = np.random.default_rng(self._products).standard_normal(known.shape[2])
        new = torch.from_numpy(noise).to(known).expand(len(known), -1)
        for _ in range(2):
            new = self._orthogonal(new, known, *self._outside)
        unit = new / self._length(new)[:, None]
        self._remainder = torch.where(self.exhausted[:, None], unit, self._remainder)

    def restart(self, values: Tensor, ritz: Tensor, chosen: list[int]) -> None:
        """Give up all but the chosen combinations of the vectors."""
        turn, count = ritz[:, :, chosen].mT, len(chosen)
        for some in torch.split(self._basis, _COLUMNS, dim=2):
            some[:, :count] = torch.bmm(turn, some)
        self._projected.zero_()
        self._projected[:, range(count), range(count)] = values[:, chosen]
        self._border = self._length_left[:, None] * ritz[:, -1, chosen]
        self.count, self._coupled = count, count + 1

    def extend(self) -> None:
        """Make the remainder the next vector."""
        count, left = self.count, self._length_left
        if count == self._basis.shape[1]:
            replicas, _, size = self._basis.shape
            more = self._basis.new_empty(replicas, min(self._rows, 2 * count) - count, size)
            self._basis = torch.cat([self._basis, more], dim=1)
        lengths = torch.where(left > 0, left, torch.ones_like(left))
        self._basis[:, count] = self._remainder / lengths[:, None]
        self._projected[:, :count, count] = self._projected[:, count, :count] = self._border
        self.count = count + 1

    def combined(self, ritz: Tensor) -> Tensor:
        """Unit vectors (R, k, P) that are these combinations (R, count, k) of the basis."""
        vectors = torch.bmm(ritz.mT, self._basis[:, : self.count])
        return vectors.div_(self._length(vectors)[:, :, None])

    def anywhere(self, flags: Tensor) -> Tensor:
        """Which flags are true on any process: machines may differ in the last bits of a bound."""
        return flags if self._reduce is None else self._reduce(flags.double()) > 0

    def _total(self, numbers: Tensor) -> Tensor:
        return numbers if self._reduce is None else self._reduce(numbers)

    def _length(self, vectors: Tensor) -> Tensor:
        """Norms over the last axis."""
        lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
        if self._reduce is None:
            return lengths
        # In single precision the square of a small length is zero.
        return self._reduce(lengths.double().square()).sqrt().to(lengths)

    def _orthogonal(self, vectors: Tensor, *bases: Tensor) -> Tensor:
        """The part of each vector (R, P) outside its bases (R, K, P)."""
        rows = vectors.unsqueeze(1)
        for basis in bases:
            # Rows times matrices: columns are several times slower on a CPU.
            inside = self._total(torch.bmm(rows, basis.mT))
            rows = torch.baddbmm(rows, inside, basis, alpha=-1)
        return rows.squeeze(1)


def _kept(rows: int, wanted: tuple[int, int], unfinished: tuple[bool, bool]) -> list[int]:
    """Places of the Ritz pairs that outlive a restart, for the largest and the smallest values.

    Those that are wanted, and half of the others, next to the wanted ones that are not yet found.
    """
    shares = [count * flag for count, flag in zip(wanted, unfinished, strict=True)]
    shares = shares if any(shares) else list(wanted)
    spare = (rows - sum(wanted)) // 2
    top = wanted[0] + spare * shares[0] // sum(shares)
    bottom = sum(wanted) + spare - top
    return [*range(bottom), *range(rows - top, rows)]
