"""The distribution families, and what it takes to declare one."""

from stanmix.families.angle import VON_MISES
from stanmix.families.category import CATEGORICAL, ORDINAL
from stanmix.families.choice import UNIFORM, WALD
from stanmix.families.count import (
    BERNOULLI,
    BETA_BINOMIAL,
    BINOMIAL,
    GEOMETRIC,
    NEGBINOMIAL,
    POISSON,
)
from stanmix.families.diffusion import WIENER
from stanmix.families.elliptical import ELLIPTICAL
from stanmix.families.family import Collapse, Column, Family, Kind, Param
from stanmix.families.positive import EXPONENTIAL, FRECHET, GAMMA, LOGLOGISTIC, LOGNORMAL, WEIBULL
from stanmix.families.race import LBA, LOGNORMAL_RACE, RDM
from stanmix.families.real import (
    EXGAUSSIAN,
    GUMBEL,
    LAPLACE,
    LOGISTIC,
    NORMAL,
    SKEW_NORMAL,
    STUDENT,
)
from stanmix.families.simplex import DIRICHLET
from stanmix.families.unit import BETA
from stanmix.families.zeros import (
    HURDLE_NEGBINOMIAL,
    HURDLE_POISSON,
    ZERO_INFLATED_BINOMIAL,
    ZERO_INFLATED_NEGBINOMIAL,
    ZERO_INFLATED_POISSON,
)

FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        NORMAL,
        STUDENT,
        *ELLIPTICAL,
        LAPLACE,
        LOGISTIC,
        GUMBEL,
        EXGAUSSIAN,
        SKEW_NORMAL,
        LOGNORMAL,
        EXPONENTIAL,
        GAMMA,
        WEIBULL,
        LOGLOGISTIC,
        FRECHET,
        BETA,
        DIRICHLET,
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
        HURDLE_NEGBINOMIAL,
        CATEGORICAL,
        ORDINAL,
        WALD,
        WIENER,
        RDM,
        LOGNORMAL_RACE,
        LBA,
        UNIFORM,
    )
}

__all__ = ["FAMILIES", "Collapse", "Column", "Family", "Kind", "Param"]
