"""Slopes that are shrunk together: the regularised horseshoe of Piironen and Vehtari (2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import stanmix as sm
from stanmix.engines import engine
from stanmix.given import given_values
from tests.cases import FRAME
from tests.test_regression import NEW, evaluated, points, require_recovered

FORMULA = "y ~ mix(normal, K=2)\nmu ~ x + rt"


@pytest.mark.engine
@pytest.mark.parametrize(
    ("prior", "given"),
    [("horseshoe(0.1)", (0.1, 1, 4, None)), ("horseshoe(0.2, 3, 5, [2, 7])", (0.2, 3, 5, [2, 7]))],
)
def test_the_density_is_that_of_its_parts(prior: str, given: Any) -> None:
    """And the slopes are those that the parts make, by the scale of the default prior."""
    spread, slab, df, scale = given
    sizes = scale or 2.5 * FRAME["y"].std(ddof=0) / FRAME[["x", "rt"]].std(ddof=0).to_numpy()
    shrunk = sm.model(FORMULA, FRAME, priors={"beta_mu": prior})
    plain = sm.model(FORMULA, FRAME, priors={"beta_mu": "normal(0, 1)"})
    at = points(shrunk)
    for i, d in enumerate(evaluated(shrunk, FRAME, ["beta_mu"])):
        here = {name: values[i] for name, values in at.items()}
        z, local, overall, squared = (
            here.pop(f"slope_mu_{part}") for part in ("z", "local", "global", "slab")
        )
        free = overall[:, None] * local
        width = 1 / np.sqrt(1 / free**2 + 1 / squared[:, None])
        slopes = sizes * width * z
        np.testing.assert_allclose(d["beta_mu"][:, 1:], slopes, rtol=5e-3 if not scale else 1e-10)
        parts = [
            stats.norm.logpdf(z),
            stats.halfcauchy.logpdf(local),
            stats.halfcauchy.logpdf(overall, scale=spread),
            stats.invgamma.logpdf(squared, df / 2, scale=df / 2 * slab**2),
            # The density is of the logarithms of what is positive.
            *(np.log(v) for v in (local, overall, squared)),
        ]
        there = {**here, "slope_mu": d["beta_mu"][:, 1:]}
        runner = engine("stanli")
        more = runner.log_density(shrunk.program, shrunk.data, at_point(at, i))[0]
        less = runner.log_density(plain.program, plain.data, there)[0]
        less -= stats.norm.logpdf(d["beta_mu"][:, 1:]).sum()
        assert more - less == pytest.approx(sum(p.sum() for p in parts), abs=1e-8)


def at_point(at: dict[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
    return {name: values[i] for name, values in at.items()}


def test_prior_draws_have_the_distribution_that_quadrature_gives() -> None:
    """With a wide slab the standard deviation is a product of two half-Cauchy variables.

    In units of the global scale its density at u is 4 / pi^2 log(u) / (u^2 - 1).
    """
    prior = {"beta_mu": "horseshoe(0.1, 1e6, 100, 3)"}
    drawn = sm.model("y ~ mix(normal, K=1)\nmu ~ x", FRAME, priors=prior).sample_prior(
        20000, seed=1
    )
    slopes = drawn["beta_mu"].sel(term_mu="x").values.ravel() / (3 * 0.1)

    def below(size: float) -> float:
        def integrand(log_u: float) -> float:
            u = np.exp(log_u)
            ratio = 0.5 if abs(u - 1) < 1e-9 else log_u / (u**2 - 1)
            inside = 2 * stats.norm.cdf(size / u) - 1
            return float(4 / np.pi**2 * ratio * u * inside)

        return integrate.quad(integrand, -40, 40, points=[0.0], limit=400)[0]

    for size in (0.01, 0.1, 1.0, 10.0):
        expected, found = below(size), np.mean(np.abs(slopes) < size)
        assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / len(slopes))


def test_the_slab_bounds_what_the_horseshoe_leaves_free() -> None:
    """Far out a slope is Student's t with the degrees of freedom of the slab."""
    prior = {"beta_mu": "horseshoe(1e6, 2, 5, 1)"}
    drawn = sm.model(FORMULA, FRAME, priors=prior).sample_prior(4000, seed=1)["beta_mu"]
    for term in ("x", "rt"):
        slopes = drawn.sel(term_mu=term).values.ravel()
        assert stats.kstest(slopes, stats.t(5, 0, 2).cdf).pvalue > 1e-4


@pytest.mark.engine
def test_few_slopes_of_many_are_recovered_and_the_others_shrunk() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 8))
    b = np.array([2.0, -1.5, *[0.0] * 6])
    names = [f"x{i}" for i in range(8)]
    data = pd.DataFrame(X, columns=names).assign(y=1 + X @ b + rng.normal(size=80))
    formula = f"y ~ mix(normal, K=1)\nmu ~ {' + '.join(names)}"
    priors = {"beta_mu": "horseshoe(0.05)"}
    fit = sm.fit(formula, data, priors=priors, engine="stanli", seed=2, adapt_delta=0.99)
    require_recovered(fit, {"beta_mu": np.array([[1.0, *b]])})
    mean = fit.draws["posterior"]["beta_mu"].mean(("chain", "draw")).values[0, 1:]
    least_squares = np.linalg.lstsq(np.column_stack([np.ones(80), X]), data["y"])[0][1:]
    kept = mean / least_squares
    assert (kept[:2] > 0.95).all()
    assert (kept[2:] < 0.9).all()
    assert np.median(kept[2:]) < 2 / 3


@pytest.mark.engine
def test_coefficients_under_a_horseshoe_are_starting_points_and_are_kept(tmp_path: Path) -> None:
    priors = {"beta_mu": "horseshoe(0.1)"}
    settings: dict[str, Any] = {"chains": 1, "warmup": 20, "draws": 5, "seed": 1}
    fit = sm.fit(FORMULA, FRAME, priors=priors, engine="stanli", **settings)
    posterior = fit.draws["posterior"].isel(chain=0, draw=-1)
    given = {str(name): values.values for name, values in posterior.items()}
    sampled = {n: v[None] for n, v in given_values(fit.model.spec, given, 1).items()}
    made = engine("stanli").generate(fit.model.program, fit.model.data, sampled, ["beta_mu"])
    np.testing.assert_allclose(made["beta_mu"][0], given["beta_mu"], rtol=1e-8)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    assert again.model.spec == fit.model.spec
    assert again.log_omega(NEW).equals(fit.log_omega(NEW))
