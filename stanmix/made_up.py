"""Data to simulate on: rows with something in the place of the responses that are not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.data import WHOLE, read_table
from stanmix.errors import DataError
from stanmix.families import Family
from stanmix.language import tree
from stanmix.language.limits import Limit, bounds

MOST_ROWS = 10_000_000
"""Most rows that a number may ask for."""


def with_responses(
    formula: tree.Formula, data: Any, families: Mapping[str, Family]
) -> tuple[dict[str, Any], list[str]]:
    """Columns with every response of `formula`, and the names of those that are made up.

    Parameters
    ----------
    formula
        What `parse` returned.
    data
        Data of any kind that `read_table` takes, or a number of rows.
    families
        The families there are.

    Returns
    -------
    tuple
        A mapping of columns; and the names of those that are not in `data`.

    Raises
    ------
    DataError
        It is a number that is no number of rows, or `read_table` refuses it.
    """
    if isinstance(data, int | np.integer) and not isinstance(data, bool):
        if not 1 <= data <= MOST_ROWS:
            raise DataError(f"The number of rows must be between 1 and {MOST_ROWS}, not {data}.")
        rows, given = int(data), dict[str, Any]()
    else:
        table = read_table(data)
        rows, given = table.n_rows, dict[str, Any](table.columns)
        given |= {
            name: np.column_stack([given.pop(p) for p in parts])
            for name, parts in table.matrices.items()
        }
    missing = {
        name: values
        for name, values in _made_up(formula, rows, families, given).items()
        if name not in given
    }
    return {**given, **missing}, list(missing)


def _made_up(
    formula: tree.Formula, rows: int, known: Mapping[str, Family], given: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Values that the families of a formula may observe, for its responses and choices.

    They lie within the bounds of truncation, and none is censored.
    """
    kinds: dict[str, str] = {}
    families = {f.name: f for f in known.values()}
    for component in formula.model.latent.components:
        calls = component.families
        calls = calls * len(formula.model.response) if len(calls) == 1 else calls
        for column, call in zip(formula.model.response, calls, strict=False):
            family = families.get(call.name.text)
            if family is not None:
                kinds.setdefault(column.text, family.response[0].kind)
    additions = {addition.name.text: addition for addition in formula.model.additions}
    for name, of in (("dec", ("choice",)), ("cens", ("exact", "end"))):
        if name in additions:
            named = zip(additions[name].args, of, strict=False)
            kinds |= {a.text: kind for a, kind in named if isinstance(a, tree.Name)}
    steps = np.arange(rows)
    spread = (steps + 0.5) / max(rows, 1)
    values: dict[str, NDArray[Any]] = {
        "real": 2 * spread - 1,
        "positive": 0.5 + spread,
        "unit": spread,
        "angle": 2 * spread - 1,
        "count": steps % 5,
        "binary": steps % 2,
        "category": steps % 2 + 1,
        "choice": steps % 2 + 1,
        "simplex": np.full(rows, 1 / len(formula.model.response)),
        "exact": np.full(rows, "none", dtype=object),
        "end": np.full(rows, np.nan),
    }
    made = {column: values[kind] for column, kind in kinds.items()}
    if "trunc" in additions:
        limits = bounds(additions["trunc"], formula.text, [])
        lower, upper = (_end(bound, given) for bound in limits)
        made |= {
            column.text: _between(kinds[column.text], lower, upper, rows)
            for column in formula.model.response
            if column.text in kinds
        }
    return made


def _end(bound: Limit | None, given: Mapping[str, Any]) -> Any:
    """A bound of truncation: a number, one for each row, or None if there is no such column."""
    if isinstance(bound, tree.Name):
        return None if bound.text not in given else np.asarray(given[bound.text], dtype=np.float64)
    return None if bound is None else bound.value


def _between(kind: str, lower: Any, upper: Any, rows: int) -> NDArray[Any]:
    """Different values of a kind between bounds."""
    steps = np.arange(rows)
    if kind in WHOLE:
        low = np.maximum(0 if lower is None else lower, 0)
        high = low + 4 if upper is None else upper
        return np.asarray(low + steps % (high - low + 1), dtype=np.int64)
    least = {"positive": 0.0, "unit": 0.0}.get(kind, -np.inf)
    low = least if lower is None else np.maximum(lower, least)
    most = 1.0 if kind == "unit" else np.inf
    high = np.minimum(low + 2 if upper is None else upper, most)
    low = np.where(np.isinf(low), high - 2, low)
    return np.asarray(low + (high - low) * (steps + 0.5) / rows)
