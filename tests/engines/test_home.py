"""The home of CmdStan from a wheel, with the real compiler: all that cmdstanpy asks of CmdStan."""

import json
import re
import shutil
import subprocess
from collections import namedtuple
from importlib.util import find_spec
from pathlib import Path

import cmdstanpy
import numpy as np
import pytest

from stanmix.engines import toolchain
from stanmix.engines.stanli import Stanli
from stanmix.program.program import StanProgram

HERE = Path(__file__).parent
DATA = {"K": 3, "none": 0}
PARAMETERS = (
    *("free", "above", "below", "between", "scaled", "v", "rv", "m", "w", "u", "o", "po"),
    *("L", "C", "R", "S", "a", "aw", "am", "empty", "empties"),
)
SIMPLEXES = {"w": 1, "aw": 2}

pytestmark = [
    pytest.mark.engine,
    # What one of these tests compiles the next ones use.
    pytest.mark.xdist_group("home"),
    pytest.mark.skipif(toolchain.find_wheel() is None, reason="httpstan is not installed"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed"),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


@pytest.fixture(scope="module")
def home():
    with pytest.MonkeyPatch.context() as patch, cmdstanpy.disable_logging():
        home = toolchain.home()
        patch.setenv("CMDSTAN", str(home))
        yield home


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def compiled(home, work):
    """Compile a program of the folder `programs`, or another one, with the methods it needs."""

    def compiled(source, extras="", **options):
        target = work / "-".join([source.stem, *extras.split(), *options])
        stan = shutil.copy(source, target.with_suffix(".stan"))
        options["cpp_options"] = {"EXTRAS": extras, **options.pop("cpp_options", {})}
        return cmdstanpy.CmdStanModel(stan_file=stan, **options)

    return compiled


@pytest.fixture(scope="module")
def types(compiled):
    return compiled(HERE / "programs" / "types.stan")


@pytest.fixture(scope="module")
def fit(types):
    return sample(types, seed=1, chains=2, iter_warmup=200, iter_sampling=100, adapt_delta=0.95)


@pytest.fixture(scope="module")
def point(fit):
    """Values of all parameters."""
    drawn = fit.stan_variables()
    return {name: drawn[name][7] for name in PARAMETERS if name in drawn}


def sample(model, data=DATA, **options):
    return model.sample(data, sig_figs=17, show_progress=False, **options)


def start(model, chain=0, **options):
    """The values of parameters at which a chain starts."""
    drawn = sample(model, chains=2, fixed_param=True, iter_sampling=1, **options)
    rows = drawn.stan_variables()
    return {name: rows[name][chain] for name in PARAMETERS if name in rows}


def write(folder, values, name="values.json"):
    cmdstanpy.write_stan_json(str(folder / name), values)
    return folder / name


def read(path):
    """The comments of a CSV, then its other lines."""
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, *(line for line in lines if not line.startswith("#"))


def execute(executable, folder, command):
    """Run an executable or a model."""
    return subprocess.run(
        [getattr(executable, "exe_file", executable), *command.split()],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def same(one, other):
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-13, atol=1e-14, err_msg=name)


def test_what_an_executable_says_of_itself(types):
    info = types.exe_info()
    assert info["stan_version_major"] == "2"
    assert info["STAN_THREADS"] == "false"


class TestSample:
    def test_every_type(self, fit):
        shapes = {name: value.shape[1:] for name, value in fit.stan_variables().items()}
        assert shapes == {
            **dict.fromkeys(["free", "above", "below", "between", "scaled"], ()),
            **dict.fromkeys(["v", "rv", "w", "u", "o", "po", "log_w"], (3,)),
            **dict.fromkeys(["sum_v", "noise"], ()),
            **{"m": (2, 3), "L": (3, 3), "C": (3, 2), "R": (3, 3), "S": (2, 2), "a": (2, 3)},
            **{"aw": (2, 3), "am": (2, 2, 3), "twice": (2, 2, 3)},
        }
        np.testing.assert_allclose(fit.stan_variable("aw").sum(axis=-1), 1, rtol=1e-14)
        assert (np.diff(fit.stan_variable("o")) > 0).all()

    def test_what_cmdstanpy_reads(self, fit):
        config = fit.metadata.cmdstan_config
        assert (config["num_samples"], config["delta"], config["metric"]) == (100, 0.95, "diag_e")
        assert fit.step_size.shape == (2,)
        assert fit.metric_type == "diag_e"
        assert fit.metric.shape == (2, 64)
        assert fit.method_variables()["energy__"].shape == (100, 2)
        again = cmdstanpy.from_csv(list(fit.runset.csv_files))
        np.testing.assert_array_equal(again.draws(), fit.draws())

    def test_what_arviz_reads(self, fit):
        import arviz_base

        tree = arviz_base.from_cmdstanpy(fit)
        assert dict(tree.posterior["am"].sizes) | {"chain": 2, "draw": 100} == dict(
            tree.posterior["am"].sizes
        )
        assert "diverging" in tree.sample_stats

    def test_seed_and_chain_decide(self, types, fit):
        again = sample(
            types, seed=1, chains=1, chain_ids=2, iter_warmup=200, iter_sampling=100,
            adapt_delta=0.95,
        )  # fmt: skip
        np.testing.assert_array_equal(again.draws()[:, 0], fit.draws()[:, 1])

    @pytest.mark.parametrize("metric", ["unit_e", "diag_e", "dense_e"])
    def test_metrics(self, types, metric):
        found = sample(
            types,
            metric=metric,
            chains=1,
            seed=2,
            iter_warmup=100,
            iter_sampling=5,
            max_treedepth=4,
        )
        assert found.metric_type == metric
        shape = {"unit_e": None, "diag_e": (1, 64), "dense_e": (1, 64, 64)}[metric]
        assert (found.metric if shape is None else found.metric.shape) == shape

    @pytest.mark.parametrize("metric", ["diag_e", "dense_e"])
    def test_without_adaptation(self, types, metric):
        diagonal = np.linspace(0.1, 1, 64)
        given = diagonal if metric == "diag_e" else np.diag(diagonal)
        found = sample(
            types,
            metric=metric,
            inv_metric={"inv_metric": given},
            step_size=0.01,
            adapt_engaged=False,
            chains=1,
            iter_warmup=0,
            iter_sampling=5,
            max_treedepth=3,
        )
        assert found.step_size == [0.01]
        np.testing.assert_allclose(found.metric[0], given, rtol=1e-5)

    def test_warmup_is_saved_and_draws_are_thinned(self, types):
        found = sample(
            types, chains=1, iter_warmup=20, iter_sampling=30, save_warmup=True, thin=3, seed=2
        )
        assert found.draws(inc_warmup=True).shape[:2] == (7 + 10, 1)
        assert found.draws().shape[:2] == (10, 1)

    def test_progress(self, types, capfd):
        types.sample(DATA, chains=1, iter_warmup=10, iter_sampling=10, refresh=5, show_console=True)
        lines = re.findall(r"Iteration: +(\d+) / 20", capfd.readouterr().out)
        assert lines == ["1", "5", "10", "11", "15", "20"]
        types.sample(DATA, chains=1, iter_warmup=10, iter_sampling=10, show_progress=True)
        assert "Sampling completed" in capfd.readouterr().err

    def test_a_program_without_parameters(self, compiled, tmp_path):
        source = tmp_path / "nothing.stan"
        source.write_text("generated quantities { real x = normal_rng(0, 1); }")
        found = sample(compiled(source), None, chains=1, iter_sampling=5)
        assert len(set(found.stan_variable("x"))) == 5

    def test_saved_besides(self, types, tmp_path):
        data = write(tmp_path, DATA)
        output = "output file=more.csv diagnostic_file=latent.csv save_cmdstan_config=1"
        command = "sample num_warmup=100 num_samples=10 adapt save_metric=1"
        run = execute(types, tmp_path, f"id=2 data file={data} {output} {command}")
        assert run.returncode == 0
        config = json.loads((tmp_path / "more_config.json").read_text())
        assert config["method"]["sample"]["num_samples"] == 10
        metric = json.loads((tmp_path / "more_metric.json").read_text())
        assert (metric["metric_type"], len(metric["inv_metric"])) == ("diag_e", 64)
        _, header, *rows = read(tmp_path / "latent.csv")
        assert header.count(",") == 6 + 3 * 64
        assert len(rows) == 10

    def test_files_of_several_chains(self, types, tmp_path):
        data = write(tmp_path, DATA)
        command = (
            f"id=3 data file={data} output file=bare save_cmdstan_config=1 "
            "sample num_chains=2 num_warmup=20 num_samples=5 adapt save_metric=1"
        )
        assert execute(types, tmp_path, command).returncode == 0
        made = {path.name for path in tmp_path.iterdir()} - {data.name}
        assert made == {
            "bare_3.csv", "bare_4.csv", "bare_metric_3.json", "bare_metric_4.json",
            "bare_config.json",
        }  # fmt: skip


class TestInits:
    def test_values(self, types, point):
        same(point, start(types, inits=point))

    def test_values_by_chain(self, types, point):
        other = point | {"free": np.array(-3.0)}
        for chain, expected in enumerate((point, other)):
            same(expected, start(types, chain, inits=[point, other]))

    def test_a_file(self, types, point, work):
        same(point, start(types, inits=str(write(work, point))))

    def test_some(self, types):
        found = start(types, inits={"between": 1.5}, seed=1)
        assert found["between"] == 1.5
        assert found["free"] == start(types, seed=1)["free"] != start(types, seed=2)["free"]

    def test_a_radius(self, types):
        found = start(types, inits=0.01, seed=1)
        assert 0 < abs(found["free"]) < 0.01


class TestGenerate:
    def test_at_draws(self, types, fit):
        found = types.generate_quantities(DATA, fit, seed=1, sig_figs=17)
        drawn = fit.stan_variables()
        np.testing.assert_array_equal(found.stan_variable("sum_v"), drawn["sum_v"])
        np.testing.assert_array_equal(found.stan_variable("twice"), 2 * drawn["am"])
        assert len(set(found.stan_variable("noise"))) >= 100

    def test_several_chains_at_once(self, types, fit, tmp_path):
        fitted = ",".join(fit.runset.csv_files)
        command = f"generate_quantities fitted_params={fitted} num_chains=2"
        data = write(tmp_path, DATA)
        run = execute(
            types, tmp_path, f"data file={data} random seed=1 output file=x.csv {command}"
        )
        assert run.returncode == 0
        for chain in (0, 1):
            _, header, *rows = read(tmp_path / f"x_{chain + 1}.csv")
            found = dict(zip(header.split(","), rows[7].split(","), strict=True))
            expected = fit.stan_variable("sum_v")[100 * chain + 7]
            assert float(found["sum_v"]) == pytest.approx(expected, rel=1e-6)

    def test_the_fit_is_not_overwritten(self, types, fit, tmp_path):
        drawn = Path(shutil.copy(fit.runset.csv_files[0], tmp_path / "output.csv"))
        before = drawn.read_text()
        data = write(tmp_path, DATA)
        command = f"data file={data} generate_quantities fitted_params=output.csv"
        run = execute(types, tmp_path, command)
        assert run.returncode == 1
        assert 'Filename conflict, "output.csv" is read already' in run.stdout
        assert drawn.read_text() == before

    def test_warmup_too(self, types):
        drawn = sample(types, chains=1, iter_warmup=10, iter_sampling=10, save_warmup=True)
        found = types.generate_quantities(DATA, drawn, sig_figs=17)
        np.testing.assert_array_equal(
            found.stan_variable("sum_v", inc_warmup=True),
            drawn.stan_variable("sum_v", inc_warmup=True),
        )


class TestDensity:
    def test_equals_stanli(self, types, fit):
        """Up to half of log K a simplex, by which their transforms differ."""
        code = (HERE / "programs" / "types.stan").read_text()
        program, stanli = StanProgram(code, PARAMETERS), Stanli()
        drawn = fit.stan_variables()
        empty = {"empty": np.empty(0), "empties": np.empty((0, 2))}
        for draw in (0, 150):
            point = {name: drawn[name][draw] for name in PARAMETERS if name in drawn}
            found = types.log_prob(point, DATA, sig_figs=17)
            density, gradient = stanli.log_density(program, DATA, point | empty)
            constant = sum(SIMPLEXES.values()) * np.log(3) / 2
            assert abs(found["lp__"][0] - density) == pytest.approx(constant, rel=1e-8)
            outside = [not re.match(r"lp__|g_a?w\.", name) for name in found.columns]
            np.testing.assert_allclose(
                found.loc[0, outside], gradient[outside[1:]], rtol=1e-8, atol=1e-10
            )

    def test_without_jacobian(self, types, point):
        found = types.log_prob(point, DATA, jacobian=False, sig_figs=17)
        assert found["g_above"][0] == pytest.approx(-(point["above"] + 1), rel=1e-12)

    def test_at_unconstrained_points(self, types, tmp_path):
        points = np.random.default_rng(1).normal(size=(2, 64))
        data, found = write(tmp_path, DATA), []
        for i, values in enumerate([points, points[0], points[1]]):
            given = write(tmp_path, {"params_r": values}, "u.json")
            command = f"log_prob unconstrained_params={given} data file={data} output file={i}.csv"
            assert execute(types, tmp_path, command).returncode == 0
            found.append(read(tmp_path / f"{i}.csv")[2:])
        assert found[0] == found[1] + found[2]


def test_a_tolerance_may_be_very_small(types, tmp_path):
    data = write(tmp_path, DATA)
    command = f"data file={data} optimize iter=3 algorithm=lbfgs tol_obj=1e-310"
    assert execute(types, tmp_path, command).returncode == 0


@pytest.mark.parametrize("algorithm", ["lbfgs", "bfgs", "newton"])
def test_optimize(types, point, algorithm):
    # Not everything here has a mode; what has must be there.
    found = types.optimize(
        DATA,
        inits=point,
        algorithm=algorithm,
        iter=50,
        seed=1,
        sig_figs=17,
        require_converged=False,
    )
    np.testing.assert_allclose(found.stan_variable("v"), 0, atol=1e-3)
    with_jacobian = types.optimize(
        DATA, inits=point, algorithm=algorithm, iter=50, jacobian=True, require_converged=False
    )
    np.testing.assert_allclose(with_jacobian.stan_variable("rv"), 1, atol=1e-2)


def test_complex_numbers_and_tuples(compiled):
    model = compiled(HERE / "programs" / "composed.stan")
    inits = {
        "z": 1 + 2j,
        "zv": np.array([1j, 2]),
        "t": (1.0, np.array([0.2, 0.3, 0.5]), np.ones((2, 2))),
        "at": [(1.0, np.array([1.0, 2.0])), (2.0, np.array([3.0, 4.0]))],
    }
    drawn = sample(model, None, inits=inits, chains=1, fixed_param=True, iter_sampling=1)
    assert drawn.stan_variable("z")[0] == inits["z"]
    np.testing.assert_allclose(drawn.stan_variable("t")[0][1], inits["t"][1])
    np.testing.assert_allclose(drawn.stan_variable("at")[0][1][1], [3, 4])
    assert model.log_prob(inits)["g_z.imag"][0] == -2

    zero = sample(model, None, inits=0, chains=1, fixed_param=True, iter_sampling=1)
    np.testing.assert_allclose(zero.stan_variable("t")[0][1], 1 / 3)

    drawn = sample(model, None, chains=1, iter_warmup=100, iter_sampling=10, seed=1)
    found = model.generate_quantities(previous_fit=drawn, seed=1, sig_figs=17)
    np.testing.assert_array_equal(found.stan_variable("twice"), drawn.stan_variable("twice"))


Misuse = namedtuple("Misuse", "command says")


@pytest.mark.parametrize(
    "misuse",
    [
        Misuse("", "Usage: "),
        Misuse("data file=data.json", "A method must be specified!"),
        Misuse("sample colour=red", "colour=red is either mistyped or misplaced."),
        Misuse("sample engaged=1", "  method=sample adapt engaged=<boolean>"),
        Misuse("sample optimize", "optimize is either mistyped or misplaced."),
        Misuse("sampl", "sampl is either mistyped or misplaced."),
        Misuse("sample num_samples=-1", '-1 is not a valid value for "num_samples"'),
        Misuse("sample num_samples=1.5", "  Valid values: 0 <= num_samples"),
        Misuse("sample num_samples=99999999999", "is not a valid value"),
        Misuse("sample num_samples", "num_samples needs a value"),
        Misuse("sample thin=0", "  Valid values: 0 < thin"),
        Misuse("sample adapt delta=1", "  Valid values: 0.1 <= delta < 1"),
        Misuse("sample adapt delta=nan", "is not a valid value"),
        Misuse("sample adapt engaged=maybe", "  Valid values: [0, 1, false, true]"),
        Misuse("sample algorithm=hms", "  Valid values: hmc, fixed_param"),
        Misuse("sample random seed=-3", "  Valid values: -1 <= seed <= 4294967295"),
        Misuse("sample num_threads=2", "  Valid values: 1 <= num_threads <= 1"),
        Misuse("sample output sig_figs=40", "  Valid values: -1 <= sig_figs <= 18"),
        Misuse("pathfinder", "pathfinder is either mistyped or misplaced."),
        Misuse("sample", "variable does not exist; processing stage=data initialization"),
        Misuse("sample data file=none.json", 'Cannot open specified file, "none.json"'),
        Misuse("sample data file=data.R", "must end in .json. Found: data.R"),
        Misuse("sample data file=broken.json", "Error in JSON parsing"),
        Misuse("sample data file=real.json", "int variable contained non-int values"),
        Misuse("DATA sample num_warmup=0", "must be greater than zero if adaptation is enabled"),
        Misuse("DATA sample init=-1", "init must be a file, or a number that is not negative."),
        Misuse("DATA sample init=inf", "init must be a file, or a number that is not negative."),
        Misuse("DATA sample adapt engaged=0 save_metric=1", "save_metric needs adaptation"),
        Misuse("DATA sample output file=data.json", 'conflict, "data.json" is read already'),
        Misuse("DATA sample output file=/dev/full", 'Not all could be written to "/dev/full"'),
        Misuse("DATA sample init=none.json", 'Cannot open specified file, "none.json"'),
        Misuse("DATA sample init=wrong.json", "mismatch in number dimensions declared and found"),
        Misuse("DATA sample init=outside.json", "initial value"),
        Misuse("DATA sample num_chains=2 init=a.json,b.json,c.json", "Not as many files as"),
        Misuse("DATA sample algorithm=hmc metric_file=none.json", "Cannot open specified file"),
        Misuse("DATA sample algorithm=hmc metric_file=short.json", "dims declared=(64)"),
        Misuse("DATA sample output file=none/x.csv", 'Cannot write to "none/x.csv": No such file'),
        Misuse("DATA log_prob", "No input parameter files provided"),
        Misuse("DATA log_prob unconstrained_params=short.json", "Model has 64 parameters."),
        Misuse("DATA generate_quantities", "Missing fitted_params argument"),
        Misuse("DATA generate_quantities fitted_params=none.csv", "Cannot open specified file"),
        Misuse("DATA generate_quantities fitted_params=bad.csv", "Mismatch between model and"),
    ],
    ids=lambda misuse: misuse.command or "nothing",
)
def test_misuse(types, tmp_path, misuse):
    write(tmp_path, DATA, "data.json")
    write(tmp_path, {"K": 3.5, "none": 0}, "real.json")
    write(tmp_path, {"free": [1, 2]}, "wrong.json")
    write(tmp_path, {"between": 4}, "outside.json")
    write(tmp_path, {"inv_metric": [1, 2], "params_r": [1, 2]}, "short.json")
    (tmp_path / "broken.json").write_text('{"K": ')
    (tmp_path / "bad.csv").write_text("lp__,free,beyond\n0,1,2\n")
    words = misuse.command.replace("DATA", "data file=data.json")
    run = execute(types, tmp_path, words)
    assert run.returncode == 1
    assert misuse.says in run.stdout


def test_help(types, tmp_path):
    def ask(command):
        return execute(types, tmp_path, command).stdout

    assert "  optimize  Point estimation" in ask("help")
    assert "Valid subarguments: engaged, gamma" in ask("sample adapt help")
    assert "max_depth=<int>" not in ask("sample help")
    assert "              max_depth=<int>\n                Maximum tree depth\n" in ask("help-all")


@pytest.fixture(scope="module")
def complete(compiled):
    return compiled(HERE / "programs" / "types.stan", " ".join(toolchain.EXTRAS))


class TestExtras:
    """Methods that few programs need, and threads: what is compiled for them takes minutes."""

    pytestmark = pytest.mark.slow

    def test_pathfinder(self, complete):
        for options, draws in (
            ({"num_paths": 1, "draws": 70}, 70),
            ({"num_paths": 2, "draws": 70, "num_single_draws": 50}, 70),
            ({"num_paths": 2, "num_single_draws": 50, "psis_resample": False}, 100),
        ):
            found = complete.pathfinder(DATA, seed=1, **options)
            assert found.draws().shape[0] == draws
            assert found.create_inits(seed=1, chains=2)[1]["aw"].shape == (2, 3)

    def test_pathfinder_keeps_how_it_went(self, complete, tmp_path):
        data = write(tmp_path, DATA)
        for paths, names in ((1, ["how.json"]), (2, ["how_path_1.json", "how_path_2.json"])):
            command = f"pathfinder num_paths={paths} data file={data} output diagnostic_file=how.x"
            assert execute(complete, tmp_path, command).returncode == 0
            assert all("1" in json.loads((tmp_path / name).read_text()) for name in names)

    def test_laplace(self, complete, point):
        mode = complete.optimize(
            DATA, inits=point, jacobian=True, iter=200, sig_figs=17, require_converged=False
        )
        found = complete.laplace_sample(DATA, mode=mode, draws=100, seed=1)
        assert found.stan_variable("am").shape == (100, 2, 2, 3)

    @pytest.mark.parametrize("algorithm", ["meanfield", "fullrank"])
    def test_variational(self, complete, algorithm):
        found = complete.variational(
            DATA, algorithm=algorithm, iter=500, draws=50, seed=1, require_converged=False
        )
        assert found.stan_variable("am", mean=False).shape == (50, 2, 2, 3)
        assert found.eta > 0

    def test_user_header(self, compiled, work):
        (work / "twice.hpp").write_text(
            "namespace header_user_header_model_namespace {\n"
            "template <typename T> T twice(const T& x, std::ostream*) { return 2 * x; }\n}\n"
        )
        (work / "header.stan").write_text(
            "functions { real twice(real x); }\n"
            "parameters { real x; }\n"
            "model { target += std_normal_lpdf(twice(x)); }\n"
        )
        model = compiled(work / "header.stan", user_header=str(work / "twice.hpp"))
        assert model.log_prob({"x": 1.0})["g_x"][0] == -4

    def test_threads(self, compiled, types, fit, point):
        threaded = compiled(HERE / "programs" / "types.stan", cpp_options={"STAN_THREADS": True})
        assert threaded.exe_info()["STAN_THREADS"] == "true"
        found = sample(
            threaded, seed=1, chains=2, iter_warmup=200, iter_sampling=100, adapt_delta=0.95
        )
        np.testing.assert_array_equal(found.draws(), fit.draws())
        options = {"iter_warmup": 0, "adapt_engaged": False, "step_size": 1e-12}
        inits = [point | {"free": 9.0}, point]
        moved = sample(threaded, chains=2, iter_sampling=1, inits=inits, **options)
        np.testing.assert_allclose(moved.stan_variable("free"), [9, point["free"]], rtol=1e-6)
        again = threaded.generate_quantities(DATA, found, seed=1, sig_figs=17)
        np.testing.assert_array_equal(again.stan_variable("twice"), 2 * fit.stan_variable("am"))


@pytest.fixture(scope="module")
def theirs():
    prophet = find_spec("prophet")
    if prophet is None:
        pytest.skip("prophet is not installed")
    return Path(prophet.origin).parent / "stan_model" / "prophet_model.bin"


@pytest.fixture(scope="module")
def ours(theirs, compiled):
    model = compiled(theirs.with_name("prophet.stan"), " ".join(toolchain.EXTRAS))
    return Path(model.exe_file)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a command with prophet's data; the CSV, as comments and draws."""
    rng = np.random.default_rng(1)
    T, S = 100, 5
    t = np.linspace(0, 1, T)
    X = np.column_stack([np.sin(8 * np.pi * t), np.cos(8 * np.pi * t)])
    data = {"T": T, "K": 2, "S": S, "t": t, "cap": np.zeros(T), "X": X, "sigmas": [10, 10]}
    data |= {"y": 0.3 + 0.4 * t + 0.1 * X[:, 0] + rng.normal(0, 0.05, T), "tau": 0.05}
    data |= {"t_change": np.linspace(0.1, 0.8, S), "trend_indicator": 0}
    folder = tmp_path_factory.mktemp("prophet")
    write(folder, data | {"s_a": [1, 1], "s_m": [0, 0]}, "data.json")

    def run(executable, command):
        output = folder / f"{executable.name}-{len(list(folder.iterdir()))}.csv"
        begin = f"random seed=1 data file=data.json output file={output}"
        assert execute(executable, folder, f"{begin} {command}").returncode == 0
        comments, _, *rows = read(output)
        return comments, np.loadtxt(rows, delimiter=",", ndmin=2)

    return run


class TestAgainstCmdStan:
    """A real CmdStan of a later version, which the package prophet brings with its program."""

    pytestmark = pytest.mark.slow

    METHODS = ("sample", "optimize", "variational", "generate_quantities", "pathfinder")
    METHODS += ("log_prob", "laplace")

    def test_help_topics(self, theirs, ours):
        def topics(executable, method):
            text = execute(executable, None, f"{method} help-all").stdout.partition("Usage: ")[0]
            return set(re.findall(r"^ +([a-z_0-9]+)=?(?:<.*>)?$", text, re.MULTILINE))

        for method in self.METHODS:
            beyond = {"static", "int_time"} if method == "sample" else set()
            assert topics(ours, method) == topics(theirs, method) - beyond

    @pytest.mark.parametrize(
        "command",
        [
            "sample num_warmup=100 num_samples=10",
            "sample num_warmup=10 num_samples=10 algorithm=fixed_param",
            "sample num_warmup=100 num_samples=10 algorithm=hmc metric=dense_e",
            "optimize jacobian=1",
            "variational iter=200 output_samples=5",
            "pathfinder num_draws=20 num_psis_draws=10",
        ],
    )
    def test_comments(self, theirs, ours, run, command):
        def keys(executable):
            comments, _ = run(executable, command)
            return [line.partition(" = ")[0].strip() for line in comments if " = " in line]

        assert keys(ours) == keys(theirs)

    def test_posterior(self, theirs, ours, run):
        command = "sample num_warmup=1000 num_samples=1000"
        one, other = (run(executable, command)[1] for executable in (ours, theirs))
        both = np.stack([one, other])[:, :, 7:17]
        # The draws hardly depend on each other; five standard errors of the difference of means.
        error = both.std(axis=1).max(axis=0) * np.sqrt(2 / 200)
        assert (np.abs(np.subtract(*both.mean(axis=1))) < 5 * error).all()
