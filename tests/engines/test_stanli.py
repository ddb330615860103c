"""The embedded engine."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime

import stanmix as sm
from stanmix.engines import engine
from stanmix.engines.base import SamplerSettings
from stanmix.errors import EngineError, SamplingError
from stanmix.inits import starting_points
from stanmix.program.program import StanProgram
from stanmix.program.standata import standata
from tests.cases import CASES, Case

pytestmark = pytest.mark.engine

SHORT = SamplerSettings(chains=2, warmup=50, draws=20, seed=3)

NORMAL = StanProgram(
    """
data { int N; vector[N] y; }
parameters { real mu; real<lower=0> sigma; }
model {
  target += normal_lpdf(mu | 0, 5);
  target += gamma_lpdf(sigma | 2, 1);
  target += normal_lpdf(y | mu, sigma);
}
""",
    ("mu", "sigma"),
)
Y = np.array([0.3, -1.2, 2.2])


def normal_log_density(free):
    """The density of NORMAL at (mu, log sigma), with Jacobian."""
    mu, sigma = free[0], np.exp(free[1])
    return (
        stats.norm.logpdf(mu, 0, 5)
        + stats.gamma.logpdf(sigma, 2)
        + stats.norm.logpdf(Y, mu, sigma).sum()
        + free[1]
    )


@pytest.fixture(scope="module")
def stanli():
    return engine("stanli")


@pytest.fixture(scope="module")
def drawn(stanli, everything, everything_data, everything_inits):
    return stanli.sample(everything, everything_data, SHORT, everything_inits)


def test_importing_the_engines_imports_no_library():
    code = (
        "import stanmix.engines, sys; print({'stanli', 'bridgestan', 'cmdstanpy'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_every_variable_is_drawn_in_its_shape(drawn, everything_inits):
    shapes = {name: value.shape for name, value in everything_inits[0].items() if value.size}
    shapes |= {"log_w": (2,), "both": (2, 2, 3), "noise": ()}
    assert {n: v.shape for n, v in drawn.variables.items()} == {
        n: (2, 20, *shape) for n, shape in shapes.items()
    }
    assert {stat.shape for stat in drawn.stats.values()} == {(2, 20)}
    assert drawn.engine.startswith("stanli 0.")
    np.testing.assert_allclose(drawn.variables["w"].sum(-1), 1)
    np.testing.assert_allclose(drawn.variables["rows"].sum(-1), 1)
    np.testing.assert_allclose(np.square(drawn.variables["L"]).sum(-1), 1)
    np.testing.assert_array_equal(drawn.variables["both"][..., 1, :, :], 2 * drawn.variables["m"])


def test_generate_reproduces_what_was_drawn(stanli, everything, everything_data, drawn):
    draws = {name: value.reshape(-1, *value.shape[2:]) for name, value in drawn.variables.items()}
    found = stanli.generate(everything, everything_data, draws, ["both", "log_w", "w"])
    assert list(found) == ["both", "log_w", "w"]
    for name, value in found.items():
        np.testing.assert_allclose(value, draws[name], rtol=1e-13)

    data = everything_data | {"emit": 1}
    shifted = stanli.generate(everything, data, draws, ["shifted"])["shifted"]
    np.testing.assert_array_equal(shifted, draws["mu"][:, None, :] + [[1], [2]])


def test_each_call_has_its_own_data(stanli):
    point = {"mu": 0.0, "sigma": 1.0}
    data = {"N": 3, "y": Y}
    first = stanli.log_density(NORMAL, data, point)[0]
    other = stanli.log_density(NORMAL, {"N": 1, "y": Y[:1]}, point)[0]
    assert first - other == pytest.approx(stats.norm.logpdf(Y[1:]).sum())
    assert stanli.log_density(NORMAL, data, point)[0] == first


def test_generate_follows_its_seed(stanli, everything, everything_data, drawn):
    draws = {name: value[0] for name, value in drawn.variables.items()}
    first, same, other = (
        stanli.generate(everything, everything_data, draws, ["noise"], seed)["noise"]
        for seed in (1, 1, 2)
    )
    assert np.ptp(first) > 0
    np.testing.assert_array_equal(first, same)
    assert not np.any(first == other)


def test_log_density_and_gradient(stanli):
    data = {"N": 3, "y": Y}
    for mu, sigma in ((0.1, 1.3), (-2.0, 0.2)):
        free = np.array([mu, np.log(sigma)])
        density, gradient = stanli.log_density(NORMAL, data, {"mu": mu, "sigma": sigma})
        assert density == pytest.approx(normal_log_density(free), rel=1e-12)
        np.testing.assert_allclose(
            gradient, approx_fprime(free, normal_log_density, 1e-7), rtol=1e-5
        )


def test_optimize_finds_the_mode_with_jacobian(stanli):
    # log x has its mode at 1.
    program = StanProgram(
        "parameters { real<lower=0> x; } model { target += lognormal_lpdf(x | 1, 0.5); }", ("x",)
    )
    found = stanli.optimize(program, {}, {"x": np.array(7.0)})
    assert found.variables["x"].shape == ()
    assert found.variables["x"] == pytest.approx(np.e, rel=1e-5)
    assert found.lp == pytest.approx(stats.norm.logpdf(0, 0, 0.5))


def test_inits_are_where_chains_start(stanli, everything, everything_data, everything_inits):
    # Any step leaves the support of `a`, so the chains stay.
    data = everything_data | {"scale": 1e-12}
    settings = replace(SHORT, warmup=0, draws=1)
    found = stanli.sample(everything, data, settings, everything_inits).variables
    for chain, init in enumerate(everything_inits):
        for name in set(init) - {"none"}:
            np.testing.assert_allclose(found[name][chain, 0], init[name], rtol=1e-12, atol=1e-15)


def test_the_seed_decides(stanli, everything, everything_data, everything_inits, drawn):
    def again(**settings):
        return stanli.sample(
            everything, everything_data, replace(SHORT, **settings), everything_inits
        )

    for name, value in again(parallel_chains=1).variables.items():
        np.testing.assert_array_equal(value, drawn.variables[name])
    assert not np.any(again(seed=4).variables["a"] == drawn.variables["a"])


def test_settings_reach_the_sampler(stanli):
    settings = SamplerSettings(chains=1, warmup=20, draws=10, thin=2, max_treedepth=1)
    found = stanli.sample(NORMAL, {"N": 3, "y": Y}, settings)
    assert found.variables["mu"].shape == (1, 5)
    assert found.stats["tree_depth"].max() == 1


def test_progress_is_told_and_nothing_printed(stanli, capfd):
    calls = []
    data = {"N": 3, "y": Y}
    stanli.sample(NORMAL, data, SHORT, progress=lambda *call: calls.append(call))
    stanli.sample(NORMAL, data, SHORT)
    for chain in range(2):
        done = [call[1:] for call in calls if call[0] == chain]
        assert [n for n, _ in done] == sorted({n for n, _ in done})
        assert all(warming == (n <= 50) for n, warming in done)
        assert done[-1] == (70, False)
    assert capfd.readouterr() == ("", "")


def test_an_interruption_stops_the_chains(stanli):
    told = []

    def interrupt(*call):
        if not told:
            signal.raise_signal(signal.SIGINT)
        told.append(call)

    settings = replace(SHORT, draws=100_000)
    with pytest.raises(KeyboardInterrupt):
        stanli.sample(NORMAL, {"N": 3, "y": Y}, settings, progress=interrupt)
    assert max(done for _, done, _ in told) < 100_000


def test_no_parameter_is_free(stanli):
    program = StanProgram("parameters { simplex[1] w; } model { }", ("w",))
    assert np.all(stanli.sample(program, {}, SHORT).variables["w"] == 1)
    assert stanli.log_density(program, {}, {"w": np.ones(1)})[1].shape == (0,)


def test_a_program_that_is_refused(stanli):
    program = StanProgram("model { target += foo(1); }", ())
    with pytest.raises(EngineError, match=r"refused the program:\n\n    Semantic error (.|\n)*foo"):
        stanli.compile(program)


def test_data_that_are_refused(stanli):
    with pytest.raises(EngineError, match="these data:\n\n    .*unknown data variable y"):
        stanli.sample(NORMAL, {"N": 3}, SHORT)


def test_inits_that_are_refused(stanli):
    good = {"mu": np.array(0.0), "sigma": np.array(1.0)}
    with pytest.raises(SamplingError, match="^Chain 2 could not start: lb_free: .* for sigma"):
        stanli.sample(NORMAL, {"N": 3, "y": Y}, SHORT, [good, good | {"sigma": np.array(-1.0)}])
    with pytest.raises(EngineError, match="No values of `mu`"):
        stanli.sample(NORMAL, {"N": 3, "y": Y}, SHORT, [good, {"sigma": np.array(1.0)}])


def test_chains_that_cannot_start(stanli):
    data = {"N": 3, "y": np.full(3, np.nan)}
    with pytest.raises(SamplingError, match="^Chain 1 could not start: no draw .* must be not nan"):
        stanli.sample(NORMAL, data, SHORT)


def test_points_that_are_refused(stanli):
    data = {"N": 3, "y": Y}
    with pytest.raises(SamplingError, match="^lb_free"):
        stanli.log_density(NORMAL, data, {"mu": 0.0, "sigma": -1.0})
    with pytest.raises(SamplingError, match="^lb_free"):
        stanli.optimize(NORMAL, data, {"mu": np.array(0.0), "sigma": np.array(-1.0)})
    with pytest.raises(SamplingError, match="^Draw 2: lb_free"):
        stanli.generate(NORMAL, data, {"mu": np.zeros(2), "sigma": np.array([1.0, -1])}, ["mu"])
    with pytest.raises(EngineError, match="no values of `nothing`"):
        stanli.generate(NORMAL, data, {"mu": np.zeros(2), "sigma": np.ones(2)}, ["nothing"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_part_of_a_program_is_left_to_the_interpreter(
    case: Case, stanli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is far slower than what is compiled; stanli would say so on the console alone."""
    monkeypatch.setenv("STANLI_NO_INTERPRETER", "1")
    model = sm.model(case.formula, case.data, priors=case.priors)
    rng = np.random.default_rng(1)
    point = next(starting_points(model.spec, model.data, model.rows, rng))
    data = standata(model.spec, model.table, model.rows, model.encoded, emit=True)
    stanli.log_density(model.program, model.data, point)
    drawn = {name: value[None] for name, value in point.items()}
    assert np.isfinite(
        stanli.generate(model.program, data, drawn, ["log_omega"])["log_omega"]
    ).any()


