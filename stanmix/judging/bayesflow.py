"""From a model to BayesFlow and back: networks that learn its posterior, and what they give.

What is simulated is the model's prior and its families; what networks learn are the points without
bounds of `stanmix.transforms`, so that no draw breaks a constraint, and the density of draws is
exact.

References
----------
Radev, S. T., Schmitt, M., Schumacher, L., Elsemueller, L., Pratz, V., Schaelte, Y., Koethe, U., &
Buerkner, P.-C. (2023). BayesFlow: Amortized Bayesian workflows with neural networks. *Journal of
Open Source Software*, 8(89), 5702.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.batches import observed, responses
from stanmix.errors import DataError, Problem, SpecError, StanmixError, listing, require_count
from stanmix.model import Model
from stanmix.prior_draws import prior_draws
from stanmix.simulation import required
from stanmix.storage import posterior_variables
from stanmix.transforms.layout import Transforms, transforms

Array = NDArray[np.float64]

POINTS, DATA = "points", "data"
"""What simulations call points without bounds, and data or their summaries."""

AT_ONCE = 1000
"""Draws whose density is asked for together."""


@dataclass(frozen=True, eq=False)
class Bridge:
    """A model for BayesFlow: what it simulates, how that is named, and what comes back.

    Parameters
    ----------
    model
        The model; its data say how many rows, units and series there are, and are what is observed.
    summary
        What data (set, place, number) are summarised to, (set, number); None if a network learns
        that.
    """

    model: Model
    summary: Callable[[Array], Array] | None

    @cached_property
    def transforms(self) -> Transforms:
        """Between parameters and points; bounds that are data do not apply, as in the prior."""
        return transforms(self.model, bounded_by_data=False)

    @cached_property
    def simulator(self) -> Any:
        """A `bayesflow.simulators.Simulator`: `.sample(1000)` gives points and data.

        `points` are parameters without bounds, (set, number); `data` are (set, place, number), with
        a place for each unit, or row where there are none, and the responses of its rows as its
        numbers, or what `summary` makes of all.
        """
        return _library().simulators.LambdaSimulator(self._simulated, is_batched=True)

    def sample(self, count: int, *, seed: int | None = None) -> dict[str, NDArray[np.float32]]:
        """Simulate parameters from the prior, and data from them.

        Parameters
        ----------
        count
            How many data sets.
        seed
            Seed of all that is drawn; another one at every call if not given.

        Returns
        -------
        dict
            `points` and `data`, as `simulator` gives them.

        Raises
        ------
        SpecError
            A prior is flat; or rows count several times.
        """
        require_count("count", count, 1)
        rng = np.random.default_rng(seed)
        spec = self.model.spec
        drawn = prior_draws(spec, int(count), rng)
        columns = responses(self.model, {name: drawn[name] for name in required(spec)}, rng)
        points = self.transforms.unconstrain(drawn)
        return {POINTS: points.astype(np.float32), DATA: self._conditions(columns)}

    def _simulated(self, batch_shape: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
        # BayesFlow seeds nothing: numpy's own state is what its users set.
        found = self.sample(int(np.prod(batch_shape)), seed=int(np.random.randint(2**31)))
        return {name: v.reshape(*batch_shape, *v.shape[1:]) for name, v in found.items()}

    @cached_property
    def adapter(self) -> Any:
        """A `bayesflow.Adapter`: which of the simulations networks infer, and from which."""
        kind = "summary_variables" if self.summary is None else "inference_conditions"
        adapter = _library().Adapter()
        return adapter.rename(POINTS, "inference_variables").rename(DATA, kind)

    @cached_property
    def observed(self) -> dict[str, NDArray[np.float32]]:
        """The data of the model, as simulated data are: one set."""
        return {DATA: self._conditions(observed(self.model))}

    def workflow(self, **options: Any) -> Any:
        """A `bayesflow.BasicWorkflow` with this simulator and adapter.

        Parameters
        ----------
        **options
            As it takes them. If not given, `inference_network` is a coupling flow of splines, and
            `summary_network`, where no `summary` is given, a deep set for a mixture, and a network
            for time series for a hidden Markov model.

        Returns
        -------
        BasicWorkflow
            To be trained: `.fit_online(..)`, or `.fit_offline(bridge.sample(20_000), ..)`.
        """
        bf = _library()
        if "inference_network" not in options:
            options["inference_network"] = bf.networks.CouplingFlow(
                transform="spline", subnet_kwargs={"dropout": 0.0}
            )
        if self.summary is None and "summary_network" not in options:
            mixture = self.model.spec.kind == "mix"
            network = bf.networks.DeepSet if mixture else bf.networks.TimeSeriesNetwork
            options["summary_network"] = network(summary_dim=4 * self.transforms.size)
        options = {"standardize": "all", **options}
        return bf.BasicWorkflow(simulator=self.simulator, adapter=self.adapter, **options)

    def draws(self, approximator: Any, count: int = 4000, *, seed: int = 1) -> xr.DataTree:
        """Draws of what a network takes for the posterior, as those of a fit.

        Parameters
        ----------
        approximator
            What has been trained: `workflow.approximator`.
        count
            How many draws.
        seed
            Their seed.

        Returns
        -------
        DataTree
            `posterior`, with one chain, by the names of the model and with its labels; and, in
            `sample_stats`, `log_q`, the log density of the parameters, less what follows from them:
            `psis` and `referee` take it with `scale="constrained"`.

        Raises
        ------
        DataError
            The network gives points of another number of columns, or none that is finite.
        """
        require_count("count", count, 1)
        sampled = approximator.sample(conditions=self.observed, num_samples=int(count), seed=seed)
        points = np.asarray(sampled[POINTS], dtype=np.float64).reshape(int(count), -1)
        if points.shape[1] != self.transforms.size or not np.isfinite(points).any():
            raise DataError(
                f"The network gives {points.shape[1]} numbers of a draw, and the model has "
                f"{self.transforms.size}."
                if points.shape[1] != self.transforms.size
                else "The network gives no number that is finite."
            )
        values = self.transforms.constrain(points)
        spec = self.model.spec
        along = {"chain": [1], "draw": np.arange(int(count))}
        posterior = posterior_variables(spec, {name: v[None] for name, v in values.items()})
        stats = xr.Dataset({"log_q": (("chain", "draw"), self._log_q(approximator, points)[None])})
        groups = {"posterior": posterior, "sample_stats": stats}
        return xr.DataTree.from_dict({n: g.assign_coords(along) for n, g in groups.items()})

    def log_q(self, approximator: Any) -> Callable[[Mapping[str, Array]], Array]:
        """The log density of parameters that a network takes for that of the posterior.

        Parameters
        ----------
        approximator
            What has been trained.

        Returns
        -------
        function
            Of parameters (draw, ...) by name, to be given to `psis` and `referee` with
            `scale="constrained"`: these ask it at the draws of a fit too, which tells what the
            network lacks.
        """

        def log_density(values: Mapping[str, Array]) -> Array:
            return self._log_q(approximator, self.transforms.unconstrain(values))

        return log_density

    def _log_q(self, approximator: Any, points: Array) -> Array:
        """The log density of parameters at points: (draw)."""
        found = []
        for start in range(0, len(points), AT_ONCE):
            some = points[start : start + AT_ONCE].astype(np.float32)
            # Networks are compiled for one number of draws.
            asked = np.concatenate([some, np.repeat(some[-1:], AT_ONCE - len(some), axis=0)])
            data = np.repeat(self.observed[DATA], AT_ONCE, axis=0)
            log_prob = approximator.log_prob({POINTS: asked, DATA: data})
            found.append(np.asarray(log_prob, dtype=np.float64)[: len(some)])
        return np.asarray(np.concatenate(found) - self.transforms.log_jacobian(points))

    def _conditions(self, columns: Mapping[str, Array]) -> NDArray[np.float32]:
        """Data as networks take them: (set, place, number), or their summary (set, number)."""
        rows = self.model.rows
        # Rows of a unit are next to each other, and units in the order of time.
        each = np.stack([values[:, rows.order] for values in columns.values()], axis=-1)
        data = each.reshape(len(each), len(rows.unit_size), -1)
        if self.summary is not None:
            data = np.asarray(self.summary(data), dtype=np.float64)
            if data.ndim != 2 or len(data) != len(each):
                raise DataError(
                    f"`summary` gives an array of shape {data.shape} for {len(each)} data sets, "
                    "and must give a row of numbers for each."
                )
        return data.astype(np.float32)


def to_bayesflow(model: Model, *, summary: Callable[[Array], Array] | None = None) -> Bridge:
    """A model for BayesFlow: simulator, adapter and workflow, and its draws as those of a fit.

    Parameters
    ----------
    model
        The model, with the data that are observed; simulated data have their rows.
    summary
        What the data are summarised to before a network sees them: a function of data (set, place,
        number), with a place for each unit or row, that gives (set, number). A network learns a
        summary if not given.

    Returns
    -------
    Bridge
        `workflow()` is trained with BayesFlow; `draws(workflow.approximator)` are draws, for
        `referee`, `c2st`, `psis` and `Model.with_draws`.

    Raises
    ------
    StanmixError
        BayesFlow is not installed.
    SpecError
        The model has parameters that networks cannot learn by their names (slopes, effects of
        groups, horseshoes, angles); rows lack responses, or these are censored; labels are known;
        units have unequal numbers of rows; there are several series; or rows differ in trials,
        limits or an offset, and there is no `summary`.

    Notes
    -----
    Bounds that are data do not hold in the prior, from which networks learn: draws of a
    non-decision time may be above the shortest response, which `referee` names, and `psis` gives
    the weight 0. Where nothing orders components networks learn all numberings.

    Examples
    --------
    >>> import numpy as np
    >>> import stanmix as sm
    >>> priors = {"mu": "normal(0, 2)"}
    >>> m = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": np.arange(9.0)}, priors=priors)
    >>> bridge = sm.to_bayesflow(m, summary=lambda y: np.sort(y[..., 0], axis=1))
    >>> {name: values.shape for name, values in bridge.sample(100, seed=1).items()}
    {'points': (100, 3), 'data': (100, 9)}
    """
    if not isinstance(model, Model):
        raise DataError(f"A model is needed, not {type(model).__name__}.")
    _library()
    spec, rows = model.spec, model.rows
    bridge = Bridge(model, summary)
    named = {parameter.name for parameter in spec.parameters}
    others = [name for name in bridge.transforms.names if name not in named]
    if others:
        raise SpecError(
            f"Networks learn what the posterior names, and of this model {listing(others)} would "
            "have to be learned: slopes, effects of groups, horseshoes and angles are sampled in "
            "other numbers."
        )
    if any(response.missing or response.censored for response in spec.responses):
        raise SpecError("Networks need a response in every row, and none that is censored.")
    if spec.known is not None:
        raise SpecError(f"Networks are not told of labels that are known (`known({spec.known})`).")
    if len(set(rows.unit_size)) > 1:
        raise SpecError("Networks need units with the same number of rows.")
    if len(rows.starts) > 1:
        raise SpecError("Networks need one series.")
    by_row = _by_row(model)
    if by_row and summary is None:
        raise SpecError(
            Problem(
                f"Networks are shown responses alone, and {listing(by_row)} may differ by row.",
                hint="a `summary`, which knows the rows, may make use of them",
            )
        )
    return bridge


def _by_row(model: Model) -> list[str]:
    """What rows have beside responses that their distribution depends on."""
    spec = model.spec
    found = [f"offset of {r.name}" for r in spec.regressions if r.offset is not None]
    for response in spec.responses:
        if response.addition == "trials":
            found += response.columns
        found += response.limits
    return [name for name in found if len(set(model.table.columns.get(name, "ab"))) > 1]


def _library() -> Any:
    """BayesFlow, with JAX unless another backend has been chosen."""
    if importlib.util.find_spec("bayesflow") is None:
        raise StanmixError("BayesFlow is not installed: `pip install 'stanmix[bayesflow]'`.")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import bayesflow

    return bayesflow
