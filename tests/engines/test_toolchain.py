"""The home of CmdStan from a wheel: how it is built and kept. A script stands in for the compiler.

What a home does with the real compiler is in `test_home.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stanmix.engines import archive, cache, engine, toolchain
from stanmix.engines.cmdstan import CmdStan
from stanmix.errors import EngineError
from stanmix.program.program import StanProgram

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]

CORE = {"main", "arguments", "run", "sample", "optimize", "generate_quantities", "log_prob"}

COMPILER = """#!/bin/sh
# Writes what it is asked for, and keeps a record of it.
[ "$1" = --version ] && { echo "fake $VERSION"; exit; }
echo "$@" >> "$RECORD"
[ -n "$SLOW" ] && sleep "$SLOW"
if [ -n "$WRONG" ]; then
  echo "run.cpp:7:1: error: expected an apology" >&2
  echo "  sorry" >&2
  exit 1
fi
while [ $# -gt 1 ]; do [ "$1" = -o ] && touch "$2"; shift; done
"""

STANC = """#!/bin/sh
for argument; do case $argument in --o=*) touch "${argument#--o=}";; esac; done
"""


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel and a compiler that only look the part, and a cache of their own."""
    wheel = tmp_path / "site packages" / "httpstan"
    (wheel / "include" / "stan").mkdir(parents=True)
    (wheel / "lib").mkdir()
    (wheel / "__init__.py").write_text("raise ImportError('nobody should import this')")
    (wheel / "include" / "stan" / "version.hpp").write_text(
        "#define STAN_MAJOR 2\n#define STAN_MINOR 99\n#define STAN_PATCH 1\n"
    )
    script(wheel / "stanc", STANC)
    information = wheel.parent / "httpstan-9.9.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: httpstan\nVersion: 9.9.0\n")
    monkeypatch.syspath_prepend(str(wheel.parent))
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(script(tmp_path / "c++", COMPILER)))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("VERSION", "1")
    for name in ("CPPFLAGS", "CXXFLAGS", "LDFLAGS", "O", "SLOW", "WRONG", "MAKE"):
        monkeypatch.delenv(name, raising=False)
    return wheel


@pytest.fixture
def record(tmp_path):
    """The objects that were compiled since it was last asked."""

    def compiled():
        path = tmp_path / "record"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        objects = (line.rsplit("/", 1)[-1].partition(".")[0] for line in lines)
        return sorted(objects)

    return compiled


def homes():
    return sorted(entry.path.name for entry in cache.entries() if entry.kind == "homes")


def silent(line):
    pass


def test_where_the_wheel_is(wheel):
    assert toolchain.find_wheel() == wheel


def test_cmdstanpy_accepts_a_home(wheel, monkeypatch):
    import cmdstanpy

    home = toolchain.home(say=silent)
    monkeypatch.setenv("CMDSTAN", str(home))
    assert cmdstanpy.cmdstan_path() == str(home)
    assert cmdstanpy.cmdstan_version() == (2, 99)
    assert (home / "bin" / "stanc").resolve() == wheel / "stanc"
    assert CmdStan(home).version == "2.99.1 (httpstan 9.9.0)"


