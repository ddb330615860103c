"""Families of counts with more zeros than others have: zero-inflated and hurdle forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.families.count import BINOMIAL, NEGBINOMIAL, POISSON
from stanmix.families.family import Family, Param
from stanmix.families.real import Vector

ZI = Param("zi", link="logit", lower=0, upper=1, closed=True, prior="beta(1, 1)")
HU = replace(ZI, name="hu")


@dataclass(frozen=True)
class ZeroInflated:
    """Counts of a distribution, each replaced by 0 with probability `zi`."""

    counts: Any
    zi: float

    def logpmf(self, y: ArrayLike, *row: ArrayLike) -> Vector:
        """Log mass of each row."""
        log_mass = np.log1p(-self.zi) + self.counts.logpmf(y, *row)
        with_zeros = np.logaddexp(np.log(self.zi), log_mass)
        return np.asarray(np.where(np.asarray(y) == 0, with_zeros, log_mass))

    def logcdf(self, y: ArrayLike, *row: ArrayLike) -> Vector:
        """Log distribution function at each row."""
        inside = np.log1p(-self.zi) + self.counts.logcdf(y, *row)
        return np.where(np.asarray(y) >= 0, np.logaddexp(np.log(self.zi), inside), -np.inf)

    def logsf(self, y: ArrayLike, *row: ArrayLike) -> Vector:
        """Log probability of more, at each row."""
        beyond = np.log1p(-self.zi) + self.counts.logsf(y, *row)
        return np.where(np.asarray(y) >= 0, beyond, 0.0)

    def mean(self, **row: Any) -> Vector:
        """Mean of each row."""
        return np.asarray((1 - self.zi) * self.counts.mean(**row))

    def var(self, **row: Any) -> Vector:
        """Variance of each row."""
        among = self.zi * self.counts.mean(**row) ** 2
        return np.asarray((1 - self.zi) * (self.counts.var(**row) + among))

    def rvs(self, size: int, random_state: np.random.Generator, **row: Any) -> NDArray[np.int64]:
        """Draw counts."""
        counts = self.counts.rvs(size=size, random_state=random_state, **row)
        return np.where(random_state.random(size) < self.zi, 0, counts)


@dataclass(frozen=True)
class Hurdle:
    """0 with probability `hu`, else a variable of a distribution of counts that is not 0."""

    counts: Any
    hu: float

    def logpmf(self, y: ArrayLike) -> Vector:
        """Log mass of each row."""
        log_mass = np.log1p(-self.hu) - self.counts.logsf(0) + self.counts.logpmf(y)
        return np.asarray(np.where(np.asarray(y) == 0, np.log(self.hu), log_mass))

    def logcdf(self, y: ArrayLike) -> Vector:
        """Log distribution function at each row, below the median as a sum over the counts."""
        counts, log_survival = np.ravel(y), np.ravel(self.logsf(y))
        with np.errstate(divide="ignore"):
            log_cumulative = np.log1p(-np.exp(log_survival))
        for i in np.flatnonzero(log_survival > np.log(0.5)):
            log_cumulative[i] = np.logaddexp.reduce(self.logpmf(np.arange(int(counts[i]) + 1)))
        return np.asarray(log_cumulative)

    def logsf(self, y: ArrayLike) -> Vector:
        """Log probability of more, at each row."""
        beyond = np.log1p(-self.hu) + self.counts.logsf(y) - self.counts.logsf(0)
        return np.where(np.asarray(y) >= 0, beyond, 0.0)

    def mean(self) -> Vector:
        """Mean."""
        return np.asarray(self.above * self.counts.mean())

    def var(self) -> Vector:
        """Variance."""
        square = self.above * (self.counts.var() + self.counts.mean() ** 2)
        return np.asarray(square - self.mean() ** 2)

    @property
    def above(self) -> Vector:
        """The probability of a count above 0, relative to that of the distribution itself."""
        return np.asarray((1 - self.hu) / self.counts.sf(0))

    def rvs(self, size: int, random_state: np.random.Generator) -> NDArray[np.int64]:
        """Draw counts, those above 0 by inversion."""
        u = random_state.uniform(self.counts.pmf(0), 1, size)
        counts = np.maximum(self.counts.ppf(u), 1).astype(np.int64)
        return np.where(random_state.random(size) < self.hu, 0, counts)


def start_with_zeros(y: Vector, base: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Start `base` where it is, and the probability of other zeros at half the share of zeros."""
    zeros = 0.5 * (float((y == 0).sum()) + 0.5) / (len(y) + 1)
    return {**base, name: zeros}


def with_zeros(family: Family, form: str, zeros: Param, distribution: Callable[..., Any]) -> Family:
    """Declare a form of a family of counts that has zeros of its own, with a probability `zeros`.

    Parameters
    ----------
    family, form
        The family, and what stands before its name.
    zeros
        The parameter of those zeros, the last one.
    distribution
        Takes the reference of the family, and that probability.
    """

    def reference(**params: Any) -> Any:
        share = params.pop(zeros.name)
        return distribution(family.reference(**params), share)

    return replace(
        family,
        name=f"{form}_{family.name}",
        stan=f"{form}_{family.name}",
        params=(*family.params, zeros),
        reference=reference,
        start=lambda y, *row: start_with_zeros(y, family.started(y, *row), zeros.name),
    )


def zero_inflated(family: Family) -> Family:
    """Declare the zero-inflated form of a family of counts."""
    return with_zeros(family, "zero_inflated", ZI, ZeroInflated)


def hurdle(family: Family) -> Family:
    """Declare the hurdle form of a family of counts."""
    return with_zeros(family, "hurdle", HU, Hurdle)


ZERO_INFLATED_POISSON = zero_inflated(POISSON)
ZERO_INFLATED_NEGBINOMIAL = zero_inflated(NEGBINOMIAL)
ZERO_INFLATED_BINOMIAL = zero_inflated(BINOMIAL)
HURDLE_POISSON = hurdle(POISSON)
HURDLE_NEGBINOMIAL = hurdle(NEGBINOMIAL)
