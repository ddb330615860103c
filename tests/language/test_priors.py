"""The prior language: what is read, what it does to a model, and what it adds to the density."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stanmix as sm
from stanmix.errors import SpecError
from stanmix.language.priors import parse_prior, parse_target
from stanmix.priors import DISTRIBUTIONS
from tests.cases import CASES, FRAME, Case

SETTINGS = settings(deadline=None, derandomize=True, max_examples=200)


def increments(formula: str, priors: dict[str, str]) -> list[str]:
    """The `target +=` lines of a model's priors."""
    block = sm.model(formula, FRAME, priors=priors).code.split("\nmodel {")[1]
    lines = block.split("array[K] vector")[0].splitlines()
    return [line.strip().removeprefix("target += ") for line in lines if "target" in line]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("normal(0, 5)", "normal(0, 5)"),
        ("normal( -2,.5 )", "normal(-2, 0.5)"),
        ("normal(1 - 2 * 3, 4 / (1 + 1))", "normal(-5, 2)"),
        ("normal(log(1), sqrt(4))", "normal(0, 2)"),
        ("student_t(3, 0, 2.5)", "student_t(3, 0, 2.5)"),
        ("flat", "flat"),
        ("flat()", "flat"),
        ("dirichlet(16, 4)", "dirichlet(16, 4)"),
        ("sticky(4, 1)", "sticky(4, 1)"),
        ("lkj(2)", "lkj(2)"),
        ("normal([0, 50], 2 * [1, 10])", "normal([0, 50], [2, 20])"),
    ],
)
def test_a_prior_is_read_as_its_values(text: str, read: str) -> None:
    assert str(parse_prior(text)) == read


@pytest.mark.parametrize(
    ("key", "name", "index", "steps"),
    [
        ("mu", "mu", (), False),
        ("mu[1]", "mu", (1,), False),
        ("mu[1, waiting]", "mu", (1, "waiting"), False),
        ("diff(mu)", "mu", (), True),
    ],
)
def test_a_key_is_read_as_what_it_names(
    key: str, name: str, index: tuple[object, ...], steps: bool
) -> None:
    target = parse_target(key)
    assert (target.name, target.index, target.increments) == (name, index, steps)


@SETTINGS
@given(st.text(max_size=60) | st.text(alphabet="normalflt(),.*/+-0123456789 []", max_size=30))
def test_any_text_is_a_prior_or_a_spec_error(text: str) -> None:
    try:
        prior = parse_prior(text)
    except SpecError as error:
        assert str(error)
        return
    assert parse_prior(str(prior)).distribution == prior.distribution


@SETTINGS
@given(st.text(alphabet=string.printable, max_size=40))
def test_any_text_is_a_key_or_a_spec_error(text: str) -> None:
    try:
        target = parse_target(text)
    except SpecError as error:
        assert str(error)
        return
    assert target.name


def test_what_reaches_the_program_is_written_anew() -> None:
    lines = increments("y ~ mix(normal, K=2)", {"mu": "normal ( 2*3 ,1/3 )"})
    assert lines[0] == "normal_lpdf(mu | 6, 0.3333333333333333);"


def test_an_index_wins_over_the_whole() -> None:
    lines = increments("y ~ mix(normal, K=3)", {"mu[2]": "normal(1, 1)", "mu": "normal(0, 5)"})
    assert lines[:2] == ["normal_lpdf(mu[{1, 3}] | 0, 5);", "normal_lpdf(mu[2] | 1, 1);"]


def test_an_own_bound_truncates_and_normalises() -> None:
    lines = increments("y ~ mix(normal, K=3)", {"sigma": "normal(0, 2)"})
    assert lines[1] == "normal_lpdf(sigma | 0, 2) - K * normal_lccdf(0 | 0, 2);"


def test_a_bound_that_is_data_normalises_nothing() -> None:
    lines = increments("rt ~ mix(wald, K=1)", {"ndt": "exponential(5)"})
    assert lines[2] == "exponential_lpdf(ndt | 5);"


