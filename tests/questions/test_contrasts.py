"""Contrasts and derived quantities, against arithmetic on the draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import stanmix as sm
from tests.cases import FRAME
from tests.questions.conftest import QUICK
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine


def test_a_contrast_is_arithmetic_on_draws(mixture: sm.Fit) -> None:
    mu = mixture.draws["posterior"]["mu"].values
    sigma = mixture.draws["posterior"]["sigma"].values
    for text, values in (
        ("mu[2] - mu[1]", mu[..., 1] - mu[..., 0]),
        ("-(mu[2] + 2*mu[1]) / 4", -(mu[..., 1] + 2 * mu[..., 0]) / 4),
        ("log(sigma[2] / sigma[1])", np.log(sigma[..., 1] / sigma[..., 0])),
        ("abs(mu[1])^2 + 1e-1", mu[..., 0] ** 2 + 0.1),
    ):
        table = mixture.contrast(text, rope=(-1, 2.5))
        assert table.index.tolist() == [text]
        assert table["mean"].iloc[0] == pytest.approx(values.mean())
        assert table["q97.5"].iloc[0] == pytest.approx(np.quantile(values, 0.975))
        assert table["p_positive"].iloc[0] == (values > 0).mean()
        assert table["in_rope"].iloc[0] == ((values >= -1) & (values <= 2.5)).mean()
    assert mixture.contrast("mu[1]")["in_rope"].isna().all()
    near = mixture.contrast("mu[1] + 2", rope=0.1)["in_rope"].iloc[0]
    assert near == (abs(mu[..., 0] + 2) <= 0.1).mean()


def test_elements_are_named_as_in_the_summary() -> None:
    fit = short_fit("cbind(y, x) ~ mix(normal, K=2)\nmu ~ id", FRAME)
    beta = fit.draws["posterior"]["beta_mu"]
    found = fit.contrast("beta_mu[2, x, id]")["mean"].iloc[0]
    expected = beta.sel(state=2, column="x").isel(term_mu=1).mean()
    assert found == pytest.approx(float(expected))
    quoted = fit.contrast("beta_mu[2, 'x', Intercept]")["mean"].iloc[0]
    assert quoted == pytest.approx(float(beta.sel(state=2, column="x").isel(term_mu=0).mean()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mu[3]", r"`mu` has no '3' along state; it has `1`, `2`"),
        ("mu", r"`mu` takes \[state\]"),
        ("sigm[1]", "no `sigm`; it has `mu`, `sigma`, `weights`.\nHint: did you mean `sigma`"),
        ("-" * 5000 + "mu[1]", "longer than 1000 characters"),
        ("mu[2] -", "is no expression of parameters"),
        ("mu[1] if mu[2] else 3", "has no place in a contrast"),
        ("__import__('os').getcwd()", "has no place in a contrast"),
        ("mu.values", "has no place in a contrast"),
        ("mu[__import__('os')]", "is no index"),
        ("mu[1:2]", "is no index"),
        ("(" * 400 + "mu[1]" + ")" * 400, "is no expression"),
        ("2 + 3", "holds no parameter"),
        (3, "A contrast is text"),
    ],
)
def test_what_is_no_contrast_is_refused(mixture: sm.Fit, text: Any, message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        mixture.contrast(text)


def test_a_region_has_two_ends(mixture: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="`rope` is a number, or two"):
        mixture.contrast("mu[1]", rope=(1, 2, 3))  # type: ignore[arg-type]


def test_the_long_run_and_mean_stays_follow_from_the_moves() -> None:
    data = pd.DataFrame({"y": [0, 1, 0, 9, 8, 11, 9, 1, 0, 0, 2, 8, 7, 9]})
    fit = sm.fit("y ~ hmm(poisson, states=2)", data, **QUICK)
    moves = fit.draws["posterior"]["transition"].values
    out, back = moves[..., 0, 1], moves[..., 1, 0]
    share = fit.derive("stationary")
    assert share.dims == ("chain", "draw", "state")
    np.testing.assert_allclose(share.sel(state=1), back / (out + back))
    np.testing.assert_allclose(fit.derive("dwell").sel(state=2), 1 / back)


def test_there_is_no_long_run_where_moves_vary_or_do_not_come_back(
    mixture: sm.Fit, chain: sm.Fit
) -> None:
    with pytest.raises(sm.SpecError, match="`transition` varies with covariates"):
        chain.derive("stationary")
    with pytest.raises(sm.SpecError, match=r"mixture has no `derive\(.*\)`; ask for contrast"):
        mixture.derive("stationary")
    onwards = short_fit("y ~ hmm(normal, states=2, transition=left_right)", FRAME)
    with pytest.raises(sm.SpecError, match="no long run"):
        onwards.derive("stationary")
    assert np.isinf(onwards.derive("dwell").sel(state=2)).all()
    with pytest.raises(sm.SpecError, match="`quantity` is one of `stationary`"):
        onwards.derive("sum")  # type: ignore[arg-type]
    with pytest.raises(sm.SpecError, match="no long run"):
        onwards.derive("mean")


def test_the_mean_and_variance_of_a_mixture_are_over_all_components(mixture: sm.Fit) -> None:
    d = mixture.draws["posterior"].to_dataset()
    mean = (d["weights"] * d["mu"]).sum("state")
    square = (d["weights"] * (d["sigma"] ** 2 + d["mu"] ** 2)).sum("state")
    found = mixture.derive("mean")
    assert found.dims == ("chain", "draw") and found.sizes == {"chain": 2, "draw": 100}
    np.testing.assert_allclose(found, mean)
    np.testing.assert_allclose(mixture.derive("variance"), square - mean**2)


def test_those_of_a_chain_are_of_the_long_run() -> None:
    fit = short_fit("y ~ hmm(normal, states=2)", FRAME)
    d = fit.draws["posterior"].to_dataset()
    share = fit.derive("stationary")
    mean = (share * d["mu"]).sum("state")
    np.testing.assert_allclose(fit.derive("mean"), mean)
    square = (share * (d["sigma"] ** 2 + d["mu"] ** 2)).sum("state")
    np.testing.assert_allclose(fit.derive("variance"), square - mean**2)


def test_columns_have_a_mean_and_variance_each() -> None:
    fit = short_fit("cbind(y, x) ~ mix(student, K=2)", FRAME)
    d = fit.draws["posterior"].to_dataset()
    mean = (d["weights"] * d["mu"]).sum("state")
    found = fit.derive("mean")
    assert found.dims == ("chain", "draw", "column")
    np.testing.assert_allclose(found.sel(column="x"), mean.sel(column="x"))
    nu = d["nu"]
    spread = xr.where(nu > 2, nu / (nu - 2), np.inf) * d["sigma"] ** 2
    total = (d["weights"] * (spread + (d["mu"] - mean) ** 2)).sum("state")
    np.testing.assert_allclose(
        fit.derive("variance").transpose(..., "column"), total.transpose(..., "column")
    )


def test_they_are_those_of_predicted_responses() -> None:
    formula = "rt | dec(choice) ~ mix(wald + uniform, order=none)"
    fit = short_fit(formula, FRAME)
    rows = pd.DataFrame({"obs": np.arange(100_000)})
    drawn = fit.predict(rows, draws=1)["rt"].values.astype(float).ravel()
    mean, variance = (float(fit.derive(q).isel(chain=0, draw=0)) for q in ("mean", "variance"))
    assert abs(drawn.mean() - mean) < 4 * drawn.std() / np.sqrt(len(drawn))
    fourth = np.mean((drawn - mean) ** 4)
    assert abs(drawn.var() - variance) < 4 * np.sqrt((fourth - variance**2) / len(drawn))


@pytest.mark.parametrize(
    ("formula", "quantity", "message"),
    [
        ("y ~ mix(normal, K=2); mu ~ x", "mean", r"`mu` varies by row[^`]*response(.|\n)*effects"),
        ("y ~ mix(normal, K=2); weights ~ x; mu ~ x", "variance", "`mu`, `weights` vary by row"),
        ("subject ~ mix(categorical, K=2)", "mean", "`subject` holds categories"),
        ("rt | dec(choice) ~ mix(wiener, K=1)", "variance", "`wiener` declares no variance"),
    ],
)
def test_what_has_no_mean_or_variance_is_refused(formula: str, quantity: Any, message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        short_fit(formula, FRAME).derive(quantity)
