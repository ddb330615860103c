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
    """Categories with codes from 1, each with a probability, or one for each row."""

    prob: Vector

    def logpmf(self, y: ArrayLike, C: int | None = None) -> Vector:
        """Log mass of each row."""
        y = np.asarray(y)
        with np.errstate(divide="ignore"):
            by_row = np.log(np.reshape(self.prob, (len(self.prob), -1))) + np.zeros(len(y))
        return np.asarray(by_row[y - 1, np.arange(len(y))])

    def rvs(
        self, size: int, random_state: np.random.Generator, C: int | None = None
    ) -> NDArray[np.int64]:
        """Draw codes."""
        upto = np.cumsum(np.reshape(self.prob, (len(self.prob), -1)), axis=0)
        u = random_state.random(size) * upto[-1]
        return np.asarray((u >= upto[:-1]).sum(axis=0) + 1)


def start_categorical(y: NDArray[np.int64], C: int | None = None) -> dict[str, Any]:
    """Start at the frequencies, each with half a count more."""
    categories = int(y.max(initial=2)) if C is None else C
    counts = np.bincount(y, minlength=categories + 1)[1:] + 0.5
    return {"prob": counts / counts.sum()}


CATEGORICAL = Family(
    name="categorical",
    response=(Column("category"),),
    params=(Param("prob", prior="dirichlet(1)", axes=("category",), simplex=True, by_row=True),),
    reference=Categorical,
    start=start_categorical,
)
