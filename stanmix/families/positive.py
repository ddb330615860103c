"""Families of positive responses: lognormal, exponential and gamma."""

from __future__ import annotations

import numpy as np
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import SHRINKS, Vector, positive_scale, start_normal

SHARPENS = Collapse("infinity", gain=0.5, location="mu")


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


LOGNORMAL = Family(
    name="lognormal",
    response=(Column("positive"),),
    params=(
        Param("mu", prior="normal({log_center}, 2.5 * {log_scale})", orders=True),
        Param("sigma", link="log", lower=0, prior="inv_gamma(3, {log_scale})", collapse=SHRINKS),
    ),
    reference=lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
    start=start_lognormal,
)

EXPONENTIAL = Family(
    name="exponential",
    response=(Column("positive"),),
    params=(Param("rate", link="log", lower=0, prior="exponential({mean})", orders=True),),
    reference=lambda rate: stats.expon(scale=1 / np.asarray(rate)),
    start=lambda y: {"rate": 1 / positive_mean(y)},
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
)
