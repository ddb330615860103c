"""The options of `mix(..)` and `hmm(..)`: their names, their values, and what they exclude."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from stanmix.errors import Problem, Span, SpecError, did_you_mean, listing
from stanmix.families.elliptical import COVARIANCES
from stanmix.language import tree

INITIALS = ("free", "uniform", "stationary")
COUNT = {"mix": "K", "hmm": "states"}
Moves = tuple[tuple[int, ...], ...]
Settings = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Ordering:
    """A parameter that orders the components: a part of it, or one of its slopes, if named."""

    name: str
    part: str | None = None
    slope: str | None = None


OPTIONS = {
    "mix": ("K", "cov", "share", "order"),
    "hmm": ("states", "cov", "share", "order", "initial", "transition"),
}


@dataclass(frozen=True)
class Options:
    """What the options of a model line say.

    Parameters
    ----------
    kind
        Mixture or hidden Markov model.
    K
        Number of components or states.
    cov
        Covariance form of several columns at once.
    share
        Parameters common to all components.
    order
        Parameters that identify the components; empty for `none`, and None if not given.
    initial
        How a chain starts; None for a mixture. `first`, in state 1, goes with `left_right`.
    allowed
        Which moves a chain may make, from rows to columns, 1 or 0; None for all.
    at
        Covariates, by parameter, at which parameters that vary are ordered: of the others, and
        where there are none, their means.
    cov_span, share_span, order_span
        Where the values stand, for messages.
    """

    kind: Literal["mix", "hmm"]
    K: int
    cov: str = "full"
    share: tuple[str, ...] = ()
    order: tuple[Ordering, ...] | None = None
    initial: Literal["free", "uniform", "stationary", "first"] | None = None
    allowed: Moves | None = None
    at: tuple[tuple[str, Settings], ...] = ()
    cov_span: Span | None = field(default=None, compare=False)
    share_span: Span | None = field(default=None, compare=False)
    order_span: Span | None = field(default=None, compare=False)


def read_options(latent: tree.Latent, source: str) -> Options:
    """The options of a `mix(..)` or `hmm(..)` call.

    Raises
    ------
    SpecError
        Unknown options, values that an option cannot have, or a number of components that is
        missing or disagrees with those listed.
    """
    kind: Any = latent.kind.text
    problems: list[Problem] = []
    read: dict[str, Any] = {"initial": "free" if kind == "hmm" else None}
    for argument in latent.options:
        name = argument.name.text
        if name not in OPTIONS[kind]:
            problems.append(_unknown_option(argument, kind))
            continue
        try:
            value = _READERS[name](argument.value)
        except _Unfit as unfit:
            problems.append(Problem(unfit.message, None, argument.value.span, unfit.hint))
            continue
        read["K" if name == "states" else name] = value
        if name in ("cov", "share", "order"):
            read[f"{name}_span"] = argument.value.span
        if name == "order":
            read["at"] = tuple(
                (item.name.text, tuple((c, float(n.value)) for c, n in item.settings))
                for item in _items(argument.value)
                if isinstance(item, tree.At)
            )
    listed = len(latent.components)
    count = next((o for o in latent.options if o.name.text == COUNT[kind]), None)
    if listed > 1:
        if "K" in read and read["K"] != listed and count is not None:
            message = f"`{COUNT[kind]}` is {read['K']}, but {listed} components are listed."
            problems.append(Problem(message, None, count.span))
        read["K"] = listed
    elif count is None and not any(_is_misspelt(o.name.text, COUNT[kind]) for o in latent.options):
        noun = "components" if kind == "mix" else "states"
        message = f"The number of {noun} is missing."
        problems.append(Problem(message, None, latent.span, f"add `{COUNT[kind]}=2`"))
    restriction = read.pop("transition", "full")
    if not problems and restriction != "full":
        given = {o.name.text: o.value.span for o in latent.options}
        try:
            read["allowed"] = _allowed(restriction, read["K"])
        except _Unfit as unfit:
            problems.append(Problem(unfit.message, None, given["transition"], unfit.hint))
        else:
            problems += _initial_problems(restriction, read["allowed"], read["initial"], given)
            read["initial"] = "first" if restriction == "left_right" else read["initial"]
    if problems:
        raise SpecError(*(Problem(p.message, source, p.span, p.hint) for p in problems))
    return Options(kind=kind, **read)


def with_count(formula: tree.Formula, K: int) -> tree.Formula:
    """The formula with another number of components or states.

    Raises
    ------
    SpecError
        The formula lists its components, and so their number.
    """
    latent = formula.model.latent
    name = COUNT[latent.kind.text]
    if len(latent.components) > 1:
        raise SpecError(f"The formula lists its components, so `{name}` is no choice.")
    others = tuple(option for option in latent.options if option.name.text != name)
    count = tree.Argument(tree.Name(name, latent.span), tree.Number(K, latent.span), latent.span)
    latent = replace(latent, options=(count, *others))
    return replace(formula, model=replace(formula.model, latent=latent))


class _Unfit(Exception):
    """A value that an option cannot have."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message, self.hint = message, hint


def _is_misspelt(name: str, wanted: str) -> bool:
    return name.lower() == wanted.lower()


