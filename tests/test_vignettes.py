"""The code on the pages is run."""

from __future__ import annotations

import re
from pathlib import Path

# Where there is no cache of fonts yet, this makes it: a kernel would say so on its pages.
import matplotlib.font_manager  # noqa: F401
import nbformat
import pytest
from nbformat import NotebookNode

from tests.conftest import REFERENCE
from tests.notebooks import VIGNETTES, executed, read

NOTEBOOKS = sorted(VIGNETTES.glob("*.ipynb"))

SAID = {
    "old-faithful.ipynb": """
found = fit.summary()
assert not fit.diagnose().problems
assert abs(found["mean"]["mu[1, eruptions]"] - 2) < 0.2
assert 50 < found["mean"]["mu[1, waiting]"] < 60
assert found["mean"]["mu[2, eruptions]"] > 4
assert abs(found["mean"]["mu[2, waiting]"] - 80) < 2
assert 0.6 < found["mean"]["weights[2]"] < 2 / 3
assert (found["q2.5"].filter(like="corr") > 0).all()
assert len(fit.modes().table) == 1
labels = loose.draws["posterior"]["mu"].sel(column="eruptions").mean("draw").argmax("state")
assert set(labels.values) == {0, 1}
assert loose.diagnose().invariant["r_hat"].max() < 1.1
again = relabelled.fit.summary()
assert again["r_hat"].max() < 1.02
assert again["mean"]["mu[1, eruptions]"] > 4
assert (uncertainty > 0.1).sum() < 5
assert uncertainty.max() < 0.69
assert table.nlargest(6, "entropy")["eruptions"].between(2.3, 3.5).all()
compared = sweep.table
assert compared["elpd_diff"][1] < -100
two, three, four = compared["elpd"][[2, 3, 4]]
assert three - two > 1.5 * compared["se_diff"][2] > 0
assert abs(four - three) < compared["se_diff"][[3, 4]].max()
assert 0.03 < compared["smallest"][4] < 0.08
assert sweep.fits[4].diagnose().problems
off = loo.elpd - sweep.criteria[3].elpd
assert abs(off) < 2 * sm.compare({"a": loo, "b": sweep.criteria[3]})["se_diff"].max()
checked = fit.check()["p"]
assert checked["eruptions", "min"] < 0.05 and checked["eruptions", "max"] > 0.95
assert checked.drop([("eruptions", "min"), ("eruptions", "max")]).between(0.05, 0.95).all()
assert loo.bad.empty
""",
    "earthquakes.ipynb": """
assert len(counts) == 107 and sum(counts) == 2072
assert quakes["count"].var() > 2 * quakes["count"].mean()
compared = sweep.table
assert compared["elpd_diff"][1] < -50
assert compared["elpd"][3] - compared["elpd"][2] > 2 * compared["se_diff"][2]
assert compared["elpd"][4] - compared["elpd"][3] < 1
off, se = ahead.loc["two states", ["elpd_diff", "se_diff"]]
assert -2 * se < off < 0
assert not fit.diagnose().problems
found = fit.summary()["mean"]
assert [round(found[f"rate[{k}]"]) for k in (1, 2, 3)] == [13, 20, 30]
moves = fit.draws["posterior"]["transition"].mean(["chain", "draw"]).values
assert (moves.diagonal() > 0.7).all() and moves[2, 1] > 2 * moves[2, 0]
late = (quakes["year"] >= 1986).to_numpy()
assert (fit.membership()[1][late] > 0.7).all()
assert (fit.filtering().mean(["chain", "draw"]).sel(state=1)[late] > 0.5).all()
assert ((fit.viterbi() == 1).mean(["chain", "draw"])[late] > 0.5).all()
by_year = both.set_index("year")
assert by_year["smoothing"][1942] > 0.7 and 0.3 < by_year["filtering"][1942] < 0.7
assert by_year["smoothing"][1951] < 0.35 and 0.35 < by_year["filtering"][1951] < 0.7
assert dwell[0.95][1] > 2 * dwell[0.5][1]
assert table["p(state 1)"].is_monotonic_decreasing and table["p(state 1)"].iloc[0] > 0.75
assert table["high"].iloc[1:].min() > table["high"].iloc[0]
residuals = fit.residuals("forecast")["count"]
def correlation(of, lag):
    return ((of - of.mean()) * (of - of.mean()).shift(lag)).sum() / ((of - of.mean()) ** 2).sum()
assert all(abs(correlation(residuals, lag)) < 0.19 for lag in range(1, 20))
assert 0.8 < residuals.std() < 1.2
alone = sweep.fits[1].residuals("forecast")["count"]
assert alone.std() > 1.3 and all(correlation(alone, lag) > 0.2 for lag in range(1, 6))
assert fit.check()["p"].between(0.05, 0.95).all()
""",
    "case-1-mixture.ipynb": """
assert not fit.diagnose().problems
found = fit.summary()
inside = (found["q2.5"] < true) & (true < found["q97.5"])
assert inside.drop("mu[2]").all()
assert 1.7 < (found["mean"] - true)["mu[2]"] / found["sd"]["mu[2]"] < 2.6
assert loss["loss"].iloc[-1] < loss["loss"].iloc[0]
assert verdict.suspect == "draws" and before.p_value < 0.001 and before.score > 0.55
theirs = amortized.summary()
assert (abs(theirs["mean"] - found["mean"]) < 2 * theirs["sd"]).all()
assert verdict.psis.is_good
assert after.score < before.score and after.p_value > 0.01
distances = {name: abs(p - compared["fit"]).mean() for name, p in compared.items()}
losses = [-np.log(p[np.arange(200), states - 1]).mean() for p in compared.values()]
assert 0 < max(distances.values()) < 0.1
assert max(losses) - min(losses) < 0.1 < min(losses)
""",
    "case-2-hmm.ipynb": """
assert not fit.diagnose().problems
found = fit.summary()
assert ((found["q2.5"] < true) & (true < found["q97.5"])).all()
assert abs(log_loss(filtering, states) - log_loss(smoothing, states)) < 0.01
assert same(filtered, fit.filtering()) and same(exact, used) and not same(published, used)
paths = enumerated(short[0], gamma[0])[:, 1]
assert abs(recursions(short, gamma)[1][0, :, 1] - paths).max() < 1e-12
off = abs(recursions(short, gamma, published=True)[1][0, :, 1] - paths)
assert off[7] < 1e-12 and off[:7].min() > 1e-4
wrong = average["published smoothing"]
assert log_loss(wrong, states) > log_loss(average["filtering"], states) + 0.1
assert abs(wrong - 0.5).mean() > abs(average["smoothing"] - 0.5).mean()
by_stay = many.set_index("stay")
assert abs(by_stay["filtering"] - by_stay["smoothing"])[0.5] < 1e-12
assert (by_stay["smoothing"] < by_stay["filtering"])[1:].all()
assert (by_stay["published smoothing"] > by_stay["filtering"])[:0.9].all()
gap = by_stay["published smoothing"] - by_stay["smoothing"]
assert gap.is_monotonic_decreasing and 0 < gap[0.99] < 0.02
assert verdict.c2st.score < 0.56 and verdict.mmd.p_value < 0.01
assert verdict.psis.pareto_k < 0.5
assert (abs(again["mean"] - found["mean"]) < 0.2 * found["sd"]).all()
assert abs(both["fit"] - both["rival"]).max() < 0.03
""",
    "case-3-switches.ipynb": """
assert fits.table["usable"].all()
wrong = times["choice"] == "wrong"
fast = times["rt"] < times.groupby("participant")["rt"].transform("quantile", 0.25)
assert 0.35 < wrong[fast].mean() < 0.65 and wrong[~fast].mean() < 0.25
stay = posterior["q2.5"].unstack("parameter")[["transition[1, 1]", "transition[2, 2]"]]
assert (stay > 0.6).all(axis=None)
assert (check["z"].abs() < 4).all() and (check["z"].abs() < 2).mean() > 0.6
assert abs(curves["filtering"] - curves["smoothing"]).mean() < 0.1
kinds = fit.membership().gt(0.9)
assert trials["rt"][kinds[1]].median() < 0.75 * trials["rt"][kinds[2]].median()
assert trials["right"][kinds[1]].mean() < 0.6 and trials["right"][kinds[2]].mean() > 0.8
assert verdict.differ and verdict.broken < 0.05
against = np.corrcoef(own["ndt"].values.ravel(), own["threshold"].values[..., 1].ravel())
assert against[0, 1] < -0.1
correlation = both.groupby("draws")[["threshold", "drift"]].corr().iloc[::2, 1].droplevel(1)
assert correlation["fit"] > 0.5 and abs(correlation["independent normals"]) < 0.15
assert not second.differ and not {"draws", "reference"} & {s.side for s in second.suspicions}
""",
}
"""What pages say of their results, which is looked at where they end."""


@pytest.mark.engine
def test_the_code_of_adding_a_family_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (VIGNETTES / "adding-a-family.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert "log(scale_1[n]) = log(scale_1) + beta_scale_1[x] x[n]" in capsys.readouterr().out


def kinds(notebook: NotebookNode) -> list[list[set[str]]]:
    """What sorts of output each cell has: text, tables, pictures."""
    return [
        [set(output.get("data", {output["output_type"]: ""})) for output in cell.get("outputs", [])]
        for cell in notebook.cells
    ]


@pytest.mark.engine
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_says_what_is_true(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("STANMIX_SHORT", "1")
    if REFERENCE.is_dir():
        monkeypatch.setenv("STANMIX_REFERENCE", str(REFERENCE))
    kept, notebook = read(path), read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(SAID[path.name]))
    done = executed(notebook)
    said = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in said if output.get("name") == "stderr"] == []
    assert kinds(done)[:-1] == kinds(kept)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_was_executed(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.get("name") for cell in code for output in cell.outputs} <= {None, "stdout"}
    assert sum({"image/png"} < sorts for cell in kinds(notebook) for sorts in cell) > 5
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert path.stat().st_size < 1_000_000
