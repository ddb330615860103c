"""Mistakes of other tools, each made on purpose, and each named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from stanmix.judging import suspicions
from tests.cases import CASES

pytestmark = pytest.mark.engine

Draws = dict[str, np.ndarray]
DRAWS = 4000


@pytest.fixture(scope="module")
def units() -> sm.Fit:
    """The reference of the first case study, with few data."""
    rng = np.random.default_rng(1)
    z = rng.choice(3, 40, p=[0.3, 0.5, 0.2])
    y = rng.normal(np.repeat(np.array([-1.8, -0.5, 1.2])[z], 3), 1)
    data = {"y": y, "id": np.repeat(np.arange(40), 3)}
    priors = next(case.priors for case in CASES if case.name == "units")
    model = sm.model("y | unit(id) ~ mix(normal(sigma=1), K=3)", data, priors=priors)
    return model.fit(engine="stanli", draws=3000, seed=1)


def sampled(fit: sm.Fit, wrong: float = 0.0) -> Draws:
    """Draws by importance from a distribution like it: of the posterior, or one that is wrong.

    The posterior times a power of the volume of `mu` is drawn from where `wrong` is not 0.
    """
    transforms = fit.model.transforms()
    posterior = fit.draws["posterior"].to_dataset()
    points = transforms.unconstrain({str(n): v.values for n, v in posterior.items()})
    flat = points.reshape(-1, points.shape[-1])
    q = stats.multivariate_t(flat.mean(axis=0), np.cov(flat.T), df=8)
    drawn = q.rvs(60_000, random_state=2)
    volume = transforms.parts[0].bijection.log_jacobian(drawn[:, transforms.slices["mu"]])
    log_q = q.logpdf(drawn) - wrong * volume
    kept = sm.psis(fit.model, transforms.constrain(drawn), log_q).resampled(DRAWS, seed=3)
    return {str(n): v.values[0].copy() for n, v in kept.items()}


@pytest.fixture
def another(units: sm.Fit) -> Draws:
    return sampled(units)


def test_draws_of_the_posterior_are_not_suspect(units: sm.Fit, another: Draws) -> None:
    found = sm.referee(units, another)
    assert found.suspect == "neither", found
    assert "Nothing speaks against" in repr(found)
    assert list(found.table.index) == ["constraints", "c2st", "mmd", "ks", "modes"]


def test_labels_that_are_swapped_in_some_draws_are_named(units: sm.Fit, another: Draws) -> None:
    swapped = np.arange(DRAWS) % 4 == 0
    for values in another.values():
        values[swapped] = values[swapped][:, [1, 0, 2]]
    found = sm.referee(units, another)
    assert found.suspect == "draws"
    assert "Labels of components are swapped in 25.0% of the draws: `mu` must" in repr(found)


def test_labels_of_one_parameter_that_are_swapped_are_named(units: sm.Fit, another: Draws) -> None:
    another["weights"] = another["weights"][:, [2, 1, 0]]
    found = sm.referee(units, another)
    assert found.suspect == "draws"
    assert "swapped in `weights`: it agrees with the reference where" in repr(found)
    assert "in the order 3, 2, 1" in repr(found)


@pytest.mark.parametrize(("sign", "word"), [(-1.0, "without"), (1.0, "with twice")])
def test_a_jacobian_that_is_left_out_or_doubled_is_named(
    units: sm.Fit, sign: float, word: str
) -> None:
    found = sm.referee(units, sampled(units, sign))
    assert found.suspect == "draws"
    assert f"{word} the log Jacobian of `mu`" in repr(found)


def test_a_density_on_the_other_scale_is_named(units: sm.Fit, another: Draws) -> None:
    # A tool that is right, of which the density is that of points.
    log_q = sm.psis(units.model, another, np.zeros(DRAWS)).log_ratios
    wrong = sm.referee(units, another, log_q, scale="constrained")
    assert wrong.suspect == "draws"
    assert "density of points without bounds, it seems, and not of parameters" in repr(wrong)
    right = sm.referee(units, another, log_q)
    assert right.suspect == "neither", right


def masses(*rows: tuple[float, float, float]) -> tuple[pd.Series, pd.Series, pd.Series]:
    table = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1))
    return table[0], table[1], table[2]


@pytest.mark.parametrize(
    ("rows", "text", "side"),
    [
        ([(0.7, 0.68, 0.99), (0.3, 0.32, 0.01)], "The draws lack a mode", "draws"),
        ([(0.7, 0.99, 0.7), (0.3, 0.01, 0.3)], "The reference lacks a mode", "reference"),
        ([(0.999, 1.0, 0.7), (0.001, 0.0, 0.3)], "next to no mass", "draws"),
        ([(0.7, 1.0, 1.0), (0.3, 0.0, 0.0)], "has been found by neither", "reference"),
    ],
)
def test_who_lacks_a_mode_is_told_by_its_mass(rows, text, side) -> None:  # type: ignore[no-untyped-def]
    (found,) = suspicions._lacking(*masses(*rows), n=100, trusted=True)
    assert text in found.text and found.side == side


def test_shares_that_agree_are_no_suspicion() -> None:
    assert list(suspicions._lacking(*masses((0.6, 0.55, 0.65), (0.4, 0.45, 0.35)), 100, True)) == []


@pytest.fixture(scope="module")
def modal() -> tuple[sm.Fit, sm.Fit]:
    """A posterior of two real modes: a fit with chains in both, and one with chains in one only."""
    # The middle group goes with the left or with the right one: the same, mirrored.
    off = np.random.default_rng(6).normal(scale=0.3, size=8)
    y = np.concatenate([-8 + off, [-0.3, -0.1, 0.1, 0.3], 8 - off])
    formula = "y ~ mix(normal(sigma=1), K=2)"
    model = sm.model(formula, {"y": y}, priors={"mu": "normal(0, 5)"})
    modes = model.fit(engine="stanli", draws=200, seed=1).modes(seed=1)
    tops = modes.inits(2)
    with pytest.warns(sm.ConvergenceWarning):
        both = model.fit(engine="stanli", draws=500, inits=[*tops, *tops], seed=2)
    alone = model.fit(engine="stanli", draws=500, inits=[tops[0]] * 4, seed=3)
    return both, alone


@pytest.mark.filterwarnings("ignore::stanmix.ConvergenceWarning")
def test_a_mode_that_draws_lack_is_named_and_so_is_one_that_the_reference_lacks(
    modal: tuple[sm.Fit, sm.Fit],
) -> None:
    both, alone = modal
    lacking = sm.referee(both, alone)
    assert any("The draws lack a mode" in s.text for s in lacking.suspicions)
    other = sm.referee(alone, both)
    assert other.suspect == "reference"
    assert "The reference lacks a mode" in repr(other)


def test_a_non_decision_time_beyond_its_bound_is_named() -> None:
    case = next(case for case in CASES if case.name == "switches")
    model = sm.model(case.formula, case.data, priors=case.priors)
    fit = model.fit(engine="stanli", draws=500, seed=1)
    draws = {
        str(n): v.values.reshape(-1, *v.shape[2:]).copy()
        for n, v in fit.draws["posterior"].to_dataset().items()
    }
    least = float(case.data["rt"].min())
    draws["ndt"][::20] = least + 0.001
    found = sm.referee(fit, draws)
    assert f"beyond a bound of the model: `ndt` must lie between 0 and {least:g}" in repr(found)
    assert found.suspect in ("draws", "both")


def test_what_is_no_fit_is_no_reference(units: sm.Fit) -> None:
    with pytest.raises(sm.DataError, match="The reference must be a fit, not dict"):
        sm.referee({}, units)  # type: ignore[arg-type]
    with pytest.raises(sm.DataError, match="The draws have no `weights`"):
        sm.referee(units, {"mu": np.zeros((99, 3))})
