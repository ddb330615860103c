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
        They are nothing of that kind.
    """
    if isinstance(source, Fit):
        return source.draws["posterior"].to_dataset()
    if isinstance(source, xr.DataTree):
        if "posterior" not in source:
            raise DataError(f"{what} have no group `posterior`.")
        return _of_chains(source["posterior"].to_dataset(), what)
    if isinstance(source, xr.Dataset):
        return _of_chains(source, what)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.is_file():
            raise DataError(f"There is no file `{path}`.")
        source = pd.read_csv(path, comment="#")
    if isinstance(source, pd.DataFrame):
        return _of_columns(source, what, like)
    if isinstance(source, Mapping):
        return _of_arrays({str(n): v for n, v in source.items()}, what, like)
    raise DataError(
        f"{what} must be a fit, a tree of draws, arrays by name, a table, or the path of a CSV "
        f"file, not {type(source).__name__}."
    )


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


def _of_chains(draws: xr.Dataset, what: str) -> xr.Dataset:
    for dim in ("chain", "draw"):
        if dim not in draws.sizes:
            raise DataError(f"{what} have no dimension `{dim}`.")
    return draws


def _of_arrays(source: Mapping[str, Any], what: str, like: xr.Dataset | None) -> xr.Dataset:
    found: dict[str, xr.DataArray] = {}
    count = None
    for name, given in source.items():
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{what} of `{name}` are no numbers.") from None
        if values.ndim == 0:
            raise DataError(f"{what} of `{name}` are one number, and no draws.")
        count = len(values) if count is None else count
        if len(values) != count:
            raise DataError(f"{what} are {count}, and of `{name}` {len(values)}.")
        dims = [f"{name}_{i}" for i in range(values.ndim - 1)]
        coords: dict[str, Any] = {}
        if like is not None and name in like:
            own = [dim for dim in like[name].dims if dim not in ("chain", "draw")]
            if values.shape[1:] == tuple(like.sizes[dim] for dim in own):
                dims = [str(dim) for dim in own]
                coords = {dim: like[dim].values for dim in dims if dim in like.coords}
        elif len(dims) == 2 and values.shape[1] == values.shape[2] and _symmetric(values):
            dims = [f"{name}_0", f"{name}_0_to"]
        found[str(name)] = xr.DataArray(values[None], dims=["chain", "draw", *dims], coords=coords)
    if not found:
        raise DataError(f"{what} are none.")
    return xr.Dataset(found)


def _symmetric(values: Array) -> bool:
    return bool(np.allclose(values, np.swapaxes(values, 1, 2)))


def _of_columns(table: pd.DataFrame, what: str, like: xr.Dataset | None) -> xr.Dataset:
    """Columns, each by the name of its number."""
    table = table.set_axis([str(column) for column in table], axis=1)
    chain = next((c for c in table.columns if _plain(c) in ("chain", "chain_id")), None)
    columns = [c for c in table.columns if _plain(c) not in NOT_PARAMETERS and not c.endswith("__")]
    if not columns:
        raise DataError(f"{what} have no column of numbers.")
    aliases = _aliases(like) if like is not None else {}
    parts = [table] if chain is None else [part for _, part in table.groupby(chain, sort=True)]
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"{what}: chains have different numbers of draws.")
    found = {}
    for column in columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise DataError(f"{what}: the column `{column}` holds no numbers.")
        name = _canonical(column)
        values = np.stack([part[column].to_numpy(np.float64) for part in parts])
        found[aliases.get(name, name)] = values
    if like is not None:
        return _assembled(found, like)
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in found.items()})


def _assembled(found: dict[str, Array], like: xr.Dataset) -> xr.Dataset:
    """Numbers as the variables that other draws have; those of no such variable by themselves."""
    variables: dict[str, xr.DataArray] = {}
    left = dict(found)
    for name, other in like.transpose("chain", "draw", ...).items():
        places = element_names(other)
        if not all(label in found for label in places):
            continue
        shape = next(iter(found.values())).shape
        values = np.full((*shape, *other.shape[2:]), np.nan)
        for label, place in places.items():
            values[_at(place)] = left.pop(label)
        if len(places) < np.prod(other.shape[2:], dtype=int):
            # A correlation matrix, of which the upper half has names.
            values = np.where(np.isnan(values), np.swapaxes(values, -1, -2), values)
            values[..., range(values.shape[-1]), range(values.shape[-1])] = 1.0
            left = {label: v for label, v in left.items() if not label.startswith(f"{name}[")}
        coords = {d: other[d].values for d in other.dims[2:] if d in other.coords}
        variables[str(name)] = xr.DataArray(values, dims=other.dims, coords=coords)
    alone = {name: xr.DataArray(v, dims=["chain", "draw"]) for name, v in left.items()}
    return xr.Dataset({**variables, **alone})


def _aliases(like: xr.Dataset) -> dict[str, str]:
    """Other names of numbers: places from 1 in the place of labels."""
    found = {}
    for name, values in like.items():
        for label, place in element_names(values).items():
            index = ", ".join(str(i + 1) for i in place)
            found[f"{name}[{index}]" if index else str(name)] = label
            found[label] = label
    return found


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
