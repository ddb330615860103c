"""One model fitted to many data sets: the same fits however they are run, and cut off."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import stanmix as sm
from stanmix.errors import StanmixWarning
from stanmix.families import FAMILIES
from stanmix.many import seed_of
from stanmix.model import Model
from stanmix.parallel import unordered, workers_for

pytestmark = pytest.mark.engine

RNG = np.random.default_rng(5)
DATA = {f"s{i}": {"y": RNG.normal([0.0, 6.0] * 8)} for i in range(5)}
MODEL = sm.model("y ~ mix(normal, K=2)", DATA["s0"])
SHORT: dict[str, Any] = {"engine": "stanli", "chains": 1, "warmup": 20, "draws": 5, "seed": 3}


def fit_many(*arguments: Any, **options: Any) -> sm.Fits:
    """Short fits, of which it is no news that they are unfit for use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StanmixWarning)
        return sm.fit_many(*arguments, **{**SHORT, **options})


def require_same(fits: sm.Fits, expected: sm.Fits) -> None:
    """The same fits under the same keys; time apart, the same table."""
    assert list(fits) == list(expected)
    for key, fit in expected.items():
        xr.testing.assert_identical(fits[key].draws, fit.draws)
        assert fits[key].model.spec == fit.model.spec
    assert set(fits.failed) == set(expected.failed)
    tables = [f.table.drop(columns="seconds") for f in (fits, expected)]
    pd.testing.assert_frame_equal(*tables)


@pytest.fixture(scope="module")
def serial() -> sm.Fits:
    return fit_many(MODEL, DATA, workers=1)


