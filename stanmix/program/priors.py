"""The prior of every parameter as Stan statements.

A prior is written so that it is normalised: a parameter's own bounds truncate it, and the constant
that this costs is subtracted. Bounds that are data, and the order of a vector, restrict the region
and cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stanmix.priors import DISTRIBUTIONS, Prior, PriorArgument, format_number, literal
from stanmix.program.declare import (
    effect_range,
    is_between,
    is_restricted,
    is_slope,
    lower_bound,
    sampled_name,
    size_name,
    upper_bound,
)
from stanmix.spec import ModelSpec, Parameter


@dataclass(frozen=True)
class Statement:
    """An increment of the log density, in a loop over components where `loop` is not empty.

    Within that, or alone over 1:1, it may stand in a loop `inner` over the elements of a vector.
    """

    increment: str
    loop: str = ""
    inner: str = ""


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
        else:
            statements += _Numbers(parameter, spec).statements()
        if is_between(parameter):
            bounds = f"{lower_bound(parameter)}, {upper_bound(parameter)}"
            logit = sampled_name(parameter)
            statements.append(Statement(f"ordered_between_log_derivative({logit}, {bounds})"))
    for regression in spec.regressions:
        each = effect_range(spec, regression)
        for effect in regression.groups:
            z = f"z_{effect.name}{'[k]' if each else ''}"
            statements.append(Statement(f"std_normal_lpdf(to_vector({z}))", each))
    return statements


def _whole(parameter: Parameter) -> Prior | None:
    """The prior of all elements that no index names."""
    entries = [e.prior for e in parameter.priors if not e.index and not e.increments]
    return entries[0] if entries else None


def _indexed(parameter: Parameter) -> dict[tuple[int, ...], Prior]:
    return {e.index: e.prior for e in parameter.priors if e.index and not e.increments}


def _rest(named: set[int], size: int) -> list[int]:
    return [i for i in range(1, size + 1) if i not in named]


def _bracketed(size: str) -> str:
    """A size as the end of a range."""
    return f"({size})" if " " in size else size


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
    rest = _rest({i for (i,) in rows}, spec.K)
    if whole is not None and rest:
        over = "1:K" if not rows else _braced(rest)
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


def _row(name: str, row: str, prior: Prior, size: str, over: str = "") -> Iterator[Statement]:
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
    at, each = ("[k]", "1:K") if parameter.axes else ("", "")
    yield Statement(f"direction_lpdf({direction}{at} | )", each)
    for k in range(1, spec.K + 1) if each else (0,):
        prior = parameter.prior_at((k,) if each else ())
        if prior is not None and prior.distribution == "von_mises":
            place = f"{name}[{k}]" if each else name
            yield Statement(f"von_mises_lpdf({place} | {_texts(prior)}) + log(2 * pi())")


def _correlation(parameter: Parameter, spec: ModelSpec) -> Iterator[Statement]:
    name, by_state = sampled_name(parameter), parameter.axes[0] == "state"
    whole, indexed = _whole(parameter), _indexed(parameter)

    def increment(place: str, prior: Prior) -> Iterator[str]:
        texts = [argument.text for argument in prior.arguments]
        if prior.distribution == "flat":
            # Flat over correlation matrices, not over their Cholesky factors.
            texts = ["1"]
        function = "guarded_lkj" if len(texts) == 2 else "lkj_corr_cholesky"
        yield f"{function}_lpdf({place} | {', '.join(texts)})"

    rest = _rest({i for (i,) in indexed}, spec.K)
    if whole is not None and not by_state:
        yield from (Statement(text) for text in increment(name, whole))
    elif whole is not None and rest:
        over = "1:K" if not indexed else _braced(rest)
        yield from (Statement(text, over) for text in increment(f"{name}[k]", whole))
    for (k,), prior in sorted(indexed.items(), key=lambda item: item[0]):
        yield from (Statement(text) for text in increment(f"{name}[{k}]", prior))


class _Numbers:
    """The priors of a parameter that is a number, a vector, or a vector for each component."""

    def __init__(self, parameter: Parameter, spec: ModelSpec) -> None:
        self.parameter = parameter
        self.spec = spec
        self.name = sampled_name(parameter) if is_slope(parameter) else parameter.name
        self.indexed = _indexed(parameter)
        self.whole = _whole(parameter)
        increments = [e.prior for e in parameter.priors if e.increments]
        self.increments = increments[0] if increments else None
        self.vectors = {c.name for c in spec.constants if isinstance(c.value, tuple)}

    def statements(self) -> Iterator[Statement]:
        axes = self.parameter.axes
        if not axes:
            if self.whole is not None:
                yield from self.of(self.name, self.whole, 1)
        elif is_slope(self.parameter) and axes[-2:-1] and axes[-2] in ("column", "accumulator"):
            yield from self.of_vectors()
        elif len(axes) == 1:
            yield from self.along(self.name, {i: p for (i,), p in self.indexed.items()})
        else:
            yield from self.by_component()

    def of_vectors(self) -> Iterator[Statement]:
        """Slopes of each element of a vector, of each component: alike, or written one by one."""
        *first, axis = self.parameter.axes[:-1]
        sizes = [self.spec.sizes[a] for a in (*first, axis)]
        terms = {i[-1]: p for i, p in self.indexed.items() if not any(i[:-1])}
        if all(len(i) == len(sizes) + 1 and not any(i[:-1]) for i in self.indexed):
            place = "[k, d]" if first else "[d]"
            for statement in self.along(f"{self.name}{place}", terms):
                inner = f"1:{size_name(axis)}"
                yield (
                    Statement(statement.increment, "1:K", inner)
                    if first
                    else Statement(statement.increment.replace("[d]", "[k]", 1), inner)
                )
            return
        size = self.spec.sizes[self.parameter.axes[-1]]
        for element in np.ndindex(*sizes):
            index = tuple(i + 1 for i in element)
            priors = {j: self.parameter.prior_at((*index, j)) for j in range(1, size + 1)}
            own = {j: p for j, p in priors.items() if p is not None and p != self.whole}
            yield from self.along(f"{self.name}[{', '.join(map(str, index))}]", own)

    def by_component(self) -> Iterator[Statement]:
        """A vector for each component: loop over those that no index names."""
        every = {i[1]: p for i, p in self.indexed.items() if i[0] == 0}
        named = sorted({index[0] for index in self.indexed} - {0})
        first = self.parameter.axes[0]
        rest = _rest(set(named), self.spec.sizes[first])
        if rest or not named:
            over = f"1:{_bracketed(size_name(first))}" if not named else _braced(rest)
            yield from self.along(f"{self.name}[k]", every, over)
        for k in named:
            own = {i[1]: p for i, p in self.indexed.items() if i[0] == k and len(i) == 2}
            prior = self.indexed.get((k,), self.whole)
            yield from self.along(f"{self.name}[{k}]", every | own, whole=prior)

    def along(
        self, name: str, own: dict[int, Prior], over: str = "", whole: Prior | None = None
    ) -> Iterator[Statement]:
        """A vector `name`, some of whose elements have priors of their own."""
        whole = whole or self.whole
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
        kept = tuple(argument.value[i - 1] for i in columns)
        value = kept if len(kept) > 1 else kept[0]
        if argument.text == literal(argument.value):
            return PriorArgument(literal(value), value)
        index = str(columns[0]) if len(columns) == 1 else _braced(columns)
        constants = r"\b(" + "|".join(map(re.escape, sorted(self.vectors))) + r")\b"
        return PriorArgument(re.sub(constants, rf"\1[{index}]", argument.text), value)

    def of(self, name: str, prior: Prior, count: int | str, over: str = "") -> Iterator[Statement]:
        """The density of `count` elements, normalised to the parameter's own bounds."""
        if prior.distribution == "flat":
            return
        density = f"{prior.distribution}_lpdf({name} | {_texts(prior)})"
        lower, upper = self.parameter.lower, self.parameter.upper
        yield Statement(density + _normaliser(prior, lower, upper, count), over)

    def steps(self, name: str, size: str, over: str) -> Iterator[Statement]:
        """The density of the differences of neighbours, which are positive."""
        prior = self.increments
        if prior is None or prior.distribution == "flat":
            return
        steps = f"tail({name}, {size} - 1) - head({name}, {size} - 1)"
        density = f"{prior.distribution}_lpdf({steps} | {_texts(prior)})"
        yield Statement(density + _normaliser(prior, 0.0, None, f"{size} - 1"), over)


def _texts(prior: Prior) -> str:
    return ", ".join(argument.text for argument in prior.arguments)


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
    times = "" if count == 1 or vector else f"{_bracketed(str(count))} * "
    return f" - {times}{mass}"
