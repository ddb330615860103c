"""Probabilities that sum to 1, by isometric log-ratios: as Stan has them from 2.37 on.

References
----------
Egozcue, J. J., Pawlowsky-Glahn, V., Mateu-Figueras, G., & Barcelo-Vidal, C. (2003). Isometric
logratio transformations for compositional data analysis. *Mathematical Geology*, 35, 279-300.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Simplex:
    """Probabilities that sum to 1, by isometric log-ratios.

    Parameters
    ----------
    count
        How many probabilities.
    """

    count: int
    name: ClassVar[str] = "simplex"

    @property
    def size(self) -> int:
        """One number less than probabilities."""
        return self.count - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """A vector."""
        return (self.count,)

    @property
    def _basis(self) -> Array:
        """An orthonormal basis of what sums to zero (count, size): Stan's."""
        basis = np.zeros((self.count, self.size))
        for i in range(1, self.count):
            basis[:i, i - 1] = 1.0
            basis[i, i - 1] = -float(i)
            basis[:, i - 1] /= math.sqrt(i * (i + 1))
        return basis

    def constrain(self, point: Array) -> Array:
        """The softmax of what the point says of the logarithms."""
        z = point @ self._basis.T
        return np.asarray(np.exp(z - logsumexp(z, axis=-1, keepdims=True)))

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(value) @ self._basis)

    def log_jacobian(self, point: Array) -> Array:
        """Of all probabilities but the last."""
        z = point @ self._basis.T
        return np.asarray(0.5 * math.log(self.count) - self.count * logsumexp(z, axis=-1))

    def describe(self) -> dict[str, Any]:
        """The basis, by rows."""
        return {"basis": self._basis.tolist()}


@dataclass(frozen=True)
class Moves:
    """Rows of a transition matrix in which some moves are not allowed.

    Parameters
    ----------
    allowed
        Which are, 1 or 0.
    """

    allowed: tuple[tuple[int, ...], ...]
    name: ClassVar[str] = "moves"

    @property
    def size(self) -> int:
        """One number less than moves, for each row."""
        return sum(sum(row) - 1 for row in self.allowed)

    @property
    def shape(self) -> tuple[int, ...]:
        """A matrix."""
        return (len(self.allowed), len(self.allowed))

    def constrain(self, point: Array) -> Array:
        """A simplex for each row, over the moves that it allows."""
        value = np.zeros((*point.shape[:-1], *self.shape))
        for row, (own, columns, simplex) in enumerate(self._rows()):
            value[..., row, columns] = simplex.constrain(point[..., own])
        return value

    def unconstrain(self, value: Array) -> Array:
        """The inverse; NaN where a move has a probability that is not allowed."""
        parts = [
            simplex.unconstrain(value[..., row, columns])
            for row, (_, columns, simplex) in enumerate(self._rows())
        ]
        beyond = (value * (1 - np.array(self.allowed)) != 0).any(axis=(-1, -2))
        return np.where(beyond[..., None], np.nan, np.concatenate(parts, axis=-1))

    def log_jacobian(self, point: Array) -> Array:
        """The sum over rows."""
        total = np.zeros(point.shape[:-1])
        for own, _, simplex in self._rows():
            total = total + simplex.log_jacobian(point[..., own])
        return total

    def describe(self) -> dict[str, Any]:
        """What is allowed."""
        return {"allowed": [list(row) for row in self.allowed]}

    def _rows(self) -> list[tuple[slice, list[int], Simplex]]:
        """Of each row: its part of a point, its allowed columns, and their simplex."""
        found, start = [], 0
        for row in self.allowed:
            columns = [j for j, allowed in enumerate(row) if allowed]
            simplex = Simplex(len(columns))
            found.append((slice(start, start + simplex.size), columns, simplex))
            start += simplex.size
        return found
