"""Pictures hold what they say, whatever the user's columns are called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm

pytestmark = pytest.mark.engine

QUICK = {"engine": "stanli", "chains": 2, "warmup": 300, "draws": 300, "seed": 1}
RNG = np.random.default_rng(1)
FIRST = np.arange(120) % 3 == 0
# Names that a picture might use itself.
FRAME = pd.DataFrame(
    {
        "density": np.where(FIRST, RNG.normal(0, 1, 120), RNG.normal(6, 1, 120)),
        "component": np.where(FIRST, RNG.normal(0, 1, 120), RNG.normal(9, 2, 120)),
        "state": np.where(FIRST, RNG.poisson(2, 120), RNG.poisson(20, 120)),
        "value": 0.2 + RNG.wald(1, 3, 120),
        "panel": np.where(RNG.random(120) < 0.6, "yes", "no"),
        "many": RNG.poisson(np.where(FIRST, 100, 9000)),
    }
)


@pytest.mark.parametrize(
    ("formula", "panels"),
    [
        ("density ~ mix(normal, K=2)", 1),
        ("state ~ hmm(poisson, states=2)", 1),
        ("density ~ mix(normal, K=2); weights ~ value + (1 | panel)", 1),
        ("many ~ mix(poisson, K=2)", 1),
        ("value | dec(panel) ~ mix(rdm, K=1)", 2),
    ],
)
def test_bars_and_curves_each_add_up_to_one(formula: str, panels: int) -> None:
    picture = sm.fit(formula, FRAME, **QUICK).plot()
    bars = picture.layers[0]._data
    curves = picture.data.groupby(["value", "panel"], as_index=False)["density"].sum()
    assert curves["panel"].nunique() == panels
    width = picture.layers[0].geom.params["width"]
    assert (bars["density"] * width).sum() == pytest.approx(1, abs=1e-9)
    total = sum(np.trapezoid(part["density"], part["value"]) for _, part in curves.groupby("panel"))
    assert total == pytest.approx(1, abs=0.06)
    picture.draw()


@pytest.mark.parametrize(
    ("family", "spread"),
    [("normal", (1.0, 2.0)), ("normal(sigma=1)", (1.0, 1.0))],
    ids=["free", "fixed"],
)
def test_ellipses_lie_on_their_groups(family: str, spread: tuple[float, float]) -> None:
    cov = "diag" if family == "normal" else "spherical"
    fit = sm.fit(f"cbind(density, component) ~ mix({family}, K=2, cov={cov})", FRAME, **QUICK)
    picture = fit.plot()
    bold = picture.layers[2]._data
    second = bold[bold["component"] == "2"]
    assert second[["first", "second"]].mean().to_numpy() == pytest.approx([6, 9], abs=0.5)
    radius = np.sqrt(-2 * np.log(0.1)) * np.array(spread)
    halves = np.ptp(second[["first", "second"]].to_numpy(), axis=0) / 2
    assert halves == pytest.approx(radius, rel=0.25)
    colours = picture.data.groupby(FIRST)["component"].nunique()
    assert colours.tolist() == [1, 1]
    picture.draw()


def test_ellipses_hold_as_much_of_a_t_as_they_say() -> None:
    fit = sm.fit("cbind(density, component) ~ mix(student(nu=3), K=1, cov=diag)", FRAME, **QUICK)
    bold = fit.plot().layers[2]._data
    posterior = fit.draws["posterior"].to_dataset().mean(("chain", "draw"))
    halves = np.ptp(bold[["first", "second"]].to_numpy(), axis=0) / 2
    z = stats.multivariate_t(shape=np.eye(2), df=3).rvs(20000, random_state=1)
    radius = halves / posterior["sigma"].values[0]
    inside = ((z / radius) ** 2).sum(axis=1) < 1
    assert inside.mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    "formula", ["density ~ mix(normal, K=2)", "cbind(density, component) ~ mix(normal, K=2)"]
)
def test_rows_without_a_response_are_left_out_of_pictures(formula: str) -> None:
    holed = FRAME.assign(density=FRAME["density"].where(FRAME.index % 7 > 0))
    sm.fit(formula, holed, **QUICK).plot().draw()


def test_components_whose_parameters_vary_by_row_have_no_picture() -> None:
    with pytest.raises(sm.SpecError, match="vary by row"):
        sm.fit("density ~ mix(normal, K=1); mu ~ value", FRAME, **QUICK).plot()


def test_shares_have_no_picture() -> None:
    shares = RNG.dirichlet([2, 3], 40)
    with pytest.raises(sm.SpecError, match="categories or shares"):
        sm.fit("y ~ mix(dirichlet, K=1)", {"y": shares}, **QUICK).plot()


@pytest.mark.parametrize(
    "formula",
    ["cbind(density, component) ~ mix(laplace, K=1)", "state | trials(50) ~ mix(binomial, K=1)"],
)
def test_what_cannot_be_drawn_is_refused(formula: str) -> None:
    with pytest.raises(sm.SpecError, match="Components can be drawn over"):
        sm.fit(formula, FRAME, **QUICK).plot()
