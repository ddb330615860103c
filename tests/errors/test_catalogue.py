"""The messages for every kind of mistake, as a page to be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import stanmix as sm
from stanmix.errors import StanmixError
from tests.errors.cases import MISTAKES

ALL = [mistake for mistakes in MISTAKES.values() for mistake in mistakes]


def test_every_message_is_as_the_catalogue_has_it(golden: Callable[[str, str], None]) -> None:
    page = ["# What stanmix says when something is wrong", ""]
    for heading, mistakes in MISTAKES.items():
        page += [f"## {heading}", ""]
        for formula, data, priors in mistakes:
            shown = formula if len(formula) < 100 else formula[:60] + "..."
            call = f"{shown}" + "".join(f"\n{key}: {text}" for key, text in priors.items())
            with pytest.raises(StanmixError) as caught:
                sm.model(formula, data, priors=priors)
            page += ["```", call, "```", "", type(caught.value).__name__ + ":", ""]
            page += [*("    " + line for line in str(caught.value).splitlines()), ""]
    text = "\n".join(line.rstrip() for line in page)
    golden("errors/catalogue.md", text.rstrip() + "\n")


@pytest.mark.parametrize(("formula", "data", "priors"), ALL)
def test_no_message_speaks_of_python_or_stan_internals(
    formula: str, data: object, priors: dict[str, str]
) -> None:
    with pytest.raises(StanmixError) as caught:
        sm.model(formula, data, priors=priors)
    message = str(caught.value)
    for word in ("Traceback", "Error(", "NoneType", "dtype", "ndarray", "object at 0x"):
        assert word not in message
