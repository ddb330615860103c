"""Comparisons of models: tables against sums by hand, and what must not be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import stanmix as sm
from stanmix.comparison import smallest
from tests.cases import SHARES

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
            "y ~ mix(normal, order=none)", data, K=[1, 2], **(OPTIONS | {"draws": 30, "warmup": 5})
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
    labelled = short_fit("y | known(z) ~ mix(normal, K=2)", data.assign(z=[1, *[np.nan] * 68, 2]))
    by_unit = "y | unit(u) ~ mix(normal, K=1)"
    units, others, counted = (
        short_fit(formula, data.assign(u=np.arange(70) // size, n=2)).kfold("unit", k=2)
        for formula, size in (
            (by_unit, 5),
            (by_unit, 7),
            (by_unit.replace("(u)", "(u) + freq(n)"), 5),
        )
    )
    shares = short_fit("cbind(a, b, c) ~ mix(dirichlet, K=1)", SHARES).kfold(k=2)
    joint = short_fit("cbind(a, b, c) ~ mix(normal & normal & normal, K=1)", SHARES).kfold(k=2)
    with pytest.warns(sm.ConvergenceWarning, match="WAIC is not to be trusted; ask for loo"):
        waic = two.waic()
    for pair, message in (
        ((mixture, chain.kfold(k=2)), "each row, predicted from the others, against each series"),
        ((mixture, chain.loo("future", first=30)), "of different kinds"),
        ((one, other), "are fits of different data: `y` differs"),
        ((one, fewer), "are fits of different data: the number of rows differs"),
        ((one, counts), "are fits of different data: `y` differs"),
        ((mixture, labelled.kfold(k=2)), "are fits of different data: `z` differs"),
        ((units, counted), "are fits of different data: `n` differs"),
        ((units, others), "are of different kinds: each unit"),
        ((shares, joint), "of `a` that cannot be compared: densities of shares, and densities"),
        ((normal, counts), "densities of `count` that cannot be compared: densities, and probab"),
        ((mixture, waic), "'a' has PSIS-LOO and 'b' WAIC: take one"),
        ((mixture, two.loo(some=10)), "Different terms are worked out"),
        ((one, 3), "'b' is int, and neither a fit"),
    ):
        with pytest.raises(sm.SpecError, match=message):
            sm.compare(dict(zip("ab", pair, strict=True)))
    with pytest.raises(sm.SpecError, match="two models or more"):
        sm.compare({"a": one})


def short_fit(formula: str, data: pd.DataFrame) -> sm.Fit:
    """A fit that says nothing of the posterior, but is one."""
    return sm.fit(formula, data, **(OPTIONS | {"chains": 1, "warmup": 100, "draws": 100}))


def test_a_mixture_and_a_chain_predict_the_same_rows_and_may_be_compared(
    found: sm.Sweep, data: pd.DataFrame
) -> None:
    chain = sm.fit("y ~ hmm(normal, states=2)", data, **OPTIONS)
    table = sm.compare({"mixture": found.fits[2], "chain": chain}, kind="observation")
    assert table.index[0] == "chain"
    parts = "y | unit(s) ~ mix(normal, K=1)", "y | series(s) ~ hmm(normal, states=1)"
    units, series = (short_fit(formula, data).kfold() for formula in parts)
    assert sm.compare({"units": units, "series": series})["se_diff"].notna().all()


def test_columns_modelled_jointly_and_one_by_one_may_be_compared(data: pd.DataFrame) -> None:
    rows = data.assign(x=data["y"] + np.sin(np.arange(70)))
    joint = short_fit("cbind(y, x) ~ mix(normal, K=1)", rows).kfold(k=2)
    apart = short_fit("cbind(y, x) ~ mix(normal & normal, K=1)", rows).kfold(k=2)
    assert sm.compare({"joint": joint, "apart": apart}).index[0] == "joint"


def test_the_smallest_weight_is_that_of_rows_where_weights_vary(data: pd.DataFrame) -> None:
    x = np.repeat([0.0, 1.0], [60, 10])
    rows = data.assign(x=x, y=np.sin(np.arange(70)) + 9 * x)
    fit = sm.fit("y ~ mix(normal, K=2)\nweights ~ x", rows, **(OPTIONS | {"adapt_delta": 0.95}))
    assert smallest(fit) == pytest.approx(1 / 7, abs=0.05)


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
