"""The prior of every parameter as Stan statements.

A prior is written so that it is normalised: a parameter's own bounds truncate it, and the constant
that this costs is subtracted. Bounds that are data, and the order of a vector, restrict the region
and cost nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stanmix.priors import DISTRIBUTIONS, Prior, PriorArgument, format_number, literal
from stanmix.program.declare import (
    Loop,
    at_element,
    is_between,
    is_restricted,
    loops,
    lower_bound,
    sampled_name,
    size_name,
    upper_bound,
)
from stanmix.spec import Axis, ModelSpec, Parameter

Element = tuple[int, ...]
"""An index, from 1, of the axes before those of a vector, simplex or matrix."""


@dataclass(frozen=True)
class Statement:
    """An increment of the log density, within loops over components or elements if any."""

    increment: str
    loops: tuple[Loop, ...] = ()


def prior_statements(spec: ModelSpec) -> list[Statement]:
    """The statements of all priors, in the order of the parameters; `flat` numbers have none."""
    statements: list[Statement] = []
    for parameter in spec.parameters:
        if is_restricted(parameter, spec):
            statements += _restricted(parameter, spec)
        elif parameter.constraint == "simplex":
            statements += _simplex(parameter, spec)
        elif parameter.constraint == "circular":
            statements += _circular(parameter, spec)
        elif parameter.constraint == "correlation":
            statements += _correlation(parameter, spec)
        elif parameter.shrinking is not None:
            statements += _horseshoe(parameter, parameter.shrinking)
        else:
            statements += _Numbers(parameter, spec).statements()
        if is_between(parameter):
            bounds = f"{lower_bound(parameter)}, {upper_bound(parameter)}"
            logit = sampled_name(parameter)
            statements.append(Statement(f"ordered_between_log_derivative({logit}, {bounds})"))
    for regression in spec.regressions:
        over = loops(spec.axes_of(regression))
        for effect in regression.groups:
            z = f"z_{effect.name}{at_element(over)}"
            statements.append(Statement(f"std_normal_lpdf(to_vector({z}))", over))
    return statements


def _whole(parameter: Parameter) -> Prior | None:
    """The prior of all elements that no index names."""
    entries = [e.prior for e in parameter.priors if not e.index and not e.increments]
    return entries[0] if entries else None


def _indexed(parameter: Parameter) -> dict[tuple[int, ...], Prior]:
    return {e.index: e.prior for e in parameter.priors if e.index and not e.increments}


def _rest(named: Iterable[int], size: int) -> list[int]:
    named = set(named)
    return [i for i in range(1, size + 1) if i not in named]


def _apart(
    spec: ModelSpec, axes: tuple[Axis, ...], named: Iterable[Element]
) -> tuple[tuple[Loop, ...] | None, list[Element]]:
    """Loops over the elements of `axes` that no index names, and the others, one by one.

    An index says 0 for all along an axis. There are no loops where none is left.
    """
    named = {index for index in named if any(index)}
    if not named:
        return loops(axes), []
    sizes = [range(1, spec.sizes[axis] + 1) for axis in axes]
    if len(axes) > 1:
        # What is left is no rectangle.
        return None, list(itertools.product(*sizes))
    alone = [element for element in itertools.product(*sizes) if element in named]
    rest = _rest((i for (i,) in alone), len(sizes[0]))
    return tuple(
        replace(loop, range=_braced(rest)) for loop in loops(axes)
    ) if rest else None, alone


def _listed(element: Element) -> str:
    return ", ".join(map(str, element))


def _braced(numbers: list[int]) -> str:
    """An index of several elements, or of one."""
    return "{" + ", ".join(map(str, numbers)) + "}"


def _simplex(parameter: Parameter, spec: ModelSpec) -> Iterator[Statement]:
    whole, rows = _whole(parameter), _indexed(parameter)
    size = size_name(parameter.axes[-1])
    if len(parameter.axes) == 1:
        if whole is not None:
            yield from _row(parameter.name, "", whole, size)
        return
    over, _ = _apart(spec, parameter.axes[:-1], rows)
    if whole is not None and over is not None:
        yield from _row(f"{parameter.name}[k]", "k", whole, size, over)
    for (row,), prior in sorted(rows.items(), key=lambda item: item[0]):
        yield from _row(f"{parameter.name}[{row}]", str(row), prior, size)


def _restricted(parameter: Parameter, spec: ModelSpec) -> Iterator[Statement]:
    """Transitions of which some are not allowed: a simplex of those that are for each row."""
    rows, whole = _indexed(parameter), _whole(parameter)
    for k in range(1, spec.K + 1):
        prior = rows.get((k,), whole)
        texts = [argument.text for argument in prior.arguments] if prior else []
        if prior is None or prior.distribution == "flat":
            continue
        if prior.distribution == "sticky":
            alpha = f"sticky({k}, K, {', '.join(texts)})[which(allowed[{k}])]"
        elif len(texts) == 1:
            alpha = f"rep_vector({texts[0]}, sum(allowed[{k}]))"
        else:
            alpha = f"[{', '.join(texts)}]'"
        yield Statement(f"dirichlet_lpdf({parameter.name}_from_{k} | {alpha})")


def _row(
    name: str, row: str, prior: Prior, size: str, over: tuple[Loop, ...] = ()
) -> Iterator[Statement]:
    """The prior of one simplex, or of each that a loop runs over."""
    texts = [argument.text for argument in prior.arguments]
    if prior.distribution == "flat":
        return
    if prior.distribution == "sticky":
        alpha = f"sticky({row}, K, {', '.join(texts)})"
    elif len(texts) == 1:
        alpha = f"rep_vector({texts[0]}, {size})"
    else:
        alpha = f"[{', '.join(texts)}]'"
    yield Statement(f"dirichlet_lpdf({name} | {alpha})", over)


def _circular(parameter: Parameter, spec: ModelSpec) -> Iterator[Statement]:
    """Angles: their directions make them uniform, and other priors are a factor."""
    name, direction = parameter.name, sampled_name(parameter)
    over = loops(parameter.axes)
    yield Statement(f"direction_lpdf({direction}{at_element(over)} | )", over)
    for k in range(1, spec.K + 1) if over else (0,):
        prior = parameter.prior_at((k,) if over else ())
        if prior is not None and prior.distribution == "von_mises":
            place = f"{name}[{k}]" if over else name
            yield Statement(f"von_mises_lpdf({place} | {_texts(prior)}) + log(2 * pi())")


def _correlation(parameter: Parameter, spec: ModelSpec) -> Iterator[Statement]:
    name, axes = sampled_name(parameter), parameter.axes[:-2]

    def increment(place: str, prior: Prior) -> str:
        texts = [argument.text for argument in prior.arguments]
        if prior.distribution == "flat":
            # Flat over correlation matrices, not over their Cholesky factors.
            texts = ["1"]
        function = "guarded_lkj" if len(texts) == 2 else "lkj_corr_cholesky"
        return f"{function}_lpdf({place} | {', '.join(texts)})"

    over, alone = _apart(spec, axes, _indexed(parameter))
    whole = _whole(parameter)
    if whole is not None and over is not None:
        yield Statement(increment(f"{name}{at_element(over)}", whole), over)
    for element in alone:
        prior = parameter.prior_at(element)
        if prior is not None:
            yield Statement(increment(f"{name}[{_listed(element)}]", prior))


def _horseshoe(parameter: Parameter, prior: Prior) -> Iterator[Statement]:
    """Slopes that are shrunk together: what they are made of, for each component or element."""
    over, name = loops(parameter.axes[:-1]), sampled_name(parameter)
    at, count = at_element(over), size_name(parameter.axes[-1])
    spread, slab, df = (argument.text for argument in prior.arguments[:3])
    half, local = f"0.5 * {df}", f"{name}_local{at}"
    yield Statement(f"std_normal_lpdf({name}_z{at})", over)
    yield Statement(f"cauchy_lpdf({local} | 0, 1) + {count} * log2()", over)
    yield Statement(f"cauchy_lpdf({name}_global{at} | 0, {spread}) + log2()", over)
    yield Statement(f"inv_gamma_lpdf({name}_slab{at} | {half}, {half} * square({slab}))", over)


class _Numbers:
    """The priors of a parameter that is a number, a vector, or a vector for each component."""

    def __init__(self, parameter: Parameter, spec: ModelSpec) -> None:
        self.parameter = parameter
        self.spec = spec
        self.name = sampled_name(parameter) if parameter.is_slope else parameter.name
        self.indexed = _indexed(parameter)
        self.whole = _whole(parameter)
        increments = [e.prior for e in parameter.priors if e.increments]
        self.increments = increments[0] if increments else None
        self.vectors = {c.name for c in spec.constants if isinstance(c.value, tuple)}

    def statements(self) -> Iterator[Statement]:
        axes = self.parameter.axes
        if axes:
            yield from self.of_vectors(axes[:-1])
        elif self.whole is not None:
            yield from self.of(self.name, self.whole, 1)

    def of_vectors(self, axes: tuple[Axis, ...]) -> Iterator[Statement]:
        """A vector, or one for each element of `axes`: in loops over those that no index names."""
        depth = len(axes)
        named = [index[:depth] for index in self.indexed]
        if any(isinstance(a.value, tuple) and a.text == literal(a.value) for a in self.matrices()):
            # Numbers of the user's, of which there are others for each.
            named += itertools.product(*(range(1, self.spec.sizes[a] + 1) for a in axes))
        over, alone = _apart(self.spec, axes, named)
        if over is not None:
            own = {i[depth]: p for i, p in self.indexed.items() if not any(i[:depth])}
            own_index = over[-1].index if over else ""
            whole = self.row(self.whole, own_index)
            yield from self.along(f"{self.name}{at_element(over)}", own, whole, over)
        for element in alone:
            whole = self.row(self.of_all(element), element[-1])
            last = {i[depth] for i in self.indexed if len(i) > depth}
            found = {i: self.parameter.prior_at((*element, i)) for i in sorted(last)}
            own = {i: p for i, p in found.items() if p is not None and p != self.of_all(element)}
            yield from self.along(f"{self.name}[{_listed(element)}]", own, whole)

    def of_all(self, element: Element) -> Prior | None:
        """The prior of a vector as a whole, its elements' own aside."""
        depth = len(element)
        entries = tuple(e for e in self.parameter.priors if len(e.index) <= depth)
        return replace(self.parameter, priors=entries, order=None).prior_at((*element, 1))

    def matrices(self) -> Iterator[PriorArgument]:
        """The arguments that have a vector for each element of an axis."""
        for entry in self.parameter.priors:
            yield from (a for a in entry.prior.arguments if np.ndim(a.value) > 1)

    def row(self, prior: Prior | None, index: str | int) -> Prior | None:
        """`prior` of one of the vectors, where its arguments have a vector for each."""
        if prior is None:
            return None
        arguments = tuple(self.row_of(argument, index) for argument in prior.arguments)
        return Prior(prior.distribution, arguments)

    def row_of(self, argument: PriorArgument, index: str | int) -> PriorArgument:
        if np.ndim(argument.value) < 2:
            return argument
        values: Any = argument.value
        value = values[index - 1 if isinstance(index, int) else 0]
        if argument.text == literal(argument.value):
            return PriorArgument(literal(value), value)
        return PriorArgument(self.indexed_text(argument.text, str(index)), value)

    def indexed_text(self, text: str, index: str) -> str:
        """Text in which the constants that are vectors, or arrays of them, have an index more."""
        constants = r"\b(?:" + "|".join(map(re.escape, sorted(self.vectors))) + r")\b(?:\[\w+\])?"
        return re.sub(constants, rf"\g<0>[{index}]", text)

    def along(
        self,
        name: str,
        own: dict[int, Prior],
        whole: Prior | None,
        over: tuple[Loop, ...] = (),
    ) -> Iterator[Statement]:
        """A vector `name`, some of whose elements have priors of their own."""
        axis = self.parameter.axes[-1]
        size, length = self.spec.sizes[axis], size_name(axis)
        if self.increments is not None:
            first = own.get(1, whole)
            if first is not None:
                yield from self.of(f"{name}[1]", first, 1, over)
            if size > 1:
                yield from self.steps(name, length, over)
            return
        rest = _rest(set(own), size)
        if whole is not None and rest:
            if not own:
                yield from self.of(name, whole, length, over)
            elif len(rest) == 1:
                yield from self.of(f"{name}[{rest[0]}]", self.part(whole, rest), 1, over)
            else:
                part = self.part(whole, rest)
                yield from self.of(f"{name}[{_braced(rest)}]", part, len(rest), over)
        for i, prior in sorted(own.items()):
            yield from self.of(f"{name}[{i}]", self.part(prior, [i]), 1, over)

    def part(self, prior: Prior, columns: list[int]) -> Prior:
        """`prior` of some columns of the parameter, where its arguments have one value a column."""
        arguments = tuple(self.part_of(argument, columns) for argument in prior.arguments)
        return Prior(prior.distribution, arguments)

    def part_of(self, argument: PriorArgument, columns: list[int]) -> PriorArgument:
        if not isinstance(argument.value, tuple):
            return argument
        kept: tuple[Any, ...] = tuple(argument.value[i - 1] for i in columns)
        value = kept if len(kept) > 1 else kept[0]
        if argument.text == literal(argument.value):
            return PriorArgument(literal(value), value)
        index = str(columns[0]) if len(columns) == 1 else _braced(columns)
        return PriorArgument(self.indexed_text(argument.text, index), value)

    def of(
        self, name: str, prior: Prior, count: int | str, over: tuple[Loop, ...] = ()
    ) -> Iterator[Statement]:
        """The density of `count` elements, normalised to the parameter's own bounds."""
        if prior.distribution == "flat":
            return
        texts = _of_one_size(prior, count) if over else _texts(prior)
        density = f"{prior.distribution}_lpdf({name} | {texts})"
        lower, upper = self.parameter.lower, self.parameter.upper
        yield Statement(density + _normaliser(prior, lower, upper, count), over)

    def steps(self, name: str, size: str, over: tuple[Loop, ...]) -> Iterator[Statement]:
        """The density of the differences of neighbours, which are positive."""
        prior = self.increments
        if prior is None or prior.distribution == "flat":
            return
        steps = f"tail({name}, {size} - 1) - head({name}, {size} - 1)"
        density = f"{prior.distribution}_lpdf({steps} | {_texts(prior)})"
        yield Statement(density + _normaliser(prior, 0.0, None, f"{size} - 1"), over)


