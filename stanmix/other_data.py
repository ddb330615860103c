"""A model for other data: what stays of it, and what these data say.

Priors and their scales, orders, fixed values, encodings and centres of covariates are those of the
model, whatever the data: fits of it to many data sets are fits of one model. Sizes are those of the
data, and so are groups, what is missing, what labels tell apart, and the bounds beyond which the
likelihood of these data is 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stanmix.bounds import bounded, latest, response_of
from stanmix.data import Table, is_missing
from stanmix.errors import DataError, Problem, plural
from stanmix.language.resolve import known_apart, notes_of
from stanmix.levels import levels_of
from stanmix.program.standata import with_missing
from stanmix.spec import ModelSpec, Regression


def on_other_data(spec: ModelSpec, own: Table, other: Table) -> ModelSpec:
    """The specification of a model for data that it was not made with.

    Parameters
    ----------
    spec, own
        The model, and its data.
    other
        The other data.

    Raises
    ------
    DataError
        They lack a column, or values of a response; a table has another number of columns.
    """
    _require_columns(spec, own, other)
    regressions = tuple(_regrouped(regression, spec, other) for regression in spec.regressions)
    chosen = [note for note in spec.notes if note not in set(notes_of(spec))]
    spec = replace(
        spec,
        regressions=regressions,
        known_apart=known_apart(spec.known, other, spec.K),
    )
    spec = bounded(with_missing(spec, other), other)
    return replace(spec, notes=(*chosen, *notes_of(spec)))


def _require_columns(spec: ModelSpec, own: Table, other: Table) -> None:
    needed = (*spec.response_columns, *spec.other_columns)
    problems = [
        Problem(f"`{name}` has {plural(len(other.matrices[name]), 'column')}, not {len(parts)}.")
        for name, parts in own.matrices.items()
        if set(parts) & set(needed) and len(other.matrices.get(name, parts)) != len(parts)
    ]
    if not problems:
        absent = {name: other.missing(name) for name in needed}
        problems = [Problem(m, hint=other.hint(name)) for name, m in absent.items() if m]
    if problems:
        raise DataError(*problems)
    main = [c for r in spec.responses if not r.addition for c in r.columns]
    empty = [c for c in dict.fromkeys(main) if is_missing(other, c).all()]
    if empty:
        raise DataError(*(f"Column `{c}` has no values: all rows are missing." for c in empty))


def _regrouped(regression: Regression, spec: ModelSpec, table: Table) -> Regression:
    """A regression whose groups are those of other data."""
    groups = tuple(
        replace(e, group=replace(e.group, levels=levels_of(table, e.group.column, least=1)))
        for e in regression.groups
    )
    levels = {effect.group.column: effect.group.levels for effect in groups}
    bound = regression.bound
    if bound is not None and bound.group.column in levels:
        group = replace(bound.group, levels=levels[bound.group.column])
        # In a group without responses nothing is known but the bound of all.
        least = float(np.nanmin(latest(spec, response_of(spec, regression), table)))
        bound = replace(bound, group=group, values=(least,) * len(group.levels))
    return replace(regression, groups=groups, bound=bound)
