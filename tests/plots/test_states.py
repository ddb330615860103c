"""What rows say of states: memberships, series, and moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from stanmix.data import numbers
from tests.plots.conftest import LONG, fitted, layer_with
from tests.plots.test_look import thickness

pytestmark = pytest.mark.engine

OVER = ["chain", "draw"]


def test_rows_stand_by_component_and_probability(mixture: sm.Fit) -> None:
    picture = mixture.plot("membership")
    shapes = picture.layers[0]._data
    found = mixture.membership().to_numpy()
    order = sorted(range(40), key=lambda i: (found[i].argmax(), -found[i].max()))
    for place, row in enumerate(order, 1):
        shown = [thickness(shapes, k, place) for k in (1, 2)]
        assert shown == pytest.approx(found[row], abs=1e-9)
    names = picture.scales[1].labels
    assert [name[-2:] for name in names] == [f"{LONG}_{i}"[-2:] for i in order]


def test_entropies_are_those_of_the_probabilities_beside_them(mixture: sm.Fit) -> None:
    shapes = mixture.plot("membership").layers[2]._data
    found = mixture.membership().to_numpy()
    order = sorted(range(40), key=lambda i: (found[i].argmax(), -found[i].max()))
    entropy = stats.entropy(found[order], axis=1, base=2)
    shown = [thickness(shapes, "", place) for place in range(1, 41)]
    assert shown == pytest.approx(entropy, abs=1e-9)


@pytest.mark.parametrize("series", [None, "late", "early"])
def test_a_series_shows_what_its_rows_say(chain: sm.Fit, series: str | None) -> None:
    picture = chain.plot("states", series=series)
    data = pd.DataFrame(dict(chain.model.table.columns))
    own = (data["s"] == (series or "late")).to_numpy()
    shapes = layer_with(picture, "height")
    paths = chain.viterbi()
    agree = np.stack([(paths == k).mean(OVER).values for k in (1, 2)], axis=1)
    answers = {
        "filtering": chain.filtering().mean(OVER).values,
        "smoothing": chain.smoothing().mean(OVER).values,
        "Viterbi": np.where(agree == agree.max(axis=1, keepdims=True), agree, 0),
    }
    for panel, answer in answers.items():
        part = shapes[shapes["panel"] == panel]
        for row in np.flatnonzero(own):
            shown = [thickness(part, k, data["t"][row]) for k in (1, 2)]
            assert shown == pytest.approx(answer[row], abs=1e-9)
    assert ("the first of 2" in picture.labels.caption) == (series is None)


def test_points_of_a_series_are_its_seen_responses(chain: sm.Fit) -> None:
    shown = chain.plot("states", series="early").data
    data = pd.DataFrame(dict(chain.model.table.columns))
    data["state"] = chain.membership().idxmax(axis=1).astype(str).to_numpy()
    own = data[data["s"] == "early"].sort_values("t")
    seen = own.dropna(subset=["$y"])
    first = shown[shown["panel"] == "$y"]
    assert first["along"].tolist() == seen["t"].tolist()
    assert first["value"].tolist() == seen["$y"].tolist()
    assert first["state"].tolist() == seen["state"].tolist()
    second = shown[shown["panel"] == "c"]
    assert second["value"].tolist() == [{"no": 1, "yes": 2}[c] for c in own["c"]]


def test_no_line_leads_over_a_gap(chain: sm.Fit) -> None:
    line = layer_with(chain.plot("states"), "run")
    steps = line.groupby("run")["along"].diff().dropna()
    assert (steps == 1).all()
    assert line.groupby("run").size().min() > 1


def test_units_are_what_has_a_state() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"b": np.repeat(list("zyxwvu"), 4), "y": rng.normal(0, 1, 24)})
    data["y"] += np.repeat([0, 0, 6, 6, 0, 6], 4)
    fit = fitted("y | unit(b) ~ hmm(normal, states=2)", data)
    picture = fit.plot("states")
    assert picture.data["along"].tolist() == np.repeat(np.arange(6.0), 4).tolist()
    likely = fit.membership().idxmax(axis=1).astype(str)
    assert picture.data["state"].tolist() == np.repeat(likely.to_numpy(), 4).tolist()
    assert picture.labels.x == "b"
    picture.draw()


def test_units_that_are_numbers_are_where_these_are() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"t": np.repeat([10, 20, 50, 60], 6), "y": rng.normal(0, 1, 24)})
    data["y"] += np.repeat([0, 6, 6, 0], 6)
    fit = fitted("y | unit(t) ~ hmm(normal, states=2)", data)
    assert fit.plot("states").data["along"].tolist() == data["t"].tolist()
    # Not where they only name units: these are in the order of rows.
    data["t"] = np.repeat([10, 50, 20, 60], 6)
    fit = fitted("y | unit(t) ~ hmm(normal, states=2)", data)
    assert fit.plot("states").data["along"].tolist() == np.repeat(np.arange(4.0), 6).tolist()


@pytest.mark.parametrize(
    ("series", "message"), [("lat", "did you mean `late`"), (3, "There is no series `3`")]
)
def test_an_unknown_series_is_refused(chain: sm.Fit, series: object, message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        chain.plot("states", series=series)


@pytest.fixture(scope="module")
def forward() -> sm.Fit:
    y = np.repeat([0.0, 5.0, 2.0], 12) + np.random.default_rng(5).normal(0, 0.5, 36)
    return fitted("y ~ hmm(normal, states=3, transition=left_right)", {"y": y})


def test_a_single_series_is_not_chosen(forward: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="one series"):
        forward.plot("states", series="a")
    assert forward.plot("states").data["along"].tolist() == list(range(36))


def test_tiles_hold_means_and_intervals_of_moves_that_are_allowed(forward: sm.Fit) -> None:
    tiles = forward.plot("transition").data
    drawn = forward.draws["posterior"]["transition"].values.reshape(-1, 3, 3)
    assert list(zip(tiles["state"], tiles["state_to"], strict=True)) == [
        (i, j) for i in (1, 2, 3) for j in range(i, 4)
    ]
    own = drawn[:, tiles["state"] - 1, tiles["state_to"] - 1]
    assert tiles["mean"].to_numpy() == pytest.approx(own.mean(axis=0))
    limits = np.quantile(own, [0.025, 0.975], axis=0)
    assert pytest.approx(limits) == tiles[["low", "high"]].to_numpy().T
    assert tiles["label"].tolist() == [f"{p:.2f}" for p in own.mean(axis=0)]


def test_arrows_lead_from_state_to_state_where_moves_are_allowed(forward: sm.Fit) -> None:
    picture = forward.plot("transition_graph")
    centers = layer_with(picture, "x", "y", "state").groupby("state")[["x", "y"]].mean()
    mean = forward.draws["posterior"]["transition"].mean(OVER).values
    shown = {tuple(map(int, move.split())) for move in picture.data["move"]}
    assert shown == {(i + 1, j + 1) for i, j in np.argwhere(mean >= 0.01)}
    for move, path in picture.data.groupby("move"):
        ends = [centers.loc[state].to_numpy() for state in move.split()]
        assert np.linalg.norm(path[["x", "y"]].iloc[0] - ends[0]) < 0.2
        assert np.linalg.norm(path[["x", "y"]].iloc[-1] - ends[1]) < 0.2
        i, j = map(int, move.split())
        assert path["mean"].unique() == pytest.approx([mean[i - 1, j - 1]])


def test_of_many_moves_the_most_probable_have_arrows_and_fewer_labels() -> None:
    y = np.random.default_rng(7).integers(0, 7, 60) * 9.0
    fit = fitted("y ~ hmm(normal(sigma=1), states=7)", {"y": y}, warmup=60, draws=20)
    picture = fit.plot("transition_graph")
    mean = fit.draws["posterior"]["transition"].mean(OVER).values
    others = np.sort(mean[~np.eye(7, dtype=bool)])[::-1]
    shown = {tuple(map(int, move.split())) for move in picture.data["move"]}
    assert {p for p in shown if p[0] != p[1]} == {
        (i + 1, j + 1) for i, j in np.argwhere((mean >= others[30]) & ~np.eye(7, dtype=bool))
    }
    named = layer_with(picture, "label")
    assert len(named) <= 17 + 7
    assert "have no arrow" in picture.labels.caption and "have no label" in picture.labels.caption
    picture.draw()


def test_moves_that_vary_are_those_at_the_means() -> None:
    rng = np.random.default_rng(6)
    data = {"y": np.repeat([0.0, 6.0] * 4, 5) + rng.normal(0, 1, 40), "x": rng.normal(0, 1, 40)}
    fit = fitted("y ~ hmm(normal, states=2); transition ~ x", data)
    picture = fit.plot("transition")
    beta = fit.draws["posterior"]["beta_transition"].values.reshape(-1, 2, 2, 2)
    logits = beta[..., 0] + beta[..., 1] * np.mean(data["x"])
    moves = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert picture.data["mean"].to_numpy() == pytest.approx(moves.mean(axis=0).ravel())
    assert "means of the covariates" in picture.labels.caption
    picture.draw()
    fit.plot("transition_graph").draw()


def test_time_is_a_number_of_the_data(chain: sm.Fit) -> None:
    assert chain.plot("states").labels.x == "t"
    assert set(chain.plot("states").data["along"]) <= set(numbers(chain.model.table, "t"))
