"""The user's data as checked columns, and the statistics that scale default priors.

Rows are counted from 0 in messages, as pandas and numpy do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.errors import DataError, Problem, did_you_mean, listing
from stanmix.families import Column


@dataclass(frozen=True)
class Table:
    """Columns of equal length, as the user gave them.

    Parameters
    ----------
    columns
        One-dimensional columns by name.
    matrices
        Names of two-dimensional arrays, each with the names of the columns it stands for.
    n_rows
        Number of rows.
    labels
        The names of the rows: the index of a data frame, else their numbers from 0.
    unusable
        Names of what is no column, with what to say if it is asked for.
    """

    columns: Mapping[str, pd.Series]
    matrices: Mapping[str, tuple[str, ...]]
    n_rows: int
    labels: pd.Index
    unusable: Mapping[str, str] = field(default_factory=dict)

    def expand(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """`names`, with each two-dimensional array replaced by its columns."""
        return tuple(c for name in names for c in self.matrices.get(name, (name,)))

    def with_values(self, values: Mapping[str, float]) -> Table:
        """The same rows with one value in some columns."""
        moved = {name: pd.Series(np.full(self.n_rows, value)) for name, value in values.items()}
        return replace(self, columns={**self.columns, **moved})

    def only(self, names: Iterable[str]) -> Table:
        """The same rows with these columns alone."""
        columns = {name: self.columns[name] for name in names}
        return replace(self, columns=columns, matrices={}, unusable={})

    def taken(self, places: NDArray[np.int64]) -> Table:
        """Some of the rows, in this order."""
        columns = {n: c.iloc[places].reset_index(drop=True) for n, c in self.columns.items()}
        return replace(self, columns=columns, n_rows=len(places), labels=self.labels[places])

    def row(self, place: int) -> str:
        """What to call a row in a message: its number from 0, and its name where that differs."""
        name = self.labels[place]
        plain = isinstance(name, int | np.integer) and int(name) == place
        return f"row {place}" if plain else f"row {place} [index {str(name)!r}]"

    def missing(self, name: str) -> str | None:
        """What to say if there is no such column; None if there is."""
        if name in self.columns:
            return None
        if name in self.unusable:
            return self.unusable[name]
        if name in self.matrices:
            parts = listing(self.matrices[name])
            return f"`{name}` is a table ({parts}), where one column is needed."
        return f"The data have no column `{name}`; they have {listing(self.columns)}."

    def hint(self, name: str) -> str | None:
        """The column the user may have meant."""
        if name in self.unusable or name in self.matrices:
            return None
        return did_you_mean(name, [*self.columns, *self.matrices])


def read_table(data: Any) -> Table:
    """The columns of a data frame (pandas, polars) or of a mapping of arrays.

    A two-dimensional array `y` stands for its columns, which are named `y_1`, `y_2`, ....

    Parameters
    ----------
    data
        The data frame, or the mapping.

    Returns
    -------
    Table
        The columns, and what rows are called.

    Raises
    ------
    DataError
        `data` is neither, has no rows, or holds columns of different lengths.

    Examples
    --------
    >>> read_table({"y": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}).expand(("y",))
    ('y_1', 'y_2')
    """
    if isinstance(data, Mapping):
        given = dict(data)
    elif hasattr(data, "columns") and hasattr(data, "__getitem__"):
        repeated = [str(n) for n in pd.Index(data.columns)[pd.Index(data.columns).duplicated()]]
        if repeated:
            raise DataError(f"The data have more than one column named `{repeated[0]}`.")
        given = {name: data[name] for name in data.columns}
    else:
        raise DataError(
            "Data must be a data frame (pandas or polars) or a mapping of arrays, "
            f"not {type(data).__name__}."
        )
    columns: dict[str, pd.Series] = {}
    matrices: dict[str, tuple[str, ...]] = {}
    unusable: dict[str, str] = {}
    for key, values in given.items():
        name = str(key)
        if isinstance(values, pd.Series | pd.Categorical):
            columns[name] = pd.Series(values).reset_index(drop=True)
            continue
        array = _array(name, values)
        if array.ndim == 1:
            columns[name] = pd.Series(array)
        elif array.ndim == 2:
            parts = tuple(f"{name}_{j + 1}" for j in range(array.shape[1]))
            matrices[name] = parts
            for j, part in enumerate(parts):
                if part in given:
                    raise DataError(
                        f"Column {j + 1} of the array `{name}` would be called `{part}`, "
                        "which the data hold already."
                    )
                columns[part] = pd.Series(array[:, j])
        else:
            unusable[name] = (
                f"Column `{name}` has {array.ndim} dimensions; it must have one or two."
            )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        (first, n), (other, m) = next(
            (a, b) for a in lengths.items() for b in lengths.items() if a[1] != b[1]
        )
        raise DataError(f"Columns differ in length: `{first}` has {n} rows, `{other}` has {m}.")
    n_rows = next(iter(lengths.values()), 0)
    if not lengths and unusable:
        raise DataError(*unusable.values())
    if n_rows == 0:
        raise DataError("The data have no rows.")
    index = getattr(data, "index", None)
    labels = _labels(index) if isinstance(index, pd.Index) else pd.RangeIndex(n_rows)
    return Table(columns, matrices, n_rows, labels.rename("obs"), unusable)


def _labels(index: pd.Index) -> pd.Index:
    """The names of rows as numbers, times or text, which a file can hold."""
    if isinstance(index, pd.MultiIndex):
        return pd.Index([", ".join(map(str, levels)) for levels in index])
    plain = isinstance(index.dtype, np.dtype) and index.dtype.kind in "iufM"
    return index if plain else pd.Index([str(name) for name in index])


def _array(name: str, values: Any) -> NDArray[Any]:
    """A column's values; what a mask hides is missing."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(object), np.nan))
    try:
        return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except ValueError as error:
        raise DataError(f"Column `{name}` is neither one list of values nor a table.") from error


