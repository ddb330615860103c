"""Which emission parameters the pieces of a model make, and how components use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.families import Param
from stanmix.language import tree
from stanmix.language.additions import Additions
from stanmix.language.constants import Constants, statistics_in
from stanmix.language.options import Options
from stanmix.language.pieces import Piece
from stanmix.language.priors import parse_prior
from stanmix.priors import PriorEntry
from stanmix.spec import Constraint, Fixed, Parameter, Regression, Response, Term, Use

Pieces = Sequence[tuple[Piece, ...]]
Arguments = Mapping[tuple[int, int, str], Fixed | Use]
"""What each family parameter is, by component, piece of the component, and name."""


@dataclass(frozen=True)
class Emission:
    """The emission parameters of a model.

    Parameters
    ----------
    pieces
        What observes what.
    parameters
        All parameters, with their default priors.
    arguments
        How the pieces use them.
    regressions
        Those that vary by row.
    """

    pieces: Pieces
    parameters: tuple[Parameter, ...]
    arguments: Arguments
    regressions: tuple[Regression, ...] = ()

    @property
    def homogeneous(self) -> bool:
        """Whether all components are alike."""
        described = {
            tuple(
                (p.family.key, p.columns, *(self.arguments[k, j, q.name] for q in p.family.params))
                for j, p in enumerate(component)
            )
            for k, component in enumerate(self.pieces)
        }
        return len(described) == 1

    def terms(
        self, additions: Additions, responses: Sequence[Response]
    ) -> tuple[tuple[Term, ...], ...]:
        """For each component its families, with their responses and arguments."""
        return tuple(
            tuple(
                Term(
                    piece.family,
                    tuple(
                        column.name if column.addition else observed(piece, responses).name
                        for column in piece.family.columns(additions.names)
                    ),
                    tuple(self.arguments[k, j, p.name] for p in piece.family.params),
                )
                for j, piece in enumerate(component)
            )
            for k, component in enumerate(self.pieces)
        )

    def users(self, parameter: Parameter) -> Iterator[tuple[Piece, Param]]:
        """The pieces that use a parameter, each with its own name for it."""
        for (k, j, name), argument in self.arguments.items():
            if isinstance(argument, Use) and argument.parameter == parameter.name:
                yield self.pieces[k][j], self.pieces[k][j].family.param(name)

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`."""
        return next(p for p in self.parameters if p.name == name)

    def is_fixed(self, name: str) -> bool:
        """Whether a parameter that families call `name` is fixed in some of them."""
        return any(
            isinstance(argument, Fixed) and own == name
            for (_, _, own), argument in self.arguments.items()
        )

    def columns(self, parameter: Parameter) -> tuple[str, ...]:
        """The response columns whose distribution a parameter describes."""
        return next(self.users(parameter))[0].columns

    def components(self, parameter: Parameter) -> list[int]:
        """The components, from 1, that use a parameter."""
        uses = [
            k + 1
            for (k, _, _), argument in self.arguments.items()
            if isinstance(argument, Use) and argument.parameter == parameter.name
        ]
        return sorted(set(uses))


def observed(piece: Piece, responses: Sequence[Response]) -> Response:
    """The response on the left side that a piece observes."""
    many = any(column.many for column in piece.family.response)
    return next(r for r in responses if r.columns == piece.columns and r.many == many)


def read_parameters(
    pieces: Pieces,
    options: Options,
    responses: Sequence[Response],
    constants: Constants,
    lines: Sequence[tree.ParameterLine],
    source: str,
) -> Emission:
    """The emission parameters that the pieces make.

    A parameter that every component has alike is one vector over the components; otherwise each
    component has its own, with its number in the name. What is fixed by default is a parameter
    where one of the lines moves it.

    Raises
    ------
    SpecError
        `share` names what cannot be shared, or a fixed value does not exceed another that it must.
    """
    builder = _Builder(pieces, options, responses, constants, lines, source)
    for name, suffix in _names(pieces):
        builder.add(name, suffix)
    emission = Emission(pieces, tuple(builder.parameters), builder.arguments)
    problems = [*_share_problems(emission, options, source), *_excess_problems(emission, source)]
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return emission


