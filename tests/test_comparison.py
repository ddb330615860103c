"""Comparisons of models: tables against sums by hand, and what must not be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import stanmix as sm

pytestmark = pytest.mark.engine

OPTIONS: dict[str, Any] = {"engine": "stanli", "seed": 1, "draws": 500}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    y = np.concatenate([rng.normal(-2, 1, 30), rng.normal(2, 1, 40)])
    return pd.DataFrame({"y": y, "count": rng.poisson(3, 70), "s": np.repeat([1, 2], 35)})


@pytest.fixture(scope="module")
def found(data: pd.DataFrame) -> sm.Sweep:
    return sm.sweep("y ~ mix(normal, order=none)", data, K=[2, 1], **OPTIONS)


def test_a_table_holds_sums_and_differences_of_terms(found: sm.Sweep) -> None:
    table = sm.compare({"one": found.fits[1], "two": found.fits[2]})
    assert table.index.tolist() == ["two", "one"]
    terms = {name: found.fits[k].loo().terms["elpd"] for name, k in (("one", 1), ("two", 2))}
    for name, each in terms.items():
        assert table["elpd"][name] == pytest.approx(each.sum())
        assert table["se"][name] == pytest.approx(np.sqrt(70) * each.std())
    off = terms["one"] - terms["two"]
    assert table["elpd_diff"].tolist() == pytest.approx([0, off.sum()])
    assert table["se_diff"].tolist() == pytest.approx([0, np.sqrt(70) * off.std()])
    assert table["smallest"]["one"] == 1 and 0.3 < table["smallest"]["two"] < 0.5
    assert table.attrs["question"] == "each row, predicted from the others"


def test_stacking_weights_are_those_of_the_best_average(found: sm.Sweep) -> None:
    """No other weights on a grid predict better."""
    table = sm.compare(found.criteria)
    terms = [found.criteria[k].terms["elpd"].to_numpy() for k in (1, 2)]

    def score(second: float) -> float:
        with np.errstate(divide="ignore"):
            weights = np.log([[1 - second], [second]])
        return float(logsumexp(weights + np.stack(terms), axis=0).sum())

    grid = np.linspace(0, 1, 1001)
    best = grid[np.argmax([score(w) for w in grid])]
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"][2] == pytest.approx(best, abs=2e-3)


def test_a_sweep_compiles_one_program_and_lists_its_numbers_in_order(found: sm.Sweep) -> None:
    assert len({fit.model.program.key for fit in found.fits.values()}) == 1
    assert found.table.index.tolist() == [1, 2]
    assert [fit.model.spec.K for fit in found.fits.values()] == [1, 2]
    assert repr(found).startswith("each row, predicted from the others\n")
    assert found.plot().labels.x == "components"


def test_a_sweep_says_for_which_number_something_is_wrong(data: pd.DataFrame) -> None:
    with pytest.warns(sm.ConvergenceWarning, match="^K = [12]: ") as caught:
        sm.sweep(
            "y ~ mix(normal, order=none)", data, K=[1, 2], **(OPTIONS | {"draws": 10, "warmup": 10})
        )
    assert any(str(w.message).startswith("K = 2: ") for w in caught)


def test_the_rarest_state_is_the_share_of_rows_in_it(data: pd.DataFrame) -> None:
    fit = sm.fit("y | series(s) ~ hmm(normal, states=2)", data, **OPTIONS)
    table = sm.compare({"a": fit, "b": fit}, kind="observation")
    share = fit.smoothing().mean("obs").min("state").mean()
    assert table["smallest"].tolist() == pytest.approx([float(share)] * 2)


def test_terms_that_are_not_of_the_same_things_are_not_compared(
    found: sm.Sweep, data: pd.DataFrame
) -> None:
    one, two = found.fits[1], found.fits[2]
    formula = "y ~ mix(normal, K=1)"
    chain = sm.fit("y | series(s) ~ hmm(normal, states=1)", data, **OPTIONS)
    counts = sm.fit("count ~ mix(poisson, K=1)", data, **OPTIONS)
    normal = sm.fit("count ~ mix(normal, K=1)", data, **OPTIONS)
    other = sm.fit(formula, data.assign(y=data["y"] + 1), **OPTIONS)
    fewer = sm.fit(formula, data[:60], **OPTIONS)
    mixture = one.loo()
    with pytest.warns(sm.ConvergenceWarning, match="WAIC is not to be trusted; ask for loo"):
        waic = two.waic()
    for pair, message in (
        ((mixture, chain.kfold(k=2)), "each row, predicted from the others, against each series"),
        ((mixture, chain.loo("observation")), "of different kinds"),
        ((one, other), "are fits of different data"),
        ((one, fewer), "are fits of different data"),
        ((one, counts), "are fits of different data"),
        ((normal, counts), "One of 'a' and 'b' has probabilities of a column"),
        ((mixture, waic), "'a' has PSIS-LOO and 'b' WAIC: take one"),
        ((mixture, two.loo(some=10)), "Different terms are worked out"),
        ((one, 3), "'b' is int, and neither a fit"),
    ):
        with pytest.raises(sm.SpecError, match=message):
            sm.compare(dict(zip("ab", pair, strict=True)))
    with pytest.raises(sm.SpecError, match="two models or more"):
        sm.compare({"a": one})


@pytest.mark.parametrize(
    ("formula", "K", "message"),
    [
        ("y ~ mix(normal)", [2], "two numbers of components or more"),
        ("y ~ mix(normal)", [0, 1], "whole numbers from 1 on, not 0"),
        ("y ~ mix(normal)", [1, 2.5], "whole numbers from 1 on, not 2.5"),
        ("y ~ mix(normal + student)", [2, 3], "lists its components, so `K` is no choice"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(
    data: pd.DataFrame, formula: str, K: list[Any], message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        sm.sweep(formula, data, K=K, **OPTIONS)
