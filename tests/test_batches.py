"""Data sets simulated together: as they are simulated one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix import batches
from stanmix.simulation import required
from tests.cases import CASES, Case

SETS = 100
ALPHA = 1e-4

TOGETHER = [
    "normal", "diag", "families", "real_families", "zeros", "beta", "positive_families",
    "count_families", "columns", "units", "poisson_series", "unit_hmm", "switches", "race",
    "contaminants", "choice_families", "binomial", "bernoulli", "lognormal", "angles", "classes",
    "left_right", "limits", "truncated", "missing_trials",
]  # fmt: skip


def sets_of(model: sm.Model, count: int) -> dict[str, np.ndarray]:
    """One draw of the prior, so many times."""
    drawn = model.sample_prior(1, seed=1)
    return {n: np.repeat(drawn[n].values[0], count, axis=0) for n in required(model.spec)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_model_has_data_sets_of_its_rows(case: Case) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    if model.spec.freq is not None:
        with pytest.raises(sm.SpecError, match="Rows that count several times"):
            batches.responses(model, sets_of(model, 2), np.random.default_rng(1))
        return
    drawn = batches.responses(model, sets_of(model, 2), np.random.default_rng(1))
    known = batches.observed(model)
    assert drawn.keys() == known.keys()
    for column, values in drawn.items():
        assert values.shape == (2, model.table.n_rows) and known[column].shape == values[:1].shape
        np.testing.assert_array_equal(np.isnan(values), np.isnan(np.repeat(known[column], 2, 0)))


@pytest.mark.parametrize("name", TOGETHER)
def test_data_sets_drawn_together_are_distributed_as_those_drawn_alone(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    model = sm.model(case.formula, case.data, priors=case.priors)
    assert batches._together(model)
    parameters = sets_of(model, SETS)
    rng = np.random.default_rng(2)
    together = batches.responses(model, parameters, rng)
    alone = batches._one_by_one(model, parameters, SETS, rng)
    for column, response in batches._columns(model.spec).items():
        # The last row of each set: rows of one set share their states.
        ours, theirs = together[column][:, -1], batches._numbers(response, alone[column])[:, -1]
        if not np.isnan(ours).any():
            assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > ALPHA, column


def test_each_set_has_its_own_parameters() -> None:
    model = sm.model("y ~ hmm(normal, states=2)", {"y": np.linspace(0, 1, 5)})
    parameters = {
        "mu": np.array([[0.0, 100.0], [1000.0, 2000.0]]),
        "sigma": np.full((2, 2), 0.1),
        "initial": np.array([[1.0, 0.0], [1.0, 0.0]]),
        # The first stays where it starts, the second goes to and fro.
        "transition": np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]),
    }
    drawn = batches.responses(model, parameters, np.random.default_rng(1))["y"]
    expected = [[0, 0, 0, 0, 0], [1000, 2000, 1000, 2000, 1000]]
    np.testing.assert_allclose(drawn, expected, atol=1.0)
