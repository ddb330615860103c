"""The distribution families, and what it takes to declare one."""

from stanmix.families.choice import RDM, WALD
from stanmix.families.count import BERNOULLI, BINOMIAL, POISSON
from stanmix.families.family import Collapse, Column, Family, Kind, Param
from stanmix.families.positive import EXPONENTIAL, GAMMA, LOGNORMAL
from stanmix.families.real import DIAG, FULL, NORMAL, SPHERICAL, STUDENT, TIED

FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        NORMAL,
        SPHERICAL,
        DIAG,
        FULL,
        TIED,
        STUDENT,
        LOGNORMAL,
        EXPONENTIAL,
        GAMMA,
        POISSON,
        BERNOULLI,
        BINOMIAL,
        WALD,
        RDM,
    )
}

__all__ = ["FAMILIES", "Collapse", "Column", "Family", "Kind", "Param"]
