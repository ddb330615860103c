"""Settings of the sampler as a user gives them, checked."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from stanmix.engines.base import SamplerSettings
from stanmix.errors import Problem, SpecError, did_you_mean, listing, require_count

LARGEST = 2**31 - 1
"""What Stan can count to."""


def sampler_settings(**given: Any) -> SamplerSettings:
    """Sampler settings, checked by name and by value.

    Raises
    ------
    SpecError
        An unknown name, or a value that makes no sense.
    """
    known = SamplerSettings.__dataclass_fields__
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            message = f"Unknown sampler option `{name}`; there are {listing(known)}."
            raise SpecError(Problem(message, hint=hint))
    for name in ("chains", "draws", "thin", "max_treedepth"):
        require_count(name, given.get(name, 1), 1, LARGEST)
    if given.get("parallel_chains") is not None:
        require_count("parallel_chains", given["parallel_chains"], 1, LARGEST)
    require_count("warmup", given["warmup"], 0, LARGEST)
    require_count("seed", given["seed"], 0, 2**32 - 1)
    adapt_delta = given["adapt_delta"]
    if not isinstance(adapt_delta, int | float | np.number) or not 0 < adapt_delta < 1:
        raise SpecError(f"`adapt_delta` must be between 0 and 1, not {adapt_delta!r}.")
    if given.get("metric", "diag_e") not in ("diag_e", "dense_e", "unit_e"):
        raise SpecError("`metric` must be one of `diag_e`, `dense_e`, `unit_e`.")
    # As Python's own numbers, which JSON has as well.
    plain = {n: v.item() if isinstance(v, np.generic) else v for n, v in given.items()}
    return SamplerSettings(**plain)


def seed_of_call(seed: int | None) -> int:
    """A seed, checked; another one at every call if none is given."""
    if seed is None:
        return secrets.randbelow(2**31 - 1)
    require_count("seed", seed, 0, 2**32 - 1)
    return seed
