"""How a question is answered: the program is evaluated at stored draws, on any rows.

The data may be large, and so may the answers of all draws. So draws are taken a block at a time,
and what a question makes of a block is all that is kept of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix.data import Table, frequencies, read_table
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.errors import ConvergenceWarning, DataError, SpecError, require_count, warn
from stanmix.program import declare
from stanmix.program.render import render
from stanmix.program.rows import Rows, arrange
from stanmix.program.standata import NewGroups, groups, possible_states, standata, with_missing
from stanmix.spec import GroupEffect, ModelSpec

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.model import Model

THIN = 400
"""Draws used for a question by default: enough for averages, few enough for large data."""

CHUNK = 20_000_000
"""Most numbers of `log_omega` held at once."""

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

Chain = tuple[Array, Array, Array, Integers]
"""`log_omega`, `initial`, `transition` and `starts`, as `stanmix.latent` takes them."""


@dataclass(frozen=True)
class Places:
    """What has a state, or a density: rows (`obs`), units or series.

    Parameters
    ----------
    dim
        What they are called.
    labels
        Their names.
    series
        The series of each, where there are any.
    """

    dim: str
    labels: list[Any] | pd.Index
    series: list[Any] | None = None

    @property
    def index(self) -> pd.Index:
        """Their names as an index; two series may both have a unit 1."""
        if self.series is None or self.dim == "obs":
            index: pd.Index = pd.Index(self.labels, name=self.dim)
            return index
        index = pd.MultiIndex.from_arrays([self.series, self.labels], names=["series", "unit"])
        return index


@dataclass(frozen=True, eq=False)
class Block:
    """Some of the draws: densities, and latent probabilities.

    Parameters
    ----------
    by_row
        `log_omega` (draw, row, state) of the rows as they are arranged.
    at
        Parameters (draw, ...), and those of the latent probabilities that vary, by place.
    asked
        The question.
    """

    by_row: Array
    at: Mapping[str, Array]
    asked: Asked

    @cached_property
    def log_omega(self) -> Array:
        """Log density (draw, place, state) of what has a state; -inf in states known not to be."""
        spec, table, rows = self.asked.model.spec, self.asked.table, self.asked.rows
        log_omega = self.by_row
        if spec.unit is not None:
            if spec.freq is not None:
                log_omega = frequencies(table, spec.freq)[rows.order][:, None] * log_omega
            log_omega = np.add.reduceat(log_omega, rows.heads, axis=1)
        if spec.known is not None:
            log_omega = np.where(possible_states(spec, table, rows), log_omega, -np.inf)
        return log_omega

    @property
    def weights(self) -> Array:
        """Of a mixture: (draw, state), or (draw, place, state)."""
        return self.at["weights"]

    @property
    def chain(self) -> Chain:
        """Of a hidden Markov model, what the algebra of chains takes."""
        K, rows = self.asked.model.spec.K, self.asked.rows
        fixed = {"uniform": np.full((1, K), 1.0 / K), "first": np.eye(K)[:1]}
        initial = fixed.get(str(self.asked.model.spec.initial))
        transition = self.at["transition"]
        if (rows.steps > 1).any():
            transition = _over_steps(transition, rows.steps)
        return (
            self.log_omega,
            self.at["initial"] if initial is None else initial,
            transition,
            rows.starts,
        )


Drawn = Literal["groups", "states", "steps"]
"""What an answer may draw: effects of new groups, states and responses, points of steps."""

Answer = Callable[[Block], NDArray[Any]]
"""From a block of draws to (draw, place, ..)."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A question: of which rows, at which draws.

    Parameters
    ----------
    model
        The model.
    table, rows
        The rows, and how they are arranged.
    picked
        The draws (chain, draw, ...).
    seed
        Seed of what is drawn.
    engine
        What evaluates the program.
    new_groups
        What becomes of groups that the fit has not seen.
    """

    model: Model
    table: Table
    rows: Rows
    picked: xr.Dataset
    seed: int
    engine: str | Engine = "stanli"
    new_groups: NewGroups = "error"

    def blocks(self) -> Iterator[Block]:
        """The draws, as many at a time as memory holds."""
        spec, program = with_missing(self.model.spec, self.table), self.model.program
        if spec is not self.model.spec:
            # Rows without a response, where the fit had none, need another program.
            program = render(spec)
        draws = self.draws
        encoded = self.model.encoded
        data = standata(spec, self.table, self.rows, encoded, emit=True, new_groups=self.new_groups)
        runner = find_engine(self.engine)
        names = ["log_omega", *(variable.name for variable in declare.latent(spec))]
        if self.new_groups == "draw":
            # Effects of groups that the fit has not seen.
            names += [f"r_{effect.name}" for effect in spec.group_effects]
        size = max(1, CHUNK // (self.table.n_rows * spec.K))
        for start in range(0, self.n_draws, size):
            at = {name: values[start : start + size] for name, values in draws.items()}
            # Variables without elements are none of an engine's draws.
            sampled = {name: at[name] for name in program.parameters if name in at}
            emitted = runner.generate(program, data, sampled, names)
            by_row = np.swapaxes(emitted.pop("log_omega"), 1, 2)
            yield Block(by_row, at | _probabilities(emitted), self)

    @property
    def spec(self) -> ModelSpec:
        """The model, with the groups that there are besides those of the fit."""
        spec = self.model.spec
        named = groups(spec, self.table, self.new_groups)

        def grown(effect: GroupEffect) -> GroupEffect:
            return replace(effect, group=replace(effect.group, levels=named[effect.group_name]))

        regressions = [replace(r, groups=tuple(map(grown, r.groups))) for r in spec.regressions]
        return replace(spec, regressions=tuple(regressions))

    @property
    def n_draws(self) -> int:
        """How many draws there are, of all chains."""
        return int(self.picked.sizes["chain"] * self.picked.sizes["draw"])

    @property
    def draws(self) -> dict[str, Array]:
        """Parameters (draw, ...), chain after chain; of groups not seen, drawn effects as well."""
        values = flat(self.picked)
        named = groups(self.model.spec, self.table, self.new_groups)
        rng = self.random("groups")
        for effect in self.model.spec.group_effects:
            z = values[f"z_{effect.name}"]
            more = len(named[effect.group_name]) - z.shape[-1]
            values[f"z_{effect.name}"] = np.append(z, rng.normal(size=(*z.shape[:-1], more)), -1)
        return values

    @property
    def draw_by_draw(self) -> list[dict[str, Array]]:
        """The same, one draw after the other."""
        draws = self.draws
        return [{name: v[i] for name, v in draws.items()} for i in range(self.n_draws)]

    def random(self, what: Drawn) -> np.random.Generator:
        """Random numbers for one thing that is drawn, independent of those for others."""
        return np.random.default_rng([self.seed, get_args(Drawn).index(what)])

    def in_order(self, answer: Answer) -> Iterator[NDArray[Any]]:
        """`answer` for blocks of draws, (draw, place, ...) each, in the order of series and time.

        Refuses rows that no component can have in any draw; warns where some draws exclude one.
        """
        impossible, asked = np.zeros(len(self.rows.unit_size), np.int64), 0
        for block in self.blocks():
            values = answer(block)
            beyond = tuple(range(2, values.ndim))
            none = values < 0 if values.dtype.kind == "i" else np.isnan(values).any(axis=beyond)
            impossible += none.sum(axis=0)
            asked += len(values)
            yield values
        self._require_possible(impossible / asked)

    def answers(self, answer: Answer) -> Iterator[NDArray[Any]]:
        """The same in the user's order of rows, or by unit."""
        back = slice(None) if self.model.spec.unit is not None else np.argsort(self.rows.order)
        return (values[:, back] for values in self.in_order(answer))

    def answered(self, answer: Answer, **beyond: Any) -> xr.DataArray:
        """`answer` for every draw, as an array; `beyond` labels the axes that follow the places."""
        return self.labelled(np.concatenate(list(self.answers(answer))), self.places, **beyond)

    def labelled(self, values: NDArray[Any], places: Places, **beyond: Any) -> xr.DataArray:
        """`values` (draw, place, ...), with the series of the places."""
        array = self.over_draws(values, {places.dim: places.labels, **beyond})
        if places.series is None:
            return array
        return array.assign_coords(series=(places.dim, places.series))

    def over_draws(self, values: NDArray[Any], coords: Mapping[str, Any]) -> xr.DataArray:
        """`values` (draw, ...) over chains and draws, with axes named and labelled by `coords`."""
        given = {name: self.picked[name].values for name in ("chain", "draw")} | dict(coords)
        shape = tuple(len(labels) for labels in given.values())
        return xr.DataArray(values.reshape(shape), coords=given, dims=list(given))

    @property
    def states(self) -> list[Any]:
        """The names of the states."""
        return list(self.model.spec.labels["state"])

    @property
    def copies(self) -> Integers:
        """How often each of what has a state counts, in the order of series and time."""
        freq, unit = self.model.spec.freq, self.model.spec.unit
        if freq is None or unit is not None:
            return np.ones(len(self.rows.unit_size), dtype=np.int64)
        return np.asarray(frequencies(self.table, freq)[self.rows.order])

    @property
    def places(self) -> Places:
        """What has a state: rows, or units."""
        if self.model.spec.unit is None:
            return self.row_places
        several = self.model.spec.series is not None
        series = list(self.rows.series_of_unit) if several else None
        return Places("unit", list(self.rows.unit_labels), series)

    @property
    def row_places(self) -> Places:
        """The rows, in the user's order."""
        series = self.model.spec.series
        named = None if series is None else list(self.table.columns[series])
        return Places("obs", self.table.labels, named)

    def _require_possible(self, share: Array) -> None:
        if not share.any():
            return
        place, rows = int(np.argmax(share)), self.rows
        name = self.table.row(int(rows.order[rows.heads[place]]))
        what = f"{int((share > 0).sum())} rows or units "
        if self.model.spec.kind == "mix":
            what += "have density 0 in every component"
        else:
            what += "are in series that have density 0"
        if share[place] == 1:
            raise DataError(f"{what} (first: {name}), so their state is undefined.")
        warn(
            f"{what} in some draws (most often {name}, in {share[place]:.0%}). "
            "Their state is undefined there; averages are over the other draws.",
            ConvergenceWarning,
        )


