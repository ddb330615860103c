"""Draws as a labelled tree, and a fit as one file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix.data import Table, is_missing, read_table
from stanmix.design import encodings
from stanmix.engines.base import Draws, SamplerSettings
from stanmix.errors import DataError, Problem, StanmixWarning, listing, warn
from stanmix.families import Family
from stanmix.language.syntax import parse
from stanmix.language.terms import formula_designs
from stanmix.latent import stationary
from stanmix.own_families import with_own
from stanmix.program.declare import effect_axes
from stanmix.program.rows import arrange
from stanmix.program.standata import standata
from stanmix.spec import ModelSpec, from_json, reported, to_json

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

FORMAT = 1
"""Version of the layout of a saved file."""


def draws_tree(
    spec: ModelSpec, table: Table, drawn: Draws, settings: SamplerSettings
) -> xr.DataTree:
    """The draws of an engine with the user's labels, and the data they belong to."""
    variables = labelled(spec, drawn.variables)
    chains, draws = next(iter(drawn.stats.values())).shape
    along = {"chain": np.arange(1, chains + 1), "draw": np.arange(draws)}
    saturated = np.asarray(drawn.stats["tree_depth"]) >= settings.max_treedepth
    stats = {
        name: (("chain", "draw"), values)
        for name, values in {**drawn.stats, "reached_max_treedepth": saturated}.items()
    }
    groups = {
        **{name: group.assign_coords(along) for name, group in variables.items()},
        "sample_stats": xr.Dataset(stats, coords=along, attrs=_run(settings)),
        **data_groups(spec, table),
    }
    return xr.DataTree.from_dict(groups)


def data_groups(spec: ModelSpec, table: Table) -> dict[str, xr.Dataset]:
    """The columns that a model needs, as they are kept with its draws.

    Returns
    -------
    dict
        `observed_data`, the responses, and `constant_data`, all else.
    """
    return {
        "observed_data": columns_dataset(spec.response_columns, table),
        "constant_data": columns_dataset(spec.other_columns, table),
    }


def labelled(spec: ModelSpec, variables: Mapping[str, Array]) -> dict[str, xr.Dataset]:
    """The variables of a program, (chain, draw, ...) each, in the groups of a fit.

    Returns
    -------
    dict
        `posterior`, with the user's labels; and `sampled`, with what the posterior names otherwise,
        if there is any.
    """
    posterior = posterior_variables(spec, variables)
    others = {
        name: xr.DataArray(values, dims=["chain", "draw", *_own_dims(name, values.ndim - 2)])
        for name, values in variables.items()
        if name not in posterior
    }
    return {"posterior": posterior, **({"sampled": xr.Dataset(others)} if others else {})}


def posterior_variables(spec: ModelSpec, variables: Mapping[str, Array]) -> xr.Dataset:
    """The variables of the posterior, (chain, draw, ...) each, with the user's labels."""
    posterior: dict[str, xr.DataArray] = {}
    for parameter in spec.parameters:
        axes = reported(parameter.axes)
        values = variables[parameter.name]
        if parameter.constraint == "circular":
            values = _about_mean(values)
        posterior[parameter.name] = _variable(values, axes, spec)
    for regression in spec.regressions:
        if regression.is_offset_alone:
            name, axis = regression.coefficients, spec.axis_of(regression)
            axes = (*((axis,) if axis else ()), f"term_{regression.name}")
            posterior[name] = _variable(variables[name], axes, spec)
        for effect in regression.groups:
            name = f"r_{effect.name}"
            axes = effect_axes(spec, regression, effect)
            posterior[name] = _variable(variables[name], axes, spec)
    if spec.initial == "stationary":
        follows = "initial" not in variables
        initial = stationary(variables["transition"]) if follows else variables["initial"]
        posterior["initial"] = _variable(initial, ("state",), spec)
    return xr.Dataset(posterior)


