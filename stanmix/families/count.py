"""Families of counts: Poisson, negative binomial, geometric, Bernoulli, binomial, beta-binomial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from stanmix.families.family import Column, Family, Param
from stanmix.families.real import Vector

PROB = Param("prob", link="logit", lower=0, upper=1, prior="beta(1, 1)", orders=True)
SPREAD = "gamma(2, 0.1)"
"""Prior of a parameter that makes counts vary more than without, the less the larger it is."""


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

    def logsf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log probability of more, at each row."""
        return np.asarray(stats.binom.logsf(y, trials, self.prob))

    def mean(self, trials: ArrayLike) -> Vector:
        """Mean of each row of trials."""
        return np.asarray(stats.binom.mean(trials, self.prob))

    def var(self, trials: ArrayLike) -> Vector:
        """Variance of each row of trials."""
        return np.asarray(stats.binom.var(trials, self.prob))

    def rvs(
        self, size: int, random_state: np.random.Generator, trials: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Draw a count for each row of trials."""
        return random_state.binomial(trials, self.prob, size)


@dataclass(frozen=True)
class BetaBinomial:
    """A beta-binomial distribution whose trials come with each row."""

    prob: float
    phi: float

    def of(self, trials: ArrayLike) -> Any:
        """The distribution at trials, as scipy has it."""
        return stats.betabinom(trials, self.prob * self.phi, (1 - self.prob) * self.phi)

    def logpmf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log mass of each row."""
        return np.asarray(self.of(trials).logpmf(y))

    def logcdf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log distribution function at each row."""
        return np.asarray(self.of(trials).logcdf(y))

    def logsf(self, y: ArrayLike, trials: ArrayLike) -> Vector:
        """Log probability of more, at each row, as a sum over the counts beyond it."""
        rows = np.broadcast(y, trials)
        beyond = [self.of(n).logpmf(np.arange(max(int(m) + 1, 0), int(n) + 1)) for m, n in rows]
        return np.array([np.logaddexp.reduce(log_mass, initial=-np.inf) for log_mass in beyond])

    def mean(self, trials: ArrayLike) -> Vector:
        """Mean of each row of trials."""
        return np.asarray(self.of(trials).mean())

    def var(self, trials: ArrayLike) -> Vector:
        """Variance of each row of trials."""
        return np.asarray(self.of(trials).var())

    def rvs(
        self, size: int, random_state: np.random.Generator, trials: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Draw a count for each row of trials."""
        return np.asarray(self.of(trials).rvs(size, random_state=random_state))


def start_negbinomial(y: Vector) -> dict[str, float]:
    """Start at the moments, with the shape kept within reason."""
    mu = (float(y.sum()) + 0.5) / (len(y) + 0.5)
    beyond = max(float(np.var(y)) - mu, 1e-9) if len(y) else 1.0
    return {"mu": mu, "shape": float(np.clip(mu**2 / beyond, 0.1, 1e3))}


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
    cumulative=True,
)

BERNOULLI = Family(
    name="bernoulli",
    response=(Column("binary"),),
    params=(PROB,),
    reference=lambda prob: stats.bernoulli(prob),
    start=lambda y: {"prob": share(y, len(y))},
    cumulative=True,
)

BINOMIAL = Family(
    name="binomial",
    response=(Column("count"), Column("count", name="trials", addition="trials")),
    params=(PROB,),
    reference=Binomial,
    start=lambda y, trials: {"prob": share(y, float(trials.sum()))},
    cumulative=True,
)

NEGBINOMIAL = Family(
    name="negbinomial",
    response=(Column("count"),),
    params=(
        Param("mu", link="log", lower=0, prior="exponential(1 / {mean})", orders=True),
        Param("shape", link="log", lower=0, prior=SPREAD),
    ),
    reference=lambda mu, shape: stats.nbinom(shape, np.asarray(shape) / (mu + shape)),
    start=start_negbinomial,
    cumulative=True,
)

GEOMETRIC = Family(
    name="geometric",
    response=(Column("count"),),
    params=(PROB,),
    reference=lambda prob: stats.geom(prob, loc=-1),
    start=lambda y: {"prob": (len(y) + 0.5) / (len(y) + float(y.sum()) + 1)},
    cumulative=True,
)

BETA_BINOMIAL = Family(
    name="beta_binomial",
    response=(Column("count"), Column("count", name="trials", addition="trials")),
    params=(PROB, Param("phi", link="log", lower=0, prior=SPREAD)),
    reference=BetaBinomial,
    start=lambda y, trials: {"prob": share(y, float(trials.sum())), "phi": 10.0},
    cumulative=True,
)
