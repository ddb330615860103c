"""The wheel: it holds everything, and works where no checkout is near."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SCRIPT = """
import pathlib
import numpy as np
import stanmix as sm

assert "site-packages" in sm.__file__, sm.__file__
y = np.concatenate([np.random.default_rng(1).normal(m, 1, 30) for m in (-3, 3)])
fit = sm.fit("y ~ mix(normal, K=2)", {"y": y}, chains=2, warmup=200, draws=50, seed=1)
fit.save("fit.nc")
assert sm.load("fit.nc").membership().shape == (60, 2)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.engine
def test_the_wheel_holds_the_stan_functions_and_the_templates(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder, ending in (("stan", "stan"), ("templates", "j2")):
        shipped = {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob(f"*.{ending}")}
        assert shipped
        assert {f"stanmix/_resources/{name}" for name in shipped} <= set(names)
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.engine
def test_an_installed_wheel_fits_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "environment"
    venv.create(place, with_pip=True)
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, capture_output=True)
    run = subprocess.run(
        [python, "-c", SCRIPT], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert [p.name for p in elsewhere.iterdir()] == ["fit.nc"]