def _constraint(param: Param) -> Constraint:
    if param.circular:
        return "circular"
    if param.simplex:
        return "simplex"
    return "correlation" if param.correlation else "none"


def _names(pieces: Pieces) -> Mapping[tuple[str, str], None]:
    """The (parameter, column suffix) pairs, in order of first appearance."""
    return {
        (param.name, piece.suffix): None
        for component in pieces
        for piece in component
        for param in piece.family.params
    }


def _part(index: tree.Name | tree.Number | None) -> str | float | None:
    """What a line in brackets is of: a column, or a component from 1."""
    if isinstance(index, tree.Name):
        return index.text
    return None if index is None else index.value


def _share_problems(emission: Emission, options: Options, source: str) -> Iterator[Problem]:
    """Every name in `share` is a parameter that components could have apart."""
    names = list(dict.fromkeys(name for p in emission.parameters for name in (p.param, p.name)))
    for name in options.share:
        if name in names:
            continue
        if emission.is_fixed(name):
            message, hint = f"`{name}` is fixed, so there is nothing to share.", None
        else:
            known = dict.fromkeys(p.param for p in emission.parameters)
            message = f"`share` names no parameter of these families: `{name}`; "
            message += f"they have {listing(known) or 'none'}."
            hint = did_you_mean(name, names)
        yield Problem(message, source, options.share_span, hint)


def _excess_problems(emission: Emission, source: str) -> Iterator[Problem]:
    """Fixed values that do not exceed those that they must."""
    for (k, j, name), argument in emission.arguments.items():
        piece = emission.pieces[k][j]
        below = piece.family.param(name).above
        if below is None or not isinstance(argument, Fixed):
            continue
        other = emission.arguments[k, j, below]
        if isinstance(other, Fixed) and argument.value <= other.value:
            spans = {a.name.text: a.value.span for a in piece.call.arguments}
            span = spans.get(name, spans.get(below, piece.call.span))
            message = f"`{name}` of `{piece.family.name}`, {argument.value:g}, must exceed "
            yield Problem(f"{message}`{below}`, {other.value:g}.", source, span)


@dataclass(frozen=True)
class _Holder:
    """A component's piece that has a parameter free."""

    component: int
    place: int
    piece: Piece
    param: Param

    @property
    def kind(self) -> tuple[object, ...]:
        """What must agree for a parameter to be one vector over the components."""
        p = self.param
        ordered = p.increasing or p.name in self.piece.ordered
        # Two quantities of one name differ in what their default priors are scaled by: the `mu`
        # of a lognormal is on the log scale.
        return (p.axes, p.lower, p.upper, p.link, p.correlation, p.circular, p.prior, ordered)


