"""The cache: built once, complete or not at all."""

import subprocess
import sys

import pytest

from stanmix.engines import cache
from stanmix.errors import EngineError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))


def never(folder):
    raise AssertionError("built again")


def write(folder):
    (folder / "thing").write_text("done")


def test_where(tmp_path, monkeypatch):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("STANMIX_CACHE")
    assert cache.folder().name == "stanmix"


def test_key_depends_on_every_part_and_their_borders():
    assert cache.key("ab", "c") == cache.key("ab", "c")
    assert len({cache.key("ab", "c"), cache.key("a", "bc"), cache.key("abc")}) == 3


def test_built_once():
    place = cache.obtain("things", "k", write)
    assert (place / "thing").read_text() == "done"
    assert place == cache.folder() / "things" / "k"
    assert cache.obtain("things", "k", never) == place


def test_a_failed_build_leaves_nothing():
    def fail(folder):
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.obtain("things", "k", fail)
    assert [path.suffix for path in (cache.folder() / "things").iterdir()] == [".lock"]
    assert cache.obtain("things", "k", write).is_dir()


def test_what_a_killed_build_left_is_swept_away():
    left = cache.folder() / "things" / "k.draft-1"
    left.mkdir(parents=True)
    write(left)
    cache.obtain("things", "k", write)
    assert not left.exists()


@pytest.mark.engine
def test_two_processes_build_once(tmp_path):
    log = tmp_path / "log"
    script = f"""
import time
from pathlib import Path
from stanmix.engines import cache

def build(folder):
    with Path({str(log)!r}).open("a") as file:
        file.write("built\\n")
    time.sleep(0.5)
    (folder / "thing").write_text("done")

print((cache.obtain("things", "k", build) / "thing").read_text())
"""
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["done\n", "done\n"]
    assert log.read_text() == "built\n"


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="cannot be written") as caught:
        cache.obtain("things", "k", write)
    assert "STANMIX_CACHE" in caught.value.problems[0].hint


def test_an_error_of_the_build_is_not_one_of_the_cache():
    def build(folder):
        raise FileNotFoundError("what it is built from")

    with pytest.raises(FileNotFoundError):
        cache.obtain("programs", cache.key("a"), build)


def test_what_is_removed_is_gone_and_may_be_built_again():
    key = cache.key("a")
    cache.obtain("programs", key, write)
    (entry,) = cache.entries()
    cache.remove(entry)
    assert cache.entries() == []
    # Somebody else was faster.
    cache.remove(entry)
    assert [path.suffix for path in (cache.folder() / "programs").iterdir()] == [".lock"]
    assert cache.obtain("programs", key, write).is_dir()


def test_what_killed_builds_left_can_be_swept():
    left = cache.folder() / "homes" / f"{cache.key('a')}.draft-1"
    left.mkdir(parents=True)
    cache.sweep()
    assert not left.exists()
