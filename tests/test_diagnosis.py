"""What is wrong is said in words, with what to try next; nothing is said where all is well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stanmix.diagnosis import Diagnosis
from stanmix.diagnostics import agreeing


def table(**r_hats: float) -> pd.DataFrame:
    """A summary of elements with these R-hats."""
    rows = {
        name.replace("_", "[", 1) + "]" * ("_" in name): {
            "mean": 0.5,
            "sd": 0.1,
            "r_hat": r_hat,
            "ess_bulk": 2000.0,
            "ess_tail": 2000.0,
        }
        for name, r_hat in r_hats.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


WELL = Diagnosis(
    invariant=table(lp=1.001),
    labelled=table(mu_1=1.002, mu_2=1.001, weights_1=1.0, weights_2=1.0),
    divergent=0,
    saturated=0,
    draws=4000,
    bfmi=(0.9, 1.0, 0.8, 1.1),
    adapt_delta=0.9,
    switching=False,
    renumbered=True,
    ordered=("mu",),
)


def few(size: float) -> pd.DataFrame:
    return WELL.labelled.assign(ess_tail=[2000.0, size, 2000.0, 2000.0])


def test_nothing_is_said_where_all_is_well() -> None:
    assert WELL.problems == ()
    assert repr(WELL).startswith("No problems found")


@pytest.mark.parametrize(
    ("changes", "words", "serious"),
    [
        ({"divergent": 3}, ["3 of 4000 draws diverged", "`adapt_delta` than 0.9"], True),
        ({"divergent": 3, "adapt_delta": 0.99}, ["stronger priors", "`sensitivity()`"], True),
        ({"invariant": table(lp=1.5)}, ["different modes", "`modes()`"], True),
        ({"labelled": table(mu_1=1.5)}, ["`mu` may not tell components apart"], True),
        ({"labelled": table(mu_1=1.5), "switching": True}, ["`relabel()` gives"], False),
        (
            {"labelled": table(mu_1=1.5), "switching": True, "renumbered": False},
            ["their labels differ", "`order=`"],
            False,
        ),
        ({"labelled": table(mu_1=1.05)}, ["do not agree yet about `mu[1]`", "Draw more"], False),
        ({"labelled": table(mu_1=float("nan"))}, ["did not move", "`inits`"], True),
        ({"labelled": few(150)}, ["`mu[2]`", "draw 3 times as many", "or none"], False),
        ({"labelled": few(150), "ordered": ()}, ["size of 150", "draw 3 times as many"], False),
        ({"saturated": 7}, ["7 draws reached", "`max_treedepth`"], False),
        ({"bfmi": (0.9, 0.1, 1, 1)}, ["below 0.3 in chain 2", "priors on scales"], False),
        ({"bfmi": (0.9,), "draws": 1000}, ["Draw four chains"], False),
    ],
)
def test_each_problem_comes_with_a_next_step(
    changes: dict[str, object], words: list[str], serious: bool
) -> None:
    (finding,) = replace(WELL, **changes).findings  # type: ignore[arg-type]
    assert all(word in str(finding) for word in words), str(finding)
    assert finding.serious == serious


def test_a_component_may_be_one_too_many_where_something_else_is_wrong() -> None:
    tiny = WELL.labelled.assign(mean=[0.5, 0.5, 0.98, 0.02])
    assert replace(WELL, labelled=tiny).problems == ()
    first, second = replace(WELL, labelled=tiny, divergent=2).problems
    assert "diverged" in first
    assert "2.0% of the weight (`weights[2]`)" in second and "Fewer components" in second


def test_chains_that_drift_apart_are_of_one_group_only_if_all_agree() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(4, 500)) + 0.6 * np.arange(4)[:, None]
    apart = {"lp": xr.DataArray(drawn, dims=("chain", "draw"))}
    groups = agreeing(apart)
    assert len(groups) > 1 and sorted(sum(groups, ())) == [0, 1, 2, 3]
    together = {"lp": xr.DataArray(rng.normal(size=(4, 500)), dims=("chain", "draw"))}
    assert agreeing(together) == [(0, 1, 2, 3)]


def test_words_have_no_loose_ends() -> None:
    for problem in replace(WELL, labelled=few(150), divergent=2, saturated=3).problems:
        assert problem == problem.strip()
