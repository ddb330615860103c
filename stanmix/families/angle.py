"""Families of angles: the von Mises distribution."""

from __future__ import annotations

import numpy as np
from scipy import stats

from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import Vector


def start_von_mises(y: Vector) -> dict[str, float]:
    """Start at the mean direction and a concentration from the mean resultant length."""
    resultant = np.exp(1j * y).mean() if y.size else 0.0 + 0.0j
    length = min(float(np.abs(resultant)), 0.99)
    kappa = length * (2 - length**2) / (1 - length**2)
    return {"mu": float(np.angle(resultant)), "kappa": max(kappa, 0.1)}


VON_MISES = Family(
    name="von_mises",
    response=(Column("angle"),),
    params=(
        Param("mu", prior="flat", circular=True),
        Param(
            "kappa",
            link="log",
            lower=0,
            prior="gamma(2, 0.1)",
            collapse=Collapse("infinity", gain=0.5, location="mu"),
        ),
    ),
    reference=lambda mu, kappa: stats.vonmises(kappa, loc=mu),
    start=start_von_mises,
    score=lambda y, mu, kappa: kappa * np.sin(mu - y),
)
