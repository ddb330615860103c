"""Mistakes of other tools, each made on purpose, and each named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix.judging import suspicions
from stanmix.judging.explanations import of_densities
from stanmix.judging.verdict import Verdict
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
    assert found.compared is not None and found.distances is not None
    lines = found.plot("ecdf").data
    assert list(lines["number"].cat.categories) == list(found.distances.index)
    assert not lines["leaves"].any()


def test_labels_that_are_swapped_in_some_draws_are_named(units: sm.Fit, another: Draws) -> None:
    swapped = np.arange(DRAWS) % 4 == 0
    for values in another.values():
        values[swapped] = values[swapped][:, [1, 0, 2]]
    found = sm.referee(units, another)
    assert found.suspect == "draws"
    assert "Labels of components are swapped in 25.0% of the draws: `mu` must" in repr(found)


@pytest.mark.parametrize(("share", "said"), [(1.0, "in all draws"), (0.3, "in about 29%")])
def test_labels_of_one_parameter_that_are_swapped_are_named(
    units: sm.Fit, another: Draws, share: float, said: str
) -> None:
    swapped = np.random.default_rng(4).random(DRAWS) < share
    another["weights"][swapped] = another["weights"][swapped][:, [0, 2, 1]]
    found = sm.referee(units, another)
    assert found.suspect == "draws"
    assert f"swapped in `weights`, {said}" in repr(found), found
    assert "with components in the order 1, 3, 2 there, it agrees" in repr(found)


@pytest.fixture(scope="module")
def chain() -> sm.Fit:
    """A hidden Markov model whose states last unequally long."""
    model = sm.model("y ~ hmm(normal(sigma=1), states=2)", {"y": np.linspace(-2, 3, 150)})
    truth = {
        "mu": [-1.0, 2.0],
        "transition": [[0.9, 0.1], [0.4, 0.6]],
        "initial": [0.5, 0.5],
    }
    data = model.simulate(truth, seed=3).data
    return sm.fit("y ~ hmm(normal(sigma=1), states=2)", data, engine="stanli", seed=1, draws=2000)


def test_rows_of_moves_that_are_swapped_are_named(chain: sm.Fit) -> None:
    other = chain.model.fit(engine="stanli", seed=2, draws=2000)
    draws = other.draws["posterior"].to_dataset().stack(all=("chain", "draw"))
    draws = {str(n): v.transpose("all", ...).values.copy() for n, v in draws.items()}
    assert sm.referee(chain, draws).suspect == "neither"
    draws["transition"] = draws["transition"][:, ::-1]
    assert "swapped in the rows of `transition`, in all draws" in repr(sm.referee(chain, draws))


@pytest.mark.parametrize(("sign", "word"), [(-1.0, "without"), (1.0, "with twice")])
def test_a_jacobian_that_is_left_out_or_doubled_is_named(
    units: sm.Fit, sign: float, word: str
) -> None:
    found = sm.referee(units, sampled(units, sign))
    assert found.suspect == "draws"
    assert f"{word} the log Jacobian of `mu`" in repr(found)
    assert found.plot("ecdf", variables="mu").data["leaves"].any()


@dataclass(frozen=True)
class Flow:
    """A tool that is nearly right: its draws, its density of points, and these."""

    draws: Draws
    log_q: np.ndarray
    points: np.ndarray

    def wrong_with(self, units: sm.Fit, log_q: np.ndarray, scale: Any = "unconstrained") -> str:
        """What is said of its draws with a density."""
        weights = sm.psis(units.model, self.draws, log_q, scale=scale)
        given = units.model.with_draws(self.draws)
        return "".join(s.text for s in of_densities(units, given, weights, modal=False))


@pytest.fixture(scope="module")
def flow(units: sm.Fit) -> Flow:
    transforms = units.model.transforms()
    posterior = units.draws["posterior"].to_dataset()
    points = transforms.unconstrain({str(n): v.values for n, v in posterior.items()})
    flat = points.reshape(-1, points.shape[-1])
    q = stats.multivariate_t(flat.mean(axis=0), np.cov(flat.T), df=8)
    drawn = q.rvs(DRAWS, random_state=5)
    return Flow(transforms.constrain(drawn), q.logpdf(drawn), drawn)


def test_draws_and_a_density_that_are_right_but_for_what_weights_mend_are_no_suspicion(
    units: sm.Fit, flow: Flow
) -> None:
    found = sm.referee(units, flow.draws, flow.log_q)
    assert found.psis is not None and found.psis.is_good
    assert found.suspicions == (), found


@pytest.mark.parametrize("name", ["mu", "weights"])
@pytest.mark.parametrize(("sign", "wrong"), [(1, "lacks"), (-1, "has once too often")])
def test_a_density_that_lacks_the_jacobian_of_one_parameter_is_named(
    units: sm.Fit, flow: Flow, name: str, sign: int, wrong: str
) -> None:
    transforms = units.model.transforms()
    (part,) = (part for part in transforms.parts if part.name == name)
    volume = part.bijection.log_jacobian(flow.points[:, transforms.slices[name]])
    said = flow.wrong_with(units, flow.log_q - sign * volume)
    assert f"`log_q` {wrong} the log Jacobian of `{name}`" in said


def test_a_density_of_parameters_given_as_one_of_points_is_named(units: sm.Fit, flow: Flow) -> None:
    of_parameters = flow.log_q - units.model.transforms().log_jacobian(flow.points)
    assert flow.wrong_with(units, of_parameters, "constrained") == ""
    said = flow.wrong_with(units, of_parameters)
    assert "`log_q` lacks the log Jacobian of all parameters" in said
    assert "It is a density of parameters, it seems, and not of points" in said
    said = flow.wrong_with(units, flow.log_q, "constrained")
    assert "It is a density of points without bounds, it seems, and not of parameters" in said


def test_a_density_that_is_another_ones_is_a_suspicion(units: sm.Fit, flow: Flow) -> None:
    assert "it is not their density" in flow.wrong_with(units, flow.log_q + flow.points[:, 0])


def test_a_density_whose_weights_cannot_be_trusted_is_a_suspicion(
    units: sm.Fit, flow: Flow
) -> None:
    said = flow.wrong_with(units, 3 * flow.log_q)
    assert "Pareto k of the weights" in said and "or `log_q` is not their density" in said


def test_what_hangs_together_is_not_a_wrong_density(units: sm.Fit) -> None:
    """Each draw twenty times in a row: the posterior, of which there are few draws."""
    posterior = units.draws["posterior"].to_dataset().isel(draw=slice(None, None, 15))
    draws = {
        str(n): np.repeat(v.values.reshape(-1, *v.shape[2:]), 20, axis=0)
        for n, v in posterior.items()
    }
    weights = sm.psis(units.model, draws, np.zeros(len(draws["mu"])))
    right = sm.psis(units.model, draws, weights.log_ratios)
    assert 400 < right.ess < 1200
    given = units.model.with_draws(draws)
    assert list(of_densities(units, given, right, modal=False)) == []


def test_probabilities_with_few_digits_break_no_constraint(units: sm.Fit, another: Draws) -> None:
    rounded = {name: np.round(values, 4) for name, values in another.items()}
    assert units.model.with_draws(rounded).draws["posterior"].sizes["draw"] == DRAWS


def test_what_is_wrong_with_most_draws_is_named_whatever_their_density(
    units: sm.Fit, another: Draws
) -> None:
    for values in another.values():
        values[60:] = values[60:][:, [1, 0, 2]]
    found = sm.referee(units, another, np.zeros(DRAWS))
    assert "Labels of components are swapped in 98.5% of the draws" in repr(found)
    assert found.psis is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_q": np.zeros(DRAWS), "scale": "banana"}, "`scale` is one of"),
        ({"log_q": lambda points: ["a"] * len(points)}, "`log_q` must be numbers"),
        ({"log_q": np.zeros(DRAWS) + 0j}, "`log_q` must be numbers"),
        ({"seed": -1}, "`seed` must be a whole number"),
        ({"seed": 1.5}, "`seed` must be a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_compared(
    units: sm.Fit, another: Draws, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(sm.StanmixError, match=message):
        sm.referee(units, another, **options)


def test_the_reference_is_not_judged_by_itself(units: sm.Fit) -> None:
    with pytest.raises(sm.DataError, match="Both are the same draws"):
        sm.referee(units, units)


def test_draws_of_which_few_keep_to_the_model_are_not_compared(
    units: sm.Fit, another: Draws
) -> None:
    for values in another.values():
        values[30:] = np.nan
    found = sm.referee(units, another)
    assert found.suspect == "draws" and found.c2st is None
    assert found.table.loc["c2st", "says"] == "30 draws break no constraint, too few to compare"
    with pytest.raises(sm.DataError, match="The draws are 20, and at least 50 are needed"):
        sm.referee(units, {name: values[:20] for name, values in another.items()})


def test_one_broken_draw_of_components_that_nothing_orders_is_left_out(units: sm.Fit) -> None:
    y = np.concatenate([np.linspace(-1, 1, 12), np.linspace(3, 5, 12)])
    model = sm.model("y ~ mix(normal(sigma=1), K=2, order=none)", {"y": y})
    one, other = (model.fit(engine="stanli", seed=seed) for seed in (1, 2))
    draws = other.draws["posterior"].to_dataset().stack(all=("chain", "draw"))
    draws = {str(n): v.transpose("all", ...).values.copy() for n, v in draws.items()}
    draws["weights"][7, 0] += 0.5
    assert sm.c2st(one, draws).verdict == "not told apart"
    found = sm.referee(one, draws)
    assert found.c2st is not None and found.c2st.verdict == "not told apart"
    assert [s.text[:38] for s in found.suspicions] == ["<0.1% of the draws break a constraint:"]


@pytest.mark.parametrize(
    ("mass", "ours", "theirs", "text", "side"),
    [
        (0.3, 0.32, 0.01, "The draws lack a mode", "draws"),
        (0.3, 0.01, 0.3, "The reference lacks a mode", "reference"),
        (0.001, 0.0, 0.3, "a mode with little mass", "draws"),
        (0.001, 0.3, 0.0, "a mode with little mass", "reference"),
        (0.3, 0.0, 0.0, "has been found by neither", "both"),
        # Neither has all of it, and one of both next to nothing: that one is wrong.
        (0.3, 0.2, 0.0, "The draws lack a mode", "draws"),
    ],
)
def test_who_lacks_a_mode_is_told_by_its_mass(
    mass: float, ours: float, theirs: float, text: str, side: str
) -> None:
    (found,) = suspicions._Mode((ours, theirs), (100.0, 100.0), mass).with_mass()
    assert text in found.text and found.side == side


@pytest.mark.parametrize(("mass", "ours", "theirs"), [(0.6, 0.55, 0.65), (0.02, 0.0, 0.03)])
def test_shares_that_chance_explains_are_no_suspicion(
    mass: float, ours: float, theirs: float
) -> None:
    mode = suspicions._Mode((ours, theirs), (100.0, 100.0), mass)
    assert [*mode.with_mass(), *mode.without_mass()] == []


def test_where_no_mass_is_known_either_may_be_wrong() -> None:
    (found,) = suspicions._Mode((0.3, 0.0), (100.0, 100.0), 0.9).without_mass()
    assert found.side == "either"
    verdict = Verdict(suspicions=(found,), broken=0.0)
    assert verdict.suspect == "unknown" and "which of them is not known" in verdict.text


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
