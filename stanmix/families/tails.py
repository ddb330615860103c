"""Distributions of real responses in whose tails scipy's own lose their digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import betaln, erfcx, log_ndtr, logsumexp, ndtr, owens_t

Vector = NDArray[np.float64]

FAR = 1e100
"""Standardised distance from which on the leading term of a tail is all of it."""


@dataclass(frozen=True)
class Student:
    """Student's t distribution; scipy squares what lies so far away that its square overflows."""

    mu: float
    sigma: float
    nu: float

    @property
    def scipy(self) -> Any:
        """The distribution as scipy has it."""
        return stats.t(self.nu, self.mu, self.sigma)

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each row."""
        nu, z = np.asarray(self.nu), np.asarray((y - self.mu) / self.sigma)
        away = np.maximum(np.abs(z), FAR)
        near = self.scipy.logpdf(np.where(np.abs(z) < FAR, y, self.mu))
        far = -(nu + 1) * np.log(away) + nu / 2 * np.log(nu) - betaln(nu / 2, 0.5)
        return np.asarray(np.where(np.abs(z) < FAR, near, far - np.log(self.sigma)))

    def logcdf(self, y: Vector) -> Vector:
        """Log distribution function at each row."""
        return self.log_tail(y, (y - self.mu) / self.sigma, self.scipy.logcdf)

    def logsf(self, y: Vector) -> Vector:
        """Log probability of a larger value at each row."""
        return self.log_tail(y, (self.mu - y) / self.sigma, self.scipy.logsf)

    def mean(self) -> Vector:
        """Mean."""
        return np.asarray(self.scipy.mean())

    def var(self) -> Vector:
        """Variance."""
        return np.asarray(self.scipy.var())

    def log_tail(self, y: Vector, z: Vector, near: Callable[[Vector], Vector]) -> Vector:
        """Log probability of what lies below standardised values `z`; `near` has it where close."""
        nu = np.asarray(self.nu)
        away = np.maximum(np.abs(z), FAR)
        log_far = nu / 2 * np.log(nu) - nu * np.log(away) - np.log(nu) - betaln(nu / 2, 0.5)
        far = np.where(z < 0, log_far, np.log1p(-np.exp(log_far)))
        return np.where(np.abs(z) < FAR, near(np.where(np.abs(z) < FAR, y, self.mu)), far)

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw rows."""
        return np.asarray(self.scipy.rvs(size, random_state=random_state))


@dataclass(frozen=True)
class Laplace:
    """A Laplace distribution; the tails of scipy's own underflow."""

    mu: float
    sigma: float

    @property
    def scipy(self) -> Any:
        """The distribution as scipy has it."""
        return stats.laplace(self.mu, self.sigma)

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each row."""
        return np.asarray(-np.abs(y - self.mu) / self.sigma - np.log(2 * np.asarray(self.sigma)))

    def logcdf(self, y: Vector) -> Vector:
        """Log distribution function at each row."""
        return self.log_tail((y - self.mu) / self.sigma)

    def logsf(self, y: Vector) -> Vector:
        """Log probability of a larger value at each row."""
        return self.log_tail((self.mu - y) / self.sigma)

    def mean(self) -> Vector:
        """Mean."""
        return np.asarray(self.scipy.mean())

    def var(self) -> Vector:
        """Variance."""
        return np.asarray(self.scipy.var())

    def log_tail(self, z: Vector) -> Vector:
        """Log probability of what lies below standardised values."""
        away = np.log(2.0) + np.abs(z)
        return np.asarray(np.where(z < 0, -away, np.log1p(-np.exp(-away))))

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw rows."""
        return np.asarray(self.scipy.rvs(size, random_state=random_state))


