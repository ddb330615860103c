from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix.judging.replications import _replication
from stanmix.judging.sbc import _band, _judged, _place
from tests.cases import CASES

PRIORS = {case.name: case.priors for case in CASES}


def test_the_place_of_a_value_among_its_own_kind_is_uniform_whatever_their_number() -> None:
    rng = np.random.default_rng(1)
    for draws in (1, 7, 200):
        places = [_place(rng.normal(size=draws), rng.normal(), rng) for _ in range(2000)]
        assert abs(np.mean(places) - 0.5) < 4 * np.sqrt(1 / 12 / 2000)
        assert abs(np.var(places) - 1 / 12) < 4 * np.sqrt(1 / 180 / 2000)


def test_values_that_are_among_the_draws_have_a_place_among_them() -> None:
    rng = np.random.default_rng(2)
    # Of counts, of which many are the same.
    places = [_place(rng.poisson(1, size=30), rng.poisson(1), rng) for _ in range(2000)]
    assert abs(np.mean(places) - 0.5) < 4 * np.sqrt(1 / 12 / 2000)
    assert abs(np.var(places) - 1 / 12) < 4 * np.sqrt(1 / 180 / 2000)


def test_a_band_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    band = _band(100, 0.9, rng)
    left = sum(_judged(rng.random(100), band)["leaves"] for _ in range(1000))
    # By chance of these, and of the simulations that made the band.
    assert abs(left / 1000 - 0.1) < 4 * np.sqrt(0.09 / 1000 + 0.09 / 200)


def test_ranks_that_are_off_leave_the_band_and_are_described() -> None:
    rng = np.random.default_rng(4)
    band = _band(200, 0.99, rng)
    u = rng.random(200)
    for wrong in (u**2, 1 - u**2, 0.3 + 0.4 * u, np.where(u < 0.5, u**3, 1 - (1 - u) ** 3)):
        assert _judged(wrong, band)["leaves"]


@pytest.fixture(scope="module")
def counts() -> sm.Model:
    return sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1, 2, 1]}, priors={"rate": "gamma(2, 1)"})


OPTIONS = {"engine": "stanli", "chains": 1, "warmup": 300, "draws": 300}


@pytest.mark.engine
def test_a_right_posterior_is_calibrated_and_recovered_and_a_wrong_prior_is_seen(
    counts: sm.Model, tmp_path: Path
) -> None:
    found = sm.sbc(counts, 60, folder=tmp_path / "right", seed=1, **OPTIONS)
    assert found.is_good, found
    assert list(found.table.index) == ["rate[1]", "log likelihood"]
    assert found.pit.shape == (60, 2) and len(found.fits) == 60
    assert "All quantities stay inside" in repr(found)
    wrong = sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1, 2, 1]}, priors={"rate": "gamma(9, 1)"})
    seen = sm.sbc(counts, 60, simulator=wrong, seed=1, **OPTIONS)
    assert not seen.is_good
    assert "`rate[1]` leaves its band: posteriors lie too low" in repr(seen)
    # The fits of the same folder serve again.
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "right").glob("*.nc")}
    back = sm.recovery(counts, 60, folder=tmp_path / "right", seed=1, **OPTIONS)
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "right").glob("*.nc")}
    # The posterior is a gamma distribution.
    row = back.each[back.each["data"] == 1].iloc[0]
    fit = back.fits[1]
    total = fit.model.table.columns["y"].sum()
    exact_mean, exact_sd = (2 + total) / 5, np.sqrt(2 + total) / 5
    assert abs(row["mean"] - exact_mean) < 4 * exact_sd / np.sqrt(100)
    assert row["contraction"] == pytest.approx(1 - row["sd"] ** 2 / 2, abs=0.15)
    coverage = back.table.loc["rate[1]", "coverage"]
    assert abs(coverage - 0.9) < 4 * np.sqrt(0.09 / 60)
    assert abs(back.table.loc["rate[1]", "mean z"]) < 4 / np.sqrt(60)
    for picture in (found.plot(), seen.plot(), back.plot()):
        picture.draw()