def ask(
    fit: Fit,
    newdata: Any = None,
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> Asked:
    """A question to a fit.

    Parameters
    ----------
    fit
        The fit.
    newdata
        Other rows; None for those of the fit.
    draws
        About how many draws, evenly thinned within chains; None for all.
    new_groups
        What becomes of groups that the fit has not seen.
    seed
        Seed of what is drawn; that of the fit if not given, so that an answer stays the same.

    Raises
    ------
    DataError
        Columns that arrange the rows are not there, or make no sense.
    SpecError
        `draws` is no whole number from 1 on, or `seed` none from 0 on.
    """
    table, rows = fit.model.table, fit.model.rows
    if newdata is not None:
        table = read_table(newdata)
        spec = fit.model.spec
        named = [c for c in (spec.unit, spec.series, spec.time) if c is not None]
        missing = [message for column in named if (message := table.missing(column))]
        if missing:
            raise DataError(*missing)
        rows = arrange(spec, table)
    return Asked(
        fit.model, table, rows, thinned(fit, draws), seed_of(fit, seed), fit.asked, new_groups
    )


def thinned(fit: Fit, draws: int | None) -> xr.Dataset:
    """About `draws` draws, of all chains alike, with what the program samples besides."""
    posterior = fit.draws["posterior"].to_dataset()
    if "sampled" in fit.draws:
        posterior = posterior.merge(fit.draws["sampled"].to_dataset())
    if draws is None:
        return posterior
    require_count("draws", draws, 1, what=", or None")
    step = max(1, int(posterior.sizes["chain"] * posterior.sizes["draw"] / draws))
    return posterior.isel(draw=slice(None, None, step))


def flat(draws: xr.Dataset) -> dict[str, Array]:
    """Variables (chain, draw, ...) as arrays (draw, ...), chain after chain."""
    return {
        str(name): values.values.reshape(-1, *values.shape[2:])
        for name, values in draws.transpose("chain", "draw", ...).items()
    }


def seed_of(fit: Fit, seed: int | None) -> int:
    """The seed of what a question draws: that of the fit if none is given.

    Raises
    ------
    SpecError
        It is no whole number from 0 on.
    """
    if seed is None:
        seed = fit.draws["sample_stats"].attrs["seed"]
    require_count("seed", seed, 0)
    return int(seed)


def require_kind(fit: Fit, kind: str, question: str, instead: str) -> None:
    """Raise SpecError if a question is for the other kind of model."""
    if fit.model.spec.kind != kind:
        has = "A mixture" if kind == "hmm" else "A hidden Markov model"
        raise SpecError(f"{has} has no `{question}`; ask for {instead}.")


def _probabilities(emitted: Mapping[str, Array]) -> dict[str, Array]:
    """Latent probabilities that vary, with places before states, under the names they have.

    And effects of groups, as they are.
    """
    found = {}
    for name, values in emitted.items():
        if not name.startswith("log_"):
            found[name] = values
        elif name == "log_move":
            K = round(np.sqrt(values.shape[1]))
            moves = np.moveaxis(np.exp(values), 1, -1)
            found["transition"] = moves.reshape(*moves.shape[:-1], K, K)
        else:
            found[name.removeprefix("log_")] = np.exp(np.swapaxes(values, 1, 2))
    return found


def _over_steps(transition: Array, steps: Integers) -> Array:
    """Transitions (draw, state, state_to) over gaps: those into every unit."""
    taken, which = np.unique(steps, return_inverse=True)
    powers = [np.linalg.matrix_power(transition, int(count)) for count in taken]
    return np.stack(powers, axis=1)[:, which]
