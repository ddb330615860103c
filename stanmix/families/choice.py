"""Families of response times, with a choice or without: the Wald distribution."""

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
        log_density = np.asarray(self.time.logpdf(rt))
        if choice is None:
            return log_density
        choices = int(np.max(choice, initial=1)) if A is None else A
        possible = (np.asarray(choice) >= 1) & (np.asarray(choice) <= choices)
        return np.where(possible, log_density - np.log(choices), -np.inf)

    def logcdf(self, rt: ArrayLike) -> Vector:
        """Log distribution function of the response time at each row."""
        return np.asarray(self.time.logcdf(rt))

    def logsf(self, rt: ArrayLike) -> Vector:
        """Log probability of a longer response time at each row."""
        return np.asarray(self.time.logsf(rt))

    def rvs(self, size: int, random_state: np.random.Generator, A: int | None = None) -> Vector:
        """Draw response times, or with `A` choices rows of a response time and a choice."""
        rt = np.asarray(self.time.rvs(size, random_state=random_state))
        if A is None:
            return rt
        return np.column_stack([rt, random_state.integers(1, A + 1, size)])


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


RT = Column("positive", name="rt")

WALD = Family(
    name="wald",
    response=(RT, Column("choice", name="choice", addition="dec", optional=True)),
    params=(THRESHOLD, DRIFT, NDT),
    reference=Wald,
    start=start_wald,
)
