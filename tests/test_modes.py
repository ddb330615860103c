"""Modes: that all are found, how much mass each has, and which chains found them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import stanmix as sm
from stanmix import modes
from stanmix.numberings import numberings_of
from stanmix.regions import regions
from stanmix.unconstrained import target_of

pytestmark = pytest.mark.engine

RUN = {"engine": "stanli", "seed": 2}
SHORT = {"engine": "stanli", "chains": 2, "warmup": 300, "draws": 300, "seed": 1}
FORMULA = "y ~ mix(normal(sigma=1), K=3)"


def outliers() -> np.ndarray:
    """Two groups, and a few rows beyond each: a third component takes those of one side."""
    rng = np.random.default_rng(5)
    groups = [rng.normal(mean, 1, 98) for mean in (-3, 3)]
    return np.concatenate([*groups, [7.55, 7.95, -8.2, -8.2]])


@pytest.fixture(scope="module")
def agreeing() -> sm.Fit:
    return sm.fit(FORMULA, {"y": outliers()}, **RUN)


@pytest.fixture(scope="module")
def found(agreeing: sm.Fit) -> sm.Modes:
    with pytest.warns(sm.ConvergenceWarning, match=r"No chain has found mode 2, with about \d+%"):
        return agreeing.modes()


def test_a_mode_is_found_that_four_agreeing_chains_have_missed(
    agreeing: sm.Fit, found: sm.Modes
) -> None:
    assert agreeing.diagnose().problems == ()
    chains = [f"chain {chain}" for chain in range(1, 5)]
    assert (found.table.loc[1, chains] == 1).all()
    assert (found.table.loc[2, chains] == 0).all()
    assert 0.05 < found.table.loc[2, "mass"] < 0.15
    assert found.missed == (2,)


def test_masses_agree_with_bridge_sampling_of_chains_that_start_in_each_mode(
    agreeing: sm.Fit, found: sm.Modes
) -> None:
    logs = []
    for mode in (1, 2):
        at = {str(n): v.values for n, v in found.parameters.sel(mode=mode).items()}
        fit = agreeing.model.fit(inits=[at] * 2, chains=2, **RUN)
        assert fit.diagnose().serious == ()
        logs.append(fit.evidence())
    ratio = found.table.loc[2, "mass"] / found.table.loc[1, "mass"]
    difference = logs[1] - logs[0]
    # 4000 weighted points: the masses have an error of a few percent.
    assert np.log(ratio) == pytest.approx(difference.log, abs=4 * difference.mcse + 0.15)


def test_chains_that_start_at_the_modes_are_said_to_have_found_them(found: sm.Modes) -> None:
    inits = found.inits(2)
    with pytest.warns(sm.ConvergenceWarning, match="different modes"):
        fit = sm.fit(FORMULA, {"y": outliers()}, inits=inits, chains=2, **RUN)
    again = fit.modes(starts=5)
    assert again.table["chain 1"].idxmax() == 1
    assert again.table["chain 2"].idxmax() == 2


def test_masses_are_those_of_quadrature() -> None:
    """Of two components of different spread, either may be on the left."""
    y = np.array([-2.1, -1.6, -2.4, -1.5, -2.2, 2.6, 1.2, 2.4, 1.9, 2.9])
    priors = {"mu": "normal(0, 4)", "weights": "dirichlet(2)"}
    formula = "y ~ mix(normal(sigma=0.5) + normal(sigma=0.8))"
    fit = sm.fit(formula, {"y": y}, priors=priors, **RUN | {"seed": 1})
    grid = np.linspace(-4, 4, 201)
    first = stats.norm(grid[:, None], 0.5).logpdf(y)[:, None, :]
    second = stats.norm(grid[:, None], 0.8).logpdf(y)[None, :, :]
    prior = stats.norm(0, 4).logpdf(grid)
    total = np.full((201, 201), -np.inf)
    for w in (np.arange(60) + 0.5) / 60:
        rows = np.logaddexp(np.log(w) + first, np.log1p(-w) + second).sum(axis=2)
        total = np.logaddexp(total, rows + np.log(w * (1 - w)))
    total += prior[:, None] + prior
    left = np.tri(201, dtype=bool).T
    exact = np.exp(logsumexp(total[left]) - logsumexp(total))
    with pytest.warns(sm.ConvergenceWarning, match="No chain has found mode 2"):
        found = fit.modes()
    table = found.table
    on_left = (found.parameters["mu"].diff("state") > 0).values[:, 0]
    assert table["mass"][on_left].sum() == pytest.approx(exact, abs=0.03)
    assert 0.05 < exact < 0.95


def overlapping(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 1, 14), rng.normal(3.5, 1.2, 10)])


def with_an_outlier() -> np.ndarray:
    return np.append(np.random.default_rng(3).normal(0, 1, 30), 5.0)


def quiet_and_busy() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.poisson(4, 25), [16], rng.poisson(5, 5)])


ONE_NUMBERING = "y ~ mix(normal, K=2)"
ALL_NUMBERINGS = "y ~ mix(normal(sigma=1.3), K=2, order=none)"


@pytest.mark.parametrize(
    ("formula", "y"),
    [
        # Two groups without a gap between them.
        *((ONE_NUMBERING, overlapping(seed)) for seed in (2, 3, 6, 7, 10)),
        # In one mode both components are nearly the same: it is near itself in both numberings.
        (ALL_NUMBERINGS, with_an_outlier()),
        ("y ~ hmm(poisson, states=2, order=none)", quiet_and_busy()),
    ],
)
def test_chains_that_are_right_have_of_each_mode_what_its_mass_says(
    formula: str, y: np.ndarray
) -> None:
    fit = sm.fit(formula, {"y": y}, **RUN | {"draws": 2000})
    found = fit.modes()
    assert found.missed == () and found.problems == ()
    shares = found.table.filter(like="chain").mean(axis=1)
    # How far the mean of four chains is off, from how they differ; and how far the masses are.
    spread = found.table.filter(like="chain").std(axis=1) / 2
    assert (np.abs(shares - found.table["mass"]) < 4 * spread + 0.02).all(), found


def test_the_masses_of_all_numberings_are_those_of_quadrature() -> None:
    y = with_an_outlier()
    priors = {"mu": "normal(0, 3)", "weights": "dirichlet(2)"}
    fit = sm.fit(ALL_NUMBERINGS, {"y": y}, priors=priors, **RUN)
    target = target_of(fit.model)
    rng = np.random.default_rng(1)
    grid = np.linspace(-4, 8, 61)
    shares = (np.arange(40) + 0.5) / 40
    first, second, w = (v.ravel() for v in np.meshgrid(grid, grid, shares, indexing="ij"))
    rows = np.logaddexp(
        np.log(w) + stats.norm(first, 1.3).logpdf(y[:, None]),
        np.log1p(-w) + stats.norm(second, 1.3).logpdf(y[:, None]),
    ).sum(axis=0)
    log_p = rows + np.log(w * (1 - w)) + stats.norm(0, 3).logpdf([first, second]).sum(axis=0)
    values = {"mu": np.stack([first, second], 1), "weights": np.stack([w, 1 - w], 1)}
    points = fit.model.transforms().unconstrain(values)
    tops = fit.model.transforms().unconstrain(
        {
            "mu": np.array([[0.0, 4.5], [4.0, 0.0], [0.3, -0.3]]),
            "weights": np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]),
        }
    )
    found = regions(target, tops, numberings_of(fit.model), rng)
    exact = np.exp(log_p - logsumexp(log_p))
    for m, mass in enumerate(found.masses):
        # Each point by itself: a share of 0 or 1.
        inside = found.shares(points[:, None])[:, m]
        assert exact @ inside == pytest.approx(mass, abs=0.02)


def test_numberings_of_components_are_no_modes(agreeing: sm.Fit, found: sm.Modes) -> None:
    free = sm.fit("y ~ mix(normal(sigma=1), K=3, order=none)", {"y": outliers()}, **RUN)
    with pytest.warns(sm.ConvergenceWarning, match="No chain has found mode 2"):
        table = free.modes().table
    assert len(table) == len(found.table) == 2
    assert table["mass"].to_numpy() == pytest.approx(found.table["mass"].to_numpy(), abs=0.03)


def test_where_an_order_may_cut_a_mode_in_two_other_orders_are_advised(found: sm.Modes) -> None:
    assert "`order=none`" in found.problems[1]


def test_one_component_has_one_mode() -> None:
    fit = sm.fit("y ~ mix(normal, K=1)", {"y": outliers()}, **SHORT)
    found = fit.modes(starts=3)
    assert found.table["mass"].tolist() == [1.0]
    assert found.problems == ()
    top = found.parameters["mu"].item()
    assert top == pytest.approx(fit.draws["posterior"]["mu"].mean().item(), abs=0.2)


def test_a_chain_of_states_has_its_modes() -> None:
    y = np.array([0, 1, 0, 9, 8, 11, 9, 1, 0, 0, 2, 1, 8, 12, 7])
    fit = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, **SHORT)
    found = fit.modes(starts=10)
    assert found.table["mass"].iloc[0] > 0.99
    assert found.parameters["transition"].sel(mode=1).sum("state_to").values == pytest.approx(1.0)


@pytest.mark.parametrize("starts", [0, 2.5, "many", True])
def test_starts_are_counted(agreeing: sm.Fit, starts: object) -> None:
    with pytest.raises(sm.SpecError, match="`starts` must be a whole number"):
        agreeing.modes(starts=starts)  # type: ignore[arg-type]


def test_chains_start_where_a_wide_component_holds_what_lies_apart() -> None:
    """Rows at both ends: split into groups, they are never one component's."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(-6, 1, 85), rng.normal(0, 1, 95), rng.normal(5, 1.5, 8)]
    y = np.concatenate([*parts, rng.normal(-11, 1.5, 12)])
    fit = sm.fit("y ~ mix(normal, K=3)", {"y": y}, **RUN | {"seed": 1})
    widest = fit.draws["posterior"]["sigma"].max("state").mean("draw")
    assert (widest > 4).all()


