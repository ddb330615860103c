"""The distribution families, and what it takes to declare one."""

from stanmix.families.angle import VON_MISES
from stanmix.families.category import CATEGORICAL
from stanmix.families.choice import WALD
from stanmix.families.count import (
    BERNOULLI,
    BETA_BINOMIAL,
    BINOMIAL,
    GEOMETRIC,
    NEGBINOMIAL,
    POISSON,
)
from stanmix.families.diffusion import WIENER
from stanmix.families.family import Collapse, Column, Family, Kind, Param
from stanmix.families.positive import EXPONENTIAL, FRECHET, GAMMA, LOGLOGISTIC, LOGNORMAL, WEIBULL
from stanmix.families.race import LBA, LOGNORMAL_RACE, RDM
from stanmix.families.real import (
    DIAG,
    EXGAUSSIAN,
    FULL,
    GUMBEL,
    LAPLACE,
    LOGISTIC,
    NORMAL,
    SPHERICAL,
    STUDENT,
    TIED,
)
from stanmix.families.unit import BETA
from stanmix.families.zeros import (
    HURDLE_POISSON,
    ZERO_INFLATED_BINOMIAL,
    ZERO_INFLATED_NEGBINOMIAL,
    ZERO_INFLATED_POISSON,
)

FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        NORMAL,
        SPHERICAL,
        DIAG,
        FULL,
        TIED,
        STUDENT,
        LAPLACE,
        LOGISTIC,
        GUMBEL,
        EXGAUSSIAN,
        LOGNORMAL,
        EXPONENTIAL,
        GAMMA,
        WEIBULL,
        LOGLOGISTIC,
        FRECHET,
        BETA,
        VON_MISES,
        POISSON,
        NEGBINOMIAL,
        GEOMETRIC,
        BERNOULLI,
        BINOMIAL,
        BETA_BINOMIAL,
        ZERO_INFLATED_POISSON,
        ZERO_INFLATED_NEGBINOMIAL,
        ZERO_INFLATED_BINOMIAL,
        HURDLE_POISSON,
        CATEGORICAL,
        WALD,
        WIENER,
        RDM,
        LOGNORMAL_RACE,
        LBA,
    )
}

__all__ = ["FAMILIES", "Collapse", "Column", "Family", "Kind", "Param"]
