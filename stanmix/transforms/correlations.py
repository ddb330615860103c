"""Correlation matrices, by partial correlations.

References
----------
Lewandowski, D., Kurowicka, D., & Joe, H. (2009). Generating random correlation matrices based on
vines and extended onion method. *Journal of Multivariate Analysis*, 100, 1989-2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stanmix.transforms.bijections import log_logistic_density

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """A correlation matrix, by partial correlations of each column with those before it.

    Parameters
    ----------
    count
        How many columns.
    """

    count: int
    name: ClassVar[str] = "correlation"

    @property
    def size(self) -> int:
        """One number for each pair of columns."""
        return self.count * (self.count - 1) // 2

    @property
    def shape(self) -> tuple[int, ...]:
        """A matrix."""
        return (self.count, self.count)

    def constrain(self, point: Array) -> Array:
        """The product of the Cholesky factor and its transpose."""
        factor = self._factor(point)
        value = factor @ np.swapaxes(factor, -1, -2)
        value[..., range(self.count), range(self.count)] = 1.0
        return np.asarray(value)

    def unconstrain(self, value: Array) -> Array:
        """The inverse; NaN where a matrix is not positive definite."""
        factor = _cholesky(value)
        parts = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for i in range(1, self.count):
                row = factor[..., i, : i + 1]
                # What is left of the row's length 1 after each element.
                rest = np.sqrt(np.cumsum(row[..., :0:-1] ** 2, axis=-1)[..., ::-1])
                parts.append(np.arcsinh(row[..., :-1] / rest))
        none = np.zeros((*value.shape[:-2], 0))
        return np.concatenate(parts, axis=-1) if parts else none

    def log_jacobian(self, point: Array) -> Array:
        """Of the correlations above the diagonal."""
        total = _log_sech_squared(point).sum(axis=-1)
        for i, own in self._rows():
            log_rest = 0.5 * _log_sech_squared(point[..., own])
            # Of the factor, and of the matrix from it.
            total = total + (log_rest * np.arange(i - 1, -1, -1)).sum(axis=-1)
            total = total + (self.count - 1 - i) * log_rest.sum(axis=-1)
        return np.asarray(total)

    def describe(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def _rows(self) -> list[tuple[int, slice]]:
        """The rows of the factor below the first, and their part of a point."""
        return [(i, slice(i * (i - 1) // 2, i * (i + 1) // 2)) for i in range(1, self.count)]

    def _factor(self, point: Array) -> Array:
        """The Cholesky factor."""
        factor = np.zeros((*point.shape[:-1], *self.shape))
        factor[..., 0, 0] = 1.0
        for i, own in self._rows():
            partial = point[..., own]
            # What is left of the row's length 1 before each element, and at last for the diagonal.
            log_left = 0.5 * np.cumsum(_log_sech_squared(partial), axis=-1)
            left = np.exp(np.concatenate([np.zeros_like(log_left[..., :1]), log_left], axis=-1))
            factor[..., i, :i] = np.tanh(partial) * left[..., :-1]
            factor[..., i, i] = left[..., -1]
        return factor


def _log_sech_squared(x: Array) -> Array:
    """Log of the derivative of tanh: log(1 - tanh(x)^2), which is exact where tanh is nearly 1."""
    return np.asarray(math.log(4.0) + log_logistic_density(2.0 * x))


def _cholesky(value: Array) -> Array:
    """Cholesky factors; NaN for those that are not positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(value))
    except np.linalg.LinAlgError:
        flat = value.reshape(-1, *value.shape[-2:])
        found = np.full_like(flat, np.nan)
        for i, matrix in enumerate(flat):
            try:
                found[i] = np.linalg.cholesky(matrix)
            except np.linalg.LinAlgError:
                continue
        return found.reshape(value.shape)