def is_missing(table: Table, name: str) -> NDArray[np.bool_]:
    """Where a column has no value."""
    return np.asarray(table.columns[name].isna().to_numpy(), dtype=np.bool_)


def numbers(table: Table, name: str, *, missing: bool = False) -> NDArray[np.float64]:
    """A column as finite numbers; with `missing`, NaN where there is none.

    Raises
    ------
    DataError
        Text or infinite values, or missing ones where they may not be, with their count and the
        first row.
    """
    column = table.columns[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.dtype.kind in "mMc":
        raise DataError(f"Column `{name}` must hold numbers, not {column.dtype}.")
    try:
        coerced = pd.to_numeric(column, errors="coerce")
    except OverflowError:
        raise DataError(f"Column `{name}` holds whole numbers too large to compute with.") from None
    values = coerced.to_numpy(dtype=np.float64, na_value=np.nan)
    text = (
        np.array([isinstance(v, str) for v in column]) if column.dtype.kind not in "biuf" else None
    )
    if text is not None and text.any():
        row = int(np.argmax(text))
        raise bad_rows(table, name, "must hold numbers", text, f"{column[row]!r}")
    other = ~pd.isna(column).to_numpy() & np.isnan(values)
    if other.any():
        raise bad_rows(
            table, name, "must hold numbers", other, f"{column[int(np.argmax(other))]!r}"
        )
    if np.isnan(values).any() and not missing:
        raise bad_rows(table, name, "must have no missing values", np.isnan(values), "missing")
    if np.isinf(values).any():
        raise bad_rows(table, name, "must be finite", np.isinf(values), "infinite")
    return values


def bad_rows(
    table: Table,
    name: str,
    rule: str,
    bad: NDArray[np.bool_],
    shown: str,
    hint: str | None = None,
) -> DataError:
    """The error for rows of a column that break a rule."""
    return _bad_rows(table, f"Column `{name}`", rule, bad, shown, hint)


def _bad_rows(
    table: Table,
    subject: str,
    rule: str,
    bad: NDArray[np.bool_],
    shown: str,
    hint: str | None,
) -> DataError:
    count, row = int(bad.sum()), table.row(int(np.argmax(bad)))
    rows = "1 row does not" if count == 1 else f"{count} rows do not"
    return DataError(Problem(f"{subject} {rule}; {rows} (first: {row}, {shown}).", hint=hint))


def response_values(table: Table, name: str, column: Column) -> NDArray[Any]:
    """The values of a response column that are there, checked against what the family may observe.

    Returns
    -------
    ndarray
        Of the rows that are not missing: int64 for `count` and `binary`, float64 otherwise.

    Raises
    ------
    DataError
        Values outside the family's support, with their count and the first row.
    """
    values = numbers(table, name, missing=True)
    known = ~np.isnan(values)
    if column.kind in WHOLE and (values > MAX_COUNT).any():
        shown = f"{np.nanmax(values):g}"
        raise bad_rows(table, name, f"must not exceed {MAX_COUNT}", values > MAX_COUNT, shown)
    rules = {
        "real": ("", np.zeros(len(values), bool)),
        "positive": ("must be positive", values <= 0),
        "unit": ("must lie between 0 and 1, and neither be 0 nor 1", (values <= 0) | (values >= 1)),
        "angle": ("must hold angles from -2 pi to 2 pi", np.abs(values) > 2 * math.pi + 1e-9),
        "count": ("must hold counts 0, 1, 2, ...", (values < 0) | (values != np.floor(values))),
        "binary": ("must hold 0 or 1", ~np.isin(values, (0, 1))),
        "simplex": ("must hold shares above 0", values <= 0),
    }
    rule, bad = rules[column.kind]
    bad = bad & known
    if bad.any():
        zeros = column.kind == "simplex" and (values[bad] == 0).all()
        hint = "give a 0 a small share, and divide its row by the sum" if zeros else None
        raise bad_rows(table, name, rule, bad, f"{values[int(np.argmax(bad))]:g}", hint)
    values = values[known]
    return values.astype(np.int64) if column.kind in WHOLE else values


SUM_TOLERANCE = 1e-6
"""How far shares may be from a sum of 1."""


def require_whole(table: Table, names: tuple[str, ...]) -> None:
    """Raise DataError where columns of shares do not sum to 1, or a row has some of them alone."""
    shares = np.stack([numbers(table, name, missing=True) for name in names])
    subject, absent = f"Columns {listing(names)}", np.isnan(shares)
    some = np.asarray(absent.any(axis=0) & ~absent.all(axis=0))
    if some.any():
        lacking = names[int(np.argmax(absent[:, np.argmax(some)]))]
        rule = "hold shares of a whole, of which a row must have all or none"
        raise _bad_rows(table, subject, rule, some, f"no `{lacking}`", None)
    total = shares.sum(axis=0)
    wrong = np.abs(total - 1) > SUM_TOLERANCE
    if wrong.any():
        shown, hint = f"{total[np.argmax(wrong)]:.7g}", "divide each row by its sum"
        raise _bad_rows(table, subject, "must sum to 1 in every row", wrong, shown, hint)


def label_text(label: Any) -> str:
    """A label as text, a number without needless digits."""
    number = isinstance(label, int | float | np.number) and not isinstance(label, bool | np.bool_)
    return f"{label:g}" if number else str(label)


def _meaning(label: Any, K: int) -> NDArray[np.bool_]:
    """Which of K states a label leaves possible; none if it is no label."""
    text = label_text(label).strip()
    states = [part.strip().removesuffix(".0") for part in text.removeprefix("!").split("|")]
    if not all(s.isdecimal() and 1 <= int(s) <= K for s in states):
        return np.zeros(K, dtype=np.bool_)
    named = np.isin(np.arange(1, K + 1), [int(s) for s in states])
    return ~named if text.startswith("!") else named


def known_states(table: Table, name: str, K: int) -> NDArray[np.bool_]:
    """Which of K states a column of labels leaves possible, (row, state).

    A label is the number of a state, several joined by `|` (`1|3`), or those that are excluded
    after a `!` (`!2`); where it is missing all are possible.

    Raises
    ------
    DataError
        Other values, with their count and the first row.
    """
    column = table.columns[name]
    which, labels = pd.factorize(column)
    meanings = np.stack([np.ones(K, dtype=np.bool_), *(_meaning(v, K) for v in labels)])
    possible = meanings[which + 1]
    bad = np.asarray(~possible.any(axis=1))
    if bad.any():
        shown = repr(str(column[int(np.argmax(bad))]))
        rule = f"must hold states 1 to {K}, such as 1, `1|2` or `!1`"
        raise bad_rows(table, name, rule, bad, shown)
    return possible


MAX_CHOICES = 50
"""Most choices of a column: beyond, it is the wrong column."""


def frequencies(table: Table, name: str) -> NDArray[np.int64]:
    """How often each row counts; once where there is no such column.

    Raises
    ------
    DataError
        Values that are no counts from 1 on.
    """
    if table.missing(name):
        return np.ones(table.n_rows, dtype=np.int64)
    values = numbers(table, name)
    bad = (values < 1) | (values != np.floor(values))
    if bad.any():
        shown = f"{values[int(np.argmax(bad))]:g}"
        raise bad_rows(table, name, "must count rows: 1, 2, ...", bad, shown)
    return values.astype(np.int64)


def require_known(table: Table, name: str, optional: NDArray[np.bool_]) -> None:
    """Raise DataError where a column is missing, but for the rows where it may be."""
    missing = is_missing(table, name) & ~optional
    if missing.any():
        raise bad_rows(table, name, "must have no missing values", missing, "missing")


def choice_labels(
    table: Table, name: str, optional: NDArray[np.bool_] | None = None
) -> tuple[str, ...]:
    """The choices a column may hold, at most `MAX_CHOICES`: choice a has code a, from 1.

    In the rows `optional` there may be none.

    Raises
    ------
    DataError
        Too many choices, codes that are not 1 to A, or missing values.
    """
    if not is_missing(table, name).all():
        none = np.zeros(table.n_rows, dtype=np.bool_)
        require_known(table, name, none if optional is None else optional)
    labels = _choice_labels(table, name)
    if len(labels) > MAX_CHOICES:
        raise DataError(
            f"Column `{name}` holds {len(labels)} different choices, of which there may be "
            f"{MAX_CHOICES}; is it the right column?"
        )
    return labels


def _choice_labels(table: Table, name: str) -> tuple[str, ...]:
    """The choices, in order.

    Categories keep their order, and may include choices that nobody made; text is sorted; numbers
    must be the codes 1 to A themselves, each of which occurs.
    """
    column = table.columns[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(str(c) for c in column.cat.categories)
    texts, missing = column.map(lambda v: isinstance(v, str)), column.isna()
    if texts.any() and (texts | missing).all():
        return tuple(sorted(set(column[texts])))
    values = numbers(table, name, missing=not missing.all())
    bad = ~missing.to_numpy() & ((values < 1) | (values != np.floor(values)))
    if bad.any():
        raise bad_rows(
            table, name, "must hold choices 1, 2, ...", bad, f"{values[int(np.argmax(bad))]:g}"
        )
    highest = int(np.nanmax(values))
    present = set(values[~np.isnan(values)].astype(int).tolist())
    absent = next((a for a in range(1, highest + 1) if a not in present), None)
    if absent is not None:
        row = table.row(int(np.nanargmax(values)))
        raise DataError(
            Problem(
                f"Column `{name}` holds choice {highest} (first: {row}), but never choice "
                f"{absent}; choices are numbered 1, 2, ... without gaps.",
                hint="a pandas Categorical column may name choices that do not occur",
            )
        )
    return tuple(str(a) for a in range(1, highest + 1))


def choice_codes(
    table: Table, name: str, labels: tuple[str, ...], optional: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """A choice column as codes 1 to A of `labels`; 1 where it is missing in the rows `optional`.

    Raises
    ------
    DataError
        A value that is none of `labels`, with the count and the first row.
    """
    column = table.columns[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object).map(str, na_action="ignore")
    numeric = column.dtype.kind in "biuf"
    text = column.map(lambda v: f"{v:g}") if numeric else column.astype(object)
    codes = text.map({label: a for a, label in enumerate(labels, 1)}).to_numpy(
        np.float64, copy=True
    )
    codes[is_missing(table, name) & optional] = 1
    unknown = np.isnan(codes)
    if unknown.any():
        value = column[int(np.argmax(unknown))]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise bad_rows(table, name, f"must hold one of {listing(labels)}", unknown, shown)
    return codes.astype(np.int64)


WHOLE = ("count", "binary")
"""Kinds of responses that are whole numbers."""

MAX_COUNT = 2**31 - 1
"""Largest whole number that Stan holds."""

STATISTICS = ("center", "scale", "mean", "log_center", "log_scale", "minimum", "maximum")
"""What default priors, bounds and values may use of a response column."""


def statistic(values: NDArray[Any], name: str) -> float:
    """One of `STATISTICS` of a column, rounded so that what is shown is what is used.

    A scale keeps three digits, a centre what matters beside the scale; a bound is exact. The order
    of the rows does not matter, not even in the last digit.
    """
    y = np.sort(np.asarray(values, dtype=np.float64))
    if name in ("minimum", "maximum"):
        return float(y[0 if name == "minimum" else -1])
    if name.startswith("log_"):
        y, name = np.log(y), name.removeprefix("log_")
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(y.std())
    if scale <= 1e-12 * float(np.abs(y).max()):
        scale = 0.0  # Equal values differ from their mean in the last digit.
    if name == "scale":
        return float(f"{scale:.3g}")
    value = float(np.median(y)) if name == "center" else float(y.mean())
    if scale == 0 or not np.isfinite(scale):
        return value
    return round(value, 2 - math.floor(math.log10(scale)))


def require_enough(K: int, units: int, what: str) -> None:
    """Raise DataError if there are more components than rows, or units, that could have them."""
    if units < K:
        message = f"{K} components or states cannot be told apart in {units} {what}."
        raise DataError(Problem(message, hint=f"use at most {units}"))
