"""Two sets of draws: differences of distribution functions with their band, and overlaid pairs."""

from __future__ import annotations

import matplotlib.colors as colors
import numpy as np
import pandas as pd
import plotnine as p9
import pytest
from scipy import stats

import stanmix as sm
from stanmix.judging.compared import Compared
from stanmix.judging.ecdfs import differences
from stanmix.judging.matching import Sample
from stanmix.judging.verdict import Verdict
from stanmix.plots.look import SIDES
from tests.plots.conftest import LONG, layer_with

Array = np.ndarray

MU = [f"mu[1, {LONG}]", "mu[2, $ of $]"]
NAMES = (*MU, "sigma[1]", "nu")


def two(reference: Array, draws: Array, *names: str, dropped: tuple[str, ...] = ()) -> Compared:
    """Draws (draw, number) of both as they are compared."""
    sets = (Sample(names, values[None]) for values in (reference, draws))
    return Compared(*sets, (len(reference), len(draws)), dropped, ())


def verdict(pair: Compared) -> Verdict:
    return Verdict((), 0.0, compared=pair)


@pytest.fixture(scope="module")
def shifted() -> Compared:
    """Draws of which the second number is shifted, and the third too wide."""
    rng = np.random.default_rng(1)
    reference, draws = rng.normal(size=(2, 700, 4))
    draws = draws * [1, 1, 1.5, 1] + [0, 1, 0, 0]
    return two(reference, draws, *NAMES, dropped=("weights[2]",))


def of(data: pd.DataFrame, name: str) -> pd.DataFrame:
    return data[data["number"] == name]


def test_a_line_is_the_share_of_draws_below_less_that_of_the_reference(shifted: Compared) -> None:
    x, y = shifted.evenly()
    found = differences(shifted, ["sigma[1]"])
    values = np.sort(np.concatenate([x[:, 2], y[:, 2]]))
    inner = found.iloc[1:-1]
    at = values[(inner["at"] * len(values)).round().astype(int) - 1]
    off = [(y[:, 2] <= v).mean() - (x[:, 2] <= v).mean() for v in at]
    assert inner["off"].to_numpy() == pytest.approx(off)
    ends = found.iloc[[0, -1]]
    assert ends[["at", "off", "limit"]].to_numpy().tolist() == [[0, 0, 0], [1, 0, 0]]


def test_draws_that_are_the_same_have_places_between_them_only() -> None:
    reference, draws = np.repeat([0.0, 1.0, 2.0], [20, 30, 50]), np.repeat([0.0, 2.0], [40, 60])
    found = differences(two(reference[:, None], draws[:, None], "n"), ["n"])
    assert found["at"].tolist() == [0, 0.3, 0.45, 1]
    assert found["off"].to_numpy() == pytest.approx([0, 0.2, -0.1, 0])


@pytest.mark.parametrize("numbers", [1, 4])
def test_draws_of_one_distribution_leave_the_band_as_often_as_it_says(numbers: int) -> None:
    n, pairs = 40, 2000
    rng = np.random.default_rng(2)
    names = [f"x[{i}]" for i in range(numbers)]
    band = differences(two(*rng.normal(size=(2, n, numbers)), *names), names)
    limit = of(band, "x[0]")["limit"].to_numpy()
    assert len(limit) == 2 * n + 1
    second = rng.normal(size=(pairs, 2 * n, numbers)).argsort(axis=1) >= n
    steps = np.where(second, 1 / n, -1 / n).cumsum(axis=1)
    left = (np.abs(steps) > limit[1:, None] + 1e-9).any(axis=(1, 2)).mean()
    # By chance of these, and of the permutations that made the band.
    assert abs(left - 0.05) < 4 * np.sqrt(0.05 * 0.95 * (1 / pairs + 1 / 1000))


def test_a_band_allows_for_numbers_that_say_the_same() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 200, 1))
    names = [f"x[{i}]" for i in range(8)]
    apart = differences(two(*rng.normal(size=(2, 200, 8)), *names), names)["limit"].max()
    alike = differences(two(x.repeat(8, axis=1), y.repeat(8, axis=1), *names), names)
    alone = differences(two(x, y, "x"), ["x"])["limit"].max()
    assert alike["limit"].max() == pytest.approx(alone)
    assert apart > 1.1 * alone


