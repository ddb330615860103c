"""Draws of any origin, as variables with chains, and as single numbers by name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix.diagnostics import element_names
from stanmix.errors import DataError
from stanmix.fit import Fit

Array = NDArray[np.float64]

Source = Fit | xr.DataTree | xr.Dataset | Mapping[str, Any] | pd.DataFrame | str | os.PathLike[str]
"""What draws may come as."""

ROUNDED = 1e-3
"""By how much probabilities that were written with few digits may sum to another number than 1."""

NOT_PARAMETERS = {"chain", "draw", "iteration", "iter", "chain_id", "draw_id"}
"""Columns of a table that say which draw a row is, in small letters and without dots."""


def read(source: Source, what: str, like: xr.Dataset | None = None) -> xr.Dataset:
    """Draws as variables (chain, draw, ...) each.

    Parameters
    ----------
    source
        A fit; a tree of draws with the group `posterior`, or that group; arrays (draw, ...) by
        name; a table with a column for each number (`mu[1]`, or `mu.1`) and perhaps one of chains;
        or the path of such a table as CSV, in which lines after `#` are left out.
    what
        What these draws are called in errors.
    like
        Draws whose shapes and labels these have where names agree.

    Raises
    ------
    DataError
        They are nothing of that kind, or have other shapes or labels.
    """
    if isinstance(source, Fit):
        return source.draws["posterior"].to_dataset()
    if isinstance(source, xr.DataTree):
        if "posterior" not in source:
            raise DataError(f"{what} have no group `posterior`.")
        source = source["posterior"].to_dataset()
    if isinstance(source, str | os.PathLike):
        source = _of_file(Path(source))
    if isinstance(source, xr.Dataset):
        found = _of_chains(source, what)
    elif isinstance(source, pd.DataFrame):
        found = _of_columns(source, what, like)
    elif isinstance(source, Mapping):
        found = _of_arrays({str(n): v for n, v in source.items()}, what)
    else:
        raise DataError(
            f"{what} must be a fit, a tree of draws, arrays by name, a table, or the path of a CSV "
            f"file, not {type(source).__name__}."
        )
    if not found.data_vars:
        raise DataError(f"{what} are none.")
    if not found.sizes["chain"] * found.sizes["draw"]:
        raise DataError(f"{what} are 0.")
    return found if like is None else _shaped(found, what, like)


def numbers(draws: xr.Dataset) -> dict[str, Array]:
    """Every number of variables (chain, draw, ...), by its name: (chain, draw)."""
    return {
        label: np.asarray(values.values[_at(place)], dtype=np.float64)
        for values in draws.transpose("chain", "draw", ...).values()
        for label, place in element_names(values).items()
    }


def _at(place: tuple[int, ...]) -> Any:
    """An index of one number, of all chains and draws."""
    return (..., *place)


def _of_file(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"There is no file `{path}`.")
    try:
        return pd.read_csv(path, comment="#")
    except (ValueError, OSError) as error:
        # What pandas raises of empty and ragged files, and of those that are no text.
        raise DataError(f"`{path}` is no table as CSV: {error}.") from None


def _of_chains(draws: xr.Dataset, what: str) -> xr.Dataset:
    for dim in ("chain", "draw"):
        if dim not in draws.sizes:
            raise DataError(f"{what} have no dimension `{dim}`.")
    # A tree may hold what is no draw, and draws of what is no number.
    own = [
        name
        for name, values in draws.items()
        if {"chain", "draw"} <= set(values.dims) and values.dtype.kind in "biuf"
    ]
    return draws[own]


def _of_arrays(source: Mapping[str, Any], what: str) -> xr.Dataset:
    found: dict[str, xr.DataArray] = {}
    count = None
    for name, given in source.items():
        values = _array(given, f"{what} of `{name}`")
        if values.ndim == 0:
            raise DataError(f"{what} of `{name}` are one number, and no draws.")
        if not values[:1].size and len(values):
            raise DataError(f"{what} of `{name}` have no numbers.")
        count = len(values) if count is None else count
        if len(values) != count:
            raise DataError(f"{what} are {count}, and of `{name}` {len(values)}.")
        dims = [f"{name}_{i}" for i in range(values.ndim - 1)]
        if values.ndim == 3 and _correlations(values):
            # What `element_names` takes for a matrix of which half follows from the other.
            dims = [f"{name}_0", f"{name}_0_to"]
        found[name] = xr.DataArray(values[None], dims=["chain", "draw", *dims])
    return xr.Dataset(found)


def _array(given: Any, what: str) -> Array:
    """What was given as numbers."""
    try:
        other = np.iscomplexobj(given) or np.ma.is_masked(given)
        # What is complex would only be warned of.
        values = np.empty(0) if other else np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} are no numbers.") from None
    if other:
        raise DataError(f"{what} are complex numbers, or some are masked.")
    return values


def _correlations(values: Array) -> bool:
    size = values.shape[-1]
    if values.shape[1] != size or size < 2:
        return False
    diagonal = np.diagonal(values, axis1=1, axis2=2)
    return bool(np.allclose(values, np.swapaxes(values, 1, 2)) and np.allclose(diagonal, 1.0))


def _shaped(draws: xr.Dataset, what: str, like: xr.Dataset) -> xr.Dataset:
    """Draws with the dimensions and labels that variables of these names have elsewhere.

    Raises
    ------
    DataError
        A variable has another shape, or other labels.
    """
    found = {}
    for name, values in draws.transpose("chain", "draw", ...).items():
        if name in like:
            other = like[name].transpose("chain", "draw", ...)
            if values.shape[2:] != other.shape[2:]:
                raise DataError(
                    f"{what} of `{name}` have the shape {values.shape[2:]}, and must have "
                    f"{other.shape[2:]}."
                )
            values = _labelled(values, what, other)
        found[str(name)] = values
    return xr.Dataset(found)


def _labelled(values: xr.DataArray, what: str, other: xr.DataArray) -> xr.DataArray:
    """A variable with the labels of another: those that it has, in that order; else by places."""
    coords = {}
    for dim, theirs in zip(values.dims[2:], other.dims[2:], strict=True):
        wanted = other[theirs].values if theirs in other.coords else None
        if wanted is not None and dim in values.coords:
            own = list(map(str, values[dim].values))
            names = list(map(str, wanted))
            if sorted(own) == sorted(names):
                values = values.isel({dim: [own.index(name) for name in names]})
            elif not _counts(values[dim].values):
                raise DataError(
                    f"{what} of `{values.name}` have the labels {', '.join(own)}, and must have "
                    f"{', '.join(names)}."
                )
        if wanted is not None:
            coords[theirs] = wanted
    kept = {dim: values[dim].values for dim in ("chain", "draw") if dim in values.coords}
    return xr.DataArray(values.values, dims=other.dims, coords={**kept, **coords})


def _counts(labels: NDArray[Any]) -> bool:
    """Whether labels count from 0 or 1, as where none were given."""
    return any(list(labels) == list(range(first, first + len(labels))) for first in (0, 1))


def _of_columns(table: pd.DataFrame, what: str, like: xr.Dataset | None) -> xr.Dataset:
    """Columns, each by the name of its number."""
    table = table.set_axis([str(column) for column in table], axis=1)
    chain = next((c for c in table.columns if _plain(c) in ("chain", "chain_id")), None)
    columns = [c for c in table.columns if _plain(c) not in NOT_PARAMETERS and not c.endswith("__")]
    if not columns:
        raise DataError(f"{what} have no column of numbers.")
    names = [_canonical(column) for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{what} have several columns for `{twice}`.")
    if chain is not None and table[chain].isna().any():
        raise DataError(f"{what}: the column `{chain}` has missing values.")
    parts = [table] if chain is None else [part for _, part in table.groupby(chain, sort=True)]
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"{what}: chains have different numbers of draws.")
    found = {}
    for column, name in zip(columns, names, strict=True):
        kind = table[column].dtype
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind):
            raise DataError(f"{what}: the column `{column}` holds no numbers.")
        found[name] = np.stack(
            [part[column].to_numpy(np.float64, na_value=np.nan) for part in parts]
        )
    if like is not None:
        return _assembled(found, like)
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in found.items()})


def _assembled(found: dict[str, Array], like: xr.Dataset) -> xr.Dataset:
    """Numbers as the variables that other draws have; those of no such variable by themselves."""
    variables: dict[str, xr.DataArray] = {}
    left = dict(found)
    for name, other in like.transpose("chain", "draw", ...).items():
        places = _columns_of(other, found)
        if not places:
            continue
        shape = next(iter(found.values())).shape
        values = np.full((*shape, *other.shape[2:]), np.nan)
        for column, place in places.items():
            values[_at(place)] = left.pop(column)
        if len(places) < np.prod(other.shape[2:], dtype=int):
            # A correlation matrix, of which the upper half has names.
            values = np.where(np.isnan(values), np.swapaxes(values, -1, -2), values)
            values[..., range(values.shape[-1]), range(values.shape[-1])] = 1.0
            left = {label: v for label, v in left.items() if not label.startswith(f"{name}[")}
        variables[str(name)] = xr.DataArray(values, dims=other.dims)
    alone = {name: xr.DataArray(v, dims=["chain", "draw"]) for name, v in left.items()}
    return xr.Dataset({**variables, **alone})


def _columns_of(variable: xr.DataArray, found: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """The column of each element of a variable: by labels if all are there, else by places."""
    elements = element_names(variable)
    by_label = {_canonical(label): place for label, place in elements.items()}
    by_place = {
        f"{variable.name}[{', '.join(str(i + 1) for i in place)}]": place
        for place in elements.values()
    }
    return next((names for names in (by_label, by_place) if set(names) <= set(found)), {})


def _canonical(column: str) -> str:
    """`mu[1, 2]`, of `mu[1,2]` or `mu.1.2`."""
    dotted = re.fullmatch(r"(.+?)((?:\.\d+)+)", column)
    if dotted:
        return f"{dotted[1]}[{', '.join(dotted[2][1:].split('.'))}]"
    indexed = re.fullmatch(r"([^\[]+)\[(.*)\]", column)
    if indexed:
        return f"{indexed[1].strip()}[{', '.join(i.strip() for i in indexed[2].split(','))}]"
    return column.strip()


def _plain(column: str) -> str:
    return column.strip(". ").lower()
