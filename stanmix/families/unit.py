"""Families of numbers between 0 and 1: the beta distribution."""

from __future__ import annotations

import numpy as np
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import Vector


def start_beta(y: Vector) -> dict[str, float]:
    """Start at the moments, with the precision kept within reason."""
    inside = y[(y > 0) & (y < 1)]
    mu = float(np.clip(inside.mean() if inside.size else 0.5, 1e-3, 1 - 1e-3))
    variance = float(inside.var()) if inside.size > 1 else 0.0
    phi = mu * (1 - mu) / max(variance, 1e-9) - 1
    return {"mu": mu, "phi": float(np.clip(phi, 0.1, 1e3))}


PHI = Param(
    "phi",
    link="log",
    lower=0,
    prior="gamma(2, 0.1)",
    collapse=Collapse("infinity", gain=0.5, location="mu"),
)

BETA = Family(
    name="beta",
    response=(Column("unit"),),
    params=(
        Param("mu", link="logit", lower=0, upper=1, prior="beta(1, 1)", orders=True),
        PHI,
    ),
    reference=lambda mu, phi: stats.beta(mu * phi, (1 - mu) * phi),
    start=start_beta,
    score=lambda y, mu, phi: (mu * phi - 1) / y - ((1 - mu) * phi - 1) / (1 - y),
    cumulative=True,
)
