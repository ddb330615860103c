"""The embedded engine: stanli, Stan's compiler, math library and NUTS as one wheel.

A model is built in process, in milliseconds, from a program and its data together. Sampling and
optimising use `stanli.Model`; evaluation at given points uses the BridgeStan interface of the same
library, which works on arrays, draw by draw.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from textwrap import indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.engines import columns
from stanmix.engines.base import Data, Draws, Optimum, Progress, SamplerSettings, Variables
from stanmix.engines.progress import heard, stride
from stanmix.errors import EngineError, SamplingError, StanmixError, listing
from stanmix.program.program import StanProgram


class Stanli:
    """stanli as an `Engine`.

    Attributes
    ----------
    name : str
        `stanli`.
    version : str
        Version of the package.
    """

    name = "stanli"

    def __init__(self) -> None:
        stanli = _loaded()
        self.version: str = stanli.__version__
        self._stanli: Any = stanli
        self._translations: dict[str, str] = {}
        self._latest: tuple[str, int, Data, Any] | None = None

    def compile(self, program: StanProgram) -> None:
        """Translate `program`; functions that stanli lacks are found when it sees data."""
        self._translation(program)

    def sample(
        self,
        program: StanProgram,
        data: Data,
        settings: SamplerSettings,
        inits: Sequence[Variables] | None = None,
        progress: Progress | None = None,
    ) -> Draws:
        """Draws of the posterior by NUTS; see `Engine.sample`."""
        starts = None if inits is None else self._starts(program, data, inits)
        model = self._build(self._stanli.Model, program, data)
        with _failures(), heard(progress):
            fit = model.sample(
                chains=settings.chains,
                warmup=settings.warmup,
                samples=settings.draws,
                seed=settings.seed,
                delta=settings.adapt_delta,
                max_depth=settings.max_treedepth,
                metric=settings.metric,
                thin=settings.thin,
                parallel_chains=settings.parallel_chains,
                adapt_engaged=settings.warmup > 0,
                inits=starts,
                refresh=stride(settings.warmup + settings.draws) if progress else 0,
            )
        return Draws(
            variables=columns.unflatten(fit.names, fit.draws()),
            stats=columns.stats(self._stanli.SAMPLER_COLUMNS, fit.sampler_stats),
            engine=f"{self.name} {self.version}",
        )

    def generate(
        self,
        program: StanProgram,
        data: Data,
        parameters: Variables,
        names: Sequence[str],
        seed: int = 1,
    ) -> dict[str, NDArray[np.float64]]:
        """Transformed parameters and generated quantities; see `Engine.generate`."""
        model = self._bridge(program, data, seed)
        # Generated quantities cost time, and are left out if no name needs them.
        for include_gq in (False, True):
            flat = _flat_names(model, include_tp=True, include_gq=include_gq)
            layout = columns.layout(flat)
            unknown = [name for name in names if name not in layout]
            if not unknown:
                break
        else:
            raise EngineError(f"The program has no values of {listing(unknown)}.")

        points = columns.flatten(_flat_names(model), parameters)
        place = {name: layout[name][0] for name in names}
        out = {name: np.empty((len(points), at.stop - at.start)) for name, at in place.items()}
        row = np.empty(len(flat))
        rng = model.new_rng(seed)
        for draw, point in enumerate(points):
            with _failures(f"Draw {draw + 1}: "):
                free = model.param_unconstrain(point)
                model.param_constrain(
                    free, include_tp=True, include_gq=include_gq, rng=rng, out=row
                )
            for name, at in place.items():
                out[name][draw] = row[at]
        return {name: columns.in_shape(values, layout[name][1]) for name, values in out.items()}

    def log_density(
        self, program: StanProgram, data: Data, parameters: Variables
    ) -> tuple[float, NDArray[np.float64]]:
        """Log density with Jacobian, and its gradient; see `Engine.log_density`."""
        model = self._bridge(program, data)
        point = _unconstrained(model, parameters)
        with _failures():
            density, gradient = model.log_density_gradient(point)
        return density, gradient

    def optimize(self, program: StanProgram, data: Data, init: Variables, seed: int = 1) -> Optimum:
        """The posterior mode on the unconstrained scale; see `Engine.optimize`."""
        start = _unconstrained(self._bridge(program, data), init)
        model = self._build(self._stanli.Model, program, data)
        with _failures():
            found = _where_loaded(partial(model.optimize, seed=seed, init=start))
        values = np.array(list(found.values()))
        return Optimum(columns.unflatten(list(found), values), found.lp)

    def target(self, program: StanProgram, data: Data) -> StanliTarget:
        """The log density on the unconstrained scale; see `Unconstrained.target`."""
        return StanliTarget(self._bridge(program, data))

    def _translation(self, program: StanProgram) -> str:
        """`program` as stanli's compiler leaves it."""
        if program.key not in self._translations:
            try:
                self._translations[program.key] = self._stanli.stan_to_mir(program.code)
            except RuntimeError as error:
                raise _refusal("the program", error) from error
        return self._translations[program.key]

    def _build(
        self, kind: Callable[..., Any], program: StanProgram, data: Data, **options: int
    ) -> Any:
        """`program` with `data`, as a `kind` of model."""
        translation = self._translation(program)
        try:
            return kind(mir=translation, data=dict(data), **options)
        except RuntimeError as error:
            raise _refusal("the program with these data", error) from error

    def _bridge(self, program: StanProgram, data: Data, seed: int = 1) -> Any:
        """A `bridgestan.StanModel`; `seed` is that of its transformed data.

        The latest is kept: points and draws come in many calls with the same, large, data.
        """
        if self._latest is not None:
            *described, latest_data, model = self._latest
            if described == [program.key, seed] and latest_data is data:
                return model
        model = self._build(self._stanli.bridgestan_model, program, data, seed=seed)
        self._latest = (program.key, seed, data, model)
        return model

    def _starts(
        self, program: StanProgram, data: Data, inits: Sequence[Variables]
    ) -> NDArray[np.float64]:
        """`inits` on the unconstrained scale, one row a chain."""
        model = self._bridge(program, data)
        return np.array(
            [
                _unconstrained(model, init, f"Chain {chain} could not start: ")
                for chain, init in enumerate(inits, 1)
            ]
        )


