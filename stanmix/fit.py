"""`Fit`: draws from a posterior, and the questions one may ask of them.

No question changes the fit. Each is answered from stored draws: the program is evaluated at them
again, on the data of the fit or on new data, and the latent states follow by array algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent, storage
from stanmix.data import Table, frequencies, read_table
from stanmix.diagnostics import APART, Diagnosis, diagnose, summarise
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.errors import ConvergenceWarning, DataError, SpecError, warn
from stanmix.program import declare
from stanmix.program.render import render
from stanmix.program.rows import Rows, arrange
from stanmix.program.standata import (
    NewGroups,
    groups,
    possible_states,
    standata,
    with_missing,
)

if TYPE_CHECKING:
    from plotnine import ggplot

    from stanmix.model import Model

THIN = 400
"""Draws used for a question by default: enough for averages, few enough for large data."""

CHUNK = 20_000_000
"""Most numbers of `log_omega` held at once."""

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

Answer = Callable[[Array, Mapping[str, Array], Rows], Array]
"""From log_omega (draw, place, state), the parameters there, and the rows, to (draw, place, ..)."""

Places = tuple[str, list[Any] | pd.Index, list[Any] | None]
"""What has a state (`obs` or `unit`), its labels, and the series of each where there are any."""


@dataclass(frozen=True, repr=False, eq=False)
class Fit:
    """Draws from the posterior of a model.

    Parameters
    ----------
    model
        The model and its data.
    draws
        The groups `posterior`, `sample_stats`, `observed_data` and `constant_data`, and `sampled`
        for what the program samples where the posterior names something else. The attributes of
        `sample_stats` say how the sampler was run, its seed included.
    engine
        Name and version of the engine that sampled.
    asked
        The engine that answers questions.
    """

    model: Model
    draws: xr.DataTree
    engine: str
    asked: str | Engine = "stanli"

    def __repr__(self) -> str:
        sizes = self.draws["posterior"].sizes
        diverging = int(self.draws["sample_stats"]["diverging"].sum())
        lines = [
            self.model.spec.formula,
            f"{sizes['chain']} chains of {sizes['draw']} draws by {self.engine}, "
            f"seed {self.draws['sample_stats'].attrs['seed']}; {diverging} divergent",
            "",
            self.summary().to_string(float_format=lambda v: f"{v:.3g}"),
        ]
        return "\n".join([*lines, *(f"\nNote: {note}" for note in self.model.spec.notes)])

    def summary(self) -> pd.DataFrame:
        """Posterior summary, one element of a parameter a row.

        Returns
        -------
        DataFrame
            `mean`, `sd`, `q2.5`, `median`, `q97.5`, `mcse` of the mean, `ess_bulk`, `ess_tail`,
            `r_hat` (rank-normalised split; Vehtari et al. 2021).
        """
        return summarise(self.draws["posterior"].to_dataset())

    def diagnose(self) -> Diagnosis:
        """What the draws say about themselves, first on quantities that ignore labels.

        Returns
        -------
        Diagnosis
            R-hat, ESS, divergences, tree depths and E-BFMI; `problems` says in words what is wrong,
            `invariant` and `labelled` are tables. See `stanmix.diagnostics.Diagnosis`.
        """
        return diagnose(self.draws, self._invariants(), self.model.spec.labels_may_switch)

    # Latent states.

    def responsibility(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> xr.DataArray:
        """p(component | row) for every draw, of a mixture.

        Parameters
        ----------
        newdata
            Other rows with the columns of the model; the rows of the fit if not given.
        draws
            About how many draws to use, evenly thinned within chains; None for all.
        new_groups
            What becomes of groups, of group-level terms, that the fit has not seen: "error", or
            "draw" to draw their effects from the distribution of groups.

        Returns
        -------
        DataArray
            (chain, draw, obs, state), or `unit` in place of `obs` where rows share a component.

        Raises
        ------
        SpecError
            The model is a hidden Markov model, whose states depend on more than their row.
        DataError
            `newdata` do not fit the model, or hold a row that no component can have.
        SpecError
            `draws` is no whole number from 1 on.

        Warns
        -----
        ConvergenceWarning
            A row has density 0 in every component at some draws, where the answer is NaN.

        Examples
        --------
        >>> import stanmix as sm
        >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
        >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
        >>> f.responsibility({"y": [0.1]}, draws=None).mean(["chain", "draw"]).round().values
        array([[1., 0.]])
        """
        self._require("mix", "responsibility", "filtering() or smoothing()")
        return self._ask(_responsibility, newdata, draws, new_groups, states=True)

    def membership(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> pd.DataFrame:
        """Posterior probability of every component or state, averaged over draws.

        For a hidden Markov model given the whole series, as `smoothing` has it.

        Parameters
        ----------
        newdata, draws, new_groups
            As in `responsibility`.

        Returns
        -------
        DataFrame
            A row for each row of data (or unit, with its series where there are several), a column
            `1`, ..., `K` for each state.

        Raises
        ------
        DataError, SpecError
            As of `responsibility`.

        Warns
        -----
        ConvergenceWarning
            Chains disagree and nothing orders the components, so that an average over chains may
            mean nothing; or a row has density 0 in every component at some draws, which are left
            out.

        Examples
        --------
        >>> import stanmix as sm
        >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
        >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
        >>> f.membership().idxmax(axis=1).tolist()
        [1, 1, 1, 1, 2, 2, 2, 2]
        """
        self._warn_of_labels()
        mixture = self.model.spec.kind == "mix"
        answer = _responsibility if mixture else self._chain_algebra(latent.smoothing)
        table, rows = self._rows(newdata)
        # Summed chunk by chunk: the answers of all draws need not be in memory at once.
        total, count = 0.0, 0
        for block in self._answers(answer, table, rows, self._thinned(draws), new_groups):
            total = total + np.nansum(block, axis=0)
            count = count + np.isfinite(block).sum(axis=0)
        mean = np.asarray(total / count)
        place, labels, series = self._places(table, rows)
        index: pd.Index = pd.Index(labels, name=place)
        if series is not None and place == "unit":
            # Two series may both have a unit 1.
            index = pd.MultiIndex.from_arrays([series, labels], names=["series", "unit"])
        states = pd.Index(self.model.spec.labels["state"], name="state")
        return pd.DataFrame(mean, index=index, columns=states)

    def filtering(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> xr.DataArray:
        """p(state at t | rows up to t) for every draw, of a hidden Markov model.

        Parameters
        ----------
        newdata, draws, new_groups
            As in `responsibility`. New data are series of their own.

        Returns
        -------
        DataArray
            (chain, draw, obs, state), or `unit` in place of `obs`; with the coordinate `series`
            along it where there are several.

        Raises
        ------
        SpecError
            The model is a mixture, which has no time.
        DataError
            As of `responsibility`.

        Examples
        --------
        >>> import stanmix as sm
        >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
        >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
        >>> f.filtering().mean(["chain", "draw"]).values.argmax(axis=1) + 1
        array([1, 1, 1, 2, 2, 2, 2, 1, 1, 1])
        """
        self._require("hmm", "filtering", "responsibility()")
        return self._ask(
            self._chain_algebra(latent.filtering), newdata, draws, new_groups, states=True
        )

    def smoothing(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> xr.DataArray:
        """p(state at t | all rows of its series) for every draw, of a hidden Markov model.

        Parameters
        ----------
        newdata, draws, new_groups
            As in `filtering`.

        Returns
        -------
        DataArray
            As of `filtering`.

        Raises
        ------
        DataError, SpecError
            As of `filtering`.
        """
        self._require("hmm", "smoothing", "responsibility()")
        return self._ask(
            self._chain_algebra(latent.smoothing), newdata, draws, new_groups, states=True
        )

    def viterbi(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> xr.DataArray:
        """The most likely path of states for every draw, of a hidden Markov model.

        This is a path for each draw; the path at posterior means is something else.

        Parameters
        ----------
        newdata, draws, new_groups
            As in `filtering`.

        Returns
        -------
        DataArray
            States 1 to K, (chain, draw, obs), or `unit` in place of `obs`; 0 in a series that has
            density 0 at that draw.

        Raises
        ------
        DataError, SpecError
            As of `filtering`.
        """
        self._require("hmm", "viterbi", "responsibility()")
        paths = self._ask(
            self._chain_algebra(latent.viterbi), newdata, draws, new_groups, states=False
        )
        return paths + 1

    def log_omega(
        self, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
    ) -> xr.DataArray:
        """Log density of every row in every state, for every draw.

        Parameters
        ----------
        newdata, draws, new_groups
            As in `responsibility`.

        Returns
        -------
        DataArray
            (chain, draw, obs, state): by row also where rows share a state.

        Raises
        ------
        DataError
            `newdata` do not fit the model.
        """
        table, rows = self._rows(newdata)
        picked = self._thinned(draws)
        blocks = [log_omega for log_omega, _ in self._emissions(table, rows, picked, new_groups)]
        values = np.concatenate(blocks)[:, np.argsort(rows.order), :]
        return self._labelled(values, picked, self._row_places(table), states=True)

    def plot(self) -> ggplot:
        """The fitted components over the data.

        Returns
        -------
        ggplot
            As `stanmix.plots.components` describes it; `.save(path)` writes it.

        Raises
        ------
        SpecError
            There is no such picture of this response.
        """
        from stanmix.plots import components

        return components(self)

    # Keeping.

    def save(self, path: str | Path) -> Path:
        """Write the fit to one netCDF file, with the model as JSON.

        Parameters
        ----------
        path
            The file; it is replaced only once the new one is complete.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DataError
            `path` is a folder, or in none that exists.
        """
        return storage.save(self, path)

    # How a question is answered.

    def answered_by(self, engine: str | Engine) -> Fit:
        """The same fit, whose questions are answered by another engine.

        They are answered by `stanli` otherwise, in process, whichever engine drew.

        Parameters
        ----------
        engine
            `cmdstan`, `stanli` or `auto`, as for `stanmix.fit`.

        Returns
        -------
        Fit
            With the same draws; this one stays as it is.

        Raises
        ------
        EngineError
            There is no such engine, or it is not installed.
        """
        return replace(self, asked=find_engine(engine))

    def _require(self, kind: str, question: str, instead: str) -> None:
        if self.model.spec.kind != kind:
            has = "A mixture" if kind == "hmm" else "A hidden Markov model"
            raise SpecError(f"{has} has no `{question}`; ask for {instead}.")

    def _warn_of_labels(self) -> None:
        """Warn before averaging over chains whose labels, or modes, differ."""
        if not self.model.spec.labels_may_switch:
            return
        worst = self.summary()["r_hat"].max()
        if worst > APART:
            warn(
                f"Chains disagree about the parameters (R-hat {worst:.2f}) and nothing orders the "
                "components, so their numbers may mean different things in different chains, and "
                "averages over chains may mean nothing.",
                ConvergenceWarning,
            )

    def _rows(self, newdata: Any) -> tuple[Table, Rows]:
        if newdata is None:
            return self.model.table, self.model.rows
        table = read_table(newdata)
        spec = self.model.spec
        named = [c for c in (spec.unit, spec.series, spec.time) if c is not None]
        missing = [message for column in named if (message := table.missing(column))]
        if missing:
            raise DataError(*missing)
        return table, arrange(spec, table)

    def _thinned(self, draws: int | None) -> xr.Dataset:
        """The draws to use, chains and draws kept apart."""
        posterior = self.draws["posterior"].to_dataset()
        if "sampled" in self.draws:
            posterior = posterior.merge(self.draws["sampled"].to_dataset())
        if draws is None:
            return posterior
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise SpecError(f"`draws` must be a whole number from 1 on, or None, not {draws!r}.")
        step = max(1, int(posterior.sizes["chain"] * posterior.sizes["draw"] / draws))
        return posterior.isel(draw=slice(None, None, step))

    def _emissions(
        self,
        table: Table,
        rows: Rows,
        picked: xr.Dataset,
        new_groups: NewGroups = "error",
    ) -> Iterator[tuple[Array, dict[str, Array]]]:
        """Chunks of `log_omega` (draw, row as arranged, state), with the parameters there."""
        spec, program = with_missing(self.model.spec, table), self.model.program
        if spec is not self.model.spec:
            # Rows without a response, where the fit had none, need another program.
            program = render(spec)
        flat = {
            str(name): values.values.reshape(-1, *values.shape[2:])
            for name, values in picked.transpose("chain", "draw", ...).items()
        }
        total = next(iter(flat.values())).shape[0]
        size = max(1, CHUNK // (table.n_rows * spec.K))
        encoded = self.model.encoded
        data = standata(spec, table, rows, encoded, emit=True, new_groups=new_groups)
        flat |= self._drawn_groups(flat, groups(spec, table, new_groups))
        runner = find_engine(self.asked)
        varying = [variable.name for variable in declare.latent(spec)]
        for start in range(0, total, size):
            at = {name: values[start : start + size] for name, values in flat.items()}
            sampled = {name: at[name] for name in program.parameters}
            emitted = runner.generate(program, data, sampled, ["log_omega", *varying])
            yield np.swapaxes(emitted.pop("log_omega"), 1, 2), at | _probabilities(emitted)

    def _drawn_groups(
        self, flat: Mapping[str, Array], named: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Array]:
        """Standard normal effects of all groups: those of the fit, and drawn ones of others."""
        rng = np.random.default_rng(self.draws["sample_stats"].attrs["seed"])
        found = {}
        for effect in self.model.spec.group_effects:
            z = flat[f"z_{effect.name}"]
            more = len(named[effect.group_name]) - z.shape[-1]
            found[f"z_{effect.name}"] = np.append(z, rng.normal(size=(*z.shape[:-1], more)), -1)
        return found

    def _ask(
        self,
        answer: Answer,
        newdata: Any,
        draws: int | None,
        new_groups: NewGroups,
        *,
        states: bool,
    ) -> xr.DataArray:
        """`answer` for every draw, in the user's order of rows, or by unit."""
        table, rows = self._rows(newdata)
        picked = self._thinned(draws)
        blocks = self._answers(answer, table, rows, picked, new_groups)
        values = np.concatenate(list(blocks))
        return self._labelled(values, picked, self._places(table, rows), states)

    def _answers(
        self,
        answer: Answer,
        table: Table,
        rows: Rows,
        picked: xr.Dataset,
        new_groups: NewGroups,
    ) -> Iterator[Array]:
        """`answer` for chunks of draws, (draw, place, ...) each, in the user's order."""
        back = slice(None) if self.model.spec.unit is not None else np.argsort(rows.order)
        impossible, asked = np.zeros(len(rows.unit_size), np.int64), 0
        for log_omega, at in self._emissions(table, rows, picked, new_groups):
            values = answer(self._by_unit(log_omega, table, rows), at, rows)
            none = values < 0 if values.dtype.kind == "i" else np.isnan(values).any(axis=-1)
            impossible += none.sum(axis=0)
            asked += len(values)
            yield values[:, back]
        self._require_possible(impossible / asked, table, rows)

    def _by_unit(self, log_omega: Array, table: Table, rows: Rows) -> Array:
        """`log_omega` summed over the rows of each unit, -inf in states known not to be."""
        spec = self.model.spec
        if spec.unit is not None:
            if spec.freq is not None:
                log_omega = frequencies(table, spec.freq)[rows.order][:, None] * log_omega
            starts = rows.heads
            log_omega = np.add.reduceat(log_omega, starts, axis=1)
        if spec.known is not None:
            log_omega = np.where(possible_states(spec, table, rows), log_omega, -np.inf)
        return log_omega

    def _require_possible(self, share: Array, table: Table, rows: Rows) -> None:
        """Refuse rows that no component can have in any draw; warn where some draws exclude one."""
        if not share.any():
            return
        place = int(np.argmax(share))
        first = int(rows.order[np.cumsum(rows.unit_size)[place] - rows.unit_size[place]])
        what = f"{int((share > 0).sum())} rows or units have density 0 in every component"
        if share[place] == 1:
            raise DataError(f"{what} (first: {table.row(first)}), so their state is undefined.")
        warn(
            f"{what} in some draws (most often {table.row(first)}, in {share[place]:.0%}). Their "
            "state is undefined there; averages are over the other draws.",
            ConvergenceWarning,
        )

    def _places(self, table: Table, rows: Rows) -> Places:
        """What has a state: rows, or units."""
        if self.model.spec.unit is None:
            return self._row_places(table)
        several = self.model.spec.series is not None
        return "unit", list(rows.unit_labels), list(rows.series_of_unit) if several else None

    def _row_places(self, table: Table) -> Places:
        series = self.model.spec.series
        return "obs", table.labels, None if series is None else list(table.columns[series])

    def _chain_algebra(self, question: Callable[..., Any]) -> Answer:
        spec = self.model.spec

        def answer(log_omega: Array, at: Mapping[str, Array], rows: Rows) -> Array:
            fixed = {"uniform": np.full(spec.K, 1.0 / spec.K), "first": np.eye(spec.K)[0]}
            initial = fixed.get(str(spec.initial))
            initial = at["initial"] if initial is None else initial[None]
            transition = at["transition"]
            if (rows.steps > 1).any():
                transition = _over_steps(transition, rows.steps)
            return np.asarray(question(log_omega, initial, transition, rows.starts))

        return answer

    def _labelled(
        self, values: Array, picked: xr.Dataset, places: Places, states: bool
    ) -> xr.DataArray:
        """`values` (draw, place[, state]) as an array over chains and draws."""
        place, labels, series = places
        coords: dict[str, Any] = {
            "chain": picked["chain"].values,
            "draw": picked["draw"].values,
            place: labels,
        }
        if states:
            coords["state"] = self.model.spec.labels["state"]
        shape = tuple(len(coordinate) for coordinate in coords.values())
        answer = xr.DataArray(values.reshape(shape), coords=coords, dims=list(coords))
        return answer if series is None else answer.assign_coords(series=(place, series))

    def _invariants(self) -> dict[str, xr.DataArray]:
        """Quantities that do not depend on labels: sorted weights, log density of the data."""
        spec = self.model.spec
        posterior = self.draws["posterior"].to_dataset()
        found: dict[str, Any] = {"lp": self.draws["sample_stats"]["lp"]}
        if spec.kind == "mix":
            found["sorted weights"] = _sorted(posterior["weights"], "state")
        else:
            stay = xr.DataArray(
                np.diagonal(posterior["transition"].values, axis1=-2, axis2=-1),
                dims=["chain", "draw", "state"],
            )
            found["sorted stay probabilities"] = _sorted(stay, "state")
        found["log likelihood"] = self._log_likelihood()
        return found

    def _log_likelihood(self) -> xr.DataArray:
        """Log density of a few units (mixture) or of each series, at draws that fit in memory."""
        cells = self.model.table.n_rows * self.model.spec.K
        draws = max(THIN, CHUNK // cells)

        def mixture(log_omega: Array, at: Mapping[str, Array], rows: Rows) -> Array:
            weights, some = at["weights"], _spread(log_omega.shape[1])
            weights = weights if weights.ndim == 2 else weights[:, some]
            return latent.mixture_log_density(log_omega[:, some], weights)

        series = self._chain_algebra(latent.log_likelihood)
        question = mixture if self.model.spec.kind == "mix" else series
        table, rows = self._rows(None)
        picked = self._thinned(draws)
        values = np.concatenate(
            [
                question(self._by_unit(lo, table, rows), at, rows)
                for lo, at in self._emissions(table, rows, picked)
            ]
        )
        shape = (picked.sizes["chain"], picked.sizes["draw"], values.shape[-1])
        place, labels, _ = self._places(table, rows)
        if self.model.spec.kind == "hmm":
            place, labels = "series", list(rows.series_labels)
        else:
            back = np.arange(len(labels)) if place == "unit" else rows.order
            labels = [labels[back[i]] for i in _spread(len(labels))]
        coords = {"element": [f"{place} {label}" for label in labels]}
        return xr.DataArray(values.reshape(shape), coords, ["chain", "draw", "element"])


def _probabilities(emitted: Mapping[str, Array]) -> dict[str, Array]:
    """Latent probabilities that vary, with places before states, under the names they have."""
    found = {}
    for name, values in emitted.items():
        if name == "log_move":
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


def _responsibility(log_omega: Array, at: Mapping[str, Array], rows: Rows) -> Array:
    return latent.responsibility(log_omega, at["weights"])


def _spread(n: int) -> Integers:
    """About 20 of `n` places, evenly spread."""
    return np.unique(np.linspace(0, n - 1, 20).astype(np.int64))


def _sorted(values: xr.DataArray, dim: str) -> xr.DataArray:
    axis = values.get_axis_num(dim)
    ranked = values.copy(data=np.sort(values.values, axis=axis)).rename({dim: "rank"})
    return ranked.drop_vars(ranked.coords)