@dataclass(frozen=True)
class ExGaussian:
    """A normal variable plus an exponential one with mean `tau`.

    Scipy's distribution function is a difference that loses its digits in the lower tail.
    """

    mu: float
    sigma: float
    tau: float

    def standard(self, y: Vector) -> tuple[Vector, Vector]:
        """Standardised values, and the standard deviation in units of `tau`."""
        sigma = np.asarray(self.sigma)
        z, ratio = np.broadcast_arrays((y - self.mu) / sigma, sigma / self.tau)
        return z, ratio

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each row."""
        return np.asarray(self.log_kernel(y) - np.log(self.tau))

    def logcdf(self, y: Vector) -> Vector:
        """Log distribution function at each row: that of the normal part less the kernel."""
        z, ratio = self.standard(y)
        low = np.minimum(z, 0.0)
        # Below the mean of the normal part both have the factor exp(-z^2 / 2), which is left out.
        share = erfcx((ratio - low) / np.sqrt(2)) / erfcx(-low / np.sqrt(2))
        with np.errstate(divide="ignore"):
            below = log_ndtr(low) + np.log1p(-share)
            above = np.log1p(-np.exp(self.logsf(y)))
        return np.asarray(np.where(z < 0, below, above))

    def logsf(self, y: Vector) -> Vector:
        """Log probability of a larger value at each row."""
        z, _ = self.standard(y)
        return np.asarray(np.logaddexp(log_ndtr(-z), self.log_kernel(y)))

    def log_kernel(self, y: Vector) -> Vector:
        """Log of `tau` times the density, without a difference of what is large."""
        z, ratio = self.standard(y)
        ahead = z > ratio
        before = np.log(erfcx(np.where(ahead, 0.0, ratio - z) / np.sqrt(2)) / 2) - z**2 / 2
        after = ratio * (ratio / 2 - z) + log_ndtr(np.where(ahead, z - ratio, 0.0))
        return np.asarray(np.where(ahead, after, before))

    def mean(self) -> Vector:
        """Mean."""
        return np.asarray(self.mu + np.asarray(self.tau))

    def var(self) -> Vector:
        """Variance."""
        return np.asarray(np.asarray(self.sigma) ** 2 + np.asarray(self.tau) ** 2)

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw rows."""
        normal = random_state.normal(self.mu, self.sigma, size)
        return np.asarray(normal + random_state.exponential(self.tau, size))


@dataclass(frozen=True)
class SkewNormal:
    """A skew normal distribution; the tails of scipy's own lose their digits."""

    mu: float
    sigma: float
    alpha: float

    @property
    def scipy(self) -> Any:
        """The distribution as scipy has it."""
        return stats.skewnorm(self.alpha, self.mu, self.sigma)

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each row."""
        return np.asarray(self.scipy.logpdf(y))

    def logcdf(self, y: Vector) -> Vector:
        """Log distribution function at each row."""
        return self.log_tail(y, -1)

    def logsf(self, y: Vector) -> Vector:
        """Log probability of a larger value at each row."""
        return self.log_tail(y, 1)

    def mean(self) -> Vector:
        """Mean."""
        return np.asarray(self.scipy.mean())

    def var(self) -> Vector:
        """Variance."""
        return np.asarray(self.scipy.var())

    def log_tail(self, y: Vector, side: int) -> Vector:
        """Log probability of what lies on one side of each row, by the integral away from `mu`."""
        z = (np.asarray(y, dtype=np.float64) - self.mu) / self.sigma
        outward = np.where((z < 0) | ((z == 0) & (self.alpha > 0)), -1, 1)
        log_outer = np.where(outward < 0, self.log_integral(y, -1), self.log_integral(y, 1))
        # Inwards the density may bend sharply, which an integral does not see from far off.
        steep = np.log(ndtr(np.abs(z)) - 2 * owens_t(np.abs(z), abs(self.alpha)))
        with np.errstate(divide="ignore", invalid="ignore"):
            log_inner = np.where(self.alpha * z > 0, steep, np.log1p(-np.exp(log_outer)))
        return np.where(outward == side, log_outer, log_inner)

    def log_integral(self, y: Vector, side: int) -> Vector:
        """Log integral of the density, by the trapezoidal rule in the logarithm of distance."""
        step = 0.01
        log_distance = np.arange(-40, 8, step)
        at = np.reshape(y, (-1, 1)) + side * self.sigma * np.exp(log_distance)
        log_density = self.logpdf(at) + np.log(self.sigma)
        return np.asarray(logsumexp(log_density + log_distance, axis=1) + np.log(step))

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw rows."""
        return np.asarray(self.scipy.rvs(size, random_state=random_state))


def normal_hazard(z: Vector) -> Vector:
    """Return the density of a standard normal variable at `z` over the probability of less."""
    with np.errstate(over="ignore"):
        return np.asarray(np.sqrt(2 / np.pi) / erfcx(-z / np.sqrt(2)))


def exgaussian_score(y: Vector, mu: float, sigma: float, tau: float) -> Vector:
    """Derivative of the log density of the sum of a normal and an exponential variable."""
    return np.asarray(normal_hazard((y - mu) / sigma - sigma / tau) / sigma - 1 / tau)


def skew_normal_score(y: Vector, mu: float, sigma: float, alpha: float) -> Vector:
    """Derivative of the log density of a skew normal variable."""
    z = np.asarray((y - mu) / sigma)
    return np.asarray((alpha * normal_hazard(alpha * z) - z) / sigma)
