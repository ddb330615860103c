"""Draws of any origin: which numbers they are, and what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import stanmix as sm
from stanmix.named_draws import numbers, read

RNG = np.random.default_rng(1)

LIKE = xr.Dataset(
    {
        "mu": (("chain", "draw", "state"), np.zeros((1, 1, 2))),
        "slope": (("chain", "draw", "term"), np.zeros((1, 1, 3))),
    },
    coords={"state": [1, 2], "term": ["a,b", "poly(x, 2)", "z"]},
)
VALUES = {"mu": RNG.normal(size=(60, 2)), "slope": RNG.normal(size=(60, 3))}
NAMES = ["mu[1]", "mu[2]", "slope[a,b]", "slope[poly(x, 2)]", "slope[z]"]
COLUMNS = np.column_stack([VALUES["mu"], VALUES["slope"]])


def tree(**dims: tuple[str, ...]) -> xr.Dataset:
    return xr.Dataset({n: (("chain", "draw", *dims[n]), VALUES[n][None]) for n in VALUES})


ARVIZ = tree(mu=("mu_dim_0",), slope=("slope_dim_0",))


@pytest.mark.parametrize(
    "source",
    [
        VALUES,
        pd.DataFrame(COLUMNS, columns=NAMES),
        pd.DataFrame(COLUMNS, columns=["mu.1", "mu.2", "slope.1", "slope.2", "slope.3"]),
        pd.DataFrame(COLUMNS, columns=[n.replace(", ", ",") for n in NAMES]),
        ARVIZ,
        ARVIZ.assign_coords(mu_dim_0=[0, 1], slope_dim_0=[0, 1, 2]),
        tree(mu=("state",), slope=("term",)).assign_coords(LIKE.coords),
        tree(mu=("state",), slope=("term",))
        .assign_coords(LIKE.coords)
        .isel(term=[2, 0, 1])
        .transpose("term", ...),
        xr.DataTree.from_dict({"posterior": ARVIZ}),
    ],
)
def test_numbers_have_the_names_of_the_model_wherever_they_come_from(source: Any) -> None:
    found = numbers(read(source, "The draws", like=LIKE))
    assert list(found) == NAMES
    np.testing.assert_array_equal(np.stack([v[0] for v in found.values()], axis=-1), COLUMNS)


def test_labels_that_are_numbers_are_not_taken_for_places() -> None:
    """The second level is `1`: its column must not be taken for the first place."""
    like = xr.Dataset({"r": (("chain", "draw", "g"), np.zeros((1, 1, 2)))}, coords={"g": [2, 1]})
    table = pd.DataFrame(COLUMNS[:, :2], columns=["r[1]", "r[2]"])
    found = numbers(read(table, "The draws", like=like))
    np.testing.assert_array_equal(found["r[1]"][0], COLUMNS[:, 0])
    # Of places there are two, and one of them is no label.
    like = like.assign_coords(g=[2, 3])
    found = numbers(read(table, "The draws", like=like))
    np.testing.assert_array_equal(found["r[2]"][0], COLUMNS[:, 0])


def csv(text: str | bytes) -> Callable[[Path], Path]:
    def written(folder: Path) -> Path:
        data = text.encode() if isinstance(text, str) else text
        (folder / "draws.csv").write_bytes(data)
        return folder / "draws.csv"

    return written


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"mu": np.zeros((9, 3))}, r"of `mu` have the shape \(3,\), and must have \(2,\)"),
        (ARVIZ.isel(mu_dim_0=[0]), r"of `mu` have the shape \(1,\), and must have \(2,\)"),
        (ARVIZ.assign_coords(slope_dim_0=["u", "v", "w"]), "have the labels u, v, w, and must"),
        ({"mu": np.zeros((0, 2))}, "The draws are 0"),
        ({"mu": np.zeros((9, 2), dtype=complex)}, "`mu` are complex numbers"),
        ({"mu": np.ma.masked_equal(np.zeros((9, 2)), 0)}, "some are masked"),
        (pd.DataFrame(COLUMNS[:, :2], columns=["mu.1", "mu[1]"]), r"several columns for `mu\[1\]`"),
        (pd.DataFrame(COLUMNS[:, :2], columns=["x", "x"]), "several columns for `x`"),
        (pd.DataFrame({".chain": [1, np.nan], "x": [1, 2]}), "`.chain` has missing values"),
        (csv(""), "is no table as CSV"),
        (csv("a,b\n1,2\n1,2,3,4\n"), "is no table as CSV"),
        (csv(b"a,b\n\xff\xfe,2\n"), "is no table as CSV"),
        (xr.Dataset(), "have no dimension `chain`"),
    ],
)
def test_what_is_none_of_the_model_is_refused(tmp_path: Path, source: Any, message: str) -> None:
    given = source(tmp_path) if callable(source) else source
    with pytest.raises(sm.DataError, match=message):
        read(given, "The draws", like=LIKE)


def test_draws_that_are_the_same_and_names_that_are_none_are_refused() -> None:
    draws = {"x": RNG.normal(size=99)}
    with pytest.raises(sm.DataError, match="Both are the same draws"):
        sm.c2st(draws, draws)
    with pytest.raises(sm.DataError, match="`variables` must be names, not 3"):
        sm.c2st(draws, {"x": RNG.normal(size=99)}, variables=3)  # type: ignore[arg-type]