def test_the_engine_takes_it_where_no_cmdstan_is_installed(wheel, record, monkeypatch, tmp_path):
    monkeypatch.delenv("CMDSTAN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine("auto").name == "stanli"
    assert record() == []
    assert engine("cmdstan").version == "2.99.1 (httpstan 9.9.0)"
    assert engine("auto").name == "stanli"


def test_no_header_is_compiled_with_clang(wheel, record, monkeypatch, tmp_path):
    """What clang compiles of a header works neither elsewhere nor with newer files."""
    monkeypatch.setenv("VERSION", "clang 1")
    toolchain.home(say=silent)
    assert "model_header.hpp -c" in (tmp_path / "record").read_text()
    assert record() == sorted(CORE)


def test_built_once(wheel, record):
    assert toolchain.built() is None
    home = toolchain.home(say=silent)
    assert record() == sorted({*CORE, "model_header"})
    assert toolchain.home(say=silent) == home == toolchain.built()
    assert record() == []


def test_told_while_it_is_built(wheel, capfd):
    told = []
    toolchain.home(say=told.append)
    assert told[0].startswith("Building CmdStan 2.99.1 from httpstan 9.9.0. This takes about two")
    assert told[1] == "  Compiling model_header.hpp.gch"
    assert set(told[2:-1]) == {f"  Compiling {name}.o" for name in CORE}
    assert told[-1].startswith("CmdStan is ready, after ")
    assert capfd.readouterr() == ("", "")


def test_told_on_standard_error(wheel, capfd):
    toolchain.home()
    out, err = capfd.readouterr()
    assert out == ""
    assert "Compiling sample.o" in err
    toolchain.home()
    assert capfd.readouterr() == ("", "")


def test_extras_when_asked_for(wheel, record):
    toolchain.home(say=silent)
    record()
    toolchain.home(extras=["pathfinder"], say=silent)
    assert record() == ["pathfinder"]
    toolchain.home(extras=toolchain.EXTRAS, say=silent)
    assert record() == ["laplace", "variational"]


@pytest.mark.parametrize("change", ["CXXFLAGS", "VERSION", "CXX", "upgraded", "moved"])
def test_built_anew_when_what_it_depends_on_changes(wheel, tmp_path, monkeypatch, change):
    first = toolchain.home(say=silent)
    if change == "CXX":
        monkeypatch.setenv("CXX", str(script(tmp_path / "other c++", COMPILER)).replace(" ", "\\ "))
    elif change == "upgraded":
        information = wheel.parent / "httpstan-9.9.0.dist-info" / "METADATA"
        information.write_text(information.read_text().replace("9.9.0", "9.9.1"))
    elif change == "moved":
        shutil.copytree(wheel.parent, tmp_path / "elsewhere")
        monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    else:
        monkeypatch.setenv(change, "-O1")
    assert toolchain.built() is None
    assert toolchain.home(say=silent) != first
    assert len(homes()) == 2


def test_homes_without_a_wheel_are_swept_away(wheel, tmp_path, monkeypatch):
    toolchain.home(say=silent)
    wheel.parent.rename(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    toolchain.home(say=silent)
    assert len(homes()) == 1


def test_remove(wheel):
    toolchain.home(say=silent)
    toolchain.remove()
    assert toolchain.built() is None
    toolchain.remove()


class TestPrograms:
    def compile(self, home, folder, *options, code="model { }"):
        source = folder / "model.stan"
        source.write_text(code)
        subprocess.run(["make", *options, str(source.with_suffix(""))], cwd=home, check=True)
        return source.with_suffix("")

    def test_are_compiled_with_all_methods(self, wheel, record, tmp_path):
        home = toolchain.home(say=silent)
        record()
        assert self.compile(home, tmp_path).exists()
        assert set(record()) >= {*toolchain.EXTRAS, "model"}

    def test_or_with_fewer(self, wheel, record, tmp_path):
        home = toolchain.home(say=silent)
        record()
        self.compile(home, tmp_path, "EXTRAS=")
        assert set(record()) == {"model"}

    def test_flags_are_never_mixed(self, wheel, record, tmp_path):
        home = toolchain.home(say=silent)
        record()
        self.compile(home, tmp_path, "EXTRAS=", "STAN_THREADS=True")
        (tmp_path / "model").unlink()
        assert set(record()) == {*CORE, "model_header", "model"}
        self.compile(home, tmp_path, "EXTRAS=", "STAN_THREADS=True")
        assert set(record()) == {"model"}
        assert len(list((home / "shared").iterdir())) == 2

    def test_user_header(self, wheel, tmp_path):
        home = toolchain.home(say=silent)
        self.compile(home, tmp_path, "EXTRAS=", "USER_HEADER=/some/where.hpp")
        record = (tmp_path / "record").read_text()
        assert "-include stan/model/model_header.hpp -include /some/where.hpp" in record

    def test_by_the_engine(self, wheel, record):
        engine = CmdStan(toolchain.home(say=silent))
        record()
        engine.compile(StanProgram("model { }", ()))
        assert "model" in record()


class TestCarriedElsewhere:
    """The cache of one user, exported and imported by another."""

    PROGRAM = StanProgram("model { }", ())

    @pytest.fixture
    def carried(self, wheel, record, tmp_path, monkeypatch):
        CmdStan(toolchain.home(say=silent)).compile(self.PROGRAM)
        archive.pack(tmp_path / "cache.tar.gz")
        monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "another user" / "cache"))
        assert archive.unpack(tmp_path / "cache.tar.gz") == 2
        record()

    def test_works_where_the_wheel_is_at_the_same_place(self, carried, record):
        CmdStan(toolchain.home(say=silent)).compile(self.PROGRAM)
        assert record() == []

    def test_is_made_anew_where_the_wheel_is_elsewhere(
        self, carried, wheel, record, tmp_path, monkeypatch
    ):
        wheel.parent.rename(tmp_path / "elsewhere")
        monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
        assert toolchain.built() is None
        CmdStan(toolchain.home(say=silent)).compile(self.PROGRAM)
        assert set(record()) == {*CORE, "model_header", "model"}


