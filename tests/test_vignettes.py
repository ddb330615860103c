"""The code on the pages is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

VIGNETTES = Path(__file__).parents[1] / "vignettes"


@pytest.mark.engine
def test_the_code_of_adding_a_family_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (VIGNETTES / "adding-a-family.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert "log(scale_1[n]) = log(scale_1) + beta_scale_1[x] x[n]" in capsys.readouterr().out
