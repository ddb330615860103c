"""Families of real responses: normal of one and of several columns, and Student's t."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param

Vector = NDArray[np.float64]

MU = Param("mu", prior="normal({center}, 2.5 * {scale})", orders=True)
SHRINKS = Collapse("zero", gain=1, location="mu")
SIGMA = Param("sigma", link="log", lower=0, prior="inv_gamma(3, {scale})", collapse=SHRINKS)


def positive_scale(y: Vector) -> float:
    """Return the standard deviation, or something positive of its magnitude where that is 0."""
    magnitude = float(np.max(np.abs(y), initial=0.0))
    scale = float(np.std(y)) if y.size > 1 else 0.0
    if scale > 1e-6 * magnitude:
        return scale
    return 0.1 * magnitude or 1.0


def center(y: Vector) -> float:
    """Return the median, or 0 of no rows."""
    return float(np.median(y)) if y.size else 0.0


def start_normal(y: Vector) -> dict[str, float]:
    """Start a normal distribution at the median and standard deviation."""
    return {"mu": center(y), "sigma": positive_scale(y)}


def start_student(y: Vector) -> dict[str, float]:
    """Start Student's t at the median and the interquartile range, with moderate tails."""
    middle = y[np.abs(y - center(y)) <= 3 * positive_scale(y)]
    return {"mu": center(y), "sigma": 0.8 * positive_scale(middle), "nu": 10.0}


def start_gumbel(y: Vector) -> dict[str, float]:
    """Start at the moments, of which the mode lies below the mean."""
    sigma = positive_scale(y) * np.sqrt(6) / np.pi
    return {"mu": center(y) - 0.37 * sigma, "sigma": sigma}


def start_exgaussian(y: Vector) -> dict[str, float]:
    """Start with 0.6 of the standard deviation from the exponential part, 0.8 from the normal."""
    scale = positive_scale(y)
    mean = float(y.mean()) if y.size else 0.0
    return {"mu": mean - 0.6 * scale, "sigma": 0.8 * scale, "tau": 0.6 * scale}


@dataclass(frozen=True)
class MultiNormal:
    """A normal distribution of several columns, laid out with one row a column, as in Stan.

    Parameters
    ----------
    mu
        Means by column, or (column, observation).
    sigma
        Standard deviations by column, or (column, observation); with one column a common one.
    corr
        Correlation matrix; columns are independent without.
    """

    mu: Vector
    sigma: Vector
    corr: Vector | None = None

    @property
    def means(self) -> Vector:
        """Means as (column, observation), or (column, 1)."""
        return np.reshape(self.mu, (len(self.mu), -1))

    @property
    def scales(self) -> Vector:
        """Standard deviations as (column, observation), or (column, 1)."""
        scales = np.reshape(self.sigma, (len(self.sigma), -1))
        return np.asarray(scales * np.ones((len(self.mu), 1)))

    @property
    def standardised(self) -> Any:
        """The distribution of deviations from the means in their own units, one column a column."""
        corr = np.eye(len(self.mu)) if self.corr is None else np.asarray(self.corr)
        return stats.multivariate_normal(np.zeros(len(corr)), corr)

    def logpdf(self, y: Vector) -> Vector:
        """Log density of each observation."""
        z = (y - self.means) / self.scales
        density = np.atleast_1d(self.standardised.logpdf(z.T))
        return np.asarray(density - np.log(self.scales).sum(axis=0))

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw observations."""
        draws = self.standardised.rvs(size, random_state=random_state)
        return self.means + self.scales * np.reshape(draws, (size, len(self.mu))).T


def spherical_normal(mu: Vector, sigma: Vector | float) -> MultiNormal:
    """Normal distribution of several columns with a common standard deviation."""
    return MultiNormal(mu, np.reshape(sigma, (1, -1)))


def start_multi_normal(y: Vector, cov: str) -> dict[str, Any]:
    """Start at medians and standard deviations, with correlations halved to be far from 1."""
    start: dict[str, Any] = {"mu": np.array([center(column) for column in y])}
    sigma = np.array([positive_scale(column) for column in y])
    start["sigma"] = float(np.sqrt(np.mean(sigma**2))) if cov == "spherical" else sigma
    if cov in ("full", "tied"):
        observations = max(y.shape[1], 1)
        z = (y - y.sum(axis=1, keepdims=True) / observations) / sigma[:, None]
        start["corr"] = 0.5 * (z @ z.T) / observations
        np.fill_diagonal(start["corr"], 1.0)
    return start


def multi_normal_family(cov: Literal["spherical", "diag", "full", "tied"]) -> Family:
    """Declare the normal distribution of several columns with one form of covariance."""
    tied = cov == "tied"
    params = [replace(MU, axes=("column",), by_row=True)]
    if cov == "spherical":
        params.append(replace(SIGMA, prior="inv_gamma(3, mean({scale}))"))
    else:
        params.append(replace(SIGMA, axes=("column",), shared=tied, by_row=True))
    if cov in ("full", "tied"):
        params.append(
            Param(
                "corr",
                prior="lkj(2, 0.01)",
                axes=("column", "column_to"),
                correlation=True,
                shared=tied,
            )
        )
    return Family(
        name="normal",
        stan="multi_normal",
        cov=cov,
        response=(Column("real", many=True),),
        params=tuple(params),
        # A common standard deviation has one value, or one a row.
        reference=spherical_normal if cov == "spherical" else MultiNormal,
        start=lambda y: start_multi_normal(y, cov),
    )


NORMAL = Family(
    name="normal",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.norm(mu, sigma),
    start=start_normal,
)

STUDENT = Family(
    name="student",
    response=(Column("real"),),
    params=(MU, SIGMA, Param("nu", link="log", lower=1, closed=True, prior="gamma(2, 0.1)")),
    reference=lambda mu, sigma, nu: stats.t(nu, mu, sigma),
    start=start_student,
)

LAPLACE = Family(
    name="laplace",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.laplace(mu, sigma),
    start=lambda y: {"mu": center(y), "sigma": positive_scale(y) / np.sqrt(2)},
)

LOGISTIC = Family(
    name="logistic",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.logistic(mu, sigma),
    start=lambda y: {"mu": center(y), "sigma": positive_scale(y) * np.sqrt(3) / np.pi},
)

GUMBEL = Family(
    name="gumbel",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.gumbel_r(mu, sigma),
    start=start_gumbel,
)

EXGAUSSIAN = Family(
    name="exgaussian",
    response=(Column("real"),),
    # Only both scales together can shrink onto a row; the prior of sigma prevents it.
    params=(
        MU,
        replace(SIGMA, collapse=None),
        Param("tau", link="log", lower=0, prior="exponential(1 / {scale})"),
    ),
    reference=lambda mu, sigma, tau: stats.exponnorm(np.asarray(tau) / sigma, mu, sigma),
    start=start_exgaussian,
)

SPHERICAL = multi_normal_family("spherical")
DIAG = multi_normal_family("diag")
FULL = multi_normal_family("full")
TIED = multi_normal_family("tied")
