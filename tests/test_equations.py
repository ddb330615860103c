"""Models as mathematics, read as prose."""

from __future__ import annotations

from collections.abc import Callable

import stanmix as sm
from tests.cases import CASES


def test_every_model_is_written_as_the_page_has_it(golden: Callable[[str, str], None]) -> None:
    page = ["# Models as mathematics"]
    for case in CASES:
        model = sm.model(case.formula, case.data, priors=case.priors)
        page += ["", f"## {case.name}", "", "```", model.spec.formula, "", model.equations(), "```"]
    golden("golden/equations.md", "\n".join(page) + "\n")