def test_numberings_that_moves_restrict_are_not_called_missed() -> None:
    y = [0, 0.2, 5, 5.1, 4.9, 0.1, 0, 5, 5, 0.1, 9, 9.1, 0, 0.2, 5, 5.2, 9, 9.1]
    formula = (
        "y ~ hmm(normal(sigma=1), states=3, transition='110;011;101', order=none, initial=uniform)"
    )
    fit = sm.fit(formula, {"y": y}, **SHORT)
    found = fit.modes(starts=10)
    assert "numberings of each other" in found.problems[0]
    assert not any("No chain has found" in problem for problem in found.problems)


@pytest.mark.parametrize("chains", [0, 2.5, "a"])
def test_starting_points_are_counted(found: sm.Modes, chains: object) -> None:
    with pytest.raises(sm.SpecError, match="`chains` must be a whole number"):
        found.inits(chains)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "worth", "mass", "rare"),
    [
        (0.0, 1000, 0.02, True),
        (0.0, 50, 0.02, False),
        (0.1, 1000, 0.2, False),
        (0, 1e5, 0.005, False),
    ],
)
def test_few_draws_in_a_mode_are_too_few_where_chance_does_not_explain_them(
    share: float, worth: float, mass: float, rare: bool
) -> None:
    assert modes.is_rare(share, worth, mass) is rare


def test_of_masses_that_are_not_known_no_number_is_quoted(found: sm.Modes) -> None:
    unknown = dataclasses.replace(found, pareto_k=1.2)
    assert "cannot tell how much mass" in unknown.problems[0]
    assert (
        unknown.problems[1] == f"The masses are rough: Pareto k is 1.20, above {found.good_k:.2f}."
    )