class _Loaded:
    """Where stanli was loaded: the thread, and what runs calls there if it is one of our own."""

    lock = threading.Lock()
    thread: int | None = None
    pool: ThreadPoolExecutor | None = None


def _loaded() -> Any:
    """The library. Its optimizer crashes in any thread but the one that loads it.

    So that is the main thread, or, where another one needs it first, as in the workers of a
    cluster, a thread that is there to stay.
    """
    with _Loaded.lock:
        main = threading.main_thread().ident
        if "stanli" in sys.modules:
            # Who loaded it before us did so in the main thread, as far as we can know.
            _Loaded.thread = _Loaded.thread or main
        elif threading.get_ident() == main:
            _Loaded.thread = main
        else:
            _Loaded.pool = ThreadPoolExecutor(1, "stanli")
            _Loaded.thread = _Loaded.pool.submit(_load).result()
    import stanli

    return stanli


def _load() -> int:
    import stanli  # noqa: F401

    return threading.get_ident()


def _where_loaded(call: Callable[[], Any]) -> Any:
    """What a call returns in the thread that loaded stanli."""
    if _Loaded.pool is not None:
        return _Loaded.pool.submit(call).result()
    if threading.get_ident() != _Loaded.thread:
        raise EngineError(
            "stanli, which finds starting points, was loaded by the main thread and cannot do so "
            "in another one: use processes in the place of threads."
        )
    return call()


class StanliTarget:
    """The density of a BridgeStan model; see `stanmix.engines.base.Target`."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._names = _flat_names(model)
        self.size = int(model.param_unc_num())

    def unconstrain(self, parameters: Variables) -> NDArray[np.float64]:
        """Points (draw, size); see `Target.unconstrain`."""
        rows = columns.flatten(self._names, parameters)
        with _failures():
            return np.array([self._model.param_unconstrain(row) for row in rows])

    def constrain(self, points: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every variable, (draw, *shape) each; see `Target.constrain`."""
        everything = {"include_tp": True, "include_gq": True}
        rng = self._model.new_rng(1)
        with _failures():
            rows = [self._model.param_constrain(p, **everything, rng=rng) for p in points]
        return columns.unflatten(_flat_names(self._model, **everything), np.array(rows))

    def log_density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log densities (draw); see `Target.log_density`."""
        return np.array([self._at(self._model.log_density, point, -np.inf) for point in points])

    def gradient(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gradients (draw, size); see `Target.gradient`."""
        none = (np.nan, np.full(self.size, np.nan))
        found = [self._at(self._model.log_density_gradient, point, none)[1] for point in points]
        return np.array(found).reshape(len(points), self.size)

    @staticmethod
    def _at(function: Callable[..., Any], point: NDArray[np.float64], otherwise: Any) -> Any:
        """What a function of the model says of a point; Stan refuses those without a density."""
        try:
            return function(point)
        except RuntimeError:
            return otherwise


def _flat_names(model: Any, **include: bool) -> list[str]:
    """Names of the columns of a BridgeStan model, which calls no columns one empty name."""
    return [name for name in model.param_names(**include) if name]


def _unconstrained(model: Any, parameters: Variables, where: str = "") -> Any:
    """A point on the unconstrained scale of a BridgeStan model."""
    with _failures(where):
        return model.param_unconstrain(columns.flatten(_flat_names(model), parameters))


def _refusal(what: str, error: RuntimeError) -> EngineError:
    return EngineError(f"stanli refused {what}:\n\n{indent(str(error).strip(), '    ')}")


@contextmanager
def _failures(where: str = "") -> Iterator[None]:
    """Errors of stanli as errors of sampling, which begin with `where`."""
    try:
        yield
    except StanmixError:
        raise
    except RuntimeError as error:
        raise SamplingError(where + _sentence(error)) from error


def _sentence(error: RuntimeError) -> str:
    """What a stanli error says, less where inside stanli it arose, in our words."""
    said = str(error).partition("\n")[0]
    said = re.sub(r"^(stanli [\w ]+|optimize failed|\d+ of \d+ chains failed; first): ", "", said)
    said = re.sub(r"^chain (\d+): initialization failed:", r"Chain \1 could not start:", said)
    return re.sub(r"^chain (\d+):", r"Chain \1 failed:", said)
