"""The caret frame, hints and collected problems."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stanmix.errors import Problem, Span, SpecError, did_you_mean, frame, listing


def test_the_carets_stand_under_the_place() -> None:
    assert frame("y ~ mix(norml, K=3)", Span(8, 13)) == (
        "    y ~ mix(norml, K=3)\n            ^^^^^"
    )


def test_of_several_lines_only_the_one_with_the_place_is_shown() -> None:
    assert frame("y ~ mix(normal, K=3)\nmu ~ z", Span(26, 27)) == "    mu ~ z\n         ^"


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=300), st.data())
def test_a_frame_is_two_short_lines_with_carets_within_the_text(
    source: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    text, carets = frame(source, Span(start, end)).split("\n")
    assert len(text) < 110
    assert carets.strip("^ ") == ""
    assert "^" in carets
    assert len(carets) <= max(len(text), 5) + 1


def test_several_problems_are_one_error() -> None:
    error = SpecError(Problem("One.", hint="do this"), Problem("Two."))
    assert str(error) == "2 problems.\n\n1. One.\nHint: do this\n\n2. Two."
    assert isinstance(error, ValueError)


def test_a_hint_names_what_is_close_or_nothing() -> None:
    assert did_you_mean("norml", ["normal", "poisson"]) == "did you mean `normal`?"
    assert did_you_mean("xyz", ["normal"]) is None


def test_a_long_listing_ends_in_dots() -> None:
    assert listing("abc", most=2) == "`a`, `b`, ..."