def test_lines_that_leave_the_band_stand_out_and_come_first(shifted: Compared) -> None:
    picture = verdict(shifted).plot()
    assert list(picture.data["number"].cat.categories)[:2] == [MU[1], "sigma[1]"]
    leaves = picture.data.groupby("number", observed=True)["leaves"].first()
    assert leaves.to_dict() == {MU[1]: True, "sigma[1]": True, MU[0]: False, "nu": False}
    # Draws that lie too high; and others, too wide, of which more are low and more are high.
    assert of(picture.data, MU[1])["off"].min() < -0.3 < of(picture.data, MU[1])["off"].max() < 0.05
    wide = of(picture.data, "sigma[1]")
    assert (
        wide["off"][wide["at"] < 0.4].max() > 0.05 and wide["off"][wide["at"] > 0.6].min() < -0.05
    )
    assert "700 draws of each" in " ".join(picture.labels.caption.split())
    picture.draw()


def test_the_most_distant_of_many_are_shown_in_a_band_for_all() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 60, 20))
    pair = two(x, y, *(f"x[{i}]" for i in range(20)))
    picture = verdict(pair).plot("ecdf")
    ks = {
        name: stats.ks_2samp(a, b).statistic
        for name, a, b in zip(pair.reference.names, x.T, y.T, strict=True)
    }
    shown = list(picture.data["number"].cat.categories)
    assert len(shown) == 16 and set(picture.data["number"]) == set(shown)
    assert [ks[name] for name in shown] == sorted(ks.values(), reverse=True)[:16]
    assert "The 16 most distant of 20 elements" in picture.labels.caption
    asked = verdict(pair).plot("ecdf", variables=["x[7]", "x[2]"])
    assert list(asked.data["number"].cat.categories) == ["x[7]", "x[2]"]
    assert asked.data["limit"].max() < picture.data["limit"].max()


def panel(data: pd.DataFrame, across: str, down: str) -> pd.DataFrame:
    return data[(data["across"] == across) & (data["down"] == down)]


def test_each_two_numbers_have_a_panel_below_the_diagonal(shifted: Compared) -> None:
    picture = verdict(shifted).plot("pairs", variables=NAMES)
    points = layer(picture, "geom_point")
    shown = {
        (i, j) for i, j in zip(points["across"].cat.codes, points["down"].cat.codes, strict=True)
    }
    assert shown == {(i, j) for j in range(4) for i in range(j)}
    x, y = shifted.evenly(500)
    for side, values in (("reference", x), ("draws", y)):
        own = panel(points, MU[0], "nu")
        own = own[own["draws"] == side][["first", "second"]].to_numpy()
        assert len(own) > 490
        known = {tuple(row) for row in values[:, [0, 3]]}
        assert {tuple(row) for row in own} <= known
    assert "500 of 700 draws of each are points" in " ".join(picture.labels.caption.split())
    picture.draw()


def test_contours_hold_half_and_nine_tenths_of_their_own_set() -> None:
    rng = np.random.default_rng(5)
    corr = np.linalg.cholesky([[1, 0.8], [0.8, 1]])
    x, y = rng.normal(size=(2, 4000, 2)) @ corr.T
    picture = verdict(two(x, y + np.array([3, 0]), "u", "v")).plot("pairs", variables=["u", "v"])
    paths = panel(picture.data, "u", "v")
    for side, center in (("reference", [0, 0]), ("draws", [3, 0])):
        own = paths[paths["draws"] == side]
        (inner, outer) = (part[["first", "second"]] - center for _, part in own.groupby("path"))
        for line, held in ((inner, 0.5), (outer, 0.9)):
            squared = (np.linalg.solve(corr, line.to_numpy().T) ** 2).sum(axis=0)
            assert squared.mean() == pytest.approx(stats.chi2(2).ppf(held), rel=0.15)


def test_modes_apart_have_contours_apart() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 1000, 2)) + np.where(rng.random((2, 1000, 1)) < 0.4, 0, 12)
    picture = verdict(two(x, y, "u", "v")).plot("pairs")
    paths = picture.data[picture.data["across"] != picture.data["down"].astype(str)]
    assert len(paths) and not paths[["first", "second"]].mean(axis=1).between(4, 8).any()
    centers = paths.groupby(["draws", "path"], observed=True)["first"].mean()
    assert ((centers > 8).groupby("draws").sum() >= 2).all()
    assert ((centers < 4).groupby("draws").sum() >= 1).all()


