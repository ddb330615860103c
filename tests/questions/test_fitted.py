"""The fitted model at one draw, as a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix import latent
from stanmix.data import read_table
from stanmix.held import covariates
from stanmix.levels import codes_of
from tests.cases import CASES, FRAME, Case
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

KNOWN = [
    case
    for case in CASES
    if "trunc(" not in case.formula
    and "|" not in case.formula.partition("\n")[2]
    # Rows of a unit share a state, and not a component.
    and not ("unit(" in case.formula and "hmm(" in case.formula)
]
"""Models that have a distribution at a draw, and no effects of groups."""


def responses(fit: sm.Fit) -> tuple[np.ndarray, np.ndarray]:
    """Responses as the distribution takes them, and the rows that have all of them."""
    spec, table = fit.model.spec, fit.model.table
    columns = []
    for response in spec.responses:
        # Trials are given, and no part of what is observed.
        for name in response.columns if response.addition != "trials" else ():
            if response.labels:
                codes = codes_of(table, name, response.labels, missing=True)
                columns.append(np.where(codes < 0, np.nan, codes + 1))
            else:
                columns.append(table.columns[name].to_numpy(dtype=float))
    values = np.column_stack(columns)
    return values, np.flatnonzero(~np.isnan(values).any(axis=1))


# Five draws may diverge; they are points all the same.
@pytest.mark.filterwarnings("ignore::stanmix.ConvergenceWarning")
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_densities_are_those_of_the_program(case: Case) -> None:
    fit = sm.fit(
        case.formula,
        case.data,
        priors=case.priors,
        engine="stanli",
        chains=1,
        warmup=20,
        draws=5,
        seed=1,
    )
    values, rows = responses(fit)
    moving, table = list(covariates(fit.model.spec)), read_table(case.data)
    theirs = fit.log_omega(draws=None).sel(chain=1, draw=3).values
    for row in rows[:4]:
        at = {name: table.columns[name].iloc[row] for name in moving}
        target = fit.at((1, 3), at=at if moving else None)
        x = values[row] if target.event_shape else values[row, 0]
        ours = target.log_omega([x])[0]
        np.testing.assert_allclose(ours, theirs[row], rtol=1e-8, atol=1e-8)


def test_the_log_likelihood_of_rows_is_that_of_the_fit(mixture: sm.Fit) -> None:
    y = mixture.model.table.columns["y"].to_numpy()
    likelihood = mixture.invariants["log likelihood"]
    for draw in ((1, 0), (2, 99)):
        chain, number = draw
        target = mixture.at(draw)
        expected = likelihood.sel(chain=chain, draw=number)
        shown = [int(str(name).removeprefix("obs ")) for name in expected["element"].values]
        np.testing.assert_allclose(target.log_prob(y[shown]), expected.values, rtol=1e-10)
        weights = mixture.draws["posterior"]["weights"].sel(chain=chain, draw=number)
        np.testing.assert_allclose(target.weights, weights)
        log_omega = mixture.log_omega(draws=None).sel(chain=chain, draw=number).values
        rows = latent.mixture_log_density(log_omega, weights.values)
        assert target.log_prob(y).sum() == pytest.approx(rows.sum(), rel=1e-12)


def test_a_number_counts_the_draws_of_one_chain_after_the_other(mixture: sm.Fit) -> None:
    size = mixture.draws["posterior"].sizes["draw"]
    for number, pair in ((0, (1, 0)), (size - 1, (1, size - 1)), (size + 3, (2, 3))):
        one, other = mixture.at(number), mixture.at(pair)
        assert repr(one) == repr(other)
        assert one.log_prob(0.3) == other.log_prob(0.3)
    assert mixture.at((1, 0)).log_prob(0.3) != mixture.at((2, 0)).log_prob(0.3)


def test_series_of_a_chain_have_the_densities_of_the_fit() -> None:
    formula = "count | series(subject) + time(t) ~ hmm(poisson, states=2"
    for initial in ("free", "uniform", "stationary"):
        fit = short_fit(f"{formula}, initial={initial})", FRAME)
        target = fit.at((1, 2))
        y = FRAME["count"].to_numpy().reshape(2, -1)
        expected = fit.invariants["log likelihood"].sel(chain=1, draw=2)
        np.testing.assert_allclose(target.log_prob(y), expected.values, rtol=1e-10)
        posterior = fit.draws["posterior"].sel(chain=1, draw=2)
        np.testing.assert_allclose(target.transition, posterior["transition"].values)


def test_a_chain_that_starts_in_its_first_state_does_so() -> None:
    fit = short_fit("y ~ hmm(normal, states=3, transition=left_right)", FRAME)
    target = fit.at(0)
    assert isinstance(target, sm.distributions.HiddenMarkov)
    assert target.initial.tolist() == [1, 0, 0]
    assert (target.transition[np.tril_indices(3, -1)] == 0).all()
    found = target.log_prob(FRAME["y"])
    expected = fit.invariants["log likelihood"].sel(chain=1, draw=0)
    np.testing.assert_allclose(found, expected.values[0], rtol=1e-10)


def test_a_row_is_named_where_rows_differ() -> None:
    fit = short_fit("successes | trials(n) ~ mix(binomial, K=2)\nweights ~ x; prob ~ x", _TRIALS)
    with pytest.raises(sm.SpecError, match="differ with `x`, `n`: name the row"):
        fit.at(0)
    target = fit.at(0, at={"x": 1.5, "n": 7})
    effect = fit.effects("x", of="weights", values=[1.5], draws=None)
    draws = fit.draws["posterior"]["beta_weights"].isel(chain=0, draw=0).values
    logits = draws @ [1, 1.5]
    np.testing.assert_allclose(target.weights, np.exp(logits) / np.exp(logits).sum())
    assert effect["mean"].sum() == pytest.approx(1)
    assert np.exp(target.log_prob(np.arange(8))).sum() == pytest.approx(1)
    middle = fit.at(0, at={})
    named = fit.at(0, at={"x": _TRIALS["x"].mean(), "n": round(_TRIALS["n"].mean())})
    np.testing.assert_allclose(middle.weights, named.weights)
    with pytest.raises(sm.SpecError, match="no covariate 'z'"):
        fit.at(0, at={"z": 1})
    with pytest.raises(sm.DataError, match="finite numbers"):
        fit.at(0, at={"x": "a"})
    with pytest.raises(sm.SpecError, match="`at` maps covariates"):
        fit.at(0, at=3)  # type: ignore[arg-type]


def test_effects_of_groups_are_left_out() -> None:
    fit = short_fit("y ~ mix(normal, K=2)\nmu ~ (1 | subject)", FRAME)
    with pytest.raises(sm.SpecError, match="differ with `subject`"):
        fit.at(0)
    target = fit.at(0, at={})
    mu = fit.draws["posterior"]["mu"].isel(chain=0, draw=0).values
    np.testing.assert_allclose([c.mean()[0] for c in target.components], mu)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ((0, 0), "There is no chain 0; they go from 1 to 2"),
        ((1, 100), "There is no draw 100; they go from 0 to 99"),
        ((1, 2, 3), r"`draw` is `\(chain, draw\)`, or a number"),
        ((None, 0), "There is no chain None"),
        ([[1], [2]], "There is no chain"),
        (200, "`draw` must be a whole number from 0 to 199"),
        (-1, "`draw` must be a whole number from 0 to 199"),
        (1.5, "`draw` must be a whole number"),
        ("1", "`draw` must be a whole number"),
        (None, "`draw` must be a whole number"),
    ],
)
def test_a_draw_that_is_not_there_is_refused(mixture: sm.Fit, draw: Any, message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        mixture.at(draw)


def test_what_is_no_distribution_of_rows_is_refused() -> None:
    truncated = short_fit("y | trunc(lb=-20) ~ mix(normal, K=2)", FRAME)
    with pytest.raises(sm.SpecError, match="truncated"):
        truncated.at(0)
    units = short_fit("y | unit(id) ~ hmm(normal, states=2)", FRAME)
    with pytest.raises(sm.SpecError, match="Rows of one `id` share a state"):
        units.at(0)


def test_draws_of_a_fitted_mixture_come_from_it(mixture: sm.Fit) -> None:
    target = mixture.at((1, 5))
    values, states = target.sample(20_000, seed=1)
    assert abs(values.mean() - target.mean()) < 4 * np.sqrt(target.variance() / 20_000)
    assert set(states) == {1, 2}


_TRIALS = pd.DataFrame(
    {"successes": FRAME["successes"], "n": FRAME["successes"] + 3, "x": FRAME["x"]}
)
