"""The latent structure: weights, or the first state and the moves, and what they vary with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from stanmix.errors import listing
from stanmix.language import tree
from stanmix.language.constants import Constants
from stanmix.language.designs import PROBABILITIES, Designs
from stanmix.language.options import Options
from stanmix.language.priors import parse_prior
from stanmix.priors import PriorEntry
from stanmix.spec import Axis, Parameter, Regression

LATENT = {"mix": ("weights",), "hmm": ("initial", "transition")}
"""The latent parameters of each kind of model."""

PLACES: Mapping[str, Literal["unit", "series"]] = {
    "weights": "unit",
    "initial": "series",
    "transition": "unit",
}
"""What has a value of each of them."""


def is_latent(line: tree.ParameterLine) -> bool:
    """Whether a line is of a latent parameter."""
    return line.parameter.text in PLACES


def read_latent(
    options: Options, lines: Sequence[tree.ParameterLine], constants: Constants, designs: Designs
) -> tuple[tuple[Parameter, ...], tuple[Regression, ...]]:
    """The latent parameters, and the regressions of those that vary.

    Raises
    ------
    SpecError
        A line is of a parameter that the model does not have, or that cannot vary.
    DataError
        The data lack a covariate, or it holds what it must not.
    """
    regressions: dict[str, Regression] = {}
    for line in lines:
        name = line.parameter.text
        _require_varies(options, line, designs)
        if name in regressions:
            raise designs.refuse(f"`{name}` has two lines.", line.parameter.span)
        read = designs.read(line)
        measured = designs.measured(read)
        designs.require_of_probabilities(read, measured)
        groups = designs.group_effects(name, read)
        if (measured.columns or groups) and options.K > 1:
            regressions[name] = Regression(
                name=name,
                parameter=name,
                link="softmax",
                design=read.terms.design,
                columns=measured.columns,
                center=measured.center,
                spread=measured.spread,
                groups=groups,
                place=PLACES[name],
            )
    parameters: list[Parameter] = []
    for parameter in _parameters(options):
        parameters.append(parameter)
        if parameter.name in regressions:
            axis: Axis = "move" if parameter.name == "transition" else "contrast"
            parameters += designs.coefficients(
                regressions[parameter.name], (axis,), PROBABILITIES, constants
            )
    return tuple(parameters), tuple(regressions.values())


def _parameters(options: Options) -> Iterator[Parameter]:
    def simplex(name: str, prior: str, *axes: Axis) -> Parameter:
        entry = PriorEntry(parse_prior(prior))
        return Parameter(name, axes, (entry,), "simplex", param=name)

    if options.kind == "mix":
        yield simplex("weights", "dirichlet(2)", "state")
        return
    if options.initial == "free":
        yield simplex("initial", "dirichlet(1)", "state")
    yield simplex("transition", "sticky(4, 1)", "state", "state_to")


def _require_varies(options: Options, line: tree.ParameterLine, designs: Designs) -> None:
    name, place = line.parameter.text, line.parameter.span
    if name not in LATENT[options.kind]:
        model = "mixture" if options.kind == "mix" else "hidden Markov model"
        has = listing(LATENT[options.kind])
        raise designs.refuse(f"A {model} has no `{name}`; it has {has}.", place)
    if line.index is not None:
        raise designs.refuse(f"`{name}` varies as a whole, not in one part.", line.index.span)
    refusal = _refusal(options, name)
    if refusal is not None:
        raise designs.refuse(refusal, place)


def _refusal(options: Options, name: str) -> str | None:
    """Why a latent parameter cannot vary beside the options, if it cannot."""
    if options.initial == "stationary":
        return f"`initial=stationary` needs one transition matrix at all times; `{name}` varies."
    if name == "initial" and options.initial == "first":
        return "`transition=left_right` starts in state 1, so `initial` cannot vary."
    if name == "initial" and options.initial == "uniform":
        return "`initial=uniform` is no parameter, so it cannot vary."
    return None
