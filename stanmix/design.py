"""From covariates to design matrices. Formulaic does it; nothing else here knows of it.

A design is made once, from the data of the model, and remembers what it took from them: levels,
the coefficients of polynomials, the knots of splines. Other data are then treated alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from stanmix.data import Table, bad_rows, numbers
from stanmix.errors import DataError, SpecError, listing
from stanmix.levels import codes_of, level
from stanmix.spec import Covariate, Design, ModelSpec

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoding:
    """A design with what it remembers of the data it was made from.

    Parameters
    ----------
    design
        What is made of which covariates.
    remembered
        Formulaic's specification of the matrix.
    columns
        Names of the columns of the matrix, without the intercept.
    intercept
        Whether there is one.
    """

    design: Design
    remembered: Any
    columns: tuple[str, ...]
    intercept: bool

    def matrix(self, table: Table) -> Array:
        """The matrix of some data, (row, column), without the intercept.

        Raises
        ------
        DataError
            A covariate is missing, or holds what it must not; a term is not finite in some row, or
            is not defined there.
        """
        frame = _frame(self.design.covariates, table)
        try:
            with np.errstate(all="ignore"):
                made = self.remembered.get_model_matrix(frame, context=_CONTEXT)
                values = np.asarray(made, dtype=np.float64)[:, int(self.intercept) :]
        except _FAILURES as error:
            raise DataError(f"These terms cannot be had here: {self._reason(error)}") from None
        _require_finite(values, self.columns, table)
        return values

    def _reason(self, error: Exception) -> str:
        return _reason(error, self.design.covariates)


_FAILURES = (FormulaicError, ValueError, TypeError, ArithmeticError)
"""What formulaic raises, and what functions of terms do."""

_CONTEXT = {"sqrt": np.sqrt}
"""What formulaic may call besides its own."""


def encode(design: Design, table: Table) -> Encoding:
    """The encoding of a design in the data of a model.

    Raises
    ------
    SpecError
        The terms make no design.
    DataError
        As of `Encoding.matrix`.

    Examples
    --------
    >>> from stanmix.data import read_table
    >>> table = read_table({"x": [1.0, 2.0, 3.0], "g": ["a", "b", "b"]})
    >>> covariates = (Covariate("_c0_", "x"), Covariate("_c1_", "g", ("a", "b")))
    >>> encoding = encode(Design("_c0_ + _c1_", covariates), table)
    >>> encoding.columns
    ('x', 'g[T.b]')
    >>> encoding.matrix(table)[0]
    array([1., 0.])
    """
    frame = _frame(design.covariates, table)
    try:
        with np.errstate(all="ignore"):
            formula = formulaic.Formula(design.terms)
            made = formula.get_model_matrix(frame, context=_CONTEXT, na_action="ignore")
            values = np.asarray(made, dtype=np.float64)
    except _FAILURES as error:
        raise SpecError(
            f"These terms make no design: {_reason(error, design.covariates)}"
        ) from None
    names = [_named(str(name), design.covariates) for name in made.columns]
    intercept = names[:1] == ["Intercept"]
    columns = tuple(names[int(intercept) :])
    repeated = next((name for name in columns if columns.count(name) > 1), None)
    if repeated is not None:
        raise SpecError(f"Two of these terms would both be called `{repeated}`.")
    _require_finite(values[:, int(intercept) :], columns, table)
    return Encoding(design, made.model_spec, columns, intercept)


@dataclass(frozen=True, eq=False)
class Encodings(Mapping[Design, Encoding]):
    """The designs of a model as encoded in the data it was made with.

    Parameters
    ----------
    table
        The covariates of these data, from which they can be made again.
    made
        The encoding of every design.
    """

    table: Table
    made: Mapping[Design, Encoding]

    def __getitem__(self, design: Design) -> Encoding:
        return self.made[design]

    def __iter__(self) -> Iterator[Design]:
        return iter(self.made)

    def __len__(self) -> int:
        return len(self.made)


def encodings(spec: ModelSpec, table: Table) -> Encodings:
    """The encodings of all designs of `spec`, in the data `table` that it was made with."""
    designs = dict.fromkeys(design for r in spec.regressions for design in r.designs)
    columns = dict.fromkeys(c.column for design in designs for c in design.covariates)
    made = {design: encode(design, table) for design in designs}
    return Encodings(table.only(columns), made)


def _frame(covariates: Sequence[Covariate], table: Table) -> pd.DataFrame:
    """The covariates under their aliases, checked."""
    absent = [m for m in dict.fromkeys(table.missing(c.column) for c in covariates) if m]
    if absent:
        raise DataError(*absent)
    columns: dict[str, Any] = {}
    for covariate in covariates:
        if not covariate.levels:
            columns[covariate.alias] = numbers(table, covariate.column)
            continue
        codes = codes_of(table, covariate.column, covariate.levels)
        if (codes < 0).any():
            shown = repr(level(table.columns[covariate.column][int(np.argmax(codes < 0))]))
            known = f"must hold one of {listing(covariate.levels)}"
            raise bad_rows(table, covariate.column, known, codes < 0, shown)
        columns[covariate.alias] = pd.Categorical.from_codes(codes, pd.Index(covariate.levels))
    return pd.DataFrame(columns, index=range(table.n_rows))


def _require_finite(values: Array, columns: Sequence[str], table: Table) -> None:
    for values_of_one, name in zip(values.T, columns, strict=True):
        bad = ~np.isfinite(values_of_one)
        if bad.any():
            row = int(np.argmax(bad))
            count = int(bad.sum())
            rows = "1 row" if count == 1 else f"{count} rows"
            raise DataError(f"Term `{name}` is not finite in {rows} (first: {table.row(row)}).")


def _named(text: str, covariates: Sequence[Covariate]) -> str:
    """Formulaic's text with the user's names of the covariates, and `^` for powers."""
    for covariate in covariates:
        text = text.replace(covariate.alias, covariate.column)
    return text.replace(" ** ", "^")


def _reason(error: Exception, covariates: Sequence[Covariate]) -> str:
    """What formulaic, or the function it called, says is wrong, in the user's names."""
    said = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().partition("\n")[0]
    said = re.sub(r"^Unable to evaluate factor (`.*`)\. \[\w+: (.*)\]$", r"\1: \2", said)
    return _named(said, covariates)
