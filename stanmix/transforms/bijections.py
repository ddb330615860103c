"""What leads from numbers without bounds to a parameter, and numbers one by one.

Everything here is numpy only and batched: a point is (.., size), a value (.., *shape), over any
leading axes. Each bijection is what Stan does (the section "Constraint transforms" of its reference
manual). All that is small stays exact: a weight of 1e-300, an increment of 1e-12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]


class Bijection(Protocol):
    """One to one between points (.., size) and values (.., *shape)."""

    @property
    def name(self) -> str:
        """What the constraint is called."""
        ...

    @property
    def size(self) -> int:
        """How many numbers a point has."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a value."""
        ...

    def constrain(self, point: Array) -> Array:
        """Values (.., *shape) of points (.., size)."""
        ...

    def unconstrain(self, value: Array) -> Array:
        """Points of values; not finite where a value is at its bounds, or beyond."""
        ...

    def log_jacobian(self, point: Array) -> Array:
        """Log of the volume that a value takes, by that of its point: (..).

        What is left out of a value where it follows from the rest (the last element of a simplex,
        half of a matrix) is left out of its volume.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What one needs to know to write it again, as JSON has it."""
        ...


@dataclass(frozen=True)
class Bounded:
    """Numbers between bounds, each on its own; without bounds, as they are.

    Parameters
    ----------
    shape
        The shape of a value.
    lower, upper
        Bounds; none where infinite.
    """

    shape: tuple[int, ...] = ()
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def name(self) -> str:
        """`real`, `lower`, `upper` or `between`."""
        bounded = (math.isfinite(self.lower), math.isfinite(self.upper))
        names = {(True, True): "between", (True, False): "lower", (False, True): "upper"}
        return names.get(bounded, "real")

    @property
    def size(self) -> int:
        """One number for each element."""
        return math.prod(self.shape)

    def constrain(self, point: Array) -> Array:
        """`exp` away from a bound, or the logistic function between two."""
        x = point.reshape((*point.shape[:-1], *self.shape))
        if self.name == "between":
            # From the nearer end, so that what is close to either keeps its digits.
            width = self.upper - self.lower
            near = np.where(x < 0, self.lower + width * expit(x), self.upper - width * expit(-x))
            return np.asarray(near)
        if self.name == "lower":
            return np.asarray(self.lower + np.exp(x))
        return np.asarray(self.upper - np.exp(x)) if self.name == "upper" else x

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        with np.errstate(divide="ignore", invalid="ignore"):
            above, below = np.log(value - self.lower), np.log(self.upper - value)
            found = {"between": above - below, "lower": above, "upper": below}
            x = np.asarray(found.get(self.name, value))
        return x.reshape((*x.shape[: x.ndim - len(self.shape)], self.size))

    def log_jacobian(self, point: Array) -> Array:
        """The sum over elements."""
        if self.name == "between":
            own = math.log(self.upper - self.lower) + log_logistic_density(point)
        else:
            own = np.zeros_like(point) if self.name == "real" else point
        return np.asarray(own.sum(axis=-1))

    def describe(self) -> dict[str, Any]:
        """The bounds."""
        bounds = {"lower": self.lower, "upper": self.upper}
        return {n: b for n, b in bounds.items() if math.isfinite(b)}


@dataclass(frozen=True)
class Matrix:
    """A matrix without bounds, which a point has column after column.

    Parameters
    ----------
    rows, columns
        Its sizes.
    """

    rows: int
    columns: int
    name: ClassVar[str] = "matrix"

    @property
    def size(self) -> int:
        """One number for each element."""
        return self.rows * self.columns

    @property
    def shape(self) -> tuple[int, ...]:
        """A matrix."""
        return (self.rows, self.columns)

    def constrain(self, point: Array) -> Array:
        """As they are."""
        columns = point.reshape(*point.shape[:-1], self.columns, self.rows)
        return np.swapaxes(columns, -1, -2)

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        return np.swapaxes(value, -1, -2).reshape(*value.shape[:-2], self.size)

    def log_jacobian(self, point: Array) -> Array:
        """None."""
        return np.zeros(point.shape[:-1])

    def describe(self) -> dict[str, Any]:
        """Nothing more."""
        return {}


@dataclass(frozen=True)
class Each:
    """The same bijection for each place of some axes.

    Parameters
    ----------
    lead
        The lengths of the axes.
    inner
        What there is at each.
    """

    lead: tuple[int, ...]
    inner: Bijection

    @property
    def name(self) -> str:
        """That of what there is at each."""
        return self.inner.name

    @property
    def size(self) -> int:
        """Of all places together."""
        return math.prod(self.lead) * self.inner.size

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes come first."""
        return (*self.lead, *self.inner.shape)

    def constrain(self, point: Array) -> Array:
        """One after the other."""
        return self.inner.constrain(self._apart(point))

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        points = self.inner.unconstrain(value)
        return points.reshape(*points.shape[: points.ndim - len(self.lead) - 1], self.size)

    def log_jacobian(self, point: Array) -> Array:
        """The sum over places."""
        axes = tuple(range(-len(self.lead), 0))
        return np.asarray(self.inner.log_jacobian(self._apart(point)).sum(axis=axes))

    def describe(self) -> dict[str, Any]:
        """As what there is at each."""
        return self.inner.describe()

    def _apart(self, point: Array) -> Array:
        return point.reshape(*point.shape[:-1], *self.lead, self.inner.size)


def log_logistic_density(x: Array) -> Array:
    """Log of the derivative of the logistic function."""
    size = np.abs(x)
    return np.asarray(-size - 2.0 * np.log1p(np.exp(-size)))
