"""Models that stand for all: each is a golden program, and runs on every engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Case:
    """A formula with small data."""

    name: str
    formula: str
    data: Any
    priors: dict[str, str] = field(default_factory=dict)


_RNG = np.random.default_rng(20260101)
_N = 24


def _frame() -> pd.DataFrame:
    state = np.arange(_N) % 2
    return pd.DataFrame(
        {
            "y": _RNG.normal(4 * state, 1).round(3),
            "x": _RNG.normal(-2 * state, 0.5).round(3),
            "positive": _RNG.gamma(4, 1 + state).round(3),
            "count": _RNG.poisson(3 + 6 * state),
            "hit": _RNG.binomial(1, 0.3 + 0.4 * state),
            "successes": _RNG.binomial(10, 0.2 + 0.5 * state),
            "rt": (0.2 + _RNG.gamma(4, 0.1 + 0.1 * state)).round(3),
            "choice": np.tile([1, 2, 2], _N // 3),
            "id": np.repeat(np.arange(_N // 3), 3),
            "subject": np.repeat(["a", "b"], _N // 2),
            "t": np.tile(np.arange(_N // 2), 2),
        }
    )


FRAME = _frame()
MATRIX = {"y": np.column_stack([FRAME["y"], FRAME["x"]])}

UNITS = FRAME.assign(
    a=np.repeat(np.tile([0.5, -1.0, 2.0, 0.0], 2), 3),
    b=np.repeat([0, 1], 12),
)

LIMITED = FRAME.assign(
    how=np.tile(["none", "left", "right", "interval"], 6),
    most=np.tile([12.0, 15.0], 12),
    count=FRAME["count"] + 1,
    successes=FRAME["successes"].clip(1),
    **{f"{name}_end": FRAME[name] + 2 for name in ("y", "positive", "rt")},
    count_end=FRAME["count"] + 3,
    successes_end=10,
)

COUNTED = LIMITED.assign(how=LIMITED["how"].replace("interval", "none"))

HOLES = FRAME.assign(y=FRAME["y"].where(FRAME.index % 5 != 1))
MOODS = pd.Categorical(["low", "high", "mid"] * 8, ["low", "mid", "high"], ordered=True)
GRADES = FRAME.assign(grade=[3, 7, 7, 9] * 6, mood=MOODS)
_HOLED = FRAME["x"].where(FRAME.index % 7 != 1)

_ODDS = np.exp(FRAME[["y", "x"]].to_numpy() / 4)
_SHARES = np.column_stack([_ODDS, np.ones(_N)]) / (1 + _ODDS.sum(axis=1, keepdims=True))
SHARES = FRAME.assign(**dict(zip("abc", _SHARES.T, strict=True)))

CASE_1 = {
    "mu[1]": "normal(-2, 1)",
    "mu[2]": "normal(0, 1)",
    "mu[3]": "normal(2, 1)",
    "weights": "dirichlet(2)",
}
CASE_2 = {"mu[1]": "normal(-1, 1)", "mu[2]": "normal(1, 1)", "transition": "dirichlet(2)"}
CASE_3 = {
    "transition[1]": "dirichlet(16, 4)",
    "transition[2]": "dirichlet(4, 16)",
    "threshold[1]": "normal(0.5, 0.3)",
    "diff(threshold)": "normal(1.5, 0.5)",
    "drift_1": "normal(5.5, 1)",
    "drift_2[1]": "normal(2.5, 0.5)",
    "diff(drift_2)": "normal(2.5, 1)",
    "ndt": "exponential(5)",
}
CASE_3_FORMULA = (
    "rt | dec(choice) ~ hmm(wald + rdm(order=drift), states=2, share=ndt, "
    "order=threshold, initial=uniform)"
)

CASES = (
    Case("normal", "y ~ mix(normal, K=3)", FRAME),
    Case("one_component", "y ~ mix(normal, K=1)", FRAME),
    Case("diag", 'y ~ mix(normal, K=3, cov="diag")', MATRIX),
    Case("full", 'cbind(y, x) ~ mix(normal, K=2, cov="full")', FRAME),
    Case("spherical", "cbind(y, x) ~ mix(normal, K=2, cov=spherical, order=mu[x])", FRAME),
    Case("tied", "cbind(y, x) ~ hmm(normal, states=2, cov=tied, order=none)", FRAME),
    Case("student_columns", "cbind(y, x) ~ mix(student, K=2)", FRAME),
    Case("families", "y ~ mix(normal + student + normal(sigma=1))", FRAME),
    Case("real_families", "y ~ mix(laplace + logistic + gumbel + exgaussian + skew_normal)", FRAME),
    Case(
        "zeros",
        "cbind(count, successes) | trials(10) ~ mix(zero_inflated_poisson & zero_inflated_binomial "
        "+ zero_inflated_negbinomial & binomial + hurdle_poisson & binomial "
        "+ hurdle_negbinomial & binomial)",
        FRAME,
    ),
    Case("beta", "share ~ mix(beta, K=2)", {"share": 1 / (1 + np.exp(-0.5 * FRAME["y"]))}),
    Case(
        "dirichlet",
        "cbind(a, b, c) ~ hmm(dirichlet, states=2)\nphi ~ rt",
        SHARES.assign(**{share: SHARES[share].where(FRAME.index != 3) for share in "abc"}),
        {"mu[2]": "dirichlet(3, 2, 1)"},
    ),
    Case("positive_families", "positive ~ hmm(weibull + loglogistic + frechet)", FRAME),
    Case(
        "count_families",
        "cbind(count, successes) | trials(10) ~ "
        "mix(negbinomial & beta_binomial + geometric & binomial)",
        FRAME,
    ),
    Case("columns", "cbind(positive, y) ~ hmm(exponential & normal, states=2)", FRAME),
    Case("units", "y | unit(id) ~ mix(normal(sigma=1), K=3)", FRAME, CASE_1),
    Case(
        "poisson_series",
        "count | series(subject) + time(t) ~ hmm(poisson, states=3, initial=stationary)",
        FRAME,
        {"rate": "gamma(1, 0.01)", "transition": "dirichlet(1)"},
    ),
    Case(
        "unit_hmm", "y | unit(id) ~ hmm(normal(sigma=1), states=2, initial=uniform)", FRAME, CASE_2
    ),
    Case("switches", CASE_3_FORMULA, FRAME, CASE_3),
    Case("race", "rt | dec(choice) ~ hmm(rdm+wald, states=2)", FRAME),
    Case("contaminants", "rt | dec(choice) ~ hmm(rdm + uniform(low=0), states=2)", FRAME),
    Case("race_only", "rt | dec(choice) ~ mix(rdm, K=1)", FRAME),
    Case("choice_families", "rt | dec(choice) ~ mix(lognormal_race + wiener + lba)", FRAME),
    Case("binomial", "successes | trials(10) ~ mix(binomial, K=2)", FRAME),
    Case("bernoulli", "hit | unit(id) ~ mix(bernoulli, K=2)", FRAME),
    Case("shares", "positive ~ mix(gamma, K=2, share=shape)", FRAME),
    Case(
        "lognormal",
        "positive ~ mix(lognormal, K=2, order=c(mu, sigma))",
        FRAME,
        {"sigma": "normal(0, 1)"},
    ),
    Case(
        "wald",
        "rt ~ mix(wald, K=2, order=none)",
        FRAME,
        {"ndt": "uniform(0, 0.5)", "drift[2]": "lognormal(0, 1)", "drift[1]": "lognormal(1, 1)"},
    ),
    Case(
        "regressions",
        "y ~ mix(normal, K=3)\nmu ~ poly(x, 2) + subject\nsigma ~ x",
        FRAME,
        {"beta_mu[2, `subject[T.b]`]": "normal(0, 1)", "beta_sigma[x]": "student_t(3, 0, 1)"},
    ),
    Case(
        "regressions_of_some",
        "rt | dec(choice) ~ hmm(wald + rdm, states=2, share=ndt)\n"
        "threshold[2] ~ x\nndt ~ x\ndrift[1] ~ 0 + subject + offset(y)",
        FRAME,
    ),
    Case(
        "regression_of_counts",
        "cbind(count, successes) | trials(10) + unit(id) ~ hmm(poisson & binomial, states=2)\n"
        "rate ~ x + offset(log(positive))\nprob ~ C(choice):x",
        FRAME,
    ),
    Case(
        "regression_of_vectors",
        "cbind(y, x) ~ mix(normal, K=2, cov=diag)\nmu ~ rt + subject",
        FRAME,
        {"beta_mu[rt]": "normal(0, 3)"},
    ),
    Case(
        "regression_of_drifts",
        "rt | dec(choice) ~ hmm(wald + rdm, states=2)\ndrift ~ x",
        FRAME,
    ),
    Case(
        "ordered_slopes",
        "y ~ mix(normal, K=2, order=mu:x)\nmu ~ rt + x",
        FRAME,
        {"beta_mu[1, x]": "normal(-1, 2)"},
    ),
    Case(
        "regression_of_categories",
        "subject ~ mix(categorical, K=2)\nprob ~ x + (1 | choice)",
        FRAME.assign(subject=FRAME["subject"].where(FRAME.index != 2)),
        {"beta_prob[x]": "normal(0, 1)"},
    ),
    Case(
        "horseshoe",
        "y ~ mix(normal, K=2)\nmu ~ x + rt + positive",
        FRAME,
        {"beta_mu": "horseshoe(0.1)"},
    ),
    Case(
        "bounds_of_groups",
        "rt | dec(choice) ~ hmm(wald + rdm, states=2, share=ndt)\nndt ~ x + (1 | subject)",
        FRAME,
    ),
    Case("scales_of_vectors", "cbind(y, x) ~ mix(normal, K=2, cov=tied)\nsigma ~ rt", FRAME),
    Case(
        "scales_of_missing_columns",
        "cbind(y, x) ~ mix(normal, K=2, cov=diag)\nmu ~ rt; sigma ~ rt",
        HOLES.assign(x=_HOLED),
    ),
    Case(
        "groups_of_vectors",
        "cbind(y, x) ~ mix(normal, K=2)\nmu ~ rt + (1 + rt | subject)",
        FRAME,
        {"sd_subject_mu[x]": "normal(0, 1)", "cor_subject_mu[2]": "lkj(1)"},
    ),
    Case("groups_of_drifts", "rt | dec(choice) ~ mix(rdm, K=2)\ndrift ~ (1 | subject)", FRAME),
    Case(
        "regression_of_races",
        "rt | dec(choice) ~ mix(lognormal_race + lba)\nmu ~ x; drift ~ x; start ~ y",
        FRAME,
    ),
    Case(
        "angles",
        "cbind(positive, turn) ~ hmm(gamma & von_mises, states=2)",
        FRAME.assign(turn=np.round(np.angle(np.exp(1j * FRAME["y"])), 3)),
        {"mu_turn[2]": "von_mises(0, 2)"},
    ),
    Case(
        "classes",
        "cbind(hit, subject, grade) ~ mix(bernoulli & categorical & categorical, K=2)",
        FRAME.assign(grade=[3, 7, 7, 9] * 6, subject=FRAME["subject"].where(FRAME.index != 2)),
        {"prob_grade[2]": "dirichlet(3, 2, 1)"},
    ),
    Case(
        "ordinal",
        "cbind(grade, mood) | unit(id) ~ mix(ordinal & ordinal, K=2, share=cutpoint_mood)\n"
        "mu[mood] ~ x + (1 | subject); mu_grade[2] ~ offset(x)",
        GRADES,
        {"cutpoint_grade[2]": "normal(0, 2)"},
    ),
    Case("exposure", "count ~ mix(poisson, K=2)\nrate ~ offset(log(rt))", FRAME),
    Case("experts", "y | unit(id) ~ mix(normal, K=3)\nweights ~ a", UNITS),
    Case(
        "moves",
        "count | series(subject) ~ hmm(poisson, states=3)\ntransition ~ x; initial ~ b",
        UNITS,
    ),
    Case("left_right", "y ~ hmm(normal, states=3, transition=left_right)", FRAME),
    Case(
        "some_moves",
        'y | unit(id) ~ hmm(normal, states=3, transition="110;011;101")\ntransition ~ a',
        UNITS,
        {"transition[1]": "dirichlet(2, 1)", "beta_transition[1, 2, a]": "normal(0, 1)"},
    ),
    Case(
        "groups",
        "y ~ mix(normal, K=2)\nmu ~ x + (1 + x | subject)\nsigma ~ (1 | choice)",
        FRAME,
    ),
    Case(
        "groups_of_states",
        "count | series(subject) ~ hmm(poisson, states=2)\nrate ~ (x || choice)\n"
        "transition ~ (1 | subject)",
        FRAME,
    ),
    Case(
        "limits",
        "y | cens(how, y_end) + trunc(-9, most) ~ mix(normal + student + skew_normal)",
        LIMITED,
    ),
    Case("truncated", "count | cens(how) + trunc(lb=1) ~ mix(poisson, K=2)", COUNTED),
    Case("limits_by_row", "rt | trunc(ub=most) ~ mix(wald, K=2)\ndrift ~ x", LIMITED),
    Case("missing", "y | series(subject) ~ hmm(normal, states=2)\nmu ~ x", HOLES),
    Case(
        "known",
        "y | known(label) + freq(choice) ~ mix(normal, K=3)",
        FRAME.assign(label=["1", "!2", "1|3", None] * 6),
    ),
    Case(
        "known_units",
        "y | unit(id) + known(label) + freq(choice) ~ hmm(normal, states=2)",
        FRAME.assign(label=[2.0, *[np.nan] * 23]),
    ),
    Case(
        "gaps",
        "y | series(subject) + time(t) ~ hmm(normal, states=2, initial=stationary)",
        FRAME[FRAME["t"] % 4 != 2],
    ),
    Case("missing_columns", "cbind(y, x) ~ mix(normal, K=2)", HOLES.assign(x=_HOLED)),
    Case(
        "student_missing_columns",
        "cbind(y, x) ~ mix(student + normal, cov=diag)\nmu ~ rt; nu ~ rt",
        HOLES.assign(x=_HOLED),
    ),
    Case(
        "missing_trials",
        "cbind(y, successes) | trials(n) ~ mix(normal & binomial, K=2)",
        HOLES.assign(successes=[None, *FRAME["successes"][1:]], n=10),
    ),
    Case("ordered_between", "y ~ mix(normal, K=2)", FRAME, {"mu": "uniform(-10, 10)"}),
)
