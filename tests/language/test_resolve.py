"""What a formula means: the table of formulas and models."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix.spec import ModelSpec, from_json, to_json
from tests.cases import CASES, FRAME, MATRIX, Case


def spec(formula: str, data: object = FRAME, **priors: str) -> ModelSpec:
    return sm.model(formula, data, priors=priors).spec


def shapes(model: ModelSpec) -> dict[str, tuple[str, ...]]:
    """The axes of every parameter, in order."""
    return {p.name: p.axes for p in model.parameters}


S, A, C = ("state",), ("accumulator",), ("column",)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y ~ mix(normal, K=3)", {"mu": S, "sigma": S, "weights": S}),
        ("y ~ mix(normal(sigma=1), K=3)", {"mu": S, "weights": S}),
        ("y ~ mix(normal, K=3, share=sigma)", {"mu": S, "sigma": (), "weights": S}),
        (
            "y ~ mix(normal + student)",
            {"mu": S, "sigma": S, "nu_2": (), "weights": S},
        ),
        (
            "y ~ mix(normal(sigma=1) + normal)",
            {"mu": S, "sigma_2": (), "weights": S},
        ),
        (
            "cbind(y, positive) ~ hmm(normal & gamma, states=2)",
            {
                "mu_y": S,
                "sigma_y": S,
                "mu_positive": S,
                "shape_positive": S,
                "initial": S,
                "transition": (*S, "state_to"),
            },
        ),
        (
            "rt | dec(choice) ~ hmm(wald + rdm, states=2, share=ndt, initial=uniform)",
            {
                "threshold": S,
                "drift_1": (),
                "drift_2": A,
                "ndt": (),
                "transition": (*S, "state_to"),
            },
        ),
        (
            "rt | dec(choice) ~ mix(rdm, K=2)",
            {"threshold": S, "drift": (*S, *A), "ndt": S, "weights": S},
        ),
        (
            "cbind(y, x) ~ mix(normal, K=2)",
            {"mu": (*S, *C), "sigma": (*S, *C), "corr": (*S, *C, "column_to"), "weights": S},
        ),
        (
            "cbind(y, x) ~ mix(normal, K=2, cov=tied)",
            {"mu": (*S, *C), "sigma": C, "corr": (*C, "column_to"), "weights": S},
        ),
        (
            "cbind(y, x) ~ mix(normal, K=2, cov=spherical)",
            {"mu": (*S, *C), "sigma": S, "weights": S},
        ),
        (
            "cbind(y, x) ~ mix(normal & student, K=2)",
            {"mu_y": S, "sigma_y": S, "mu_x": S, "sigma_x": S, "nu_x": S, "weights": S},
        ),
        (
            "positive ~ mix(gamma + lognormal)",
            {"mu_1": (), "shape_1": (), "mu_2": (), "sigma_2": (), "weights": S},
        ),
    ],
)
def test_a_formula_names_these_parameters(
    formula: str, expected: dict[str, tuple[str, ...]]
) -> None:
    assert shapes(spec(formula)) == expected


@pytest.mark.parametrize(
    ("formula", "ordered"),
    [
        ("y ~ mix(normal, K=3)", ["mu"]),
        ("y ~ mix(normal, K=3, order=none)", []),
        ("y ~ mix(normal, K=3, order=sigma)", ["sigma"]),
        ("y ~ mix(normal, K=3, order=c(mu, sigma))", ["mu", "sigma"]),
        ("y ~ mix(normal + student)", []),
        ("y ~ mix(normal + normal)", ["mu"]),
        ("y ~ mix(normal(mu=0), K=2)", []),
        ("y ~ mix(normal, K=2, share=mu)", []),
        ("count ~ mix(poisson, K=2)", ["rate"]),
        ("cbind(y, positive) ~ mix(normal & gamma, K=2, order=mu_positive)", ["mu_positive"]),
        ("rt | dec(choice) ~ mix(rdm, K=2)", ["threshold"]),
        ("rt | dec(choice) ~ mix(lognormal_race, K=2)", []),
    ],
)
def test_the_order_is_the_location_of_alike_components_or_what_is_asked(
    formula: str, ordered: list[str]
) -> None:
    assert [p.name for p in spec(formula).parameters if p.order == "state"] == ordered


def test_of_several_columns_the_best_separated_one_orders() -> None:
    rng = np.random.default_rng(1)
    far = np.repeat([0.0, 9.0], 30) + rng.normal(size=60)
    data = {"near": rng.normal(size=60), "far": far}
    for formula in ("cbind(near, far)", "cbind(far, near)"):
        model = spec(f"{formula} ~ mix(normal, K=2)", data)
        assert model.labels["column"][(model.parameter("mu").place or 0) - 1] == "far"
    model = spec("cbind(near, far) ~ mix(normal & normal, K=2)", data)
    assert [p.name for p in model.parameters if p.order] == ["mu_far"]
    model = spec("cbind(near, far) ~ mix(normal, K=2, order=mu[near])", data)
    assert model.parameter("mu").place == 1


def test_the_column_that_orders_does_not_hang_on_one_rough_split() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        u = rng.normal(size=60) + np.where(np.arange(60) < 30, 8, 0)
        model = spec("cbind(u, v) ~ mix(normal, K=2)", {"u": u, "v": rng.normal(size=60)})
        assert model.notes == ("Components are ordered by `mu[u]`.",)


def test_a_matrix_stands_for_its_columns() -> None:
    assert spec("y ~ mix(normal, K=2)", MATRIX).labels["column"] == ["y_1", "y_2"]


def test_listed_components_that_are_alike_are_one_program_with_K() -> None:
    listed, counted = spec("y ~ mix(normal + normal)"), spec("y ~ mix(normal, K=2)")
    assert listed.emissions == counted.emissions
    assert listed.parameters == counted.parameters


def test_a_non_decision_time_is_bounded_by_the_data_where_every_row_needs_it() -> None:
    shared = spec("rt ~ mix(wald, K=2, share=ndt)")
    assert shared.parameter("ndt").below == "rt_minimum"
    assert {c.name: c.value for c in shared.constants}["rt_minimum"] == FRAME["rt"].min()
    assert spec("rt ~ mix(wald, K=2)").parameter("ndt").below is None
    assert spec("rt ~ mix(wald, K=1)").parameter("ndt").below == "rt_minimum"


def test_choices_may_be_text_or_categories_in_their_order() -> None:
    text = FRAME.assign(choice=np.where(FRAME["choice"] == 1, "no", "yes"))
    assert spec("rt | dec(choice) ~ mix(rdm, K=1)", text).labels["accumulator"] == ["no", "yes"]
    kinds = pd.Categorical(text["choice"], categories=["yes", "no", "unsure"])
    model = sm.model("rt | dec(choice) ~ mix(rdm, K=1)", text.assign(choice=kinds))
    assert model.data["A"] == 3
    assert model.data["choice"].tolist()[:3] == [2, 1, 1]


def test_columns_with_odd_names_get_names_that_stan_accepts() -> None:
    data = FRAME.rename(columns={"y": "reaction time", "x": "reaction_time"})
    formula = "cbind(`reaction time`, reaction_time) ~ mix(student & student, K=2)"
    names = list(shapes(spec(formula, data)))
    assert names[:4] == [
        "mu_reaction_time",
        "sigma_reaction_time",
        "nu_reaction_time",
        "mu_reaction_time_2",
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_specification_survives_json(case: Case) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors).spec
    assert from_json(to_json(model)) == model


def test_polars_and_mappings_mean_what_pandas_means() -> None:
    import polars  # takes long, and every worker of a parallel run would wait for it

    expected = spec("y ~ mix(normal, K=2)")
    assert spec("y ~ mix(normal, K=2)", polars.DataFrame({"y": FRAME["y"].to_numpy()})) == expected
    assert spec("y ~ mix(normal, K=2)", {"y": FRAME["y"].tolist()}) == expected


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("EII", {"sigma": ()}),
        ("VII", {"sigma": S}),
        ("EEI", {"sigma": C}),
        ("VVI", {"sigma": S + C}),
        ("EEE", {"sigma": C, "corr": (*C, "column_to")}),
        ("VVV", {"sigma": S + C, "corr": (*S, *C, "column_to")}),
    ],
)
def test_what_is_written_for_a_covariance_of_mclust_has_its_shape(
    name: str, axes: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(sm.SpecError) as refused:
        spec(f"cbind(y, x) ~ mix(normal, K=2, cov={name})")
    (options,) = re.findall("write `(.*)`", str(refused.value))
    found = shapes(spec(f"cbind(y, x) ~ mix(normal, K=2, {options})"))
    assert {name: found[name] for name in axes} == axes
    assert ("corr" in found) == ("corr" in axes)
