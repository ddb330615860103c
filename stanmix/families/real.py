"""Families of real responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.tails import (
    ExGaussian,
    Laplace,
    SkewNormal,
    Student,
    exgaussian_score,
    skew_normal_score,
)

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


def start_skew_normal(y: Vector) -> dict[str, float]:
    """Start at the moments, with the skewness kept within what the distribution can have."""
    scale = positive_scale(y)
    mean = float(y.mean()) if y.size else 0.0
    skewness = float(np.mean(((y - mean) / scale) ** 3)) if y.size else 0.0
    ratio = np.cbrt(2 * np.clip(skewness, -0.8, 0.8) / (4 - np.pi))
    shift = ratio / np.sqrt(1 + ratio**2)
    delta = shift * np.sqrt(np.pi / 2)
    sigma = scale / np.sqrt(1 - shift**2)
    return {"mu": mean - sigma * shift, "sigma": sigma, "alpha": delta / np.sqrt(1 - delta**2)}


def start_exgaussian(y: Vector) -> dict[str, float]:
    """Start with 0.6 of the standard deviation from the exponential part, 0.8 from the normal."""
    scale = positive_scale(y)
    mean = float(y.mean()) if y.size else 0.0
    return {"mu": mean - 0.6 * scale, "sigma": 0.8 * scale, "tau": 0.6 * scale}


def student_score(y: Vector, mu: float, sigma: float, nu: float) -> Vector:
    """Derivative of the log density of Student's t, without a square, which may overflow."""
    z = np.asarray((y - mu) / sigma)
    far = np.abs(z) > 1
    return -(nu + 1) / sigma * np.where(far, 1 / (nu / np.where(far, z, 1.0) + z), z / (nu + z**2))


NORMAL = Family(
    name="normal",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.norm(mu, sigma),
    start=start_normal,
    score=lambda y, mu, sigma: (mu - y) / sigma / sigma,
    cumulative=True,
)

STUDENT = Family(
    name="student",
    response=(Column("real"),),
    params=(MU, SIGMA, Param("nu", link="log", lower=1, closed=True, prior="gamma(2, 0.1)")),
    reference=Student,
    start=start_student,
    score=student_score,
    cumulative=True,
)

LAPLACE = Family(
    name="laplace",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=Laplace,
    start=lambda y: {"mu": center(y), "sigma": positive_scale(y) / np.sqrt(2)},
    # At the location, where there is no derivative, half-way between those beside it.
    score=lambda y, mu, sigma: np.sign(mu - y) / sigma,
    cumulative=True,
)

LOGISTIC = Family(
    name="logistic",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.logistic(mu, sigma),
    start=lambda y: {"mu": center(y), "sigma": positive_scale(y) * np.sqrt(3) / np.pi},
    score=lambda y, mu, sigma: np.tanh((mu - y) / (2 * sigma)) / sigma,
    cumulative=True,
)

GUMBEL = Family(
    name="gumbel",
    response=(Column("real"),),
    params=(MU, SIGMA),
    reference=lambda mu, sigma: stats.gumbel_r(mu, sigma),
    start=start_gumbel,
    score=lambda y, mu, sigma: np.expm1((mu - y) / sigma) / sigma,
    cumulative=True,
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
    reference=ExGaussian,
    start=start_exgaussian,
    score=exgaussian_score,
    cumulative=True,
)

SKEW_NORMAL = Family(
    name="skew_normal",
    response=(Column("real"),),
    params=(MU, SIGMA, Param("alpha", prior="normal(0, 4)")),
    reference=SkewNormal,
    start=start_skew_normal,
    score=skew_normal_score,
    cumulative=True,
)