@pytest.mark.parametrize("K", range(1, 14))
def test_priors_of_vectors_in_loops_are_right_for_any_number_of_components(K: int) -> None:
    """Loops of six turns and more are put together by stanli, which once confused sizes."""
    rng = np.random.default_rng(K)
    data = {name: rng.normal(size=40) for name in ("u", "v", "w", "x", "z")}
    data["g"] = np.arange(40) % 4
    for formula in (
        f"cbind(u, v, w) ~ mix(normal, K={K}, cov=diag)",
        f"u ~ mix(normal, K={K}); mu ~ x + z; sigma ~ x + (1 + x | g)",
    ):
        model = sm.model(formula, data)
        start = next(starting_points(model.spec, model.data, model.rows, rng))
        assert np.isfinite(engine("stanli").log_density(model.program, model.data, start)[0])


IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import threading
from stanmix.engines import engine
from tests.engines.test_stanli import NORMAL, Y

DATA, START = {"N": 3, "y": Y}, {"mu": np.array(0.0), "sigma": np.array(1.0)}
together = threading.Barrier(3)


def optimum(_):
    together.wait()
    return float(engine("stanli").optimize(NORMAL, DATA, START).variables["mu"])


with ThreadPoolExecutor(3) as pool:
    found = set(pool.map(optimum, range(3)))
again = engine("stanli").optimize(NORMAL, DATA, START).variables["mu"]
print(len(found | {float(again)}))
"""


def test_where_threads_load_it_all_of_them_can_optimize():
    """Its optimizer crashes in any thread but the one that loaded it."""
    run = subprocess.run([sys.executable, "-c", IN_THREADS], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "1\n"), run.stderr


def test_another_thread_than_the_main_one_that_loaded_it_is_told_so(stanli):
    said = []

    def optimize():
        try:
            stanli.optimize(NORMAL, {"N": 3, "y": Y}, {"mu": np.array(0.0), "sigma": np.array(1.0)})
        except EngineError as error:
            said.append(str(error))

    other = threading.Thread(target=optimize)
    other.start()
    other.join()
    assert said and "use processes in the place of threads" in said[0]
