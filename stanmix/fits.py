"""`Fits`: fits of one model to many data sets, with a table of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stanmix.errors import ConvergenceWarning, StanmixError, StanmixWarning, warn
from stanmix.families import FAMILIES, Family
from stanmix.fit import Fit
from stanmix.model import Model
from stanmix.storage import load

Key = Hashable
"""What a data set is called: text or a number, as a rule."""


def name_of(key: Key) -> str:
    """A key as text, by which its fit has a seed and a file.

    It is the same for the numbers of numpy as for those of Python, also within tuples.
    """
    return str(_plain(key))


def _plain(key: Key) -> Key:
    if type(key) is tuple:
        return tuple(map(_plain, key))
    return key.item() if isinstance(key, np.number | np.bool_ | np.str_) else key


@dataclass(frozen=True)
class Row:
    """What there is to say of one fit.

    Parameters
    ----------
    seconds
        How long it took.
    divergent
        How many draws diverged.
    r_hat, ess
        The largest R-hat and the smallest effective sample size of what does not depend on labels.
    usable
        Whether nothing leaves the draws unfit for use.
    problems
        What is wrong, in words.
    """

    seconds: float
    divergent: int | None
    r_hat: float
    ess: float
    usable: bool
    problems: str

    @classmethod
    def of_failure(cls, error: StanmixError) -> Row:
        """What there is to say where there is no fit."""
        return cls(np.nan, None, np.nan, np.nan, False, " ".join(str(error).split()))


@dataclass(frozen=True, eq=False)
class Finished:
    """What became of one data set.

    Parameters
    ----------
    found
        The fit, or its file; or why there is none.
    row
        What there is to say of it.
    """

    found: Fit | Path | StanmixError
    row: Row


@dataclass(frozen=True, repr=False, eq=False)
class Fits(Mapping[Key, Fit]):
    """Fits of one model to many data sets: a mapping from their keys to the fits.

    Those kept in a folder are read when they are asked for, each time.

    Parameters
    ----------
    kept
        The fits, or their files, by the keys of the data sets.
    failed
        Why there is no fit, of the data sets that have none.
    table
        For each data set `seconds`, the `divergent` draws, the largest `r_hat` and the smallest
        `ess` of what does not depend on labels, whether the draws are `usable`, and `problems` in
        words.
    model
        The model.
    """

    kept: Mapping[Key, Fit | Path]
    failed: Mapping[Key, StanmixError]
    table: pd.DataFrame
    model: Model

    def __getitem__(self, key: Key) -> Fit:
        if key in self.failed:
            raise KeyError(f"{key!r} has no fit: {self.failed[key]}")
        found = self.kept[key]
        return load(found, families=_own(self.model)) if isinstance(found, Path) else found

    def __iter__(self) -> Iterator[Key]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __contains__(self, key: object) -> bool:
        return key in self.kept

    def __repr__(self) -> str:
        unfit = int((~self.table["usable"]).sum()) - len(self.failed)
        lines = [
            self.model.spec.formula,
            f"{len(self)} fits of {len(self.table)} data sets: {len(self.failed)} failed, {unfit} "
            "with draws unfit for use",
            "",
            self.table.to_string(max_rows=20, max_colwidth=60, float_format=lambda v: f"{v:.3g}"),
        ]
        return "\n".join(lines)


def fits_of(model: Model, finished: Mapping[Key, Finished]) -> Fits:
    """What became of all data sets, by their keys."""
    table = pd.DataFrame([asdict(one.row) for one in finished.values()])
    table = table.astype({"divergent": "Int64"})
    table.index = pd.Index(list(finished), name="data", tupleize_cols=False)
    kept, failed = dict[Key, Fit | Path](), dict[Key, StanmixError]()
    for key, one in finished.items():
        if isinstance(one.found, StanmixError):
            failed[key] = one.found
        else:
            kept[key] = one.found
    return Fits(kept, failed, table, model)


def _own(model: Model) -> list[Family]:
    """The families of a model that are not those of stanmix."""
    terms = (term for component in model.spec.emissions for term in component)
    named = {term.family: term.declaration for term in terms}
    return [family for key, family in named.items() if key not in FAMILIES]


def warn_of(fits: Fits) -> None:
    """Say in a sentence what else only the table says."""
    count = len(fits.table)
    if fits.failed:
        key, error = next(iter(fits.failed.items()))
        warn(
            f"{len(fits.failed)} of {count} data sets have no fit (first: {key!r}: "
            f"{' '.join(str(error).split())}); `failed` says why.",
            StanmixWarning,
        )
    unfit = [key for key, usable in fits.table["usable"].items() if not usable and key in fits]
    if unfit:
        warn(
            f"{len(unfit)} of {count} data sets have draws that are unfit for use (first: "
            f"{unfit[0]!r}); `table` says why.",
            ConvergenceWarning,
        )
