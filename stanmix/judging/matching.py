"""Two sets of draws made to agree: in names, in what is compared, and in labels of components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.errors import DataError, Problem, did_you_mean, listing
from stanmix.fit import Fit
from stanmix.judging.alignment import aligned
from stanmix.named_draws import ROUNDED, Source, numbers, read

Array = NDArray[np.float64]

FEWEST = 50
"""Fewest draws of either set."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Draws of numbers.

    Parameters
    ----------
    names
        What they are called: `mu[1]`, `corr[1, u, v]`.
    values
        (chain, draw, number).
    """

    names: tuple[str, ...]
    values: Array

    def __len__(self) -> int:
        """How many draws there are, of all chains."""
        chains, draws = self.values.shape[:2]
        return int(chains * draws)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sets of draws of the same numbers.

    Parameters
    ----------
    reference, candidate
        The draws.
    dropped
        Numbers that were left out, since they follow from others.
    notes
        What was done to make labels agree: sentences.
    """

    reference: Sample
    candidate: Sample
    dropped: tuple[str, ...]
    notes: tuple[str, ...]


FIRST, SECOND = "The first draws", "The second draws"
"""What the two sets are called in errors."""


def matched(a: Source, b: Source, variables: str | Iterable[str] | None) -> Pair:
    """The same numbers of both, with the same labels of components.

    Parameters
    ----------
    a, b
        The reference, and what is judged.
    variables
        Names of variables or numbers; if not given all, and both must have the same.

    Raises
    ------
    DataError
        Names differ, or a name is unknown; draws are too few, not finite, or never vary; or the
        reference, or a fit, has one chain.
    """
    if isinstance(a, Fit | xr.DataTree | xr.Dataset):
        first = read(a, FIRST)
        second = read(b, SECOND, like=first)
    else:
        second = read(b, SECOND)
        first = read(a, FIRST, like=second if isinstance(b, Fit | xr.DataTree) else None)
    # Chains of an engine; of draws that come as arrays or tables none are known.
    if isinstance(a, Fit | xr.DataTree | xr.Dataset):
        require_chains(first, FIRST)
    if isinstance(b, Fit):
        require_chains(second, SECOND)
    notes: tuple[str, ...] = ()
    if isinstance(a, Fit):
        found = aligned(a, second)
        first, second, notes = found.reference, found.candidate, found.notes
    elif isinstance(b, Fit):
        found = aligned(b, first)
        first, second, notes = found.candidate, found.reference, found.notes
    return Pair(*common(first, second, variables), notes)


def common(
    a: xr.Dataset, b: xr.Dataset, variables: str | Iterable[str] | None
) -> tuple[Sample, Sample, tuple[str, ...]]:
    """The same numbers of both, less those that follow from the others.

    Of probabilities that sum to 1 in both the last is left out, and those that never vary, as of
    moves that are not allowed; and what is another number again, as in half of a matrix.

    Parameters
    ----------
    a, b
        Draws.
    variables
        Names of variables or numbers; if not given all, and both must have the same.

    Returns
    -------
    tuple
        Both, and the names that were left out.

    Raises
    ------
    DataError
        Names differ, or a name is unknown; draws are too few, or not finite; or a number never
        varies, or is too large to compute with.
    """
    ours, theirs = numbers(a), numbers(b)
    names = _chosen(ours, theirs, variables)
    for what, found in (("The first draws", ours), ("The second draws", theirs)):
        count = next(iter(found.values())).size
        if count < FEWEST:
            raise DataError(f"{what} are {count}, and at least {FEWEST} are needed.")
        for name in names:
            bad = int((~np.isfinite(found[name])).sum())
            if bad:
                raise DataError(f"{what} of `{name}` are NaN or infinite in {bad} of {count}.")
    dropped = _following(names, ours, theirs)
    kept = [name for name in names if name not in dropped]
    for what, found in (("the first draws", ours), ("the second draws", theirs)):
        for name in kept:
            if np.ptp(found[name]) == 0:
                raise DataError(
                    f"`{name}` never varies in {what}; name the `variables` to compare without it."
                )
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                spread = found[name].std()
            if not 0.0 < spread < np.inf:
                raise DataError(f"`{name}` is too large or too small in {what} to compute with.")
    if not kept:
        raise DataError("Nothing is left to be compared.")
    if all(_same(ours[name], theirs[name]) for name in kept):
        raise DataError("Both are the same draws.")
    first, second = (
        Sample(tuple(kept), np.stack([found[name] for name in kept], axis=-1))
        for found in (ours, theirs)
    )
    return first, second, tuple(dropped)