def _unknown_option(argument: tree.Argument, kind: str) -> Problem:
    name, known = argument.name.text, OPTIONS[kind]
    other = "hmm" if kind == "mix" else "mix"
    if name == COUNT[other]:
        message = f"`{kind}` has no option `{name}`."
        return Problem(message, None, argument.name.span, f"write `{COUNT[kind]}` instead")
    message = f"Unknown option `{name}` of `{kind}`; must be one of {listing(known)}."
    return Problem(message, None, argument.name.span, did_you_mean(name, known))


def _word(value: tree.Value) -> str | None:
    """A bare or quoted word."""
    if isinstance(value, tree.Name):
        return value.text
    return value.value if isinstance(value, tree.Text) else None


def _read_count(value: tree.Value) -> int:
    if not isinstance(value, tree.Number) or value.value != int(value.value) or value.value < 1:
        raise _Unfit("The number of components must be a whole number from 1 on.")
    return int(value.value)


def _one_of(known: tuple[str, ...]) -> Callable[[tree.Value], str]:
    def read(value: tree.Value) -> str:
        word = _word(value)
        if word not in known:
            hint = did_you_mean(word, known) if word else None
            raise _Unfit(f"This must be one of {listing(known)}.", hint)
        return word

    return read


def _read_cov(value: tree.Value) -> str:
    try:
        return _one_of(COVARIANCES)(value)
    except _Unfit as unfit:
        meant = _MCLUST.get(_word(value) or "")
        raise _Unfit(unfit.message, f"write `{meant}`" if meant else unfit.hint) from None


_MCLUST = {
    "EII": "cov=spherical, share=sigma",
    "VII": "cov=spherical",
    "EEI": "cov=diag, share=sigma",
    "VVI": "cov=diag",
    "EEE": "cov=tied",
    "VVV": "cov=full",
}
"""What mclust calls covariances: whether volume, shape and orientation are equal or vary."""


def _read_transition(value: tree.Value) -> str:
    word = _word(value)
    if word in ("full", "left_right") or (word and set(word) <= set("01;")):
        return word
    raise _Unfit(
        'This must be `full`, `left_right`, or the allowed moves row by row, as in "110;011;001".'
    )


def _allowed(restriction: str, K: int) -> Moves:
    """The moves that `left_right`, or a text of rows, allows."""
    if restriction == "left_right":
        return tuple(tuple(int(j >= i) for j in range(K)) for i in range(K))
    rows = restriction.split(";")
    if len(rows) != K or any(len(row) != K for row in rows):
        raise _Unfit(f"{K} states have {K} rows of {K} moves each, joined by `;`.")
    if "1" not in min(rows, key=lambda row: row.count("1")):
        state = next(i for i, row in enumerate(rows, 1) if "1" not in row)
        raise _Unfit(f"Row {state} allows no move, not even to stay.")
    return tuple(tuple(map(int, row)) for row in rows)


def _initial_problems(
    restriction: str, allowed: Moves, initial: str, given: Mapping[str, Span]
) -> Iterator[Problem]:
    """What a restriction of the moves excludes at the start of a chain."""
    if restriction == "left_right" and "initial" in given:
        message = (
            "`transition=left_right` starts in state 1, so `initial` has no meaning beside it."
        )
        yield Problem(message, None, given["initial"])
    elif initial == "stationary" and not _is_irreducible(allowed):
        message = "With these moves some states are left for good, so that no stationary "
        message += "distribution is the only one."
        yield Problem(message, None, given["initial"])


def _is_irreducible(allowed: Moves) -> bool:
    """Whether every state can be reached from every other."""
    reach = np.array(allowed, dtype=bool) | np.eye(len(allowed), dtype=bool)
    for _ in allowed:
        reach = reach @ reach
    return bool(reach.all())


def _items(value: tree.Value) -> tuple[tree.Single, ...]:
    return value.items if isinstance(value, tree.Many) else (value,)


def _read_share(value: tree.Value) -> tuple[str, ...]:
    words = [_word(item) for item in _items(value)]
    if any(word is None for word in words):
        raise _Unfit("`share` takes a parameter, or several as `c(a, b)`.")
    return tuple(word for word in words if word is not None)


def _read_order(value: tree.Value) -> tuple[Ordering, ...]:
    if _word(value) == "none":
        return ()
    order: list[Ordering] = []
    for item in _items(value):
        word = _word(item)
        if word is not None:
            order.append(Ordering(word))
        elif isinstance(item, tree.Index) and isinstance(item.index, tree.Name):
            order.append(Ordering(item.name.text, part=item.index.text))
        elif isinstance(item, tree.At):
            order.append(Ordering(item.name.text))
        elif isinstance(item, tree.Slope):
            order.append(Ordering(item.name.text, slope=item.term.text))
        else:
            raise _Unfit(
                "`order` takes a parameter, several as `c(a, b)`, a part such as `mu[waiting]`, "
                "a parameter at covariates such as `mu(x=0)`, a slope such as `mu:x`, or `none`."
            )
    return tuple(order)


_READERS: dict[str, Callable[[tree.Value], Any]] = {
    "K": _read_count,
    "states": _read_count,
    "cov": _read_cov,
    "share": _read_share,
    "order": _read_order,
    "initial": _one_of(INITIALS),
    "transition": _read_transition,
}