def test_a_fit_is_that_of_the_model_on_its_data(serial: sm.Fits) -> None:
    assert list(serial) == list(DATA) and len(serial) == 5 and not serial.failed
    alone = MODEL.on(DATA["s3"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StanmixWarning)
        fit = alone.fit(**{**SHORT, "seed": seed_of(3, "s3")})
    xr.testing.assert_identical(serial["s3"].draws, fit.draws)
    assert serial["s3"].model.spec.constants == MODEL.spec.constants
    np.testing.assert_array_equal(serial["s3"].model.data["y"], DATA["s3"]["y"])
    assert {f.model.program.key for f in serial.values()} == {MODEL.program.key}


def test_the_table_says_what_each_diagnosis_says(serial: sm.Fits) -> None:
    assert serial.table.index.tolist() == list(DATA)
    for key, fit in serial.items():
        found, row = fit.diagnose(), serial.table.loc[key]
        assert row["divergent"] == found.divergent
        assert row["usable"] == (not found.serious)
        np.testing.assert_equal(row["r_hat"], found.invariant["r_hat"].max())
        ess = found.invariant[["ess_bulk", "ess_tail"]].to_numpy()
        np.testing.assert_equal(row["ess"], np.nanmin(ess))
        assert all(problem in row["problems"] for problem in found.problems)
    assert (serial.table["seconds"] > 0).all()
    assert "5 fits of 5 data sets" in repr(serial)


def test_several_processes_make_the_fits_that_one_makes(serial: sm.Fits) -> None:
    require_same(fit_many(MODEL, DATA, workers=2), serial)


def test_pools_that_return_all_at_once_serve_too() -> None:
    """Such as that of Ray, which is made like the one of multiprocessing."""
    data = [*DATA.values()] * 2
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        require_same(fit_many(MODEL, data), fit_many(MODEL, data, workers=1))


def test_threads_make_one_fit_at_a_time(serial: sm.Fits) -> None:
    with joblib.parallel_config(backend="threading", n_jobs=2):
        require_same(fit_many(MODEL, DATA), serial)


def test_neither_order_nor_other_data_sets_matter(serial: sm.Fits) -> None:
    fits = fit_many(MODEL, {key: DATA[key] for key in ("s4", "s1")}, workers=1)
    assert list(fits) == ["s4", "s1"]
    for key, fit in fits.items():
        xr.testing.assert_identical(fit.draws, serial[key].draws)


def test_seeds_differ_between_data_sets_and_calls() -> None:
    seeds = {seed_of(seed, key) for seed in range(20) for key in range(50)}
    assert len(seeds) == 1000
    assert seed_of(1, 7) == seed_of(1, np.int64(7)) == seed_of(1, "7")


def test_data_sets_without_keys_are_numbered() -> None:
    listed = fit_many(MODEL, (DATA[key] for key in ("s0", "s1")), workers=1)
    assert list(listed) == [0, 1]
    frames = [pd.DataFrame(DATA["s0"]), pd.DataFrame(DATA["s1"])]
    require_same(fit_many(MODEL, frames, workers=1), listed)


def test_groups_of_a_data_frame_are_data_sets_by_their_keys(serial: sm.Fits) -> None:
    frame = pd.concat([pd.DataFrame(DATA[key]).assign(who=key, n=1) for key in ("s3", "s1")])
    for one in (frame.groupby("who", sort=False), iter(frame.groupby("who", sort=False))):
        fits = fit_many(MODEL, one, workers=1)
        assert list(fits) == ["s3", "s1"]
        for key in fits:
            np.testing.assert_array_equal(
                fits[key].draws["posterior"]["mu"], serial[key].draws["posterior"]["mu"]
            )
    assert list(fit_many(MODEL, frame.groupby(["who", "n"]), workers=1)) == [("s1", 1), ("s3", 1)]
    twice = [*frame.groupby("who"), *frame.groupby("who")]
    with pytest.raises(sm.SpecError, match="Two keys of `datasets` read 's1'"):
        fit_many(MODEL, twice)


def test_workers_are_sent_the_columns_that_the_model_needs(
    serial: sm.Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def looked_at(function: Any, calls: Any, workers: int, lost: Any) -> Iterator[Any]:
        sent.extend(calls)
        return map(function, calls)

    monkeypatch.setattr("stanmix.many.unordered", looked_at)
    data = {key: {**values, "unused": np.zeros(16)} for key, values in DATA.items()}
    fits = fit_many(MODEL, data)
    assert [list(task.model.table.columns) for task in sent] == [["y"]] * 5
    assert list(fits["s1"].model.table.columns) == ["y", "unused"]
    require_same(fits, serial)


def test_groups_and_missing_responses_are_those_of_each_data_set() -> None:
    frame = pd.DataFrame({"y": RNG.normal([0.0, 6.0] * 6), "g": list("aabbcc") * 2})
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | g)", frame)
    holes = frame.assign(y=frame["y"].where(frame.index != 3), g="only")
    fits = fit_many(model, {"own": frame, "holes": holes}, workers=1)
    assert fits["holes"].draws["posterior"]["r_g_mu"].sizes["group_g"] == 1
    assert fits["holes"].draws["observed_data"]["y"].isnull().sum() == 1


def test_what_cannot_be_fitted_fails_alone_and_is_warned_of_once(serial: sm.Fits) -> None:
    data = {
        "nothing": {"y": [np.nan] * 6},
        "s1": DATA["s1"],
        "columns": {"x": [1.0, 2.0]},
        "kind": 3,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fits = sm.fit_many(MODEL, data, workers=1, **SHORT)
    said = [str(w.message) for w in caught if w.category is StanmixWarning]
    assert len(said) == 1 and "3 of 4 data sets have no fit (first: 'nothing'" in said[0]
    assert list(fits) == ["s1"] and set(fits.failed) == {"nothing", "columns", "kind"}
    assert isinstance(fits.failed["columns"], sm.DataError)
    assert "no column `y`" in fits.table.loc["columns", "problems"]
    assert fits.table["usable"].tolist() == [False, serial.table["usable"]["s1"], False, False]
    xr.testing.assert_identical(fits["s1"].draws, serial["s1"].draws)
    with pytest.raises(KeyError, match="has no fit: Column `y` has no values"):
        fits["nothing"]


def test_errors_that_nobody_foresaw_are_collected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Model.draw

    def failing(self: Model, *arguments: Any, **options: Any) -> sm.Fit:
        if self.table.n_rows == 4:
            raise ZeroDivisionError("by zero")
        return draw(self, *arguments, **options)

    monkeypatch.setattr(Model, "draw", failing)
    fits = fit_many(MODEL, [{"y": [0.0, 1.0, 5.0, 6.0]}, DATA["s0"]], workers=1)
    assert list(fits) == [1]
    assert isinstance(fits.failed[0], sm.SamplingError)
    assert str(fits.failed[0]) == "ZeroDivisionError: by zero"


@pytest.mark.parametrize(
    ("datasets", "options", "said"),
    [
        ([], {}, "holds no data set"),
        (pd.DataFrame(DATA["s0"]), {}, "is one data set, not many"),
        (DATA["s0"], {}, "is one data set, not many"),
        (7, {}, "holds data sets, and is not int"),
        ({1: DATA["s0"], "1": DATA["s1"]}, {}, "Two keys of `datasets` read '1'"),
        (DATA, {"workers": 0}, "`workers` must be a whole number from 1 on"),
        (DATA, {"drows": 3}, "Unknown sampler option `drows`"),
        (DATA, {"draws": 0}, "`draws` must be a whole number"),
        (DATA, {"engine": object()}, "`engine` is a name here"),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    datasets: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(sm.SpecError, match=said):
        fit_many(MODEL, datasets, **options)


def test_only_a_model_is_fitted() -> None:
    with pytest.raises(sm.SpecError, match="what `stanmix.model` returns, not str"):
        fit_many("y ~ mix(normal, K=2)", DATA)


def test_families_and_models_can_be_pickled() -> None:
    for family in FAMILIES.values():
        assert pickle.loads(pickle.dumps(family)) is family
    again = pickle.loads(pickle.dumps(MODEL))
    assert again.spec == MODEL.spec and again.code == MODEL.code


def test_families_of_ones_own_reach_the_workers() -> None:
    rayleigh = sm.Family(
        "rayleigh",
        response=(sm.Column("positive"),),
        params=(sm.Param("scale", link="log", lower=0, prior="lognormal(0, 1)", orders=True),),
        reference=lambda scale: stats.rayleigh(scale=scale),
        stan_code="""
        vector rayleigh_log_omega(vector y, real scale) {
          return log(y) - 2 * log(scale) - 0.5 * square(y / scale);
        }
        """,
    )
    data = [{"y": stats.rayleigh(scale=[1, 5] * 6).rvs(12, random_state=i)} for i in range(3)]
    model = sm.model("y ~ mix(rayleigh, K=2)", data[0], families=[rayleigh])
    alone = fit_many(model, data, workers=1)
    assert not alone.failed
    require_same(fit_many(model, data, workers=2), alone)
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        require_same(fit_many(model, data), alone)


def test_chains_take_turns_where_fits_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def looked_at(function: Any, calls: Any, workers: int, lost: Any) -> Iterator[Any]:
        seen.append((workers, {call.settings.parallel_chains for call in calls}))
        return map(function, calls)

    monkeypatch.setattr("stanmix.many.unordered", looked_at)
    fit_many(MODEL, DATA, workers=3)
    fit_many(MODEL, DATA, workers=1)
    fit_many(MODEL, DATA, workers=2, parallel_chains=2)
    assert seen == [(3, {1}), (1, {None}), (2, {2})]


def test_workers_are_as_many_as_joblib_is_told() -> None:
    assert workers_for(100, 3) == 3
    assert workers_for(2, 3) == 2
    assert workers_for(100, None) == joblib.cpu_count()
    with joblib.parallel_config(n_jobs=7):
        assert workers_for(100, None) == 7
    with joblib.parallel_config(backend="threading", n_jobs=7):
        assert workers_for(100, None) == 1


class Deadly(str):
    """A key that kills every other process that it comes to."""

    def __reduce__(self) -> Any:
        return arrived, (str(self), os.getpid())


def arrived(key: str, home: int) -> Deadly:
    """The deadly key, in the process that it is from."""
    if os.getpid() != home:
        os._exit(1)
    return Deadly(key)


def require_that_one_died(fits: sm.Fits, serial: sm.Fits) -> None:
    """All fits but that of the deadly data set, which says why it has none."""
    assert set(fits) == set(DATA) and list(fits.failed) == ["deadly"]
    for key, fit in serial.items():
        xr.testing.assert_identical(fits[key].draws, fit.draws)
    assert isinstance(fits.failed["deadly"], sm.SamplingError)
    assert "worker process that took it died" in fits.table.loc["deadly", "problems"]


def test_a_data_set_that_kills_its_worker_fails_alone(serial: sm.Fits, tmp_path: Path) -> None:
    deadly = {"s0": DATA["s0"], Deadly("deadly"): DATA["s1"], **DATA}
    require_that_one_died(fit_many(MODEL, deadly, workers=2, folder=tmp_path), serial)
    assert set(times(tmp_path)) == {f"{key}.nc" for key in DATA}


def test_calls_that_die_only_together_are_made_one_by_one(tmp_path: Path) -> None:
    """As where memory suffices for one, but not for two at the same time."""
    calls = [str(tmp_path / name) for name in "abc"]
    found = unordered(fragile, calls, 2, lambda call, error: f"{call} is lost")
    assert sorted(found) == calls


def fragile(mark: str) -> str:
    """Dies when it is called with a mark for the first time, as soon as two have been."""
    path = Path(mark)
    first = not path.exists()
    path.touch()
    wait_for(lambda: len(list(path.parent.iterdir())) >= 2)
    if first:
        os._exit(1)
    return mark


# Folders.


def times(folder: Path) -> dict[str, int]:
    """When each fit was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.nc")}


def test_a_folder_keeps_fits_and_gives_them_back(serial: sm.Fits, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "fits"
    fits = fit_many(MODEL, DATA, workers=1, folder=folder)
    require_same(fits, serial)
    written = times(folder)
    assert set(written) == {f"{key}.nc" for key in DATA}
    again = fit_many(MODEL, DATA, workers=1, folder=folder, seed=None)
    require_same(again, serial)
    pd.testing.assert_frame_equal(again.table, fits.table)
    assert times(folder) == written
    xr.testing.assert_identical(sm.load(folder / "s2.nc").draws, serial["s2"].draws)


def test_data_that_changed_are_fitted_again(serial: sm.Fits, tmp_path: Path) -> None:
    fit_many(MODEL, DATA, workers=1, folder=tmp_path)
    before = times(tmp_path)
    changed = {**DATA, "s1": DATA["s2"], "more": DATA["s3"]}
    other = fit_many(MODEL, changed, workers=1, folder=tmp_path)
    written = {name for name, at in times(tmp_path).items() if before.get(name) != at}
    assert written == {"s1.nc", "more.nc"}
    np.testing.assert_array_equal(other["s1"].draws["observed_data"]["y"], DATA["s2"]["y"])


def test_files_that_are_half_written_or_damaged_count_for_nothing(
    serial: sm.Fits, tmp_path: Path
) -> None:
    fit_many(MODEL, {"s0": DATA["s0"]}, workers=1, folder=tmp_path)
    whole = (tmp_path / "s0.nc").read_bytes()
    (tmp_path / "s1.nc.partial").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "s2.nc").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "s3.nc").write_bytes(whole)
    require_same(fit_many(MODEL, DATA, workers=1, folder=tmp_path), serial)
    assert not list(tmp_path.glob("*.partial"))


def test_fits_of_which_another_version_noted_other_things_are_made_again(
    serial: sm.Fits, tmp_path: Path
) -> None:
    fit_many(MODEL, DATA, workers=1, folder=tmp_path)
    before = times(tmp_path)
    with netCDF4.Dataset(tmp_path / "s1.nc", "a") as file:
        document = json.loads(file.stanmix)
        document["note"]["speed"] = document["note"].pop("seconds")
        file.stanmix = json.dumps(document)
    noted = times(tmp_path)["s1.nc"]
    require_same(fit_many(MODEL, DATA, workers=1, folder=tmp_path), serial)
    now = times(tmp_path)
    assert now.pop("s1.nc") > noted and now == {n: t for n, t in before.items() if n != "s1.nc"}


def test_keys_of_any_kind_have_files_of_their_own(tmp_path: Path) -> None:
    keys = ["a", "A", "a/b", "..", ("a", 1), "é" * 300, 7, pd.Timestamp("2026-01-01")]
    data = {key: DATA[f"s{i % 5}"] for i, key in enumerate(keys)}
    fits = fit_many(MODEL, data, workers=1, folder=tmp_path)
    assert list(fits) == keys and len({n.lower() for n in times(tmp_path)}) == len(keys)
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.nc"))
    before = times(tmp_path)
    require_same(fit_many(MODEL, data, workers=1, folder=tmp_path), fits)
    assert times(tmp_path) == before


def test_keys_of_numbers_of_numpy_are_those_of_python(tmp_path: Path) -> None:
    plain: list[Any] = [(1, 0.5, "a", (True,)), 2]
    numpys: list[Any] = [(np.int32(1), np.float64(0.5), np.str_("a"), (np.True_,)), np.int64(2)]
    fits = fit_many(MODEL, dict.fromkeys(plain, DATA["s1"]), workers=1, folder=tmp_path)
    before = times(tmp_path)
    again = fit_many(MODEL, dict.fromkeys(numpys, DATA["s1"]), workers=1, folder=tmp_path)
    assert times(tmp_path) == before
    for key, other in zip(plain, numpys, strict=True):
        assert seed_of(3, key) == seed_of(3, other)
        xr.testing.assert_identical(again[other].draws, fits[key].draws)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (MODEL, {"draws": 6}, "holds fits with `draws` 5, not 6"),
        (MODEL, {"seed": 4}, "holds fits with `seed` 3, not 4"),
        (MODEL, {"metric": "dense_e"}, 'holds fits with `metric` "diag_e", not "dense_e"'),
        (sm.model("y ~ mix(normal, K=2)", DATA["s1"]), {}, "holds fits of another model"),
        (sm.model("y ~ mix(laplace, K=2)", DATA["s0"]), {}, "holds fits of another model"),
    ],
)
def test_a_folder_for_something_else_is_refused(
    model: sm.Model, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    fit_many(MODEL, {"s0": DATA["s0"]}, workers=1, folder=tmp_path)
    before = times(tmp_path)
    with pytest.raises(sm.SpecError, match=said):
        fit_many(model, DATA, workers=1, folder=tmp_path, **options)
    assert times(tmp_path) == before


def test_encodings_tell_models_apart(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": DATA["s0"]["y"], "x": np.arange(16.0)})
    formula = "y ~ mix(normal, K=2)\nmu ~ poly(x, 2)"
    fit_many(sm.model(formula, frame), [frame], workers=1, folder=tmp_path)
    # Orthogonal polynomials of other numbers have the same means and spreads.
    other = sm.model(formula, frame.assign(x=frame["x"] ** 2))
    with pytest.raises(sm.SpecError, match="another model"):
        fit_many(other, [frame], workers=1, folder=tmp_path)


def test_the_order_of_rows_tells_no_models_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"y": DATA["s0"]["y"], "x": rng.normal(size=16), "g": list("ab") * 8})
    formula = "y ~ mix(normal, K=2)\nmu ~ poly(x, 2) + g"
    fit_many(sm.model(formula, frame), [frame], workers=1, folder=tmp_path)
    before = times(tmp_path)
    others = [frame.iloc[rng.permutation(16)] for _ in range(5)]
    models = [sm.model(formula, other) for other in others]
    assert any(model.spec != models[0].spec for model in models), "no last digit differs"
    for model in models:
        fit_many(model, [frame], workers=1, folder=tmp_path)
    assert times(tmp_path) == before
    turned = frame.assign(g=pd.Categorical(frame["g"], ["b", "a"]))
    with pytest.raises(sm.SpecError, match="another model"):
        fit_many(sm.model(formula, turned), [frame], workers=1, folder=tmp_path)


def test_the_order_of_groups_is_that_of_the_data(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": DATA["s0"]["y"], "g": list("ab") * 8})
    turned = frame.assign(g=pd.Categorical(frame["g"], ["b", "a"]))
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | g)", frame)
    for data, groups in ((frame, ["a", "b"]), (turned, ["b", "a"])):
        fits = fit_many(model, [data], workers=1, folder=tmp_path)
        assert fits[0].draws["posterior"]["group_g"].values.tolist() == groups


def test_fits_of_another_version_of_the_engine_are_not_taken_for_those_of_this(
    tmp_path: Path,
) -> None:
    fit_many(MODEL, {"s0": DATA["s0"]}, workers=1, folder=tmp_path)
    document = json.loads((tmp_path / "fit_many.json").read_text())
    assert document["purpose"]["engine"] == f"stanli {version('stanli')}"
    document["purpose"]["engine"] = "stanli 0.1"
    (tmp_path / "fit_many.json").write_text(json.dumps(document))
    with pytest.raises(sm.SpecError, match='holds fits with `engine` "stanli 0.1", not "stanli'):
        fit_many(MODEL, DATA, workers=1, folder=tmp_path)


def test_a_folder_stays_where_it_was(
    serial: sm.Fits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    fits = fit_many(MODEL, DATA, workers=1, folder="fits")
    monkeypatch.chdir(tmp_path / "elsewhere")
    require_same(fits, serial)


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "closed" / ".lock").mkdir(parents=True)
    with pytest.raises(sm.DataError, match="can be no folder of fits"):
        fit_many(MODEL, DATA, folder=tmp_path / "closed")
    (tmp_path / "file").write_text("")
    with pytest.raises(sm.DataError, match="can be no folder"):
        fit_many(MODEL, DATA, folder=tmp_path / "file")
    with pytest.raises(sm.SpecError, match="holds other things than fits"):
        fit_many(MODEL, DATA, folder=tmp_path)
    with pytest.raises(sm.DataError, match="named by text or a path, not float"):
        fit_many(MODEL, DATA, folder=1.5)
    (tmp_path / "odd").mkdir()
    for said in ([1], {"purpose": 1}, {"purpose": ["a"]}):
        (tmp_path / "odd" / "fit_many.json").write_text(json.dumps(said))
        with pytest.raises(sm.SpecError, match="does not say what its folder is for"):
            fit_many(MODEL, DATA, folder=tmp_path / "odd")
    (tmp_path / "odd" / "fit_many.json").write_text(json.dumps({"purpose": {}}))
    with pytest.raises(sm.SpecError, match="another model"):
        fit_many(MODEL, DATA, folder=tmp_path / "odd")


def test_two_calls_do_not_share_a_folder(tmp_path: Path) -> None:
    from stanmix.fits_folder import opened

    with opened(tmp_path), pytest.raises(sm.SpecError, match="Another call is at work"):
        fit_many(MODEL, DATA, folder=tmp_path)


# What cuts a call off.

MANY = 24
CALL = """
import signal, sys
from tests.test_many import fit_many, longer

if __name__ == "__main__":
    # What a shell has put into the background ignores interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    model, data, options = longer()
    fit_many(model, data, workers=2, folder=sys.argv[1], **options)
"""


def longer() -> tuple[sm.Model, dict[str, Any], dict[str, Any]]:
    """A call that takes a while."""
    rng = np.random.default_rng(11)
    data = {f"d{i}": {"y": rng.normal([0.0, 4.0] * 100)} for i in range(MANY)}
    return sm.model("y ~ mix(normal, K=2)", data["d0"]), data, {"warmup": 150, "draws": 50}


@pytest.fixture(scope="module")
def uninterrupted() -> sm.Fits:
    model, data, options = longer()
    return fit_many(model, data, workers=1, **options)


@contextmanager
def cut_off(folder: Path, cut: signal.Signals, said: Path) -> Iterator[int]:
    """The exit status of a call in a process of its own that is cut off midway.

    A kill is of that process alone, and leaves its workers behind until the end; an interrupt is
    of all, as from a terminal.
    """
    with said.open("w") as file:
        command = [sys.executable, "-c", CALL, str(folder)]
        home = Path(__file__).parents[1]
        call = subprocess.Popen(command, cwd=home, stderr=file, start_new_session=True)
    try:
        wait_for(lambda: len(times(folder)) >= 2 or call.poll() is not None)
        if cut == signal.SIGINT:
            os.killpg(call.pid, cut)
        else:
            call.send_signal(cut)
        yield call.wait(120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(call.pid, signal.SIGKILL)


def wait_for(happened: Any, seconds: float = 240) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.01)


@pytest.mark.parametrize("cut", [signal.SIGKILL, signal.SIGINT])
def test_a_call_that_was_cut_off_goes_on_where_it_was(
    cut: signal.Signals, uninterrupted: sm.Fits, tmp_path: Path
) -> None:
    folder, said = tmp_path / "fits", tmp_path / "said"
    with cut_off(folder, cut, said) as status:
        assert status != 0
        assert ("KeyboardInterrupt" in said.read_text()) == (cut == signal.SIGINT)
        finished = times(folder)
        assert 2 <= len(finished) < MANY
        missing = next(key for key in uninterrupted if f"{key}.nc" not in finished)
        (folder / f"{missing}.nc.partial").write_text("half a f")
        model, data, options = longer()
        require_same(fit_many(model, data, workers=1, folder=folder, **options), uninterrupted)
    now = times(folder)
    assert {name: now[name] for name in finished} == finished
    assert len(now) == MANY and not list(folder.glob("*.partial"))


@contextmanager
def dask_cluster() -> Iterator[Any]:
    """The client of a cluster of two processes."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore")
def test_a_data_set_that_kills_all_workers_of_dask_fails_alone(serial: sm.Fits) -> None:
    from dask import config

    deadly = {Deadly("deadly"): DATA["s1"], **DATA}
    with (
        config.set({"distributed.scheduler.allowed-failures": 0}),
        dask_cluster(),
        joblib.parallel_config(backend="dask"),
    ):
        require_that_one_died(fit_many(MODEL, deadly), serial)


@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_that_is_killed_takes_no_fit_with_it(
    uninterrupted: sm.Fits, tmp_path: Path
) -> None:
    model, data, options = longer()
    with dask_cluster() as client:
        victim, finished_before = next(iter(client.run(os.getpid).values())), list[int]()

        def kill() -> None:
            wait_for(lambda: len(times(tmp_path)) >= 2)
            os.kill(victim, signal.SIGKILL)
            finished_before.append(len(times(tmp_path)))

        killer = threading.Thread(target=kill)
        killer.start()
        with joblib.parallel_config(backend="dask"):
            fits = fit_many(model, data, folder=tmp_path, **options)
        killer.join()
        assert finished_before[0] < MANY and victim not in client.run(os.getpid).values()
    require_same(fits, uninterrupted)
