"""Whether a family is what it declares: one function for those of stanmix and those of users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from stanmix.conformance import checks
from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import variants
from stanmix.data import STATISTICS
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.errors import Problem, SamplingError, SpecError, listing
from stanmix.families import FAMILIES, Family
from stanmix.language.priors import parse_prior
from stanmix.own_families import with_own

Check = Callable[..., None]

TIMES = 3
"""How often each check is made, with other numbers each time."""


def check_family(family: Family, *, engine: str | Engine = "stanli", seed: int = 1) -> list[str]:
    """Check that the parts of a family agree, at parameters and responses drawn at random.

    The density equals that of the reference, has a total of one, and is minus infinity outside the
    support; it takes parameters that vary by row; its gradient is that of differences, and finite
    next to bounds; draws have its distribution; chains can start at the rough values. So it is for
    the distribution function, if there is one. The score is the derivative of the density, if it is
    there.

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
    if not (isinstance(family, Family) and FAMILIES.get(family.key) is family):
        with_own([family])
    runner = find_engine(engine)
    problems = list(_prior_problems(family))
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
            except SamplingError as error:
                problems.append(Problem(f"The Stan functions refuse what is possible: {error}"))
            except FAILURES as error:
                said = f"{type(error).__name__}: {error}"
                problems.append(Problem(f"`reference` or `start` fails: {said}"))
            done[(check.__doc__ or "").partition("\n")[0]] = None
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return list(done)


FAILURES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""What functions of a declaration may raise."""


def _prior_problems(family: Family) -> Iterator[Problem]:
    """Default priors that are none."""
    for param in family.params:
        try:
            parse_prior(param.prior.format(**dict.fromkeys(STATISTICS, "1.0")))
        except SpecError as error:
            yield from (
                replace(p, message=f"The prior of `{param.name}`: {p.message}")
                for p in error.problems
            )
        except LookupError as error:
            message = f"The prior of `{param.name}` names {error}, which is none of "
            yield Problem(f"{message}{listing(STATISTICS)}.")


def _checks(side: StanSide) -> Iterator[tuple[Check, str | None]]:
    """The checks for a family in a model, each with the function that it is about, if any."""
    variant = side.variant
    yield checks.require_density, None
    if not variant.many:
        yield checks.require_outside, None
    yield checks.require_total, None
    for name in ("log_omega", *(checks.CUMULATIVE if variant.has_cumulative else ())):
        if name != "log_omega":
            yield checks.require_log_cumulative, name
        yield checks.require_rows, name
        yield checks.require_gradient, name
        yield checks.require_gradient_by_row, name
        yield checks.require_edges, name
    if variant.family.score is not None and not variant.chooses:
        yield checks.require_score, None
    yield checks.require_start, None
    yield checks.require_reference_draws, None
    if side.draws_emissions:
        yield checks.require_draws, None
