"""Tail probabilities: against scipy, and against exact identities where it underflows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import stanli
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from stanmix.program.resources import functions, needed_functions

pytestmark = pytest.mark.engine

few_examples = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of any magnitude between two."""
    return st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


@cache
def function(name: str) -> Callable[..., float]:
    """A function of numbers, of a Stan function of vectors."""
    (head,) = (f.signature for f in functions().values() if f.name == name)
    texts = [f.text for f in needed_functions([(head, frozenset())], "")]
    code = "functions {\n" + "\n".join(texts) + "\n}\n"
    compiled = stanli.Function(name, stan_code=code)
    names = [argument.split(" ")[-1] for argument in head.partition("(")[2][:-1].split(", ")]
    return lambda *values: float(
        compiled(**{n: np.array([v]) for n, v in zip(names, values, strict=True)})[0]
    )


def close(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= 1e-10 * max(1.0, abs(theirs))


@few_examples
@given(shape=numbers(1e-2, 1e4), share=numbers(1e-2, 1e2))
def test_gamma_probabilities_equal_those_of_scipy(shape: float, share: float) -> None:
    x = shape * share
    for ours, theirs in (
        (function("log_gamma_below")(x, shape), special.gammainc(shape, x)),
        (function("log_gamma_above")(x, shape), special.gammaincc(shape, x)),
    ):
        assert close(ours, np.log(theirs)) if theirs > 1e-280 else ours < -640


@few_examples
@given(shape=numbers(0.1, 1e3), share=numbers(1e-3, 1e3))
def test_far_gamma_tails_fulfil_the_recurrence_of_their_shapes(shape: float, share: float) -> None:
    x = shape * share
    # P(shape) = P(shape + 1) + x^shape exp(-x) / Gamma(shape + 1), and the same with Q.
    step = shape * np.log(x) - x - special.gammaln(shape + 1)
    below, above = function("log_gamma_below"), function("log_gamma_above")
    assert close(below(x, shape), np.logaddexp(below(x, shape + 1), step))
    assert close(above(x, shape + 1), np.logaddexp(above(x, shape), step))


@few_examples
@given(a=numbers(1e-2, 1e3), b=numbers(1e-2, 1e3), share=st.floats(1e-6, 1 - 1e-6))
def test_beta_probabilities_equal_those_of_scipy(a: float, b: float, share: float) -> None:
    theirs = special.betainc(a, b, share)
    ours = function("log_beta_below")(special.logit(share), a, b)
    assert close(ours, np.log(theirs)) if theirs > 1e-280 else ours < -640


@few_examples
@given(a=numbers(0.1, 1e3), b=numbers(0.1, 1e3), log_odds=st.floats(-300, 300))
def test_far_beta_tails_fulfil_the_recurrence_of_their_shapes(
    a: float, b: float, log_odds: float
) -> None:
    # I(a, b) = I(a + 1, b) + x^a (1 - x)^b / (a B(a, b)).
    step = a * special.log_expit(log_odds) + b * special.log_expit(-log_odds)
    step -= np.log(a) + special.betaln(a, b)
    below = function("log_beta_below")
    assert close(below(log_odds, a, b), np.logaddexp(below(log_odds, a + 1, b), step))


@few_examples
@given(size=numbers(1e-3, 50), sign=st.sampled_from([-1, 1]), nu=numbers(1, 1e4))
def test_probabilities_of_students_t_equal_those_of_scipy(
    size: float, sign: int, nu: float
) -> None:
    # Nearer to 0 than 1e-3 scipy's function loses digits.
    z = sign * size
    theirs = stats.t.cdf(z, nu)
    ours = function("log_student_below")(z, nu)
    assert close(ours, np.log(theirs)) if theirs > 1e-280 else ours < -640


@few_examples
@given(log_size=st.floats(0, 300))
def test_far_tails_of_students_t_are_those_of_cauchy_and_of_two_degrees(log_size: float) -> None:
    size = 10**log_size
    below = function("log_student_below")
    assert close(below(-size, 1.0), np.log(np.arctan(1 / size) / np.pi))
    if size < 1e150:
        tail = 1 / (2 + size**2 + size * np.sqrt(2 + size**2))
        assert close(below(-size, 2.0), np.log(tail))


@pytest.mark.parametrize(
    ("lower", "upper"), [(-1.0, 0.5), (-40.0, -39.0), (39.0, 40.0), (7.0, np.inf), (-3.0, 39.0)]
)
def test_the_probability_of_an_interval_keeps_its_digits_in_both_tails(
    lower: float, upper: float
) -> None:
    below = [stats.norm.logcdf(lower), stats.norm.logcdf(upper)]
    above = [stats.norm.logsf(lower), stats.norm.logsf(upper)]
    # By symmetry an interval on the right is one on the left.
    left = sorted([-lower, -upper]) if lower > 0 else [lower, upper]
    small, large = stats.norm.logcdf(left)
    assert close(function("log_between")(*below, *above), large + np.log1p(-np.exp(small - large)))