def test_fits_that_failed_leave_nothing_calibrated(counts: sm.Model) -> None:
    from stanmix.fits import Fits
    from stanmix.judging.sbc import Calibration

    table = pd.DataFrame({"leaves": [False], "mean": [0.5], "sd": [0.29]}, index=["mu"])
    fits = Fits({}, {3: sm.SamplingError("It failed.")}, pd.DataFrame(), counts)
    found = Calibration(pd.DataFrame(), pd.DataFrame(), table, fits)
    assert not found.is_good and "1 fit failed" in found.problems[0]


def test_what_cannot_be_calibrated_is_refused(counts: sm.Model) -> None:
    with pytest.raises(sm.SpecError, match="`n` must be 20 or more"):
        sm.sbc(counts, 3)
    other = sm.model("y ~ mix(poisson, K=2)", {"y": [0, 1, 2, 1]})
    with pytest.raises(sm.SpecError, match="other parameters than the model"):
        sm.sbc(counts, 20, simulator=other)
    flat = sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1, 2, 1]}, priors={"rate": "gamma(2, 1)"})
    with pytest.raises(sm.SpecError, match="`n` must be a whole number"):
        sm.recovery(flat, 0)


def first_case(units: int, repeats: int = 3, shift: float = 0.0) -> sm.Model:
    data = {"y": np.linspace(-2, 2, units * repeats), "id": np.repeat(np.arange(units), repeats)}
    return sm.model("y | unit(id) ~ mix(normal(sigma=1), K=3)", data, priors=_off("units", shift))


def second_case(times: int, repeats: int = 3, shift: float = 0.0) -> sm.Model:
    data = {"y": np.linspace(-1, 1, times * repeats), "t": np.repeat(np.arange(times), repeats)}
    formula = "y | unit(t) ~ hmm(normal(sigma=1), states=2, initial=uniform)"
    return sm.model(formula, data, priors=_off("unit_hmm", shift))


def _off(case: str, shift: float) -> dict[str, str]:
    """The priors of a case, all means `shift` of their standard deviations, which are 1, off."""
    found = dict(PRIORS[case])
    for name, text in found.items():
        if name.startswith("mu"):
            mean = float(text.removeprefix("normal(").removesuffix(", 1)"))
            found[name] = f"normal({mean + shift}, 1)"
    return found


SMALL = {"engine": "stanli", "chains": 2, "warmup": 500, "draws": 500, "adapt_delta": 0.95}


@pytest.mark.slow
@pytest.mark.parametrize("case", [first_case, second_case])
def test_the_first_two_case_studies_are_calibrated(case) -> None:  # type: ignore[no-untyped-def]
    found = sm.sbc(case(40), 200, seed=1, **SMALL)
    assert found.is_good, found


@pytest.mark.slow
@pytest.mark.parametrize("case", [first_case, second_case])
def test_priors_that_are_off_by_their_spread_leave_the_bands(case) -> None:  # type: ignore[no-untyped-def]
    # Twenty units of two rows leave the data little to say against a prior, and it is still less
    # than half a standard deviation of the posterior that this is off.
    found = sm.sbc(case(20, 2), 400, simulator=case(20, 2, shift=1.0), seed=2, **SMALL)
    assert not found.is_good
    leaving = found.table.index[found.table["leaves"]]
    assert any(name.startswith("mu") for name in leaving), found


def test_a_fit_that_is_stuck_has_ranks_and_what_the_model_fixes_has_none() -> None:
    model = sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1]}, priors={"rate": "gamma(2, 1)"})
    stuck = model.with_draws({"rate": np.full((100, 1), 50.0), "weights": np.ones((100, 1))})
    found = _replication(stuck, model.sample_prior(1, seed=1))
    assert set(found.truth) == set(found.draws) == {"rate[1]", "log likelihood"}
    np.testing.assert_allclose(found.draws["rate[1]"], 50.0)


@pytest.mark.parametrize("ask", [sm.sbc, sm.recovery])
def test_what_is_no_model_or_no_number_is_refused(counts: sm.Model, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(sm.SpecError, match="`n` must be a whole number"):
        ask(counts, "200")
    with pytest.raises(sm.SpecError, match="A model is needed, not str"):
        ask("model", 20)
    with pytest.raises(sm.SpecError, match="A model is needed, not str"):
        ask(counts, 20, simulator="model")
