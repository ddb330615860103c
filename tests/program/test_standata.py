"""How rows are arranged: by series, time and unit, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import stanmix as sm
from stanmix.data import read_table
from stanmix.program.rows import arrange
from stanmix.program.standata import standata
from tests.cases import FRAME


def test_rows_of_a_unit_stand_together_in_order_of_first_appearance() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0, 5.0], "id": ["b", "a", "b", "c", "a"]}
    model = sm.model("y | unit(id) ~ mix(normal, K=2)", data)
    assert model.data["y"].tolist() == [1.0, 3.0, 2.0, 5.0, 4.0]
    assert model.data["unit_size"].tolist() == [2, 2, 1]
    assert model.rows.unit_labels == ("b", "a", "c")
    assert model.rows.unit_of_row.tolist() == [0, 1, 0, 2, 1]


def test_rows_of_a_series_stand_in_order_of_time() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0], "s": ["b", "a", "b", "a"], "t": [2, 7, 1, 6]}
    model = sm.model("y | series(s) + time(t) ~ hmm(normal, states=2)", data)
    assert model.data["y"].tolist() == [3.0, 1.0, 4.0, 2.0]
    assert model.data["first"].tolist() == [1, 0, 1, 0]
    assert model.rows.series_labels == ("b", "a")


def test_units_of_two_series_may_have_the_same_name() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0], "s": ["a", "a", "b", "b"], "u": [1, 1, 1, 2]}
    model = sm.model("y | series(s) + unit(u) ~ hmm(normal, states=2)", data)
    assert model.data["unit_size"].tolist() == [2, 1, 1]
    assert model.data["first"].tolist() == [1, 1, 0]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.permutations(list(range(24))))
def test_the_order_of_rows_does_not_matter_where_time_gives_it(order: list[int]) -> None:
    formula = "y | series(subject) + time(t) ~ hmm(normal, states=2)"
    shuffled = FRAME.iloc[order]
    model = sm.model(formula, shuffled)
    values = model.data["y"]
    by_subject = dict(zip(model.rows.series_labels, np.split(values, 2), strict=True))
    for subject, series in by_subject.items():
        assert series.tolist() == FRAME.loc[FRAME["subject"] == subject, "y"].tolist()
    back = np.empty(24)
    back[model.rows.order] = values
    assert back.tolist() == shuffled["y"].tolist()


def test_new_data_do_not_move_the_constants_of_a_model() -> None:
    model = sm.model("y ~ mix(normal, K=2)", FRAME)
    table = read_table(pd.DataFrame({"y": [100.0, 200.0]}))
    data = standata(model.spec, table, arrange(model.spec, table), model.encoded, emit=True)
    assert data["y_center"] == model.data["y_center"]
    assert data["y_scale"] == model.data["y_scale"]
    assert (data["N"], data["emit"]) == (2, 1)
