"""`Model`: a formula resolved against data, with its program, before any engine is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from stanmix.data import Table, read_table, require_enough
from stanmix.design import Encodings, encodings
from stanmix.diagnosis import warn_of
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine, SamplerSettings, Variables
from stanmix.engines.progress import bars
from stanmix.equations import equations
from stanmix.errors import (
    IdentifiabilityWarning,
    SpecError,
    require_count,
    warn,
)
from stanmix.families import Family
from stanmix.fit import Fit
from stanmix.given import given_values
from stanmix.identifiability import held_correlations, identifiability_warnings
from stanmix.language.resolve import resolve
from stanmix.language.syntax import parse
from stanmix.other_data import on_other_data
from stanmix.own_families import with_own
from stanmix.prior_draws import prior_draws
from stanmix.program.program import StanProgram
from stanmix.program.render import render, require_distinct_names
from stanmix.program.rows import Rows, arrange
from stanmix.program.standata import standata
from stanmix.settings import LARGEST, sampler_settings, seed_of_call
from stanmix.simulation import Simulated, checked, required, simulate
from stanmix.spec import ModelSpec, Parameter
from stanmix.starts import Starts
from stanmix.storage import draws_tree, posterior_variables
from stanmix.transforms import Transforms, transforms


def model(
    formula: str,
    data: Any,
    *,
    priors: Mapping[str, str] | None = None,
    families: Sequence[Family] = (),
) -> Model:
    """The model that a formula describes for some data. Needs no engine.

    Parameters
    ----------
    formula
        A model line such as `y ~ mix(normal, K=3)`.
    data
        A data frame (pandas, polars) or a mapping of arrays; a two-dimensional array stands for its
        columns.
    priors
        Prior text by parameter (`{"mu": "normal(0, 5)"}`); the others keep their defaults.
    families
        Families of your own that the formula may name; see `stanmix.Family`.

    Returns
    -------
    Model
        Its specification, priors and program, and `fit` to draw from its posterior.

    Raises
    ------
    FormulaError, SpecError
        The formula or the priors make no model.
    DataError
        The data do not fit it.

    Warns
    -----
    IdentifiabilityWarning
        The posterior may be improper, or not identify all parameters.

    Examples
    --------
    >>> m = model("y ~ mix(normal, K=2)", {"y": [0.1, 0.3, 4.0, 4.2]})
    >>> m.priors()["prior"].tolist()
    ['normal(2.15, 4.875)', 'inv_gamma(3, 1.95)', 'dirichlet(2)']
    """
    return _warned_of(build(formula, data, priors, families))


def _warned_of(made: Model) -> Model:
    for message in identifiability_warnings(made.spec, made.data):
        warn(message, IdentifiabilityWarning)
    return made


def build(
    formula: str,
    data: Any,
    priors: Mapping[str, str] | None = None,
    families: Sequence[Family] = (),
) -> Model:
    """`model` without warnings.

    Parameters
    ----------
    formula, data, priors, families
        As of `model`.

    Raises
    ------
    FormulaError, SpecError, DataError
        As of `model`.
    """
    if priors is not None and not isinstance(priors, Mapping):
        raise SpecError("`priors` is a mapping from parameters to priors: {'mu': 'normal(0, 5)'}.")
    table = read_table(data)
    spec = resolve(parse(formula), table, priors, with_own(families))
    require_distinct_names(spec)
    return _made(spec, table)


def transfer(model: Model, data: Any) -> Model:
    """`Model.on` without warnings."""
    table = read_table(data)
    return _made(on_other_data(model.spec, model.table, table), table, model.encoded)


def _made(spec: ModelSpec, table: Table, encoded: Encodings | None = None) -> Model:
    """A model from what the formula means; its data encode covariates if no others do."""
    rows = arrange(spec, table)
    spec = replace(spec, gaps=spec.gaps or bool((rows.steps > 1).any()))
    require_enough(spec.K, len(rows.unit_size), "units" if spec.unit else "rows")
    encoded = encodings(spec, table) if encoded is None else encoded
    return Model(spec, table, rows, encoded, standata(spec, table, rows, encoded))


@dataclass(frozen=True, eq=False)
class Model:
    """A model and the data it is for.

    Parameters
    ----------
    spec
        What the formula means.
    table
        The data as given.
    rows
        How its rows are arranged in `data`.
    encoded
        How it encodes covariates: what it took for that from its data.
    data
        The data block of the program, ready for sampling.
    """

    spec: ModelSpec
    table: Table
    rows: Rows
    encoded: Encodings
    data: Mapping[str, Any]

    @cached_property
    def program(self) -> StanProgram:
        """The Stan program."""
        return render(self.spec)

    @property
    def code(self) -> str:
        """The text of the Stan program."""
        return self.program.code

    def priors(self) -> pd.DataFrame:
        """Every prior.

        Returns
        -------
        DataFrame
            One prior a row: `parameter`, the key under which `priors=` takes another one; `prior`;
            the bounds `lower` and `upper`, to which the prior is truncated; and `order`.
        """
        rows = []
        for parameter in self.spec.parameters:
            for entry in parameter.priors:
                index = _index(entry.index, [self.spec.labels[a] for a in parameter.axes])
                row: dict[str, object] = {
                    "parameter": parameter.name + index,
                    "prior": str(entry.prior),
                    "lower": parameter.lower,
                    "upper": _upper(parameter),
                    "order": "increasing" if parameter.order else "",
                }
                if entry.increments:
                    row |= {"parameter": f"diff({parameter.name})", "order": ""}
                    row |= {"lower": 0.0, "upper": None}
                rows.append(row)
        return pd.DataFrame(rows).astype(object).where(lambda f: f.notna(), "")

    def equations(self) -> str:
        """The model as mathematics in plain text.

        Returns
        -------
        str
            Lines: responses, what varies, states, priors. Rows are n (or units u), components or
            states k and j; `~` reads "is distributed as".

        Examples
        --------
        >>> m = model("y ~ mix(poisson, K=2); rate ~ x", {"y": [0, 1, 7, 9], "x": [1, 2, 3, 6]})
        >>> print(m.equations())
        y[n] | z[n] = k  ~  poisson(rate[n, k])
        <BLANKLINE>
        log(rate[n, k]) = log(rate[k]) + beta_rate[k, x] (x[n] - 3)
        <BLANKLINE>
        z[n]  ~  categorical(weights)
        <BLANKLINE>
        rate  ~  exponential(0.235294117647059), above 0, increasing in state
        beta_rate  ~  normal(0, [1.34])
        weights  ~  dirichlet(2)
        """
        return equations(self.spec)

    def sample_prior(self, draws: int = 1000, *, seed: int | None = None) -> xr.Dataset:
        """Draws from the prior. Needs no engine.

        Bounds that are data, such as a non-decision time below the shortest response, restrict the
        posterior and not the prior; they do not apply here.

        Parameters
        ----------
        draws
            How many.
        seed
            Seed of the draws; another one at every call if not given.

        Returns
        -------
        Dataset
            (chain, draw, ...) each, with one chain, by the names of the posterior.

        Raises
        ------
        SpecError
            A prior is flat, or an order leaves next to nothing of it.

        Examples
        --------
        >>> m = model("y ~ mix(normal, K=2)", {"y": [0.1, 0.3, 4.0, 4.2]})
        >>> prior = m.sample_prior(100, seed=1)
        >>> bool((prior["mu"].diff("state") > 0).all())
        True
        """
        require_count("draws", draws, 1, LARGEST)
        # A stream of its own: data that are simulated with the same seed are independent of it.
        stream = np.random.SeedSequence(seed_of_call(seed), spawn_key=(1,))
        drawn = prior_draws(self.spec, draws, np.random.default_rng(stream))
        along = {"chain": [1], "draw": np.arange(draws)}
        variables = {name: values[None] for name, values in drawn.items()}
        return posterior_variables(self.spec, variables).assign_coords(along)

    def simulate(
        self, parameters: Mapping[str, Any] | None = None, *, seed: int | None = None
    ) -> Simulated:
        """Simulate responses for the rows of the data, which keep all else.

        Rows without a response stay without; known labels become the true ones; no response is
        censored.

        Parameters
        ----------
        parameters
            Values by the names of the posterior; of a parameter that varies, its coefficients
            (`beta_mu`) in place of its value at the covariates' means. Drawn from the prior if not
            given.
        seed
            Seed of everything random; another one at every call if not given.

        Returns
        -------
        Simulated
            `data`, a data frame; the true `states` of its rows; and the `parameters`.

        Raises
        ------
        SpecError
            Parameters are missing or unknown, or have another shape; a prior is flat; or rows
            count several times.

        Examples
        --------
        >>> m = model("y ~ mix(poisson, K=2)", {"y": [0, 1, 7, 9]})
        >>> drawn = m.simulate({"rate": [1.0, 50.0], "weights": [0.5, 0.5]}, seed=1)
        >>> bool(((drawn.data["y"] > 15) == (drawn.states == 2)).all())
        True
        """
        rng = np.random.default_rng(seed_of_call(seed))
        if parameters is None:
            drawn = prior_draws(self.spec, 1, rng)
            parameters = {name: drawn[name][0] for name in required(self.spec)}
        values = checked(self.spec, parameters)
        return simulate(self.spec, self.table, self.rows, self.encoded, values, rng)

    def with_draws(self, draws: Any, *, origin: str = "given draws") -> Fit:
        """Draws of another tool as a fit of this model, of which all questions may be asked.

        Parameters
        ----------
        draws
            A tree of draws with the group `posterior`, or that group; arrays (draw, ...) by the
            names of the posterior; a table with a column for each number (`mu[1]`, or `mu.1`); or
            the path of such a table as CSV.
        origin
            Where they are from: what the fit says in the place of an engine.

        Returns
        -------
        Fit
            With these draws; of what the model does not determine, such as the parts of a
            horseshoe, with some that lead to them.

        Raises
        ------
        DataError
            A parameter is missing, has another shape, or breaks a constraint of the model.

        Examples
        --------
        >>> m = model("y ~ mix(normal(sigma=1), K=2)", {"y": [0.1, 0.3, 4.0, 4.2]})
        >>> draws = {"mu": [[0.2, 4.1], [0.1, 4.0]], "weights": [[0.5, 0.5], [0.4, 0.6]]}
        >>> m.with_draws(draws).membership().round(2)[2].tolist()
        [0.0, 0.0, 1.0, 1.0]
        """
        from stanmix.foreign import with_draws

        return with_draws(self, draws, origin=origin)

    def transforms(self) -> Transforms:
        """Between the parameters and points without bounds, as Stan samples them.

        Returns
        -------
        Transforms
            `unconstrain`, `constrain` and `log_jacobian`, batched, with numpy alone; and `to_json`.

        Notes
        -----
        They are those of Stan from 2.37 on, which has simplexes by isometric log-ratios. An upper
        bound that is data, such as that of a non-decision time, is that of these data.
        """
        return transforms(self)

    def __repr__(self) -> str:
        spec = self.spec
        kind = "Mixture" if spec.kind == "mix" else "Hidden Markov model"
        units = f", {len(self.rows.unit_size)} units" if spec.unit else ""
        series = f", {len(self.rows.starts)} series" if spec.series else ""
        lines = [
            f"{kind}: {spec.formula}",
            f"{self.table.n_rows} rows{units}{series}",
            "",
            self.priors().to_string(index=False),
        ]
        return "\n".join([*lines, *(f"\nNote: {note}" for note in spec.notes)])

    def on(self, data: Any) -> Model:
        """The same model for other data.

        Nothing about it is taken from them that is not about them alone: default priors keep the
        scales, regressions the centres and encodings, and the order, the choices and the categories
        are those of the data that it was made with. So is the program, unless these data lack
        responses, or times, of which the others have all. The data say how many rows, units and
        series there are, which groups (`(1 | g)`), and how large a parameter may be that responses
        bound, such as a non-decision time.

        Parameters
        ----------
        data
            A data frame or a mapping of arrays, as for `stanmix.model`.

        Returns
        -------
        Model
            With these data; this one stays as it is.

        Raises
        ------
        DataError
            The data lack columns; they hold levels, choices or categories that the model does not
            know, or what it cannot observe.

        Warns
        -----
        IdentifiabilityWarning
            As of `stanmix.model`.

        Examples
        --------
        >>> m = model("y ~ mix(normal, K=2)", {"y": [0.1, 0.3, 4.0, 4.2]})
        >>> other = m.on({"y": [10.0, 30.0, 20.0]})
        >>> other.priors().equals(m.priors()), other.program.key == m.program.key
        (True, True)
        """
        return _warned_of(transfer(self, data))

    def fit(
        self,
        *,
        engine: str | Engine = "auto",
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        inits: str | Sequence[Variables] = "auto",
        adapt_delta: float = 0.9,
        **sampler: Any,
    ) -> Fit:
        """Draw from the posterior.

        Parameters
        ----------
        engine, chains, warmup, draws, seed, inits, adapt_delta, **sampler
            As for `stanmix.fit`.

        Returns
        -------
        Fit
            The draws, and the questions one may ask of them.

        Raises
        ------
        SpecError
            A setting is unknown, or has a value that makes no sense.
        EngineError
            There is no such engine, or it refused the program.
        SamplingError
            A chain failed.

        Warns
        -----
        ConvergenceWarning
            Chains disagree, or draws diverged; `Fit.diagnose` says more.
        """
        settings = sampler_settings(
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=seed_of_call(seed),
            adapt_delta=adapt_delta,
            **sampler,
        )
        fit = self.draw(settings, find_engine(engine), inits, shown=True)
        warn_of(fit.diagnose())
        for message in held_correlations(self.spec, fit.draws, self.table.n_rows):
            warn(message, IdentifiabilityWarning)
        return fit

    def draw(
        self,
        settings: SamplerSettings,
        engine: Engine,
        inits: str | Sequence[Variables] = "auto",
        *,
        shown: bool = False,
    ) -> Fit:
        """`fit` without warnings.

        Parameters
        ----------
        settings
            How the sampler is run.
        engine
            What draws.
        inits
            As for `stanmix.fit`.
        shown
            Whether bars say how far the chains are.

        Raises
        ------
        SpecError, EngineError, SamplingError
            As of `fit`.
        """
        engine.compile(self.program)
        automatic = isinstance(inits, str) and inits == "auto"
        starts = self.inits(settings) if automatic else self._given(inits, settings.chains)
        bars_of_chains = bars(settings.chains, settings.warmup + settings.draws)
        with bars_of_chains if shown else nullcontext() as report:
            drawn = engine.sample(self.program, self.data, settings, starts, report)
        return Fit(self, draws_tree(self.spec, self.table, drawn, settings), drawn.engine)

    def inits(self, settings: SamplerSettings) -> list[Variables]:
        """Starting points near modes of the posterior; see `stanmix.starts`.

        Parameters
        ----------
        settings
            How many chains there are, and the seed.

        Returns
        -------
        list of dict
            Constrained values of every parameter of the program, one mapping a chain.

        Raises
        ------
        SamplingError
            No such point was found for a chain.
        """
        starts = self._starts()
        return [starts.find(settings.seed, chain) for chain in range(settings.chains)]

    def _starts(self) -> Starts:
        # In process, whichever engine draws: with a process for each step it took seconds.
        return Starts(find_engine("stanli"), self.program, self.spec, self.data, self.rows)

    def _given(self, inits: Any, chains: int) -> list[Variables]:
        """The user's starting points: one mapping for each chain."""
        listed = list(inits) if isinstance(inits, Sequence) else []
        if len(listed) != chains or not all(isinstance(i, Mapping) for i in listed):
            raise SpecError(f'`inits` must be "auto", or {chains} mappings, one a chain.')
        given: list[Variables] = [
            given_values(self.spec, values, c) for c, values in enumerate(listed, 1)
        ]
        starts = self._starts()
        for chain, values in enumerate(given, 1):
            if not starts.is_possible(values):
                raise SpecError(
                    f"`inits` of chain {chain} have density 0: no component can have some row "
                    "there, or a prior excludes them."
                )
        return given


def _index(index: tuple[int, ...], labels: Sequence[Sequence[Any]]) -> str:
    """An index as the user would write it: `[1, waiting]`."""
    names = [str(axis[i - 1]) for i, axis in zip(index, labels, strict=False) if i]
    shown = [n if n.isidentifier() or n.isdecimal() else f"`{n}`" for n in names]
    return f"[{', '.join(shown)}]" if shown else ""


def _upper(parameter: Parameter) -> float | str | None:
    """The upper bound as shown: a number, a constant of the data, or the smaller of both."""
    if parameter.below is None or parameter.upper is None:
        return parameter.upper if parameter.below is None else parameter.below
    return f"min({parameter.upper:g}, {parameter.below})"
