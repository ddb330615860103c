"""Families of shares, which are positive and sum to 1: the Dirichlet distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from stanmix.families.family import Column, Family, Param
from stanmix.families.real import Vector
from stanmix.families.unit import PHI


@dataclass(frozen=True)
class Dirichlet:
    """Shares of a whole, laid out with one row a share, as in Stan.

    Parameters
    ----------
    mu
        Means by share.
    phi
        Precision, or one for each observation.
    """

    mu: Vector
    phi: Vector | float

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each observation."""
        # Data sum to 1 by a tolerance, scipy's to the last digit.
        shares = y / y.sum(axis=0)
        phi = np.broadcast_to(self.phi, y.shape[1])
        log_density = np.empty(y.shape[1])
        for own in np.unique(phi):
            log_density[phi == own] = stats.dirichlet(self.mu * own).logpdf(shares[:, phi == own])
        return log_density

    def mean(self) -> Vector:
        """Mean by (share, observation)."""
        return np.asarray(self.mu[:, None] + np.zeros_like(self.phi))

    def var(self) -> Vector:
        """Variance by (share, observation)."""
        return np.asarray((self.mu * (1 - self.mu))[:, None] / (np.asarray(self.phi) + 1))

    def cov(self) -> Vector:
        """Covariance matrix of an observation, by (share, share)."""
        return np.asarray((np.diag(self.mu) - np.outer(self.mu, self.mu)) / (self.phi + 1))

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw observations, each of whose shares is above 0."""
        alpha = self.mu[:, None] * np.broadcast_to(self.phi, size)
        # The logarithm of a gamma variable does not underflow where alpha is small.
        log_gamma = stats.loggamma(alpha).rvs(alpha.shape, random_state=random_state)
        shares = np.maximum(special.softmax(log_gamma, axis=0), np.finfo(np.float64).tiny)
        return np.asarray(shares / shares.sum(axis=0))


def start_dirichlet(y: Vector) -> dict[str, Any]:
    """Start at the means and the variances, with the precision kept within reason."""
    equal = np.full(len(y), 1.0 / len(y))
    mu = y.mean(axis=1) if y.shape[1] else equal
    mu = 0.99 * mu + 0.01 * equal
    variance = float(y.var(axis=1).sum()) if y.shape[1] > 1 else 0.0
    phi = float((mu * (1 - mu)).sum()) / max(variance, 1e-9) - 1
    return {"mu": mu, "phi": float(np.clip(phi, 0.1, 1e3))}


DIRICHLET = Family(
    name="dirichlet",
    response=(Column("simplex", many=True),),
    params=(
        Param("mu", prior="dirichlet(1)", axes=("column",), simplex=True),
        PHI,
    ),
    reference=Dirichlet,
    start=start_dirichlet,
)