def test_histograms_are_those_of_each_set_below_the_name(shifted: Compared) -> None:
    picture = verdict(shifted).plot("pairs", variables=NAMES)
    x, y = (values[:, 1] for values in shifted.evenly())
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    bars = panel(layer_with(picture, "low", "top"), MU[1], MU[1])
    edges = np.append(bars["low"], bars["high"].iloc[-1])
    assert edges[[0, -1]] == pytest.approx([low, high])
    steps = panel(picture.data, MU[1], MU[1])
    for side, values in (("reference", x), ("draws", y)):
        heights = steps[steps["draws"] == side]["second"].to_numpy()[::2] - low
        assert heights / heights.sum() == pytest.approx(np.histogram(values, edges)[0] / 700)
    assert steps["second"].max() - low == pytest.approx(0.65 * (high - low))
    names = layer_with(picture, "label")
    label = panel(names, MU[1], MU[1])
    assert label["label"].tolist() == [r"mu[2, \$ of \$]"] and label["second"].tolist() == [high]
    lines = [line for label in names["label"] for line in label.split("\n")]
    assert max(map(len, lines)) <= 20 and names["label"].str.count("\n").max() <= 2


def test_what_is_far_out_is_left_out_and_counted() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 1000, 2))
    y[:3, 0] = 1e9
    picture = verdict(two(x, y, "u", "v")).plot("pairs", variables=["u", "v"])
    assert picture.data["first"].max() < 10
    assert "3 of 2000 draws lie beyond a panel" in " ".join(picture.labels.caption.split())


def test_draws_that_are_nearly_all_the_same_are_drawn() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 300, 2))
    y = np.zeros_like(y)
    y[0] = 1.0
    for pair in (two(x, y, "u", "v"), two(y, y, "u", "v")):
        for picture in ("ecdf", "pairs"):
            verdict(pair).plot(picture).draw()


def test_the_most_distant_numbers_are_paired(shifted: Compared) -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(2, 200, 9))
    y[:, [6, 2]] += [2, 1]
    picture = verdict(two(x, y, *(f"x[{i}]" for i in range(9)))).plot("pairs")
    shown = list(picture.data["across"].cat.categories)
    assert len(shown) == 6 and shown[:2] == ["x[6]", "x[2]"]
    assert "The 6 most distant of 9 elements" in picture.labels.caption


SEEN = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    "no colours": [[0.213, 0.715, 0.072]] * 3,
}
"""How linear red, green and blue are seen (Machado et al. 2009)."""


@pytest.mark.parametrize("seen", SEEN)
def test_readers_who_see_few_colours_tell_both_sets_apart(seen: str) -> None:
    light = np.array([colors.to_rgb(colour) for colour in SIDES.values()]) ** 2.2
    luminance = np.clip(light @ np.transpose(SEEN[seen]), 0, 1) @ [0.213, 0.715, 0.072]
    # Contrast of large text, by the Web Content Accessibility Guidelines, is 3; of lines, less.
    assert (luminance.max() + 0.05) / (luminance.min() + 0.05) > 2


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        ("pair", {}, "no picture 'pair'; there are `ecdf`, `pairs`(?s:.*)did you mean `pairs`"),
        (3, {}, "no picture 3"),
        ("ecdf", {"variable": "mu"}, "no option `variable`(?s:.*)did you mean `variables`"),
        ("ecdf", {"variables": "mus"}, "comparison has no `mus`(?s:.*)did you mean `mu`"),
        ("pairs", {"variables": ["nu", "mu[3]"]}, "comparison has no `mu\\[3\\]`"),
        ("ecdf", {"variables": "weights[2]"}, "`weights\\[2\\]` follows from other elements"),
        ("pairs", {"variables": 3}, "holds names of parameters"),
        ("ecdf", {"variables": []}, "must name a parameter"),
        ("pairs", {"variables": "nu"}, "Pairs need two numbers or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    shifted: Compared, picture: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        verdict(shifted).plot(picture, **options)


def test_more_numbers_than_there_is_room_for_are_refused() -> None:
    x, y = np.random.default_rng(10).normal(size=(2, 50, 9))
    with pytest.raises(sm.SpecError, match="name 9 elements, and a picture has room for 8"):
        verdict(two(x, y, *(f"x[{i}]" for i in range(9)))).plot("pairs", variables="x")


def test_where_nothing_was_compared_the_reason_is_given() -> None:
    found = Verdict((), 0.9, uncompared="10 draws break no constraint, too few to compare")
    message = r"Nothing was compared: 10 draws break no constraint, too few to compare\."
    with pytest.raises(sm.SpecError, match=message):
        found.plot()


def layer(picture: p9.ggplot, geom: str) -> pd.DataFrame:
    return next(each._data for each in picture.layers if type(each.geom).__name__ == geom)
