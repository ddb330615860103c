"""The programs of the standing cases, compared whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import stanmix as sm
from stanmix.program.resources import functions
from tests.cases import CASES, FRAME, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_is_what_its_golden_file_has(
    case: Case, golden: Callable[[str, str], None]
) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    golden(f"golden/{case.name}.stan", model.code)


def test_models_that_differ_in_K_alone_are_one_program() -> None:
    programs = {sm.model(f"y ~ mix(normal, K={K})", FRAME).program.key for K in range(1, 8)}
    assert len(programs) == 1


def test_a_program_does_not_depend_on_the_values_of_the_data() -> None:
    one = sm.model("y ~ mix(normal, K=2)", FRAME)
    other = sm.model("y ~ mix(normal, K=2)", FRAME.assign(y=7 * FRAME["y"] + 3).iloc[:10])
    assert one.code == other.code


def test_a_program_holds_only_the_functions_it_uses() -> None:
    code = sm.model("y ~ mix(normal, K=2)", FRAME).code
    head = code.split("data {")[0]
    assert "_rng" not in head
    assert "hmm_log_density" not in head


def test_every_comment_of_a_stan_function_stands_alone() -> None:
    """Programs hold single functions: what stood above them is not there."""
    for function in functions().values():
        comment = " ".join(li[3:] for li in function.text.splitlines() if li.startswith("// "))
        assert comment, function.name
        for word in ("The same", "Likewise", "as above"):
            assert word not in comment, function.name


def test_columns_that_lead_to_one_name_are_refused() -> None:
    data = {"u": [1.0, 2.0, 4.0], "u_by_row": [1.0, 2.0, 5.0], "y": [0.1, 0.5, 0.2]}
    with pytest.raises(sm.DataError, match="would be called `mu_u_by_row`"):
        sm.model("cbind(u, u_by_row) ~ mix(normal & normal, K=2); mu ~ y", data)


def test_names_of_levels_cannot_leave_their_comment() -> None:
    evil = "b\n  target += -1e9;  // \r\x00"
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=20), "g": ["a", evil] * 10}
    for formula in ("y ~ mix(normal, K=2); mu ~ g", "g ~ mix(categorical, K=2)"):
        code = sm.model(formula, data).code
        lines = [line for line in code.splitlines() if "-1e9" in line]
        assert all("//" in line.partition("-1e9")[0] for line in lines)
        assert "\r" not in code and "\x00" not in code


def test_rows_that_lack_a_column_each_are_a_model() -> None:
    rng = np.random.default_rng(1)
    nothing = [np.nan] * 15
    data = {"y": [*nothing, *rng.normal(size=15)], "v": [*rng.normal(size=15), *nothing]}
    assert sm.model("cbind(y, v) ~ mix(normal, K=2)", data).spec.K == 2
