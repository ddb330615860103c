"""Families of which a choice by chance may be part: the Wald distribution, and contaminants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import Vector, positive_scale

THRESHOLD = Param(
    "threshold",
    link="log",
    lower=0,
    prior="lognormal(log(2 * sqrt({center})), 0.75)",
    orders=True,
    collapse=Collapse("zero", gain=2, location="ndt"),
)
DRIFT = Param(
    "drift",
    link="log",
    lower=0,
    closed=True,
    prior="normal(0, 5 / sqrt({center}))",
    collapse=Collapse("infinity", gain=1.5, location="ndt"),
)
NDT = Param(
    "ndt",
    link="log",
    lower=0,
    closed=True,
    below="minimum",
    prior="normal(0, 0.5 * {center})",
)


def with_chance(log_density: Vector, choice: ArrayLike | None, A: int | None) -> Vector:
    """Log density of each row with a choice, if there is one, of which all are as likely."""
    if choice is None:
        return log_density
    choices = int(np.max(choice, initial=1)) if A is None else A
    possible = (np.asarray(choice) >= 1) & (np.asarray(choice) <= choices)
    return np.where(possible, log_density - np.log(choices), -np.inf)


def with_chances(drawn: Vector, random_state: np.random.Generator, A: int | None) -> Vector:
    """Draws, each with one of `A` choices if there are any, of which all are as likely."""
    if A is None:
        return drawn
    return np.column_stack([drawn, random_state.integers(1, A + 1, len(drawn))])


@dataclass(frozen=True)
class Wald:
    """A response time of one diffusion, and perhaps a choice that has nothing to do with it."""

    threshold: float
    drift: float
    ndt: float

    @property
    def time(self) -> Any:
        """The distribution of the response time, as scipy has it."""
        with np.errstate(divide="ignore"):
            mean = 1 / (self.threshold * np.asarray(self.drift, dtype=np.float64))
        return stats.invgauss(mean, loc=self.ndt, scale=self.threshold**2)

    def logpdf(
        self, rt: ArrayLike, choice: ArrayLike | None = None, A: int | None = None
    ) -> Vector:
        """Log density of each row; without `A` there are as many choices as were made."""
        return with_chance(np.asarray(self.time.logpdf(rt)), choice, A)

    def logcdf(self, rt: ArrayLike) -> Vector:
        """Log distribution function of the response time at each row."""
        return np.asarray(self.time.logcdf(rt))

    def logsf(self, rt: ArrayLike) -> Vector:
        """Log probability of a longer response time at each row."""
        return np.asarray(self.time.logsf(rt))

    def mean(self, A: int | None = None) -> Vector:
        """Mean of the response time; infinite without a drift."""
        with np.errstate(divide="ignore"):
            return np.asarray(self.ndt + np.asarray(self.threshold) / self.drift)

    def var(self, A: int | None = None) -> Vector:
        """Variance of the response time; infinite without a drift."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.asarray(self.threshold) / np.asarray(self.drift) ** 3)

    def rvs(self, size: int, random_state: np.random.Generator, A: int | None = None) -> Vector:
        """Draw response times, or with `A` choices rows of a response time and a choice."""
        rt = np.asarray(self.time.rvs(size, random_state=random_state))
        return with_chances(rt, random_state, A)


@dataclass(frozen=True)
class Uniform:
    """A number between two ends, and perhaps a choice that has nothing to do with it."""

    low: float
    high: float

    @property
    def number(self) -> Any:
        """The distribution of the number, as scipy has it."""
        return stats.uniform(self.low, np.asarray(self.high) - self.low)

    def logpdf(self, y: ArrayLike, choice: ArrayLike | None = None, A: int | None = None) -> Vector:
        """Log density of each row; without `A` there are as many choices as were made."""
        return with_chance(np.asarray(self.number.logpdf(y)), choice, A)

    def logcdf(self, y: ArrayLike) -> Vector:
        """Log distribution function of the number at each row."""
        return np.asarray(self.number.logcdf(y))

    def logsf(self, y: ArrayLike) -> Vector:
        """Log probability of a larger number at each row."""
        return np.asarray(self.number.logsf(y))

    def mean(self, A: int | None = None) -> Vector:
        """Mean of the number."""
        return np.asarray(self.number.mean())

    def var(self, A: int | None = None) -> Vector:
        """Variance of the number."""
        return np.asarray(self.number.var())

    def rvs(self, size: int, random_state: np.random.Generator, A: int | None = None) -> Vector:
        """Draw numbers, or with `A` choices rows of a number and a choice."""
        return with_chances(
            np.asarray(self.number.rvs(size, random_state=random_state)), random_state, A
        )


def start_wald(
    rt: Vector, choice: NDArray[np.int_] | None = None, A: int | None = None
) -> dict[str, float]:
    """Start with 0.7 of the shortest time as non-decision time, and moments of the rest."""
    positive = rt[rt > 0]
    ndt = 0.7 * float(positive.min(initial=np.inf)) if positive.size else 0.1
    decision = positive - ndt
    mean = float(decision.mean()) if decision.size else 1.0
    drift = np.sqrt(mean) / positive_scale(decision)
    return {"threshold": float(mean * drift), "drift": float(drift), "ndt": ndt}


def start_uniform(
    y: Vector, choice: NDArray[np.int_] | None = None, A: int | None = None
) -> dict[str, float]:
    """Start with ends beyond all rows."""
    margin = positive_scale(y)
    return {"low": np.min(y, initial=0.0) - margin, "high": np.max(y, initial=0.0) + margin}


def wald_score(rt: Vector, threshold: float, drift: float, ndt: float) -> Vector:
    """Derivative of the log density of a first passage by the response time."""
    time = rt - ndt
    return np.asarray(((threshold / time) ** 2 - drift**2) / 2 - 1.5 / time)


RT = Column("positive", name="rt")
CHANCE = Column("choice", name="choice", addition="dec", optional=True)

WALD = Family(
    name="wald",
    response=(RT, CHANCE),
    params=(THRESHOLD, DRIFT, NDT),
    reference=Wald,
    start=start_wald,
    score=wald_score,
    cumulative=True,
)
UNIFORM = Family(
    name="uniform",
    response=(Column("real"), CHANCE),
    params=(
        Param("low", default="minimum"),
        Param("high", default="maximum", above="low"),
    ),
    reference=Uniform,
    start=start_uniform,
    score=lambda y, low, high: np.zeros_like(y),
    cumulative=True,
)