def _same(a: Array, b: Array) -> bool:
    """Whether draws are the same, but for digits that are lost on the way."""
    return a.size == b.size and np.allclose(a.ravel(), b.ravel(), rtol=1e-8, atol=0)


def require_chains(draws: xr.Dataset, what: str) -> None:
    """Raise DataError if draws are of one chain, which shows no convergence."""
    if draws.sizes["chain"] > 1:
        return
    raise DataError(
        f"{what} are of one chain, which cannot show that it has converged; two or more are needed."
    )


def _chosen(
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
    variables: str | Iterable[str] | None,
) -> list[str]:
    """The numbers that are compared."""
    if variables is None:
        apart = [(set(ours) - set(theirs), "second"), (set(theirs) - set(ours), "first")]
        for names, other in apart:
            if names:
                several = "are" if len(names) > 1 else "is"
                raise DataError(
                    Problem(
                        f"{listing(sorted(names))} {several} not among the {other} draws.",
                        hint="`variables` names what is to be compared",
                    )
                )
        return list(ours)
    asked = [variables] if isinstance(variables, str) else variables
    if not isinstance(asked, Iterable):
        raise DataError(f"`variables` must be names, not {variables!r}.")
    found: list[str] = []
    for name in asked:
        own = [n for n in ours if n in theirs and (n == name or n.startswith(f"{name}["))]
        if not own:
            both = [n for n in ours if n in theirs]
            raise DataError(
                Problem(
                    f"There is no `{name}` in both; there are {listing(both)}.",
                    hint=did_you_mean(str(name), [*both, *{n.partition("[")[0] for n in both}]),
                )
            )
        found += own
    return list(dict.fromkeys(found))


def _following(
    names: list[str], ours: Mapping[str, Array], theirs: Mapping[str, Array]
) -> list[str]:
    """Numbers that follow from others by what they are."""
    dropped: dict[str, None] = {}
    groups: dict[str, list[str]] = {}
    for name in names:
        variable, bracket, index = name.partition("[")
        if bracket:
            groups.setdefault(f"{variable}[{index.rpartition(', ')[0]}", []).append(name)
    for group in groups.values():
        never = [n for n in group if np.ptp(ours[n]) == 0 and np.ptp(theirs[n]) == 0]
        moving = [n for n in group if n not in never]
        if all(_sum_to_one(group, moving[-1:], found) for found in (ours, theirs)):
            dropped |= dict.fromkeys([*never, *moving[-1:]])
    # Of a matrix that is symmetric, one half.
    seen: set[tuple[bytes, bytes]] = set()
    for name in names:
        values = ours[name].tobytes(), theirs[name].tobytes()
        if values in seen:
            dropped[name] = None
        seen.add(values)
    return [name for name in names if name in dropped]


def _sum_to_one(group: list[str], last: list[str], found: Mapping[str, Array]) -> bool:
    """Whether these are probabilities, of which the last follows from the others.

    They may be rounded; but what they sum to must not say more than the last one does.
    """
    off = np.abs(np.sum([found[name] for name in group], axis=0) - 1).max()
    least = min(found[name].min() for name in group)
    spread = min([found[name].std() for name in last], default=np.inf)
    return bool(least >= 0 and off < min(ROUNDED, spread / 10))
