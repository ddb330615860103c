"""Every family, in every form: the declaration and the text of its Stan file agree."""

from __future__ import annotations

import pytest

from stanmix.conformance.checks import CUMULATIVE
from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import Variant, variants
from stanmix.engines import engine
from stanmix.families import FAMILIES
from stanmix.program.resources import folder, functions

each_variant = pytest.mark.parametrize(
    "variant", [v for family in FAMILIES.values() for v in variants(family)], ids=str
)


def test_every_stan_file_belongs_to_a_family_and_every_family_to_a_key() -> None:
    files = {f.name for f in (folder("stan") / "families").iterdir()}
    assert files == {f"{family.stan}.stan" for family in FAMILIES.values()}
    assert all(family.key == key for key, family in FAMILIES.items())


@each_variant
def test_one_parameter_orders_the_components_but_for_those_without_order(
    variant: Variant,
) -> None:
    params = variant.family.params
    without = any(p.circular or p.simplex or p.default is not None for p in params)
    without = without or params[0].axes == ("accumulator",)
    assert sum(param.orders for param in params) == (0 if without else 1)


@each_variant
def test_the_stan_functions_have_the_declared_heads_and_a_comment(variant: Variant) -> None:
    names = ["log_omega", *(CUMULATIVE if variant.has_cumulative else ())]
    heads = [variant.family.signature(variant.additions, name) for name in names]
    for head in [*heads, StanSide(variant, engine("stanli")).emission_head]:
        assert head in functions(), f"no Stan function `{head}`"
        assert functions()[head].text.startswith("//"), f"`{head}` has no comment above it"


@each_variant
def test_the_comment_on_top_of_the_stan_file_says_what_each_parameter_is(variant: Variant) -> None:
    text = (folder("stan") / "families" / f"{variant.family.stan}.stan").read_text("utf-8")
    for param in variant.family.params:
        assert param.name in text.split("\n\n")[0], f"the comment leaves out `{param.name}`"
