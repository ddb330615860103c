"""Families that a user declares, beside those of stanmix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stanmix.errors import SpecError, listing
from stanmix.families import FAMILIES, Family
from stanmix.program.resources import functions, split_functions


def with_own(families: Sequence[Family]) -> Mapping[str, Family]:
    """All families there are, by their keys: those of stanmix, and `families`.

    Raises
    ------
    SpecError
        One is no family, has a name that is taken or that no formula can have, or its Stan code
        lacks a function that it needs.
    """
    known = dict(FAMILIES)
    for family in families:
        if not isinstance(family, Family):
            raise SpecError(f"`families` holds declarations of families, not {family!r:.60}.")
        _require_name(family, known)
        _require_code(family)
        known[family.key] = family
    return known


def _require_name(family: Family, known: Mapping[str, Family]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", family.name):
        raise SpecError(f"A family cannot be called {family.name!r}: letters, digits and `_` only.")
    if family.key in known:
        raise SpecError(f"There is a family `{family.name}` already.")


def _require_code(family: Family) -> None:
    try:
        own = split_functions(family.stan_code)
    except ValueError as error:
        raise SpecError(f"The Stan code of `{family.name}` cannot be read: {error}.") from None
    taken = {f.name for f in functions().values()} & {f.name for f in own}
    if taken:
        raise SpecError(f"stanmix has Stan functions {listing(sorted(taken))}; rename yours.")
    needed = frozenset(c.addition for c in family.response if c.addition and not c.optional)
    partial = ("partial_log_omega",) if family.response[0].partial else ()
    cumulative = ("log_cumulative", "log_survival") if family.has_cumulative(needed) else ()
    for function in ("log_omega", *partial, *cumulative):
        wanted = family.signature(needed, function)
        if wanted not in {f.signature for f in own}:
            raise SpecError(f"The Stan code of `{family.name}` has no function `{wanted}`.")