def _about_mean(angles: Array) -> Array:
    """Angles (chain, draw, ..) within half a turn of their mean direction, so that none is cut off.

    Where the direction is near -pi or pi, some then lie beyond.
    """
    mean = np.angle(np.exp(1j * angles).mean(axis=(0, 1)))
    return np.asarray(mean + np.angle(np.exp(1j * (angles - mean))))


def _run(settings: SamplerSettings) -> dict[str, int | float | str]:
    """How the sampler was run, but for what changes no draw."""
    run = dataclasses.asdict(settings)
    del run["parallel_chains"]
    return run


def _variable(values: Array, axes: tuple[str, ...], spec: ModelSpec) -> xr.DataArray:
    labels = spec.labels
    return xr.DataArray(
        values,
        dims=["chain", "draw", *axes],
        coords={axis: labels[axis] for axis in axes},
    )


def _own_dims(name: str, count: int) -> list[str]:
    return [f"{name}_dim_{i}" for i in range(count)]


def columns_dataset(names: Iterable[str], table: Table) -> xr.Dataset:
    """Columns as they were given, as numbers, times or text; an attribute says what is missing."""
    found = {name: _column(name, table) for name in names}
    return xr.Dataset(found, coords={"obs": table.labels})


def _column(name: str, table: Table) -> tuple[str, NDArray[Any], dict[str, Any]]:
    column, absent = table.columns[name], is_missing(table, name)
    array = column.to_numpy()
    if array.dtype.kind in "biufM":
        return "obs", array, {}
    numeric = all(isinstance(v, int | float | np.number) for v in column[~absent])
    if numeric and absent.any():
        return "obs", column.to_numpy(dtype=np.float64, na_value=np.nan), {}
    if numeric:
        whole = all(isinstance(v, int | np.integer) for v in array)
        return "obs", array.astype(np.int64 if whole else np.float64), {}
    text = np.where(absent, "", column.astype(object).map(str).to_numpy(dtype=str))
    return "obs", text, {"missing": np.flatnonzero(absent)} if absent.any() else {}


def _values(variable: xr.DataArray) -> NDArray[Any]:
    """The values of a saved column, None where they are missing."""
    values = variable.values
    if "missing" in variable.attrs:
        values = values.astype(object)
        values[np.atleast_1d(variable.attrs["missing"])] = None
    return np.asarray(values)


ENCODED = "encoded_data"
"""The group of the covariates by which a model encodes, where they are not those of the fit."""


def save(fit: Fit, path: str | Path, note: Mapping[str, Any] | None = None) -> Path:
    """Write a fit to a netCDF file; see `Fit.save`.

    Parameters
    ----------
    fit, path
        The fit, and the file.
    note
        What else to keep with it, as JSON has it; `note_of` reads it.
    """
    target = new_file(path)
    document = {
        "format": FORMAT,
        "version": version("stanmix"),
        "engine": fit.engine,
        "spec": to_json(fit.model.spec),
        "program": fit.model.code,
        "matrices": fit.model.table.matrices,
        "note": note,
    }
    tree = fit.draws.copy()
    tree.attrs = {"stanmix": json.dumps(document)}
    encoded_by, own = fit.model.encoded.table, fit.model.table.columns
    if any(own[name] is not column for name, column in encoded_by.columns.items()):
        tree[ENCODED] = xr.DataTree(columns_dataset(encoded_by.columns, encoded_by))
    partial = target.with_name(target.name + ".partial")
    tree.to_netcdf(partial, engine="netcdf4")
    partial.replace(target)
    return target


def note_of(path: Path) -> Any:
    """What was noted when a fit was saved; None if nothing was, or there is no such file."""
    try:
        with xr.open_dataset(path, engine="netcdf4") as root:
            return json.loads(root.attrs["stanmix"])["note"]
    except (OSError, LookupError, ValueError):
        return None