class TestFailures:
    def test_no_wheel(self, monkeypatch):
        monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
        assert toolchain.built() is None
        with pytest.raises(EngineError, match="`httpstan` is not installed") as caught:
            toolchain.home()
        assert caught.value.problems[0].hint == "run `pip install 'stanmix[toolchain]'`."

    @pytest.mark.parametrize("variable", ["CXX", "MAKE"])
    def test_no_compiler_or_make(self, wheel, monkeypatch, variable):
        monkeypatch.setenv(variable, "no-such-tool")
        with pytest.raises(EngineError, match="`no-such-tool` is missing") as caught:
            toolchain.home()
        assert "apt install g++ make" in caught.value.problems[0].hint

    def test_a_compiler_that_fails(self, wheel, monkeypatch):
        monkeypatch.setenv("WRONG", "1")
        with pytest.raises(EngineError) as caught:
            toolchain.home(say=silent, jobs=1)
        assert str(caught.value) == (
            "CmdStan could not be built:\n\n"
            "    run.cpp:7:1: error: expected an apology\n"
            "      sorry"
        )
        assert homes() == []

    def test_a_cache_that_cannot_be_written(self, wheel, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "file"))
        with pytest.raises(EngineError, match="cannot be written"):
            toolchain.home(say=silent)

    def test_interrupted(self, wheel, monkeypatch, record):
        def interrupt(line):
            if "Compiling" in line:
                raise KeyboardInterrupt

        monkeypatch.setenv("SLOW", "60")
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            toolchain.home(say=interrupt)
        assert time.monotonic() - started < 30
        assert homes() == []
        monkeypatch.delenv("SLOW")
        assert toolchain.home(say=silent).is_dir()


def other_process(wheel):
    """Another process that asks for the home."""
    code = "from stanmix.engines import toolchain; print(toolchain.home(jobs=1))"
    paths = [str(wheel.parent), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_processes_build_once(wheel, record, monkeypatch):
    monkeypatch.setenv("SLOW", "0.1")
    both = [other_process(wheel) for _ in range(2)]
    first, second = (process.communicate(timeout=60)[0] for process in both)
    assert first == second == f"{toolchain.built()}\n"
    assert record() == sorted({*CORE, "model_header"})


def test_killed_while_building(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("SLOW", "1")
    process = other_process(wheel)
    while not (tmp_path / "record").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert toolchain.built() is None
    monkeypatch.delenv("SLOW")
    home = toolchain.home(say=silent)
    assert homes() == [home.name]