def test_two_own_bounds_normalise_by_the_mass_between() -> None:
    lines = increments("hit | unit(id) ~ mix(bernoulli, K=2)", {"prob": "normal(0.5, 0.2)"})
    assert lines[0] == (
        "normal_lpdf(prob | 0.5, 0.2) - K * log_diff_exp(normal_lcdf(1 | 0.5, 0.2), "
        "normal_lcdf(0 | 0.5, 0.2));"
    )


def test_increments_replace_all_priors_but_the_first() -> None:
    priors = {"diff(mu)": "normal(1, 0.5)", "mu[1]": "normal(0, 1)"}
    lines = increments("y ~ mix(normal, K=3)", priors)
    assert lines[:2] == [
        "normal_lpdf(mu[1] | 0, 1);",
        "normal_lpdf(tail(mu, K - 1) - head(mu, K - 1) | 1, 0.5) "
        "- (K - 1) * normal_lccdf(0 | 1, 0.5);",
    ]


def test_increments_leave_the_default_to_the_first() -> None:
    lines = increments("y ~ mix(normal, K=3)", {"diff(mu)": "gamma(2, 1)"})
    assert lines[0] == "normal_lpdf(mu[1] | y_center, 2.5 * y_scale);"
    assert lines[1] == "gamma_lpdf(tail(mu, K - 1) - head(mu, K - 1) | 2, 1);"


def test_a_prior_with_a_support_of_its_own_sets_the_bounds() -> None:
    code = sm.model("y ~ mix(normal, K=2)", FRAME, priors={"mu": "gamma(2, 1)"}).code
    assert "positive_ordered[K] mu;" in code


def test_a_flat_prior_is_warned_of_by_name() -> None:
    with pytest.warns(sm.IdentifiabilityWarning, match="`mu`"):
        sm.model("y ~ mix(normal, K=2)", FRAME, priors={"mu": "flat"})


def test_a_flat_prior_of_proportions_is_proper_and_silent() -> None:
    sm.model("y ~ mix(normal, K=2)", FRAME, priors={"weights": "flat"})


def test_ties_are_warned_of_where_the_prior_lets_a_component_collapse() -> None:
    tied = FRAME.assign(y=FRAME["y"].round())
    with pytest.warns(sm.IdentifiabilityWarning, match=r"rows of `y` are equal.*`sigma`"):
        sm.model("y ~ mix(normal, K=2)", tied, priors={"sigma": "normal(0, 2)"})
    sm.model("y ~ mix(normal, K=2)", tied)


def test_a_column_may_be_named_in_an_index() -> None:
    formula = "cbind(y, x) ~ mix(normal, K=2, order=none)"
    lines = increments(formula, {"mu[1, x]": "normal(3, 1)"})
    assert "normal_lpdf(mu[1][2] | 3, 1);" in lines
    assert "normal_lpdf(mu[1][1] | y_center[1], 2.5 * y_scale[1]);" in lines


def test_a_vector_is_the_prior_of_every_column() -> None:
    formula = "cbind(y, x) ~ mix(normal, K=2, order=none)"
    priors = {"mu": "normal([0, 50], [1, 10])", "mu[1, x]": "normal(3, 1)", "mu[2]": "normal(0, 9)"}
    lines = increments(formula, priors)
    assert lines[:3] == [
        "normal_lpdf(mu[1][1] | 0, 1);",
        "normal_lpdf(mu[1][2] | 3, 1);",
        "normal_lpdf(mu[2] | 0, 9);",
    ]
    lines = increments(formula, {"sigma": "normal([0, 0], [1, 10])"})
    assert lines[1] == (
        "normal_lpdf(sigma[k] | [0, 0]', [1, 10]') "
        "- normal_lccdf(rep_vector(0, D) | [0, 0]', [1, 10]');"
    )


