"""Families of categories: the categorical distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.families.family import Column, Family, Param
from stanmix.families.real import Vector


@dataclass(frozen=True)
class Categorical:
    """Categories with codes from 1, each with a probability."""

    prob: Vector

    def logpmf(self, y: ArrayLike, C: int | None = None) -> Vector:
        """Log mass of each row."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.prob)[np.asarray(y) - 1])

    def rvs(
        self, size: int, random_state: np.random.Generator, C: int | None = None
    ) -> NDArray[np.int64]:
        """Draw codes."""
        prob = np.asarray(self.prob)
        return np.asarray(random_state.choice(len(prob), size, p=prob / prob.sum()) + 1)


def start_categorical(y: NDArray[np.int64], C: int | None = None) -> dict[str, Any]:
    """Start at the frequencies, each with half a count more."""
    categories = int(y.max(initial=2)) if C is None else C
    counts = np.bincount(y, minlength=categories + 1)[1:] + 0.5
    return {"prob": counts / counts.sum()}


CATEGORICAL = Family(
    name="categorical",
    response=(Column("category"),),
    params=(Param("prob", prior="dirichlet(1)", axes=("category",), simplex=True),),
    reference=Categorical,
    start=start_categorical,
)
