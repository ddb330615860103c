"""Who may import what: one library, one owner; and seams that nothing reaches across."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stanmix

PACKAGE = Path(stanmix.__file__).parent


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


MODULES = {str(p.relative_to(PACKAGE)): imports(p) for p in PACKAGE.rglob("*.py")}


def owners(library: str) -> set[str]:
    """The modules that import a library."""
    return {m for m, names in MODULES.items() if library in {n.split(".")[0] for n in names}}


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("formulaic", {"design.py"}),
        ("jinja2", {"program/render.py", "report.py"}),
        ("cmdstanpy", {"engines/cmdstan.py"}),
        ("stanli", {"engines/stanli.py"}),
        ("bridgestan", {"engines/stanli.py"}),
        ("plotnine", {"report.py", "plots/", "fit.py", "sweeps.py", "elpd.py", "judging/"}),
        ("arviz_stats", {"diagnostics.py", "importance.py", "judging/sbc.py"}),
        ("contourpy", {"plots/overlays.py"}),
        ("tqdm", {"engines/progress.py"}),
        ("sklearn", {"judging/c2st.py"}),
        ("bayesflow", {"judging/bayesflow.py"}),
        ("joblib", {"parallel.py"}),
    ],
)
def test_a_library_has_one_owner(library: str, allowed: set[str]) -> None:
    assert [m for m in owners(library) if not m.startswith(tuple(allowed))] == []


def test_latent_algebra_imports_numpy_and_nothing_else() -> None:
    for module in [m for m in MODULES if m.startswith("latent/")]:
        outside = {n for n in MODULES[module] if not n.startswith("stanmix.latent")}
        assert {n.split(".")[0] for n in outside} <= {"numpy", *sys.stdlib_module_names}, module


@pytest.mark.parametrize(
    ("part", "must_not_know"),
    [
        ("families/", ("stanmix.language", "stanmix.program", "stanmix.engines", "stanmix.spec")),
        ("conformance/", ("stanmix.fit", "stanmix.model", "stanmix.spec", "stanmix.latent")),
        ("distributions/", ("stanmix.fit", "stanmix.model", "stanmix.spec", "stanmix.engines")),
        ("language/", ("stanmix.program", "stanmix.engines", "stanmix.fit", "stanmix.model")),
        ("program/", ("stanmix.language", "stanmix.engines", "stanmix.fit")),
        ("engines/", ("stanmix.spec", "stanmix.language", "stanmix.families", "stanmix.fit")),
    ],
)
def test_no_stage_reaches_across_a_seam(part: str, must_not_know: tuple[str, ...]) -> None:
    for module, names in MODULES.items():
        if module.startswith(part):
            reached = {n for n in names if n.startswith(must_not_know)}
            assert not reached, f"{module} imports {sorted(reached)}"


@pytest.mark.engine
def test_importing_stanmix_loads_no_engine_and_no_plotting() -> None:
    heavy = ["stanli", "bridgestan", "cmdstanpy", "plotnine", "sklearn", "bayesflow"]
    code = f"import sys, stanmix; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