@pytest.mark.filterwarnings("ignore::stanmix.IdentifiabilityWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_priors_as_shown_can_be_given_back(case: Case) -> None:
    shown = sm.model(case.formula, case.data, priors=case.priors).priors()
    given = dict(zip(shown["parameter"], shown["prior"], strict=True))
    again = sm.model(case.formula, case.data, priors=given).priors()
    by = ["parameter"]
    assert again.sort_values(by, ignore_index=True).equals(shown.sort_values(by, ignore_index=True))


def test_every_distribution_is_shown_as_it_is_read() -> None:
    arguments = {"uniform": "1, 2", "flat": "", "student_t": "3, 0, 1"}
    for name, known in DISTRIBUTIONS.items():
        text = arguments.get(name, ", ".join("1" for _ in known.arguments))
        shown = f"{name}({text})" if text else name
        assert str(parse_prior(shown)) == shown


def test_a_prior_of_one_sigma_leaves_the_others_of_a_spherical_model_alone() -> None:
    formula = "cbind(y, x) ~ mix(normal, K=3, cov=spherical)"
    lines = increments(formula, {"sigma[2]": "normal(0, 50)"})
    assert "inv_gamma_lpdf(sigma[{1, 3}] | 3, mean(y_scale));" in lines


def test_a_default_prior_of_which_no_element_is_left_is_gone() -> None:
    each = {f"mu[{k}]": f"gamma({k + 1}, 1)" for k in (1, 2)}
    model = sm.model("y ~ mix(normal, K=2)", FRAME, priors=each)
    assert model.priors()["parameter"].tolist() == ["mu[1]", "mu[2]", "sigma", "weights"]
    assert "mu  ~" not in model.equations() and "y_center" not in model.data
    # Their supports are one, whatever that of the default was.
    assert model.priors()["lower"].tolist()[:2] == [0.0, 0.0]
    rows = {"transition[1]": "dirichlet(2, 1)", "transition[2]": "dirichlet(1, 2)"}
    model = sm.model("y ~ hmm(normal, states=2)", FRAME, priors=rows)
    assert not any(model.priors()["prior"].str.startswith("sticky"))


def test_an_upper_end_of_a_prior_and_a_bound_that_is_data_both_hold() -> None:
    code = sm.model("rt ~ mix(wald, K=1)", FRAME, priors={"ndt": "uniform(0, 0.1)"}).code
    assert "vector<lower=0, upper=fmin(0.1, rt_minimum)>[K] ndt;" in code


def test_the_first_element_keeps_a_prior_of_its_own_beside_increments() -> None:
    priors = {"mu[1]": "gamma(2, 1)", "diff(mu)": "normal(1, 0.5)"}
    lines = increments("y ~ mix(normal, K=2)", priors)
    assert lines[0] == "gamma_lpdf(mu[1] | 2, 1);"
    assert "y_center" not in "".join(lines)
    shown = sm.model("y ~ mix(normal, K=2)", FRAME, priors=priors | {"mu[1]": "normal(-1, 1)"})
    first, steps = shown.priors().set_index("parameter").loc[["mu[1]", "diff(mu)"], "lower"]
    assert first == "" and steps == 0.0


def test_the_centre_of_a_default_prior_is_exact_beside_the_scale() -> None:
    y = 1234567 + FRAME["y"] / FRAME["y"].std()
    model = sm.model("y ~ mix(normal, K=1)", {"y": y})
    constants = {c.name: float(np.asarray(c.value)) for c in model.spec.constants}
    assert abs(constants["y_center"] - y.median()) < 0.01 * constants["y_scale"]


def test_a_default_scale_that_groups_far_apart_make_too_wide_is_warned_of() -> None:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(0, 1, 100), rng.normal(1000, 1, 100)])
    with pytest.warns(sm.IdentifiabilityWarning, match=r"default prior of `sigma`.*41 standard"):
        sm.model("y ~ mix(normal, K=2)", {"y": y})
    sm.model("y ~ mix(normal, K=2)", {"y": y}, priors={"sigma": "inv_gamma(3, 1)"})
    sm.model("y ~ mix(normal, K=2)", {"y": y[:100]})
    sm.model("y ~ mix(normal, K=2)", {"y": y.round(-1)})


def test_indices_are_shown_as_they_are_given() -> None:
    data = FRAME.rename(columns={"x": "an x"})
    given = {"mu[1, y]": "normal(3, 1)", "mu[2, `an x`]": "normal(4, 1)"}
    shown = sm.model("cbind(y, `an x`) ~ mix(normal, K=2, order=none)", data, priors=given).priors()
    assert set(given) <= set(shown["parameter"])
