"""Warnings of improper posteriors, against the integral of the posterior near the collapse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

import stanmix as sm
from stanmix.families import FAMILIES

Array = NDArray[np.float64]
ROW = 0.7
"""Where equal rows lie."""

PRIORS = {
    "normal(0, 2)": stats.halfnorm(scale=2),
    "gamma(2, 1)": stats.gamma(2),
    "gamma(3, 1)": stats.gamma(3),
    "inv_gamma(3, 1)": stats.invgamma(3),
    "lognormal(0, 1)": stats.lognorm(1),
    "cauchy(0, 2)": stats.halfcauchy(scale=2),
    "student_t(3, 0, 2)": stats.t(3, scale=2),
    "exponential(1)": stats.expon(),
}
COLLAPSES = [
    ("normal", "sigma", {}),
    ("student", "sigma", {"nu": 4.0}),
    ("lognormal", "sigma", {}),
    ("gamma", "shape", {}),
    ("wald", "threshold", {"drift": 2.0}),
    ("wald", "drift", {"threshold": 1.0}),
]


def shell(
    family: str, param: str, others: dict[str, float], rows: int, prior: str, x: float
) -> float:
    """Posterior mass where `param` lies between `x` and 2 `x`, the location anywhere."""
    fact = FAMILIES[family].param(param).collapse
    assert fact is not None
    center = np.log(ROW) if family == "lognormal" else ROW
    # Distances from the rows over many powers of ten; a non-decision time lies below them alone.
    distance = np.geomspace(1e-18, 0.69, 600)
    sides = [-1] if fact.location == "ndt" else [-1, 1]
    values = np.geomspace(x, 2 * x, 3)
    mass = []
    for value in values:
        inside = 0.0
        for side in sides:
            location = center + side * distance
            params = {**others, param: value, fact.location: location}
            if family == "wald":
                density = _wald(distance, params["threshold"], params["drift"])
            else:
                density = FAMILIES[family].reference(**params).logpdf(ROW)
            inside += np.trapezoid(np.exp(rows * density) * distance, np.log(distance))
        mass.append(inside * np.exp(PRIORS[prior].logpdf(value)))
    return float(np.trapezoid(mass, values))


def _wald(time: Array, threshold: float, drift: float) -> Array:
    log_density = np.log(threshold) - 0.5 * np.log(2 * np.pi) - 1.5 * np.log(time)
    return np.asarray(log_density - (threshold - drift * time) ** 2 / (2 * time))


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("family", "param", "others"), COLLAPSES)
def test_a_warning_is_given_where_the_mass_near_the_collapse_does_not_vanish(
    family: str, param: str, others: dict[str, float], prior: str, rows: int
) -> None:
    fact = FAMILIES[family].param(param).collapse
    assert fact is not None
    near, nearer = (1e-6, 1e-7) if fact.at == "zero" else (1e3, 1e4)
    first = shell(family, param, others, rows, prior, near)
    second = shell(family, param, others, rows, prior, nearer)
    # Mass by powers of the distance: it vanishes by at least half a power in every case here.
    power = np.log10(second / first) if first > 0 and second > 0 else -np.inf
    assert not -0.4 < power < -0.1
    diverges = power > -0.25
    y = np.concatenate([np.full(rows, ROW), 1.0 + np.random.default_rng(1).gamma(2, size=20)])
    options = ", share=ndt" if family == "wald" else ""
    fixed = ", ".join(f"{name}={value}" for name, value in others.items())
    formula = f"y ~ mix({family}({fixed}), K=2, order=none{options})"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sm.model(formula, {"y": y}, priors={param: prior})
    assert any("improper" in str(w.message) for w in caught) == diverges


def correlation_mass(y: Array, eta: float, gap: float) -> float:
    """Posterior mass of two normal columns where 1 - corr lies between `gap` and 2 `gap`.

    Scales are 1 and near it, locations near 0: the mass elsewhere is a constant times it.
    """
    ratio = np.sort(np.concatenate([s * np.geomspace(1e-6, 0.5, 40) for s in (-1, 1)]))
    shift = np.sort(np.concatenate([s * np.geomspace(1e-6, 0.5, 40) for s in (-1, 1)]))
    masses = []
    gaps = np.geomspace(gap, 2 * gap, 5)
    for g in gaps:
        corr = 1 - g
        a = y[0][:, None, None]
        b = (y[1][:, None, None] - shift[None, :, None]) / (1 + ratio[None, None, :])
        quadratic = (a**2 - 2 * corr * a * b + b**2) / (1 - corr**2)
        log_density = -0.5 * quadratic - 0.5 * np.log(1 - corr**2) - np.log1p(ratio)
        inside = np.exp(log_density.sum(axis=0))
        mass = np.trapezoid(np.trapezoid(inside, ratio, axis=1), shift)
        masses.append(mass * (1 - corr**2) ** (eta - 1))
    return float(np.trapezoid(masses, gaps))


@pytest.mark.parametrize("eta", [1, 2])
@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("equal", [True, False])
def test_an_unguarded_correlation_is_warned_of_where_its_mass_does_not_vanish(
    equal: bool, rows: int, eta: int
) -> None:
    line = np.zeros(rows) if equal else np.linspace(-1, 1, rows)
    y = np.stack([line, line])
    near, nearer = correlation_mass(y, eta, 1e-4), correlation_mass(y, eta, 1e-6)
    diverges = np.log10(nearer / near) / 2 > -0.25
    # Other rows of the mixture, collinear only where all rows are to be.
    rng = np.random.default_rng(1)
    others = 5 + rng.normal(size=(2, 30))
    data = dict(zip("ab", np.hstack([y, others]) if equal else y, strict=True))
    formula = f"cbind(a, b) ~ mix(normal, K={2 if equal else 1}, order=none)"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sm.model(formula, data, priors={"corr": f"lkj({eta})"})
    assert any("improper" in str(w.message) for w in caught) == diverges


def precision_mass(rows: int, prior: str, phi: float) -> float:
    """Posterior mass of three equal shares a row where `phi` lies between `phi` and 2 `phi`.

    The mean lies about 1 / sqrt(phi) from the rows.
    """
    y = np.array([0.2, 0.3, 0.5])
    away = np.linspace(-5, 5, 101)
    masses = []
    values = np.geomspace(phi, 2 * phi, 5)
    for value in values:
        first, second = (y[i] + away / np.sqrt(value) for i in (0, 1))
        mu = np.stack(np.broadcast_arrays(first[:, None], second, 1 - first[:, None] - second))
        alpha = value * mu
        power = ((alpha - 1) * np.log(y)[:, None, None]).sum(axis=0)
        density = power + special.gammaln(value) - special.gammaln(alpha).sum(axis=0)
        inside = np.trapezoid(np.trapezoid(np.exp(rows * density), second, axis=1), first)
        masses.append(inside * np.exp(PRIORS[prior].logpdf(value)))
    return float(np.trapezoid(masses, values))


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
@pytest.mark.parametrize("prior", ["student_t(3, 0, 2)", "cauchy(0, 2)", "gamma(2, 1)"])
def test_a_precision_of_shares_is_warned_of_where_its_mass_does_not_vanish(
    prior: str, rows: int
) -> None:
    near, nearer = precision_mass(rows, prior, 1e4), precision_mass(rows, prior, 1e5)
    diverges = near > 0 and np.log10(nearer / near) > -0.25
    rng = np.random.default_rng(1)
    y = np.vstack([np.tile([0.2, 0.3, 0.5], (rows, 1)), rng.dirichlet([4, 2, 2], 20)])
    formula = "y ~ mix(dirichlet, K=2)"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sm.model(formula, {"y": y}, priors={"phi": prior})
    assert any("improper" in str(w.message) for w in caught) == diverges
