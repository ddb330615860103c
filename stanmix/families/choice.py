"""Families of which a choice by chance may be part: the Wald distribution, and contaminants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import erfcx, ndtr

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


SQRT_2 = np.sqrt(2.0)
LOG_2PI = np.log(2 * np.pi)

LOG_HALF = np.log(0.5)

TINY = np.finfo(np.float64).tiny
"""Decision times up to this are none."""

FAR = 50.0
"""From where on the scaled complementary error function is its series."""

CLOSE = 1e-3
"""A distance over which it is all but straight."""


def log_erfcx_fall(u: Vector, gap: Vector) -> Vector:
    """Log of erfcx(u) less erfcx(u + gap), for u >= 0 and gap > 0, without cancelling."""
    near, w = np.minimum(u, FAR), u + gap
    # Its slope at the two points of Gauss' rule, where the difference of both would have no digits.
    places = [near + gap * (0.5 + side * np.sqrt(1 / 12)) for side in (-1, 1)]
    slope = sum(2 / np.sqrt(np.pi) - 2 * at * erfcx(at) for at in places) / 2
    with np.errstate(divide="ignore"):
        straight = np.log(slope) + np.log(gap)
        plain = np.log(erfcx(near) - erfcx(near + gap))
    # Far off: 1 / u - 1 / (2 u^3) + 3 / (4 u^5) - .., of which each difference has a factor gap.
    p, q = 1 / np.maximum(u, FAR), 1 / np.maximum(w, FAR)
    terms = [sum(p ** (n - i) * q**i for i in range(n + 1)) for n in (2, 4, 6)]
    series = 1 - terms[0] / 2 + 3 * terms[1] / 4 - 15 * terms[2] / 8
    far = np.log(gap) + np.log(p) + np.log(q) + np.log(series) - np.log(np.pi) / 2
    return np.asarray(np.where(u > FAR, far, np.where(gap < CLOSE, straight, plain)))


def log_less(log_tail: Vector) -> Vector:
    """Log of 1 less a probability of at most a half."""
    return np.asarray(np.log1p(-np.exp(np.minimum(log_tail, LOG_HALF))))


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
        t, below, _ = self._standard(rt)
        with np.errstate(over="ignore"):
            log_density = np.log(self.threshold) - 1.5 * np.log(t) - (LOG_2PI + below**2) / 2
        return with_chance(np.where(t > TINY, log_density, -np.inf), choice, A)

    def logcdf(self, rt: ArrayLike) -> Vector:
        """Log distribution function of the response time at each row."""
        log_reached, log_left = self._tails(rt)
        return np.where(log_left < LOG_HALF, log_less(log_left), log_reached)

    def logsf(self, rt: ArrayLike) -> Vector:
        """Log probability of a longer response time at each row."""
        log_reached, log_left = self._tails(rt)
        return np.where(log_reached < LOG_HALF, log_less(log_reached), log_left)

    def _tails(self, rt: ArrayLike) -> tuple[Vector, Vector]:
        """Logs of both tails at each row, each with its digits where it is the smaller."""
        t, below, above = self._standard(rt)
        early, size = below > 0, np.abs(below) / SQRT_2
        mirrored = erfcx(above / SQRT_2)
        gap = SQRT_2 * self.threshold / np.sqrt(t)
        with np.errstate(over="ignore", divide="ignore"):
            bell = -(below**2) / 2
            reached = np.where(
                early,
                np.log((erfcx(size) + mirrored) / 2) + bell,
                np.log(ndtr(-below) + np.exp(bell) * mirrored / 2),
            )
            left = np.where(
                early,
                np.log(np.maximum(ndtr(below) - np.exp(bell) * mirrored / 2, 0.0)),
                log_erfcx_fall(size, gap) - np.log(2) + bell,
            )
        none = t <= TINY
        return np.where(none, -np.inf, np.minimum(reached, 0.0)), np.where(none, 0.0, left)

    def _standard(self, rt: ArrayLike) -> tuple[Vector, Vector, Vector]:
        """Decision times; how far the threshold is ahead of a mean path, and of its mirror image.

        Both in standard deviations of a path at that time; and the time before the first is `TINY`.
        """
        t = np.maximum(np.asarray(rt, dtype=np.float64) - self.ndt, TINY)
        ahead, gone = self.threshold / np.sqrt(t), self.drift * np.sqrt(t)
        return t, ahead - gone, ahead + gone

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
