"""Families of categories: categorical, and ordinal where these have an order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, logit

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


@dataclass(frozen=True)
class Ordinal:
    """Categories with codes from 1, between whose cutpoints a logistic variable about mu lies."""

    cutpoint: Vector
    mu: Vector | float

    @property
    def edges(self) -> Vector:
        """The ends of all categories."""
        return np.concatenate([[-np.inf], self.cutpoint, [np.inf]])

    def logpmf(self, y: ArrayLike, C: int | None = None) -> Vector:
        """Log mass of each row, from the nearer tail."""
        low, high = self.edges[np.asarray(y) - 1] - self.mu, self.edges[np.asarray(y)] - self.mu
        low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(expit(high) - expit(low)))

    def logcdf(self, y: ArrayLike, C: int | None = None) -> Vector:
        """Log distribution function at each row."""
        return np.asarray(log_expit(self.edges[np.asarray(y)] - self.mu))

    def logsf(self, y: ArrayLike, C: int | None = None) -> Vector:
        """Log probability of a higher category at each row."""
        return np.asarray(log_expit(self.mu - self.edges[np.asarray(y)]))

    def rvs(
        self, size: int, random_state: np.random.Generator, C: int | None = None
    ) -> NDArray[np.int64]:
        """Draw codes."""
        variable = self.mu + random_state.logistic(size=size)
        return np.asarray(np.searchsorted(self.cutpoint, variable) + 1)


def frequencies(y: NDArray[np.int64], C: int | None) -> Vector:
    """Return the share of each category, each with half a count more."""
    categories = int(y.max(initial=2)) if C is None else C
    counts = np.bincount(y, minlength=categories + 1)[1:] + 0.5
    return np.asarray(counts / counts.sum())


def start_ordinal(y: NDArray[np.int64], C: int | None = None) -> dict[str, Any]:
    """Start where the frequencies are."""
    return {"cutpoint": logit(np.cumsum(frequencies(y, C))[:-1]), "mu": 0.0}


CATEGORICAL = Family(
    name="categorical",
    response=(Column("category"),),
    params=(Param("prob", prior="dirichlet(1)", axes=("category",), simplex=True, by_row=True),),
    reference=Categorical,
    start=lambda y, C=None: {"prob": frequencies(y, C)},
)

ORDINAL = Family(
    name="ordinal",
    response=(Column("category", ordered=True),),
    params=(
        # Ordered logistic variables cut the unit interval uniformly: where mu is 0, probabilities
        # of the categories are a priori dirichlet(1), however many there are.
        Param("cutpoint", prior="logistic(0, 1)", axes=("cut",), increasing=True),
        Param("mu", default=0),
    ),
    reference=Ordinal,
    start=start_ordinal,
    cumulative=True,
)
