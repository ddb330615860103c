"""The user's priors in place of the defaults: whether they fit, and which bounds they set."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from stanmix.errors import Problem, Span, SpecError, did_you_mean, listing, plural
from stanmix.language.priors import (
    Target,
    parse_prior,
    parse_target,
    parts,
)
from stanmix.priors import (
    CIRCULAR,
    CORRELATION,
    DISTRIBUTIONS,
    SHRINKING,
    SIMPLEX,
    Prior,
    PriorArgument,
    PriorEntry,
    format_number,
)
from stanmix.spec import Axis, Parameter

RESERVED = {"simplex": 1, "correlation": 2, "circular": 0, "none": 0}
"""How many of the last axes of a parameter have one prior together, by its constraint."""


def assign(
    parameters: Sequence[Parameter],
    priors: Mapping[str, str],
    sizes: Mapping[str, int],
    labels: Mapping[str, Sequence[object]],
    moves: Sequence[Sequence[int]] = (),
) -> tuple[Parameter, ...]:
    """`parameters` with the user's priors in place of their defaults.

    Parameters
    ----------
    parameters
        With their default priors.
    priors
        Prior text by what it is a prior of.
    sizes, labels
        Length of every axis, and its coordinates: an index may be a column's or choice's name.
    moves
        The moves of a hidden Markov model, from rows to columns, 1 or 0.

    Raises
    ------
    SpecError
        All keys and priors that cannot be used.
    """
    problems: list[Problem] = []
    given: dict[str, list[tuple[Target, Prior]]] = {}
    by_name = {p.name: p for p in parameters}
    for key, text in priors.items():
        try:
            target, prior = parse_target(key), parse_prior(text)
            if target.name not in by_name:
                raise _unknown(target, list(by_name))
            given.setdefault(target.name, []).append((target, prior))
        except SpecError as error:
            problems.extend(error.problems)
    assigned = []
    for parameter in parameters:
        try:
            chosen = given.get(parameter.name, [])
            _require_increments_alone([target for target, _ in chosen])
            taken: set[tuple[int, ...]] = set()
            for target, prior in chosen:
                parameter = _with_prior(parameter, target, prior, taken, sizes, labels, moves)
                taken.add(parameter.priors[-1].index)
            assigned.append(_narrowed(_in_use(parameter, sizes)))
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(*problems)
    return tuple(assigned)


def _unknown(target: Target, known: list[str]) -> SpecError:
    if target.name == "weights" and "transition" in known:
        hint = "a hidden Markov model has `transition` and `initial`"
    else:
        hint = did_you_mean(target.name, known) or ""
    return SpecError(
        Problem(
            f"Prior on unknown parameter `{target.name}`; the model has {listing(known)}.",
            target.text,
            Span(0, len(target.text)),
            hint or None,
        )
    )


def _with_prior(
    parameter: Parameter,
    target: Target,
    prior: Prior,
    taken: set[tuple[int, ...]],
    sizes: Mapping[str, int],
    labels: Mapping[str, Sequence[object]],
    moves: Sequence[Sequence[int]],
) -> Parameter:
    """`parameter` with one prior of the user; those of the elements `taken` were given before."""
    place = Span(0, len(target.text))

    def refuse(message: str, hint: str | None = None) -> SpecError:
        return SpecError(Problem(message, f"{target.text}: {prior}", place, hint))

    _require_kind(parameter, prior, refuse)
    if any(axis.startswith("contrast") for axis in parameter.axes):
        _require_symmetric(parameter, prior, refuse)
    index = _check_index(parameter, target, sizes, labels, refuse)
    if prior.distribution == "dirichlet" and len(prior.arguments) > 1:
        lengths = [sizes[parameter.axes[-1]]]
        if parameter.name == "transition":
            lengths = [sum(row) for row in (moves[index[0] - 1 :][:1] if index else moves)]
        wrong = next((n for n in lengths if n != len(prior.arguments)), None)
        if wrong is not None:
            raise refuse(
                f"`{target.text}` has {wrong} probabilities, but its `dirichlet` "
                f"{len(prior.arguments)} arguments."
            )
    _require_columns(parameter, target, index, prior, sizes, refuse)
    if prior.distribution in SHRINKING:
        prior = _shrinking(parameter, prior, index, refuse)
    entry = PriorEntry(prior, index, target.increments)
    if entry.index and entry.index in taken:
        raise refuse(f"`{target.text}` has two priors.")
    kept = [
        e for e in parameter.priors if (e.index, e.increments) != (entry.index, entry.increments)
    ]
    updated = replace(parameter, priors=(*kept, entry))
    if any(e.prior.distribution in SHRINKING for e in updated.priors) and len(updated.priors) > 1:
        raise refuse(f"`horseshoe` is the prior of all `{parameter.name}` together.")
    if target.increments:
        _require_increments(parameter, refuse)
    return updated


def _in_use(parameter: Parameter, sizes: Mapping[str, int]) -> Parameter:
    """`parameter` without priors of which every element has another one, that says more."""
    reserved = RESERVED[parameter.constraint]
    axes = parameter.axes[: len(parameter.axes) - reserved]
    elements = itertools.product(*(range(1, sizes[axis] + 1) for axis in axes))
    used = {id(e) for e in map(parameter.entry_at, elements)}
    kept = tuple(e for e in parameter.priors if e.increments or id(e) in used)
    # An axis may have no element.
    return replace(parameter, priors=kept or parameter.priors)


def _require_increments_alone(targets: Sequence[Target]) -> None:
    """Refuse a prior that `diff(x)` already gives: it leaves only `x[1]` free."""
    if not any(target.increments for target in targets):
        return
    for target in targets:
        if not target.increments and target.index != (1,):
            message = f"`{target.text}` has two priors: its own, and `diff({target.name})`."
            hint = f"with `diff({target.name})`, give `{target.name}[1]` its own prior"
            raise SpecError(Problem(message, target.text, Span(0, len(target.text)), hint))


Refuse = Callable[..., SpecError]


def _require_kind(parameter: Parameter, prior: Prior, refuse: Refuse) -> None:
    """Refuse a prior of numbers for a simplex, and the reverse."""
    name = prior.distribution
    by_constraint = {
        "simplex": SIMPLEX,
        "correlation": CORRELATION,
        "circular": CIRCULAR,
        "none": tuple(DISTRIBUTIONS),
    }
    allowed = [
        d
        for d in by_constraint[parameter.constraint]
        if d != "sticky" or parameter.name == "transition"
    ]
    if parameter.constraint == "none" and parameter.is_slope:
        allowed += SHRINKING
    if name not in allowed:
        raise refuse(
            f"`{name}` cannot be the prior of `{parameter.name}`; "
            f"it must be one of {listing(allowed, most=20)}."
        )


SLAB = (1.0, 4.0)
"""Width of the slab of a horseshoe, and its degrees of freedom: as wide as the default prior."""


def _shrinking(parameter: Parameter, prior: Prior, index: tuple[int, ...], refuse: Refuse) -> Prior:
    """A horseshoe with all its arguments.

    Its scale is by default that of the default prior: slopes are then shrunk alike, whatever the
    units of their covariates.
    """
    if index:
        raise refuse(
            f"`horseshoe` is the prior of all `{parameter.name}` together.",
            f"give it to `{parameter.name}`",
        )
    if parameter.order is not None:
        raise refuse(f"`{parameter.name}` is ordered, so its prior cannot be `horseshoe`.")
    slab = (PriorArgument(format_number(value), value) for value in SLAB)
    # The scale is the last argument of the default prior, normal(0, scale).
    defaults = (*prior.arguments[:1], *slab, parameter.priors[0].prior.arguments[-1])
    return Prior(prior.distribution, prior.arguments + defaults[len(prior.arguments) :])


def _require_symmetric(parameter: Parameter, prior: Prior, refuse: Refuse) -> None:
    """Refuse a prior of contrasts that would depend on how they are chosen."""
    normal = prior.distribution == "normal"
    if not normal or any(np.any(np.asarray(a.value) != 0) for a in prior.arguments[:1]):
        over = "components" if "contrast" in parameter.axes else "categories"
        raise refuse(
            f"The coefficients `{parameter.name}` sum to zero over {over}; their prior must be "
            "normal(0, ..)."
        )


def _check_index(
    parameter: Parameter,
    target: Target,
    sizes: Mapping[str, int],
    labels: Mapping[str, Sequence[object]],
    refuse: Refuse,
) -> tuple[int, ...]:
    """The index as numbers from 1."""
    axes: tuple[Axis, ...] = parameter.axes[: len(parameter.axes) - RESERVED[parameter.constraint]]
    given = target.index
    if axes[:1] == ("move",) and len(given) > 1 and all(isinstance(i, int) for i in given[:2]):
        given = (f"{given[0]}, {given[1]}", *given[2:])
    if len(given) > len(axes):
        what = "takes no index" if not axes else f"takes {plural(len(axes), 'index')}"
        hint = "give all its probabilities at once" if parameter.constraint == "simplex" else None
        raise refuse(f"`{parameter.name}` {what} in a prior.", hint)
    index: list[int] = []
    if axes[:1] == ("contrast",) and given and isinstance(given[0], int):
        message = "Its prior is the same for all components, so that their labels do not matter."
        raise refuse(message, f"name a term, as in `{parameter.name}[{labels[axes[-1]][0]}]`")
    for part in given:
        place = len(index)
        if isinstance(part, str):
            # A name may say which axis it is of: `beta_mu[x]` is the slope of every component.
            named = (i for i in range(place, len(axes)) if part in map(str, labels[axes[i]]))
            place = next(named, place)
            index += [0] * (place - len(index))
        if place >= len(axes):
            raise refuse(f"`{part}` is one index too many.")
        names = [str(label) for label in labels[axes[place]]]
        if isinstance(part, str) and part not in names:
            if part == "Intercept":
                raise refuse(
                    "The intercept has no prior of its own.",
                    f"give `{parameter.name.removeprefix('beta_')}`, its value at the means of "
                    "the covariates, a prior",
                )
            known = names if names[0] != "1" or len(axes) == 1 else list(map(str, labels[axes[-1]]))
            raise refuse(f"`{part}` is none of {listing(known)}.", did_you_mean(part, known))
        number = part if isinstance(part, int) else names.index(part) + 1
        if axes[place].startswith("contrast_"):
            raise refuse(
                "Its prior is the same for all categories, so that their order does not matter.",
                f"name a term, as in `{parameter.name}[{labels[axes[-1]][0]}]`",
            )
        if not 1 <= number <= sizes[axes[place]]:
            raise refuse(f"The index {number} is not between 1 and {sizes[axes[place]]}.")
        index.append(number)
    return tuple(index)


def _require_columns(
    parameter: Parameter,
    target: Target,
    index: tuple[int, ...],
    prior: Prior,
    sizes: Mapping[str, int],
    refuse: Refuse,
) -> None:
    """Refuse a vector in a prior of anything but all columns of a response, or all terms."""
    shapes = {np.shape(a.value) for a in prior.arguments if isinstance(a.value, tuple)}
    if not shapes:
        return
    axis = parameter.axes[-1] if parameter.axes else ""
    columns = parameter.constraint == "none" and (
        axis == "column" or axis.startswith(("slope_", "effect_"))
    )
    if not columns or target.increments or len(index) == len(parameter.axes):
        raise refuse(
            "A vector in a prior has a number for each column, or term; "
            f"`{target.text}` takes one number."
        )
    depth = max(map(len, shapes))
    of_columns = parameter.axes[-2:-1] in (("column",), ("accumulator",))
    if depth > 1 and (not of_columns or len(index) > len(parameter.axes) - depth):
        raise refuse(
            "Vectors in a vector are for all columns, and terms of each; "
            f"`{target.text}` takes a vector at most."
        )
    for shape in shapes:
        for of, length in zip(reversed(parameter.axes), reversed(shape), strict=False):
            if length != sizes[of]:
                noun = of if of in ("column", "accumulator") else "term"
                raise refuse(
                    f"`{target.text}` has {plural(sizes[of], noun)}, but a vector in its prior "
                    f"has {plural(length, 'element')}."
                )


def _require_increments(parameter: Parameter, refuse: Refuse) -> None:
    if parameter.axes[-1:] == ("column",) or parameter.place is not None:
        several = "columns" if parameter.axes[-1] == "column" else "terms"
        raise refuse(
            f"`{parameter.name}` has several {several}, of which one is ordered, so it has no "
            "prior of increments."
        )
    if parameter.order is None or parameter.axes[-1] != parameter.order:
        raise refuse(
            f"`{parameter.name}` is not an ordered vector, so it has no increments.",
            f"`order={parameter.param or parameter.name}` would order it",
        )


def _narrowed(parameter: Parameter) -> Parameter:
    """`parameter` with its bounds drawn in to the support of its priors.

    A prior such as `gamma` for a location says that it is positive; a sampler must know that.
    """
    if parameter.constraint != "none":
        return parameter
    increments = [e.prior for e in parameter.priors if e.increments]
    entries = [e for e in parameter.priors if not e.increments]
    supports = {_support(e.prior) for e in entries}
    if increments and (_bounded(increments[0]) or any(_bounded(e.prior) for e in entries)):
        key = f"diff({parameter.name})"
        first = next(e for e in entries if e.index in ((), (1,)))
        if _bounded(first.prior) and not first.index:
            raise SpecError(
                Problem(
                    f"Beside `{key}`, the default prior of `{parameter.name}[1]`, {first.prior}, "
                    "does not do, since it ends above.",
                    key,
                    Span(0, len(key)),
                    f"give `{parameter.name}[1]` a prior without an upper end",
                )
            )
        raise SpecError(
            Problem(
                f"Beside `{key}`, and in it, a prior must not end above: one without an upper end "
                "would do.",
                key,
                Span(0, len(key)),
            )
        )
    lower = max(low for low, _ in supports)
    upper = min(high for _, high in supports)
    own_lower = -math.inf if parameter.lower is None else parameter.lower
    own_upper = math.inf if parameter.upper is None else parameter.upper
    if any(low > own_lower or high < own_upper for low, high in supports) and len(supports) > 1:
        raise SpecError(
            f"The priors of the elements of `{parameter.name}` have different supports; "
            "give them priors on the same range."
        )
    lower, upper = max(lower, own_lower), min(upper, own_upper)
    if lower >= upper:
        raise SpecError(f"The prior of `{parameter.name}` leaves no value within its bounds.")
    ends_above = upper < math.inf or parameter.below is not None
    if parameter.order is not None and ends_above and parameter.axes != ("state",):
        raise SpecError(
            f"`{parameter.name}` is ordered, so its prior must not end above: one without an "
            "upper end would do, or another order."
        )
    return replace(
        parameter,
        lower=None if lower == -math.inf else lower,
        upper=None if upper == math.inf else upper,
    )


def _bounded(prior: Prior) -> bool:
    return _support(prior)[1] < math.inf


def _support(prior: Prior) -> tuple[float, float]:
    if prior.distribution == "uniform":
        low, high = (parts(a.value)[0] for a in prior.arguments)
        return low, high
    if prior.distribution in SHRINKING:
        return -math.inf, math.inf
    known = DISTRIBUTIONS[prior.distribution]
    return known.lower, known.upper
