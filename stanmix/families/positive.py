"""Families of positive responses: lognormal, exponential, gamma, and those of power and shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import gamma

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import SHRINKS, Vector, positive_scale, start_normal

SCALE = Param("scale", link="log", lower=0, prior="exponential(1 / {mean})", orders=True)
SHAPE = Param(
    "shape",
    link="log",
    lower=0,
    prior="gamma(2, 0.1)",
    collapse=Collapse("infinity", gain=1, location="scale"),
)
SHARPENS = Collapse("infinity", gain=0.5, location="mu")


@dataclass(frozen=True)
class LogLocation:
    """A variable whose logarithm has a location and a scale; scipy's own underflow in their tails.

    The logarithm of `scale` is the location of the logarithm, and the inverse of `shape` its scale.
    """

    scale: float
    shape: float

    @property
    def logarithm(self) -> Any:
        """The distribution of the logarithm."""
        raise NotImplementedError

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each row."""
        positive = np.where(y > 0, y, 1.0)
        log_density: Vector = self.logarithm.logpdf(np.log(positive)) - np.log(positive)
        return np.where(y > 0, log_density, -np.inf)

    def logcdf(self, y: Vector) -> Vector:
        """Log distribution function at each row."""
        positive = np.where(y > 0, y, 1.0)
        log_cumulative: Vector = self.logarithm.logcdf(np.log(positive))
        return np.where(y > 0, log_cumulative, -np.inf)

    def logsf(self, y: Vector) -> Vector:
        """Log probability of more, at each row."""
        positive = np.where(y > 0, y, 1.0)
        log_survival: Vector = self.logarithm.logsf(np.log(positive))
        return np.where(y > 0, log_survival, 0.0)

    def mean(self) -> Vector:
        """Mean; infinite where the shape is 1 or less."""
        return self.moment(1)

    def var(self) -> Vector:
        """Variance; infinite where the shape is 2 or less."""
        with np.errstate(invalid="ignore"):
            central = self.moment(2) - self.moment(1) ** 2
        return np.where(np.asarray(self.shape) > 2, central, np.inf)

    def moment(self, power: int) -> Vector:
        """Mean of a power; infinite where the shape is not above it."""
        ratio = power / np.asarray(self.shape)
        finite = np.asarray(self.scale) ** power * self.unit_moment(np.where(ratio < 1, ratio, 0.0))
        return np.where(ratio < 1, finite, np.inf)

    def unit_moment(self, power: Vector) -> Vector:
        """Mean of a power below 1 where scale and shape are 1."""
        raise NotImplementedError

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw rows."""
        return np.asarray(np.exp(self.logarithm.rvs(size, random_state=random_state)))


class Frechet(LogLocation):
    """A variable whose logarithm has a Gumbel distribution."""

    @property
    def logarithm(self) -> Any:
        """The distribution of the logarithm."""
        return stats.gumbel_r(np.log(self.scale), 1 / np.asarray(self.shape))

    def unit_moment(self, power: Vector) -> Vector:
        """Mean of a power below 1 where scale and shape are 1."""
        return np.asarray(gamma(1 - power))


class LogLogistic(LogLocation):
    """A variable whose logarithm has a logistic distribution."""

    @property
    def logarithm(self) -> Any:
        """The distribution of the logarithm."""
        return stats.logistic(np.log(self.scale), 1 / np.asarray(self.shape))

    def unit_moment(self, power: Vector) -> Vector:
        """Mean of a power below 1 where scale and shape are 1."""
        return np.asarray(1 / np.sinc(power))


def positive_mean(y: Vector) -> float:
    """Return the mean of the positive rows, or 1 where there is none."""
    positive = y[y > 0]
    return float(positive.mean()) if positive.size else 1.0


def start_lognormal(y: Vector) -> dict[str, float]:
    """Start at the median and standard deviation of the logarithms."""
    return start_normal(np.log(y[y > 0]))


def start_gamma(y: Vector) -> dict[str, float]:
    """Start at the moments, with the shape kept within reason."""
    mu = positive_mean(y)
    return {"mu": mu, "shape": float(np.clip((mu / positive_scale(y)) ** 2, 0.1, 1e3))}


def start_log_location(y: Vector, shape: float) -> dict[str, float]:
    """Start at the median, with a shape from the standard deviation of the logarithms.

    `shape` is that of a distribution whose logarithms have a standard deviation of 1.
    """
    log_y = np.log(y[y > 0])
    scale = float(np.exp(np.median(log_y))) if log_y.size else 1.0
    spread = float(np.std(log_y)) if log_y.size > 1 else 0.0
    return {"scale": scale, "shape": float(np.clip(shape / max(spread, 1e-3), 0.1, 1e3))}


def loglogistic_score(y: Vector, scale: float, shape: float) -> Vector:
    """Derivative of the log density, which near 0 is finite where the shape is 1."""
    below = np.exp(-np.logaddexp(0.0, shape * (np.log(scale) - np.log(y))))
    return np.asarray((shape - 1 - 2 * shape * below) / y)


LOGNORMAL = Family(
    name="lognormal",
    response=(Column("positive"),),
    params=(
        Param("mu", prior="normal({log_center}, 2.5 * {log_scale})", orders=True),
        Param("sigma", link="log", lower=0, prior="inv_gamma(3, {log_scale})", collapse=SHRINKS),
    ),
    reference=lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
    start=start_lognormal,
    score=lambda y, mu, sigma: ((mu - np.log(y)) / sigma / sigma - 1) / y,
    cumulative=True,
)

EXPONENTIAL = Family(
    name="exponential",
    response=(Column("positive"),),
    params=(Param("rate", link="log", lower=0, prior="exponential({mean})", orders=True),),
    reference=lambda rate: stats.expon(scale=1 / np.asarray(rate)),
    start=lambda y: {"rate": 1 / positive_mean(y)},
    score=lambda y, rate: -rate + np.zeros_like(y),
    cumulative=True,
)

GAMMA = Family(
    name="gamma",
    response=(Column("positive"),),
    params=(
        Param("mu", link="log", lower=0, prior="exponential(1 / {mean})", orders=True),
        Param("shape", link="log", lower=0, prior="gamma(2, 0.1)", collapse=SHARPENS),
    ),
    reference=lambda mu, shape: stats.gamma(shape, scale=np.asarray(mu) / shape),
    start=start_gamma,
    score=lambda y, mu, shape: (shape - 1) / y - shape / mu,
    cumulative=True,
)

WEIBULL = Family(
    name="weibull",
    response=(Column("positive"),),
    params=(SCALE, SHAPE),
    reference=lambda scale, shape: stats.weibull_min(shape, scale=scale),
    start=lambda y: start_log_location(y, np.pi / np.sqrt(6)),
    score=lambda y, scale, shape: (shape - 1 - shape * (y / scale) ** shape) / y,
    cumulative=True,
)

LOGLOGISTIC = Family(
    name="loglogistic",
    response=(Column("positive"),),
    params=(SCALE, SHAPE),
    reference=LogLogistic,
    start=lambda y: start_log_location(y, np.pi / np.sqrt(3)),
    score=loglogistic_score,
    cumulative=True,
)

FRECHET = Family(
    name="frechet",
    response=(Column("positive"),),
    params=(SCALE, SHAPE),
    reference=Frechet,
    start=lambda y: start_log_location(y, np.pi / np.sqrt(6)),
    score=lambda y, scale, shape: (shape * (y / scale) ** -shape - shape - 1) / y,
    cumulative=True,
)
