"""Columns of levels: what their values are called, and which are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stanmix.data import read_table
from stanmix.levels import codes_of, has_levels, levels_of


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([10, 9, 10], ("9", "10")),
        ([1.0, 2.0, 1.0], ("1", "2")),
        ([0.1 + 0.2, 0.3, 0.7], ("0.3", "0.7")),
        (
            [1234567890123456701, 1234567890123456702],
            ("1234567890123456701", "1234567890123456702"),
        ),
        ([True, False], ("False", "True")),
        (pd.Categorical(["b", "a"], categories=["b", "c", "a"]), ("b", "a")),
        (pd.array([2, 1, 2], dtype="Int64"), ("1", "2")),
    ],
)
def test_levels_are_in_order_and_each_value_has_its_own(
    values: Any, levels: tuple[str, ...]
) -> None:
    table = read_table({"g": values})
    assert levels_of(table, "g") == levels
    assert set(codes_of(table, "g", levels)) == set(range(len(levels)))


def test_other_values_have_no_place() -> None:
    table = read_table({"g": ["a", "z"]})
    assert codes_of(table, "g", ("a", "b")).tolist() == [0, -1]


def test_numbers_are_no_levels_unless_they_are_called_so() -> None:
    table = read_table({"x": np.arange(3), "g": ["a", "b", "c"], "t": [True, False, True]})
    assert [has_levels(table, name) for name in ("x", "g", "t")] == [False, True, True]
