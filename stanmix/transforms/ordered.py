"""Vectors that increase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stanmix.transforms.bijections import Bounded

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ordered:
    """A vector that increases, from above a lower bound if there is one.

    Parameters
    ----------
    count
        How many elements it has.
    lower
        What all are above.
    """

    count: int
    lower: float = -math.inf
    name: ClassVar[str] = "ordered"

    @property
    def size(self) -> int:
        """One number for each element."""
        return self.count

    @property
    def shape(self) -> tuple[int, ...]:
        """A vector."""
        return (self.count,)

    def constrain(self, point: Array) -> Array:
        """The sums of increments, whose logarithms stand in the point."""
        steps = np.exp(point)
        if math.isinf(self.lower):
            steps = np.concatenate([point[..., :1], steps[..., 1:]], axis=-1)
            return np.asarray(np.cumsum(steps, axis=-1))
        return np.asarray(self.lower + np.cumsum(steps, axis=-1))

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.log(np.diff(value, axis=-1))
            first = value[..., :1]
            first = first if math.isinf(self.lower) else np.log(first - self.lower)
        return np.concatenate([first, steps], axis=-1)

    def log_jacobian(self, point: Array) -> Array:
        """The sum of what increments are the exponentials of."""
        return np.asarray(point[..., 1 if math.isinf(self.lower) else 0 :].sum(axis=-1))

    def describe(self) -> dict[str, Any]:
        """The lower bound."""
        return {} if math.isinf(self.lower) else {"lower": self.lower}


@dataclass(frozen=True)
class OrderedBetween:
    """A vector that increases between two bounds: ordered on the logit scale.

    Parameters
    ----------
    count
        How many elements it has.
    lower, upper
        The bounds.
    """

    count: int
    lower: float
    upper: float
    name: ClassVar[str] = "ordered between"

    @property
    def size(self) -> int:
        """One number for each element."""
        return self.count

    @property
    def shape(self) -> tuple[int, ...]:
        """A vector."""
        return (self.count,)

    @property
    def _inner(self) -> Bounded:
        return Bounded(self.shape, self.lower, self.upper)

    def constrain(self, point: Array) -> Array:
        """An ordered vector, each element of it between the bounds."""
        return self._inner.constrain(Ordered(self.count).constrain(point))

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        return Ordered(self.count).unconstrain(self._inner.unconstrain(value))

    def log_jacobian(self, point: Array) -> Array:
        """That of the order, and that of the bounds."""
        ordered = Ordered(self.count)
        return ordered.log_jacobian(point) + self._inner.log_jacobian(ordered.constrain(point))

    def describe(self) -> dict[str, Any]:
        """The bounds."""
        return {"lower": self.lower, "upper": self.upper}


@dataclass(frozen=True)
class Placed:
    """A vector for each component, of which one element increases and the others are free.

    Parameters
    ----------
    count
        How many components.
    length
        Length of a vector.
    place
        The element that increases, from 0.
    lower
        What all elements are above.
    """

    count: int
    length: int
    place: int
    lower: float = -math.inf
    name: ClassVar[str] = "one element ordered"

    @property
    def size(self) -> int:
        """One number for each element."""
        return self.count * self.length

    @property
    def shape(self) -> tuple[int, ...]:
        """A vector for each component."""
        return (self.count, self.length)

    @property
    def _parts(self) -> tuple[Ordered, Bounded]:
        rest = Bounded((self.count, self.length - 1), self.lower)
        return Ordered(self.count, self.lower), rest

    def constrain(self, point: Array) -> Array:
        """What increases comes first in a point, and then the others."""
        ordered, rest = self._parts
        value = rest.constrain(point[..., self.count :])
        own = ordered.constrain(point[..., : self.count])
        return np.insert(value, self.place, own, axis=-1)

    def unconstrain(self, value: Array) -> Array:
        """The inverse."""
        ordered, rest = self._parts
        own = ordered.unconstrain(value[..., self.place])
        others = rest.unconstrain(np.delete(value, self.place, axis=-1))
        return np.concatenate([own, others], axis=-1)

    def log_jacobian(self, point: Array) -> Array:
        """Of both parts."""
        ordered, rest = self._parts
        return ordered.log_jacobian(point[..., : self.count]) + rest.log_jacobian(
            point[..., self.count :]
        )

    def describe(self) -> dict[str, Any]:
        """The element, from 1, and the lower bound."""
        bound = {} if math.isinf(self.lower) else {"lower": self.lower}
        return {"place": self.place + 1, **bound}
