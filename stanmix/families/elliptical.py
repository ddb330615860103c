"""Families of several real columns whose density is one of an elliptical distance: normal and t."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import stats
from scipy.linalg import cho_factor, cho_solve

from stanmix.families.family import Column, Family, Param
from stanmix.families.real import MU, NORMAL, SIGMA, STUDENT, Vector, positive_scale
from stanmix.families.tails import FAR

Cov = Literal["spherical", "diag", "full", "tied"]
"""Forms of the covariance."""


@dataclass(frozen=True)
class Elliptical:
    """Several columns, normal or Student's t, laid out with one row a column, as in Stan.

    Parameters
    ----------
    mu
        Location by column, or (column, observation).
    sigma
        Scales by (column, 1) or (column, observation); one row where columns have one in common.
    corr
        Correlation matrix of the scales; columns are uncorrelated without.
    nu
        Degrees of freedom, or one for each observation; normal without.
    """

    mu: Vector
    sigma: Vector
    corr: Vector | None = None
    nu: Vector | float | None = None

    @property
    def location(self) -> Vector:
        """Location as (column, observation), or (column, 1)."""
        return np.reshape(self.mu, (len(self.mu), -1))

    @property
    def correlations(self) -> Vector:
        """The correlation matrix."""
        return np.eye(len(self.mu)) if self.corr is None else np.asarray(self.corr)

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each observation."""
        z = np.transpose((y - self.location) / self.sigma)
        volume = np.log(self.sigma + np.zeros_like(self.location)).sum(axis=0)
        if self.nu is None:
            unit = stats.multivariate_normal(cov=self.correlations)
            return np.asarray(np.reshape(unit.logpdf(z), len(z)) - volume)
        nu = np.broadcast_to(self.nu, len(z))
        # Of a longer z the square would overflow; so far away the density is a power of the length.
        length = np.maximum(np.abs(z).max(axis=1) / FAR, 1.0)
        log_density = -(nu + z.shape[1]) * np.log(length)
        for own in np.unique(nu):
            unit = stats.multivariate_t(shape=self.correlations, df=own)
            log_density[nu == own] += unit.logpdf((z / length[:, None])[nu == own])
        return np.asarray(log_density - volume)

    def score(self, y: Vector) -> Vector:
        """Derivative of the log density of each observation, by (column, observation)."""
        z = (y - self.location) / self.sigma
        pull = z if self.corr is None else cho_solve(cho_factor(self.corr), z)
        if self.nu is None:
            return np.asarray(-pull / self.sigma)
        # Of a long z its square would overflow.
        length = np.maximum(np.abs(z).max(axis=0), 1.0)
        square = np.sum(z / length * (pull / length), axis=0)
        ratio = (self.nu + len(z)) / (self.nu / length / length + square)
        return np.asarray(-pull / length * (ratio / length) / self.sigma)

    def mean(self) -> Vector:
        """Mean by (column, observation)."""
        return self.location

    def var(self) -> Vector:
        """Variance by (column, observation); infinite with 2 degrees of freedom or fewer."""
        square = np.asarray(self.sigma) ** 2 + np.zeros_like(self.location)
        if self.nu is None:
            return square
        nu = np.asarray(self.nu)
        with np.errstate(divide="ignore"):
            return np.asarray(square * np.where(nu > 2, nu / np.maximum(nu - 2, 0), np.inf))

    def cov(self) -> Vector:
        """Covariance matrix of an observation, by (column, column)."""
        scale = np.broadcast_to(self.sigma, (len(self.mu), 1))
        inflation = self.var()[:, :1] / scale**2
        return np.asarray(self.correlations * scale * scale.T * inflation)

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw observations."""
        z = np.linalg.cholesky(self.correlations) @ random_state.normal(size=(len(self.mu), size))
        if self.nu is not None:
            z = z * np.sqrt(self.nu / random_state.chisquare(self.nu, size))
        return np.asarray(self.location + self.sigma * z)


def start_elliptical(y: Vector, of_one: Family, cov: Cov) -> dict[str, Any]:
    """Start each column as it would alone, with correlations halved to be far from 1."""
    alone = [of_one.started(column) for column in y]
    each = {p.name: np.array([column[p.name] for column in alone]) for p in of_one.params}
    start: dict[str, Any] = {"mu": each.pop("mu"), "sigma": each.pop("sigma")}
    if cov == "spherical":
        start["sigma"] = float(np.sqrt(np.mean(start["sigma"] ** 2)))
    if cov in ("full", "tied"):
        observations = max(y.shape[1], 1)
        scale = np.array([[positive_scale(column)] for column in y])
        z = (y - y.sum(axis=1, keepdims=True) / observations) / scale
        start["corr"] = 0.5 * (z @ z.T) / observations
        np.fill_diagonal(start["corr"], 1.0)
    return start | {name: float(values.mean()) for name, values in each.items()}


def elliptical_family(of_one: Family, cov: Cov) -> Family:
    """Declare a family of several columns with one form of covariance.

    Parameters
    ----------
    of_one
        The family of one column, with a location `mu` and a scale `sigma`.
    cov
        The form of the covariance, or of the matrix in its place.
    """

    def params() -> Iterator[Param]:
        yield replace(MU, axes=("column",), by_row=True)
        if cov == "spherical":
            yield replace(SIGMA, prior="inv_gamma(3, mean({scale}))")
        else:
            yield replace(SIGMA, axes=("column",), shared=cov == "tied", by_row=True)
        if cov in ("full", "tied"):
            yield Param(
                "corr",
                prior="lkj(2, 0.01)",
                axes=("column", "column_to"),
                correlation=True,
                shared=cov == "tied",
            )
        yield from (param for param in of_one.params if param.name not in ("mu", "sigma"))

    def reference(mu: Vector, sigma: Vector | float, **others: Any) -> Elliptical:
        # A common scale has one value, or one a row.
        columns = 1 if cov == "spherical" else len(mu)
        return Elliptical(mu, np.reshape(sigma, (columns, -1)), **others)

    return Family(
        name=of_one.name,
        stan=f"multi_{of_one.name}",
        cov=cov,
        response=(Column("real", many=True),),
        params=tuple(params()),
        reference=reference,
        start=lambda y: start_elliptical(y, of_one, cov),
        score=lambda y, **params: reference(**params).score(y),
    )


COVARIANCES: tuple[Cov, ...] = ("spherical", "diag", "full", "tied")

ELLIPTICAL = tuple(
    elliptical_family(family, cov) for family in (NORMAL, STUDENT) for cov in COVARIANCES
)
