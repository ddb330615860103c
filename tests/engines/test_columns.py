"""Flat Stan columns and named arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanmix.engines import columns
from stanmix.errors import EngineError

SHAPES = st.dictionaries(
    st.sampled_from(["a", "b_1", "mu", "log_w", "sigma"]),
    st.lists(st.integers(0, 4), max_size=3).map(tuple),
    min_size=1,
)


def bracketed(name):
    variable, *indices = name.split(".")
    return f"{variable}[{','.join(indices)}]" if indices else variable


def test_first_index_runs_fastest_over_all_indices():
    # array[2] vector[3] x, as Stan writes it
    names = ["x.1.1", "x.2.1", "x.1.2", "x.2.2", "x.1.3", "x.2.3"]
    assert columns.flat_names({"x": (2, 3)}) == names
    x = columns.unflatten(names, np.array([11.0, 21, 12, 22, 13, 23]))["x"]
    np.testing.assert_array_equal(x, [[11, 12, 13], [21, 22, 23]])


def test_both_spellings_of_names_and_the_columns_of_the_sampler():
    values = np.arange(5.0)
    for names in (
        ["lp__", "a", "m.1.1", "m.2.1", "energy__"],
        ["lp__", "a", "m[1,1]", "m[2,1]", "energy__"],
    ):
        found = columns.unflatten(names, values)
        assert list(found) == ["a", "m"]
        assert found["a"].shape == ()
        np.testing.assert_array_equal(found["m"], [[2], [3]])


@given(SHAPES, st.lists(st.integers(1, 3), max_size=2))
def test_round_trip(shapes, leading):
    names = columns.flat_names(shapes)
    values = np.random.default_rng(1).normal(size=(*leading, len(names)))
    variables = columns.unflatten(names, values)
    # A variable of size zero has no columns, hence is absent.
    assert {n: v.shape for n, v in variables.items()} == {
        n: (*leading, *s) for n, s in shapes.items() if 0 not in s
    }
    for spelling in (names, [bracketed(n) for n in names]):
        back = columns.flatten(spelling, variables | {"other": np.zeros(7)})
        assert back.flags.c_contiguous
        if names:
            np.testing.assert_array_equal(back, values)


def test_scalars_need_no_arrays():
    np.testing.assert_array_equal(columns.flatten(["a", "b.1"], {"a": 1, "b": [2]}), [1.0, 2.0])


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "No values of `mu` are given."),
        ({"mu": np.zeros(3)}, r"Values of `mu` have shape \(3,\); the program declares \(2,\)."),
        ({"mu": 0.0}, r"Values of `mu` have shape \(\); the program declares \(2,\)."),
    ],
)
def test_values_that_do_not_fit(variables, message):
    with pytest.raises(EngineError, match=message):
        columns.flatten(["mu.1", "mu.2"], variables)


def test_stats_have_arviz_names():
    names = ["lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__"]
    found = columns.stats([*names, "energy__", "mu.1"], np.ones((2, 5, 8)))
    assert {name: values.dtype.kind for name, values in found.items()} == {
        "lp": "f",
        "acceptance_rate": "f",
        "step_size": "f",
        "tree_depth": "i",
        "n_steps": "i",
        "diverging": "b",
        "energy": "f",
    }
    assert all(values.shape == (2, 5) for values in found.values())
