"""Families of counts: Poisson, Bernoulli and binomial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from stanmix.families.family import Column, Family, Param
from stanmix.families.real import Vector

PROB = Param("prob", link="logit", lower=0, upper=1, prior="beta(1, 1)", orders=True)


@dataclass(frozen=True)
class Binomial:
    """A binomial distribution whose trials come with each row."""

    prob: float

    def logpmf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log mass of each row."""
        return np.asarray(stats.binom.logpmf(y, trials, self.prob))

    def logcdf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log distribution function at each row."""
        return np.asarray(stats.binom.logcdf(y, trials, self.prob))

    def rvs(
        self, size: int, random_state: np.random.Generator, trials: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Draw a count for each row of trials."""
        return random_state.binomial(trials, self.prob, size)


def share(hits: Vector, trials: float) -> float:
    """Return the share of hits, kept off 0 and 1 by half a hit and half a miss.

    Rows of another family of the model may have more hits than trials.
    """
    return (min(float(hits.sum()), trials) + 0.5) / (trials + 1)


POISSON = Family(
    name="poisson",
    response=(Column("count"),),
    params=(Param("rate", link="log", lower=0, prior="exponential(1 / {mean})", orders=True),),
    reference=lambda rate: stats.poisson(rate),
    start=lambda y: {"rate": (float(y.sum()) + 0.5) / (len(y) + 0.5)},
)

BERNOULLI = Family(
    name="bernoulli",
    response=(Column("binary"),),
    params=(PROB,),
    reference=lambda prob: stats.bernoulli(prob),
    start=lambda y: {"prob": share(y, len(y))},
)

BINOMIAL = Family(
    name="binomial",
    response=(Column("count"), Column("count", name="trials", addition="trials")),
    params=(PROB,),
    reference=Binomial,
    start=lambda y, trials: {"prob": share(y, float(trials.sum()))},
)
