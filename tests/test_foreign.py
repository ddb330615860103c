from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import stanmix as sm
from stanmix.diagnostics import element_names
from stanmix.named_draws import numbers, read
from tests.cases import CASES, FRAME
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

# One of each sort of variable: orders, simplexes, matrices, moves, groups, slopes, horseshoes.
KINDS = ("full", "units", "switches", "left_right", "some_moves", "groups", "moves", "horseshoe")
CHOSEN = [case for case in CASES if case.name in KINDS]


@pytest.mark.filterwarnings("ignore::stanmix.IdentifiabilityWarning")
@pytest.mark.filterwarnings("ignore::stanmix.ConvergenceWarning")
@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_draws_taken_out_of_a_fit_and_given_back_are_the_same_fit(case) -> None:  # type: ignore[no-untyped-def]
    model = sm.model(case.formula, case.data, priors=case.priors)
    fit = model.fit(engine="stanli", chains=1, warmup=20, draws=5, seed=1)
    posterior = fit.draws["posterior"].to_dataset()
    back = fit.model.with_draws(posterior, origin="a network")
    assert back.engine == "a network"
    again = back.draws["posterior"].to_dataset()
    for name, values in posterior.items():
        xr.testing.assert_allclose(again[name], values, rtol=1e-8, atol=1e-8)
    if case.name == "horseshoe":
        # What the draws do not determine has another density.
        return
    np.testing.assert_allclose(
        back.draws["sample_stats"]["lp"].values, fit.draws["sample_stats"]["lp"].values, rtol=1e-8
    )
    asked = "membership" if fit.model.spec.kind == "mix" else "smoothing"
    ours, theirs = getattr(fit, asked)(), getattr(back, asked)()
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-8)


FORMULA = "cbind(y, x) ~ mix(normal, K=2)"


def test_arrays_tables_trees_and_files_are_the_same_draws(tmp_path) -> None:  # type: ignore[no-untyped-def]
    fit = short_fit(FORMULA, FRAME)
    posterior = fit.draws["posterior"].to_dataset()
    flat = {str(n): v.values.reshape(-1, *v.shape[2:]) for n, v in posterior.items()}
    columns = {name: values.ravel() for name, values in numbers(posterior).items()}
    labelled = pd.DataFrame(columns)
    places = {
        label: f"{name}." + ".".join(str(i + 1) for i in place)
        for name, values in posterior.items()
        for label, place in element_names(values).items()
    }
    dotted = labelled.rename(columns=places).assign(lp__=0.0)
    dotted.to_csv(tmp_path / "draws.csv", index=False)
    sources = [fit, fit.draws, posterior, flat, labelled, dotted, tmp_path / "draws.csv"]
    for source in sources:
        found = read(source, "They", like=posterior)
        assert set(found) == set(posterior)
        for name, values in posterior.items():
            np.testing.assert_allclose(found[name].values.ravel(), values.values.ravel())
    assert sm.Model.with_draws(fit.model, dotted).summary().shape == fit.summary().shape


def test_what_was_given_is_kept_and_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    fit = short_fit(FORMULA, FRAME)
    given = fit.model.with_draws(fit.draws, origin="a network")
    assert "1 chain of 5 draws by a network\n" in repr(given)
    again = sm.load(given.save(tmp_path / "given.nc"))
    assert again.engine == "a network"
    xr.testing.assert_equal(
        again.draws["posterior"].to_dataset(), given.draws["posterior"].to_dataset()
    )
    for question in ("diagnose", "report"):
        with pytest.raises(sm.SpecError, match="how they were sampled is not known"):
            getattr(again, question)(*([tmp_path / "out.html"] if question == "report" else []))


def test_a_column_of_chains_makes_chains() -> None:
    table = pd.DataFrame({".chain": [2, 1, 2, 1], "mu": [3.0, 1.0, 4.0, 2.0]})
    found = read(table, "They")
    np.testing.assert_array_equal(found["mu"].values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        ({"mu": [[0.0, 1.0]]}, "no `weights`"),
        ({"mu": [[1.0, 0.0]], "weights": [[0.5, 0.5]]}, "`mu` must increase"),
        ({"mu": [[0.0, 1.0]], "weights": [[0.5, 0.6]]}, "`weights` must be positive and sum to 1"),
        ({"mu": [[0.0, 1.0, 2.0]], "weights": [[0.5, 0.5]]}, "`mu` have the shape"),
        ({"mu": [[0.0, np.nan]], "weights": [[0.5, 0.5]]}, "`mu` must be finite"),
        ({"mu": [0.5], "weights": [[0.5, 0.5], [0.5, 0.5]]}, "are 1, and of `weights` 2"),
        (pd.DataFrame({"mu[1]": ["a"]}), "`mu\\[1\\]` holds no numbers"),
        (pd.DataFrame({"chain": [1, 1, 2], "mu": [1.0, 2.0, 3.0]}), "different numbers of draws"),
        ("nowhere.csv", "no file"),
    ],
)
def test_draws_of_no_such_model_are_refused(draws, message) -> None:  # type: ignore[no-untyped-def]
    model = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": [0.1, 0.3, 4.0, 4.2]})
    with pytest.raises(sm.DataError, match=message):
        model.with_draws(draws)
