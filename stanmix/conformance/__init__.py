"""Whether a family is what it declares: one function for those of stanmix and those of users."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from stanmix.conformance import checks
from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import variants
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.errors import Problem, SpecError
from stanmix.families import Family
from stanmix.own_families import require_code

Check = Callable[..., None]


def check_family(family: Family, *, engine: str | Engine = "stanli", seed: int = 1) -> list[str]:
    """Check that the parts of a family agree, at parameters and responses drawn at random.

    The density equals that of the reference, has a total of one, and is minus infinity outside the
    support; it takes parameters that vary by row; its gradient is that of differences, and finite
    next to bounds; draws have its distribution; chains can start at the rough values. So it is for
    the distribution function, if there is one.

    Parameters
    ----------
    family
        The declaration.
    engine
        What runs the Stan functions: `stanli`, `cmdstan` or `auto`.
    seed
        Seed of what is drawn.

    Returns
    -------
    list of str
        What was checked, a sentence each.

    Raises
    ------
    SpecError
        All that is wrong.
    EngineError
        The Stan code does not compile.

    Examples
    --------
    >>> from stanmix.families import FAMILIES
    >>> check_family(FAMILIES["gamma"])[0]
    'The density equals the reference.'
    """
    if family.stan_code:
        require_code(family)
    runner = find_engine(engine)
    problems: list[Problem] = []
    done: dict[str, None] = {}
    for variant in variants(family):
        side = StanSide(variant, runner)
        for check, name in _checks(side):
            uniform = np.random.default_rng(seed).uniform
            about = () if name is None else (name,)
            try:
                for _ in range(TIMES):
                    check(side, uniform, *about)
            except SpecError as error:
                problems += error.problems
            done[(check.__doc__ or "").partition("\n")[0]] = None
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return list(done)


TIMES = 3
"""How often each check is made, with other numbers each time."""


def _checks(side: StanSide) -> Iterator[tuple[Check, str | None]]:
    """The checks for a family in a model, each with the function that it is about, if any."""
    variant = side.variant
    yield checks.check_density, None
    if not variant.many:
        yield checks.check_outside, None
    yield checks.check_total, None
    for name in ("log_omega", *(checks.CUMULATIVE if variant.has_cumulative else ())):
        if name != "log_omega":
            yield checks.check_log_cumulative, name
        yield checks.check_rows, name
        yield checks.check_gradient, name
        yield checks.check_edges, name
    yield checks.check_start, None
    yield checks.check_reference_draws, None
    if side.draws_emissions:
        yield checks.check_draws, None