def _texts(prior: Prior) -> str:
    return ", ".join(argument.text for argument in prior.arguments)


def _of_one_size(prior: Prior, count: int | str) -> str:
    """The arguments, all vectors if one is.

    In loops of six turns and more stanli confuses the sizes of numbers and vectors side by side.
    """
    if not any(isinstance(a.value, tuple) for a in prior.arguments):
        return _texts(prior)
    return ", ".join(
        a.text if isinstance(a.value, tuple) else f"rep_vector({a.text}, {count})"
        for a in prior.arguments
    )


def _normaliser(prior: Prior, lower: float | None, upper: float | None, count: int | str) -> str:
    """What truncation at the bounds adds to the log density of `count` elements."""
    known = DISTRIBUTIONS[prior.distribution]
    start, end = known.lower, known.upper
    if prior.distribution == "uniform":
        start, end = (float(np.min(a.value)) for a in prior.arguments)
    cut_low = lower is not None and lower > start
    cut_high = upper is not None and upper < end
    if not (cut_low or cut_high):
        return ""
    vector = any(isinstance(a.value, tuple) for a in prior.arguments)

    def bound(value: float | None) -> str:
        text = format_number(value or 0.0)
        return f"rep_vector({text}, {count})" if vector else text

    name, texts = prior.distribution, _texts(prior)
    below = f"{name}_lcdf({bound(upper)} | {texts})"
    if cut_low and cut_high:
        mass = f"log_diff_exp({below}, {name}_lcdf({bound(lower)} | {texts}))"
    elif cut_low:
        mass = f"{name}_lccdf({bound(lower)} | {texts})"
    else:
        mass = below
    size = f"({count})" if " " in str(count) else str(count)
    times = "" if count == 1 or vector else f"{size} * "
    return f" - {times}{mass}"
