"""Columns of levels: covariates, groups and categories, whose values are names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import Table, is_missing, require_known
from stanmix.errors import DataError


def level(value: Any) -> str:
    """A level as text: whole numbers alike, whether they are stored as integers or not."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)


def levels_of(
    table: Table, name: str, *, least: int = 2, missing: bool = False, unused: bool = False
) -> tuple[str, ...]:
    """The levels of a column, as text: of a categorical one in its order, numbers sorted, text too.

    Levels of a categorical column that do not occur are left out, unless `unused` ones are wanted.

    Raises
    ------
    DataError
        Values are missing where they may not be, or there are fewer levels than `least`.
    """
    absent = is_missing(table, name)
    require_known(table, name, absent if missing else np.zeros_like(absent))
    column = table.columns[name][~absent]
    if isinstance(column.dtype, pd.CategoricalDtype):
        found = set(column)
        levels = [level(c) for c in column.cat.categories if unused or c in found]
    elif column.dtype.kind in "iuf":
        levels = list(dict.fromkeys(level(v) for v in sorted(column.unique())))
    else:
        levels = sorted({level(v) for v in column})
    if len(levels) < least:
        raise DataError(f"Column `{name}` has the one level {levels[0]!r}, and explains nothing.")
    return tuple(levels)


def has_levels(table: Table, name: str) -> bool:
    """Whether a column is one of levels: text, categories, or true and false."""
    column = table.columns[name]
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind == "b":
        return True
    plain = column.dtype.kind in "iuf"
    return not plain and bool(column.map(lambda v: isinstance(v, str | bool | np.bool_)).any())


def codes_of(
    table: Table, name: str, levels: Sequence[str], *, missing: bool = False
) -> NDArray[np.int64]:
    """The place among `levels`, from 0, of every row of a column; -1 for any other value.

    Raises
    ------
    DataError
        Values are missing where they may not be.
    """
    absent = is_missing(table, name)
    require_known(table, name, absent if missing else np.zeros_like(absent))
    which, values = pd.factorize(table.columns[name])
    known = {name: place for place, name in enumerate(levels)}
    places = np.array([*(known.get(level(v), -1) for v in values), -1], dtype=np.int64)
    return np.asarray(places[which])