class _Builder:
    """Collects parameters and their uses, one name after the other."""

    def __init__(
        self,
        pieces: Pieces,
        options: Options,
        responses: Sequence[Response],
        constants: Constants,
        lines: Sequence[tree.ParameterLine],
        source: str,
    ) -> None:
        self.pieces = pieces
        self.options = options
        self.responses = responses
        self.constants = constants
        self.lines = lines
        self.source = source
        self.parameters: list[Parameter] = []
        self.arguments: dict[tuple[int, int, str], Fixed | Use] = {}

    def add(self, name: str, suffix: str) -> None:
        """Make the parameter, or the parameters, that components call `name`."""
        base = f"{name}_{suffix}" if suffix else name
        holders = list(self.holders(name, suffix))
        if not holders:
            return
        alike = len({holder.kind for holder in holders}) == 1
        everywhere = len(holders) == len(self.pieces)
        asked = {name, base} & set(self.options.share)
        if asked or (holders[0].param.shared and everywhere and alike):
            self.share(base, holders, alike, everywhere)
        elif everywhere and alike:
            self.parameters.append(self.parameter(base, holders[0], by_state=True))
            self.use(base, holders, by_state=True)
        else:
            for holder in holders:
                own = f"{base}_{holder.component + 1}"
                self.parameters.append(self.parameter(own, holder, bounded=len(self.pieces) == 1))
                self.use(own, [holder])

    def holders(self, name: str, suffix: str) -> Iterator[_Holder]:
        """The pieces where the parameter is free; where it is fixed, its value is noted."""
        for k, component in enumerate(self.pieces):
            for j, piece in enumerate(component):
                if piece.suffix != suffix or name not in [p.name for p in piece.family.params]:
                    continue
                param = piece.family.param(name)
                if name in piece.fixed:
                    self.arguments[k, j, name] = Fixed(piece.fixed[name])
                elif param.default is not None and not self.moved(k, piece, param):
                    self.arguments[k, j, name] = self.fixed(piece, param.default)
                else:
                    yield _Holder(k, j, piece, param)

    def moved(self, component: int, piece: Piece, param: Param) -> bool:
        """Whether a line moves a parameter that is fixed by default."""
        base = f"{param.name}_{piece.suffix}" if piece.suffix else param.name
        names = (param.name, base, f"{base}_{component + 1}")
        parts = (None, *piece.columns, component + 1)
        return param.varies and any(
            line.parameter.text in names and _part(line.index) in parts for line in self.lines
        )

    def fixed(self, piece: Piece, default: float | str) -> Fixed:
        """The value of a parameter that is fixed by default."""
        if not isinstance(default, str):
            return Fixed(float(default))
        response = observed(piece, self.responses)
        if response.censored is not None:
            names = [p.name for p in piece.family.params if isinstance(p.default, str)]
            message = f"Censored responses do not tell where {listing(names)} are."
            written = ", ".join(f"{name}=.." for name in names)
            hint = f"write `{piece.family.name}({written})`"
            raise SpecError(Problem(message, self.source, piece.call.span, hint))
        constant = self.constants.of(response, default, piece.family.response[0].kind)
        return Fixed(float(np.asarray(constant.value)), constant.name)

    def share(self, base: str, holders: Sequence[_Holder], alike: bool, everywhere: bool) -> None:
        """Make one parameter for all that have it."""
        if not alike:
            message = f"`{base}` cannot be shared: it is not the same kind of parameter in all "
            message += "components."
            raise SpecError(Problem(message, self.source, self.options.share_span))
        self.parameters.append(self.parameter(base, holders[0], bounded=everywhere))
        self.use(base, holders)

    def use(self, name: str, holders: Sequence[_Holder], by_state: bool = False) -> None:
        for holder in holders:
            key = (holder.component, holder.place, holder.param.name)
            self.arguments[key] = Use(name, by_state)

    def parameter(
        self, name: str, holder: _Holder, *, by_state: bool = False, bounded: bool = False
    ) -> Parameter:
        """One parameter with its default prior.

        A bound by the data holds only where every row needs it (`bounded`): where one value serves
        all components.
        """
        param = holder.param
        response = observed(holder.piece, self.responses)
        kind = holder.piece.family.response[0].kind
        made = {s: self.constants.of(response, s, kind) for s in statistics_in(param.prior)}
        text = param.prior.format(**{s: constant.name for s, constant in made.items()})
        prior = parse_prior(text, {c.name: c.value for c in made.values()})
        # Categories are those of a response, of which there may be several.
        named = ("category", "cut")
        own = [f"{a}_{response.name}" if a in named else a for a in param.axes]
        below = None
        if param.below and (bounded or len(self.pieces) == 1):
            below = self.constants.of(response, param.below, response.kind).name
        return Parameter(
            name=name,
            axes=(*(("state",) if by_state else ()), *own),
            priors=(PriorEntry(prior),),
            constraint=_constraint(param),
            lower=param.lower,
            upper=param.upper,
            below=below,
            order=own[-1] if param.increasing or param.name in holder.piece.ordered else None,
            param=param.name,
        )
