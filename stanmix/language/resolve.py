"""From a syntax tree and the data's columns to a `ModelSpec`: what the formula means.

The steps, each a module: `options`, `additions`, `pieces` (which families observe which columns),
`responses`, `parameters` (which parameters that makes), `regressions` (which of them vary by row),
`order`, `assign` (the priors).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from stanmix.data import Table, frequencies, known_states, require_enough
from stanmix.errors import listing
from stanmix.families import FAMILIES, Family
from stanmix.language import syntax, tree
from stanmix.language.additions import read_additions
from stanmix.language.assign import assign
from stanmix.language.constants import Constants
from stanmix.language.designs import Designs
from stanmix.language.latent import is_latent, read_latent
from stanmix.language.options import read_options
from stanmix.language.order import read_order
from stanmix.language.parameters import read_parameters
from stanmix.language.pieces import read_pieces
from stanmix.language.regressions import read_regressions
from stanmix.language.responses import read_responses
from stanmix.spec import ModelSpec, Parameter


def resolve(
    formula: tree.Formula,
    table: Table,
    priors: Mapping[str, str] | None = None,
    families: Mapping[str, Family] = FAMILIES,
) -> ModelSpec:
    """The model that `formula` describes for these data.

    Parameters
    ----------
    formula
        What `parse` returned.
    table
        The data. Only its columns, their ranges, and the statistics that scale default priors
        matter here.
    priors
        Prior text by what it is a prior of; the others keep their defaults.
    families
        The families that a formula may name, by their keys.

    Raises
    ------
    SpecError
        The formula or the priors do not make a model.
    DataError
        The data lack a column, or hold values that it must not hold.

    Examples
    --------
    >>> from stanmix.data import read_table
    >>> from stanmix.language.syntax import parse
    >>> spec = resolve(parse("y ~ mix(normal, K=2)"), read_table({"y": [0.1, 0.4, 3.2, 3.1]}))
    >>> [parameter.name for parameter in spec.parameters]
    ['mu', 'sigma', 'weights']
    """
    source = formula.text
    line = formula.model
    options = read_options(line.latent, source)
    require_enough(options.K, table.n_rows, "rows")
    additions = read_additions(line, options.kind, table, source)
    pieces = read_pieces(line, options, additions, table, source, families)
    responses = read_responses(pieces, additions, table, source)
    freq = additions.column("freq")
    counts = None if freq is None else frequencies(table, freq)
    constants = Constants(table, responses, counts)
    lines = [line for line in formula.lines if not is_latent(line)]
    emission = read_parameters(pieces, options, responses, constants, lines, source)
    designs = Designs(table, source, counts)
    emission = read_regressions(lines, emission, constants, designs, options)
    lines = [line for line in formula.lines if is_latent(line)]
    latent, varying = read_latent(options, lines, constants, designs)
    known = additions.column("known") is not None
    ordered = read_order(emission, options, table, source, known=known)
    terms = emission.terms(additions, responses)
    spec = ModelSpec(
        formula=syntax.format_formula(formula),
        kind=options.kind,
        K=len(pieces),
        emissions=terms[:1] if emission.homogeneous else terms,
        parameters=(*ordered.parameters, *latent),
        responses=responses,
        regressions=(*emission.regressions, *varying),
        initial=options.initial,
        allowed=options.allowed,
        unit=additions.column("unit"),
        series=additions.column("series"),
        time=additions.column("time"),
        known=additions.column("known"),
        freq=freq,
        known_apart=known_apart(additions.column("known"), table, options.K),
        additions=tuple(sorted(additions.names & {"dec", "trials"})),
    )
    given = priors or {}
    parameters = assign(spec.parameters, given, spec.sizes, spec.labels, spec.moves)
    spec = replace(spec, parameters=parameters)
    spec = replace(spec, constants=constants.used_by(spec))
    return replace(spec, notes=(*ordered.notes, *notes_of(spec)))


def known_apart(known: str | None, table: Table, K: int) -> tuple[int, ...]:
    """A number for each state, the same for those that known labels do not tell apart."""
    if known is None:
        return ()
    _, apart = np.unique(known_states(table, known, K), axis=1, return_inverse=True)
    return tuple(int(i) for i in np.ravel(apart))


def notes_of(spec: ModelSpec) -> Iterator[str]:
    """What the user should know of a model, but for what was chosen for it from its data."""
    if spec.K == 1:
        return
    ordered = spec.ordered
    names = listing(ordered)
    unequal = [p.name for p in spec.parameters if ordered and _has_unequal_priors(p, spec.sizes)]
    if unequal:
        yield (
            f"Components have different priors for {listing(unequal)}, so ordering them by "
            f"{names} is part of the model, not only of its labels."
        )
    elif len(ordered) > 1 or (ordered and not spec.homogeneous):
        why = "several parameters" if len(ordered) > 1 else "components of different families"
        yield f"An order of {why} ({names}) is part of the model, not only of its labels."
    if spec.labels_may_switch:
        yield "Components are not ordered; their labels may switch between and within chains."
    if spec.initial == "free" and spec.series is None:
        yield "With one series, `initial` is informed by one state; its prior dominates."


def _has_unequal_priors(parameter: Parameter, sizes: Mapping[str, int]) -> bool:
    """Whether its prior changes when components change places."""
    if "state" not in parameter.axes:
        return False
    if parameter.constraint == "simplex":
        entries = [e for e in parameter.priors if e.prior.distribution == "dirichlet"]
        unequal = any(len({a.value for a in e.prior.arguments}) > 1 for e in entries)
        return unequal or any(e.index for e in parameter.priors)
    others = [range(1, sizes[axis] + 1) for axis in parameter.axes[1:]]
    return any(
        len({parameter.prior_at((k, *place)) for k in range(1, sizes["state"] + 1)} - {None}) > 1
        for place in itertools.product(*others)
    )
