"""Pseudo-residuals, against conditional distributions that are added up by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import stanmix as sm
from tests.cases import FRAME
from tests.questions.conftest import QUICK, by_hand
from tests.questions.test_terms import density
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine


def parameters(fit: sm.Fit) -> dict[str, Any]:
    posterior = fit.draws["posterior"].to_dataset().isel(chain=0, draw=0)
    return {str(name): values.values for name, values in posterior.items()}


def one_draw(fit: sm.Fit) -> sm.Fit:
    """The fit as if it had its first draw alone."""
    groups = {n: g.to_dataset() for n, g in fit.draws.children.items()}
    groups = {n: g.isel(chain=[0], draw=[0]) if "draw" in g.dims else g for n, g in groups.items()}
    return sm.Fit(fit.model, xr.DataTree.from_dict(groups), fit.engine)


def test_residuals_of_a_mixture_are_normal_quantiles_of_its_distribution(mixture: sm.Fit) -> None:
    fit = one_draw(mixture)
    y, d = fit.model.table.columns["y"].to_numpy(), parameters(fit)
    u = stats.norm(d["mu"], d["sigma"]).cdf(y[:, None]) @ d["weights"]
    np.testing.assert_allclose(fit.residuals()["y"], stats.norm.ppf(u), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", ["ordinary", "forecast"])
def test_residuals_of_a_chain_lie_within_the_steps_of_its_conditional_distributions(
    chain: sm.Fit, kind: str
) -> None:
    fit = one_draw(chain)
    u = stats.norm.cdf(fit.residuals(kind)["y"])
    y = fit.model.table.columns["y"].to_numpy()
    rate = parameters(fit)["rate"]
    for where, first, moves, mass in by_hand(fit, (0, 0)):
        for t, row in enumerate(where):
            there = mass[: t + 1].copy() if kind == "forecast" else mass.copy()
            without = there.copy()
            without[t] = 1
            steps = []
            for most in (y[row] - 1, y[row]):
                there[t] = stats.poisson(rate).cdf(most)
                steps.append(density(first, moves, there) / density(first, moves, without))
            assert steps[0] - 1e-9 <= u[row] <= steps[1] + 1e-9


def test_residuals_of_a_right_model_are_standard_normal_and_of_forecasts_independent() -> None:
    at = {"mu": [-1.0, 1.5], "sigma": [1.0, 0.6], "initial": [0.5, 0.5]}
    at["transition"] = [[0.9, 0.1], [0.2, 0.8]]
    data = sm.simulate("y ~ hmm(normal, states=2)", 600, at, seed=1).data
    fit = sm.fit("y ~ hmm(normal, states=2)", data, engine="stanli", seed=1, draws=250)
    for kind in ("ordinary", "forecast"):
        assert stats.kstest(fit.residuals(kind)["y"], "norm").pvalue > 0.01
    ahead = fit.residuals("forecast")["y"].to_numpy()
    assert abs(np.corrcoef(ahead[1:], ahead[:-1])[0, 1]) < 4 / np.sqrt(600)


def test_residuals_keep_the_far_tails() -> None:
    y = np.append(stats.norm.ppf((np.arange(30) + 0.5) / 30), [-12.0, 14.0])
    fit = one_draw(sm.fit("y ~ mix(normal(sigma=1), K=1)", {"y": y}, **QUICK))
    expected = y - parameters(fit)["mu"]
    np.testing.assert_allclose(fit.residuals()["y"], expected, rtol=1e-6, atol=1e-9)


def test_each_column_has_residuals_and_rows_without_a_value_have_none() -> None:
    data = FRAME.assign(y=FRAME["y"].where(FRAME.index != 3), where=np.tile(list("ab"), 12))
    data["how"] = np.where(FRAME.index == 5, "right", "none")
    fit = short_fit("cbind(y, count, where) ~ mix(normal & poisson & categorical, K=2)", data)
    found = fit.residuals()
    assert list(found) == ["y", "count"]
    assert found.isna().to_numpy().nonzero()[0].tolist() == [3]
    censored = short_fit("count | cens(how) ~ mix(poisson, K=2)", data).residuals()
    assert censored.isna().to_numpy().nonzero()[0].tolist() == [5]


def test_rows_of_a_unit_are_judged_with_the_others_of_it() -> None:
    y, u = np.array([-2.0, 2.0, -1.0, 1.0, 0.2, 0.4]), [1, 2, 1, 2, 3, 3]
    fit = one_draw(short_fit("y | unit(u) ~ mix(normal(sigma=1), K=2)", {"y": y, "u": u}))
    d = parameters(fit)
    each = stats.norm(d["mu"], 1)
    expected = []
    for i, other in enumerate([2, 3, 0, 1, 5, 4]):
        p = d["weights"] * each.pdf(y[other])
        expected.append(p @ each.cdf(y[i]) / p.sum())
    np.testing.assert_allclose(fit.residuals()["y"], stats.norm.ppf(expected), rtol=1e-7)


def test_what_has_no_residuals_is_refused(mixture: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="`kind` is one of `ordinary`"):
        mixture.residuals("deviance")
    with pytest.raises(sm.SpecError, match="A mixture has no forecasts"):
        mixture.residuals("forecast")
    joint = "cbind(y, x) ~ mix(normal, K=1)"
    for formula in ("subject ~ mix(categorical, K=2)", joint, "choice ~ mix(ordinal, K=1)"):
        with pytest.raises(sm.SpecError, match="No column of the response has a distribution"):
            short_fit(formula, FRAME).residuals()
