"""Chains that do not mix: no means over them, and weights by how well they predict."""

from __future__ import annotations

import numpy as np
import pytest

import stanmix as sm
from stanmix.stacking import of_chains

pytestmark = pytest.mark.engine

RUN = {"engine": "stanli", "warmup": 300, "draws": 400, "seed": 1}
FORMULA = "y ~ mix(normal(sigma=1), K=3)"
RNG = np.random.default_rng(5)
Y = np.concatenate(
    [*(RNG.normal(mean, 1, 95) for mean in (-3, 3)), np.full(5, 8.0), np.full(5, -8.2)]
)
MODES = [[-3.3, 3.1, 8.0], [-8.1, -3.2, 3.2]]


@pytest.fixture(scope="module")
def apart() -> sm.Fit:
    """Chains 1 and 3 are in one mode, 2 and 4 in another."""
    inits = [{"mu": np.array(MODES[c % 2]), "weights": np.full(3, 1 / 3)} for c in range(4)]
    with pytest.warns(sm.ConvergenceWarning, match="different modes"):
        return sm.fit(FORMULA, {"y": Y}, inits=inits, **RUN)


def test_chains_in_different_modes_have_summaries_of_their_own(apart: sm.Fit) -> None:
    summary = apart.summary()
    assert summary.index.names == ["chains", None]
    assert summary.index.unique("chains").tolist() == ["1, 3", "2, 4"]
    means = summary["mean"]
    assert means["1, 3", "mu[3]"] == pytest.approx(7.7, abs=0.5)
    assert means["2, 4", "mu[3]"] == pytest.approx(3.2, abs=0.3)
    assert (summary["r_hat"] < 1.05).all()
    assert "there are no means over all of them" in repr(apart)


def test_chains_that_agree_have_one_summary(apart: sm.Fit) -> None:
    one = of_chains(apart, [0, 2])
    assert one.summary().index.nlevels == 1
    assert one.summary().loc["mu[3]", "mean"] == apart.summary().loc[("1, 3", "mu[3]"), "mean"]


def test_stacking_weights_make_the_average_that_predicts_best(apart: sm.Fit) -> None:
    pair = of_chains(apart, [0, 1])
    stacked = pair.stack()
    terms = [of_chains(apart, [c]).loo().terms["elpd"].to_numpy() for c in (0, 1)]
    grid = np.linspace(0.0005, 0.9995, 1999)
    scores = [np.logaddexp(np.log(w) + terms[0], np.log1p(-w) + terms[1]).sum() for w in grid]
    assert stacked.table["weight"][1] == pytest.approx(grid[np.argmax(scores)], abs=0.002)
    assert stacked.table["elpd"].to_numpy() == pytest.approx([t.sum() for t in terms])


def test_stacked_draws_come_from_chains_by_their_weights(apart: sm.Fit) -> None:
    stacked = of_chains(apart, [0, 1]).stack()
    drawn = stacked.fit.draws["posterior"]["mu"]
    assert (drawn.sizes["chain"], drawn.sizes["draw"]) == (1, 400)
    share = float((drawn.sel(state=3) > 5.5).mean())
    assert share == pytest.approx(stacked.table["weight"][1], abs=1 / 400)
    assert stacked.fit.predict(draws=50)["y"].sizes["obs"] == len(Y)


def test_one_chain_has_nothing_to_weigh(apart: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="one chain only"):
        of_chains(apart, [0]).stack()


def test_a_summary_is_split_only_where_the_diagnosis_says_that_chains_disagree() -> None:
    rng = np.random.default_rng(1)
    model = sm.model("y ~ mix(normal, K=3)", {"y": rng.normal(4 * (np.arange(300) % 3), 1.3)})
    for seed in range(3):
        fit = model.fit(**RUN | {"warmup": 200, "draws": 50, "seed": seed})
        assert (fit.summary().index.nlevels > 1) == ("different modes" in repr(fit.diagnose()))
