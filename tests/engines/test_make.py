"""Compilers: as many at the same time as processors and memory allow."""

import threading

import pytest

from stanmix.engines import make
from stanmix.errors import EngineError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))


def places(number, monkeypatch):
    monkeypatch.setattr(make, "most_compilers", lambda: number)


def test_who_finds_no_place_waits_for_one(monkeypatch):
    places(1, monkeypatch)
    started = threading.Event()

    def other():
        with make.compilers():
            started.set()

    with make.compilers():
        thread = threading.Thread(target=other)
        thread.start()
        assert not started.wait(0.5)
    assert started.wait(30)
    thread.join()


def test_places_are_shared(monkeypatch):
    places(3, monkeypatch)
    with make.compilers() as one, make.compilers(9) as rest:
        assert (one, rest) == (1, 2)
    with make.compilers(9) as all_of_them:
        assert all_of_them == 3


@pytest.mark.parametrize(("free", "count"), [(0, 1), (3 << 30, 1), (6 << 30, 2), (99 << 30, 4)])
def test_memory_and_processors_bound_them(free, count, monkeypatch):
    monkeypatch.setattr(make, "_free_memory", lambda: free)
    monkeypatch.setattr(make.os, "sched_getaffinity", lambda _: range(4), raising=False)
    assert make.most_compilers() == count


@pytest.mark.parametrize(("limit", "left"), [("max", float("inf")), ("4000", 1500)])
def test_a_containers_limit_counts(limit, left, tmp_path, monkeypatch):
    monkeypatch.setattr(make, "_LIMITS", tmp_path)
    assert make._left_of_limit() == float("inf")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 2500\ninactive_file 500\n")
    assert make._left_of_limit() == left


def test_options_of_the_environment_do_not_reach_make(tmp_path, monkeypatch):
    (tmp_path / "makefile").write_text("all:\n\t@echo got $(STAN_THREADS) $(CXXFLAGS)\n")
    monkeypatch.setenv("STAN_THREADS", "true")
    monkeypatch.setenv("CXXFLAGS", "-O1")
    said = []
    make.run(tmp_path, ["all"], "failed", said.append)
    assert said == ["got -O1\n"]


def test_a_failure_is_that_of_the_compiler(tmp_path):
    (tmp_path / "makefile").write_text("all:\n\t@echo 'a.cpp:1: error: no'; exit 1\n")
    with pytest.raises(EngineError) as caught:
        make.run(tmp_path, ["all"], "It could not be done")
    assert str(caught.value) == "It could not be done:\n\n    a.cpp:1: error: no"