def load(path: str | Path, *, families: Sequence[Family] = ()) -> Fit:
    """The fit that `Fit.save` wrote. No code in the file is executed.

    Parameters
    ----------
    path
        The file.
    families
        The families of your own that the fit has.

    Returns
    -------
    Fit
        With the data it was fitted to, so that it answers every question without sampling.

    Raises
    ------
    DataError
        It is not there, or holds no fit, or one of a later version of stanmix.

    Warns
    -----
    StanmixWarning
        Another version of stanmix wrote it, whose program differed.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = {"y": [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]}
    >>> f = sm.fit("y ~ mix(poisson, K=2)", y, engine="stanli", chains=2, seed=1)
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     again = sm.load(f.save(f"{folder}/fit.nc"))
    >>> again.summary().equals(f.summary())
    True
    """
    from stanmix.fit import Fit
    from stanmix.model import Model

    source = _path(path)
    if not source.is_file():
        raise DataError(f"There is no file {str(source)!r}.")
    try:
        tree = xr.load_datatree(source, engine="netcdf4")
        document = json.loads(tree.attrs["stanmix"])
        if document["format"] > FORMAT:
            raise DataError(
                f"{str(source)!r} was written by stanmix {document['version']}, a later version "
                "whose files this one cannot read."
            )
        known = with_own(families)
        _require_families(document["spec"], known)
        spec = from_json(document["spec"], known)
        given = [tree["observed_data"].to_dataset(), tree["constant_data"].to_dataset()]
        table = _table(*given, matrices=document.get("matrices", {}))
        rows = arrange(spec, table)
        encoded_by = _table(tree[ENCODED].to_dataset()) if ENCODED in tree else table
        _require_known_terms(spec, encoded_by)
        encoded = encodings(spec, encoded_by)
        fitted = Model(spec, table, rows, encoded, standata(spec, table, rows, encoded))
        same = fitted.code == document["program"]
        kept = {name: group.to_dataset() for name, group in tree.items() if name != ENCODED}
        fit = Fit(fitted, xr.DataTree.from_dict(kept), document["engine"])
    except DataError:
        raise
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{str(source)!r} holds no fit of stanmix, or a damaged one.") from error
    if not same:
        warn(
            f"This fit was made by stanmix {document['version']}, whose program differed; "
            "questions are answered with the present one.",
            StanmixWarning,
        )
    return fit


def _table(*groups: xr.Dataset, matrices: Mapping[str, Sequence[str]] | None = None) -> Table:
    """The columns of groups of saved data, and of which matrices they are all the columns."""
    columns = {str(name): _values(v) for group in groups for name, v in group.items()}
    table = read_table(pd.DataFrame(columns, index=groups[0]["obs"].to_index()))
    whole = {
        name: tuple(parts)
        for name, parts in (matrices or {}).items()
        if table.columns.keys() >= set(parts)
    }
    return replace(table, matrices=whole)


def _require_families(document: dict[str, Any], known: Mapping[str, Family]) -> None:
    """Refuse a specification that names families which are not there."""
    named = [term["declaration"] for component in document["emissions"] for term in component]
    absent = [name for name in dict.fromkeys(named) if name not in known]
    if absent:
        raise DataError(
            Problem(
                f"The fit has families that are not those of stanmix: {listing(absent)}.",
                hint="give their declarations as `families=[..]`",
            )
        )


def _require_known_terms(spec: ModelSpec, table: Table) -> None:
    """Refuse terms that are not those of the formula.

    Formulaic evaluates Python. What it is given must have been written by our own parser, whatever
    a file says.
    """
    known = {design.terms for design in formula_designs(parse(spec.formula), table)}
    if any(design.terms not in known for r in spec.regressions for design in r.designs):
        raise ValueError("terms of the file are not those of its formula")


def new_file(path: Any) -> Path:
    """A place where a file can be written.

    Raises
    ------
    DataError
        It is no path, a folder, or in none that exists.
    """
    target = _path(path)
    if target.is_dir():
        raise DataError(f"{str(target)!r} is a folder; name a file in it.")
    if not target.parent.is_dir():
        raise DataError(f"{str(target)!r} is no place for a file: its folder must exist.")
    return target


def _path(path: Any) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise DataError(f"A file is named by text or a path, not {type(path).__name__}.") from None
