"""Every family, in every form: the Stan functions agree with the reference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stanmix.conformance import checks
from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import Uniform, Variant, variants
from stanmix.engines import engine
from stanmix.families import FAMILIES

VARIANTS = [variant for family in FAMILIES.values() for variant in variants(family)]
CUMULATIVE = [variant for variant in VARIANTS if variant.has_cumulative]

each_cumulative = pytest.mark.parametrize(
    ("variant", "name"),
    [(variant, name) for variant in CUMULATIVE for name in checks.CUMULATIVE],
    ids=str,
)
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)
few_examples = settings(max_examples=15, derandomize=True, deadline=None, database=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    """Nothing is left to the interpreter of stanli, which is far slower than what it compiles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANLI_NO_INTERPRETER", "1")
        yield


@cache
def on_stanli(variant: Variant) -> StanSide:
    return StanSide(variant, engine("stanli"))


pytestmark = pytest.mark.engine


def uniform_of(data: st.DataObject) -> Uniform:
    return lambda low, high: data.draw(st.floats(low, high))


def generator(variant: Variant) -> Uniform:
    return np.random.default_rng(sum(str(variant).encode())).uniform


@each_variant
@few_examples
@given(data=st.data())
def test_the_density_equals_the_reference(variant: Variant, data: st.DataObject) -> None:
    checks.require_density(on_stanli(variant), uniform_of(data))


@few_examples
@given(data=st.data())
@pytest.mark.parametrize("variant", [v for v in VARIANTS if v.many], ids=str)
@pytest.mark.parametrize("columns", [1, 4])
def test_the_density_of_any_number_of_columns_equals_the_reference(
    variant: Variant, columns: int, data: st.DataObject
) -> None:
    checks.require_density(on_stanli(variant), uniform_of(data), columns)


@each_variant
def test_parameters_may_vary_by_row(variant: Variant) -> None:
    checks.require_rows(on_stanli(variant), generator(variant))


@each_cumulative
def test_parameters_of_the_distribution_function_may_vary_by_row(
    variant: Variant, name: str
) -> None:
    checks.require_rows(on_stanli(variant), generator(variant), name)


@each_variant
def test_the_density_has_a_total_of_one(variant: Variant) -> None:
    checks.require_total(on_stanli(variant), generator(variant))


@few_examples
@given(data=st.data())
@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.many], ids=str)
def test_outside_the_support_the_density_is_minus_infinity(
    variant: Variant, data: st.DataObject
) -> None:
    checks.require_outside(on_stanli(variant), uniform_of(data))


@each_cumulative
@few_examples
@given(data=st.data())
def test_the_distribution_function_equals_the_reference(
    variant: Variant, name: str, data: st.DataObject
) -> None:
    checks.require_log_cumulative(on_stanli(variant), uniform_of(data), name)


@each_cumulative
def test_the_gradient_of_the_distribution_function_equals_central_differences(
    variant: Variant, name: str
) -> None:
    for _ in range(3):
        checks.require_gradient(on_stanli(variant), generator(variant), name)


@each_cumulative
def test_the_gradient_by_row_of_the_distribution_function_equals_central_differences(
    variant: Variant, name: str
) -> None:
    checks.require_gradient_by_row(on_stanli(variant), generator(variant), name)


@each_cumulative
def test_the_distribution_function_and_its_gradient_are_finite_at_the_bounds(
    variant: Variant, name: str
) -> None:
    checks.require_edges(on_stanli(variant), generator(variant), name)


@each_variant
def test_the_gradient_equals_central_differences(variant: Variant) -> None:
    for _ in range(3):
        checks.require_gradient(on_stanli(variant), generator(variant))


@each_variant
def test_the_gradient_by_row_equals_central_differences(variant: Variant) -> None:
    checks.require_gradient_by_row(on_stanli(variant), generator(variant))


@each_variant
def test_density_and_gradient_are_finite_at_the_bounds(variant: Variant) -> None:
    checks.require_edges(on_stanli(variant), generator(variant))


@few_examples
@given(data=st.data())
@pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if v.family.score and not v.chooses], ids=str
)
def test_the_score_is_the_derivative_by_the_response(variant: Variant, data: st.DataObject) -> None:
    checks.require_score(on_stanli(variant), uniform_of(data))


@each_variant
def test_chains_start_within_the_bounds_at_a_possible_value(variant: Variant) -> None:
    checks.require_start(on_stanli(variant), generator(variant))


@each_variant
def test_draws_have_the_distribution_of_the_density(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An exact sampler with a branch for each proposal may be too much for the compiler.
    monkeypatch.delenv("STANLI_NO_INTERPRETER")
    checks.require_draws(on_stanli(variant), generator(variant))


@each_variant
def test_draws_of_the_reference_have_the_distribution_of_the_density(variant: Variant) -> None:
    checks.require_reference_draws(on_stanli(variant), generator(variant))
