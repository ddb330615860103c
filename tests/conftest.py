"""What several tests share: small models, the reference data, and golden files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stanmix.engines import engine, toolchain
from stanmix.engines.cmdstan import CmdStan, find_home

GOLDEN = Path(__file__).parent
REFERENCE = Path(
    os.environ.get("STANMIX_REFERENCE", Path(__file__).resolve().parents[2] / "shared/reference")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples in docstrings that sample are engine tests too."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and any(
            call in example.source
            for example in item.dtest.examples
            for call in ("sm.fit(", "sm.fit_many(")
        ):
            item.add_marker(pytest.mark.engine)


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare text with a golden file; STANMIX_GOLDEN=write makes the file what the text is."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("STANMIX_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} has changed"

    return compare


@pytest.fixture(scope="session")
def cmdstan() -> CmdStan:
    """The compiled engine: an installed CmdStan, else the one from the wheel, built if need be."""
    if find_home() is None:
        missing = [tool for tool in ("g++", "make") if shutil.which(tool) is None]
        missing += ["httpstan"] if toolchain.find_wheel() is None else []
        if missing:
            pytest.skip(f"no CmdStan is installed, nor {' and '.join(missing)} to build one")
    found = engine("cmdstan")
    assert isinstance(found, CmdStan)
    return found


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data and posteriors."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference data are not here; set STANMIX_REFERENCE to their folder")
    return REFERENCE
