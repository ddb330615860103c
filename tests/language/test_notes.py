"""Notes: what a model says of itself when it is shown."""

from __future__ import annotations

import pytest

import stanmix as sm
from tests.cases import FRAME

RESTRICTION = "part of the model, not only of its labels"


@pytest.mark.parametrize(
    ("formula", "priors", "words"),
    [
        ("y ~ mix(normal, K=2)", {"mu[1]": "normal(0, 1)"}, "different priors for `mu`"),
        ("y ~ mix(normal, K=2)", {"weights": "dirichlet(1, 2)"}, "different priors for `weights`"),
        ("y ~ hmm(normal, states=2)", {"transition[1]": "dirichlet(4, 1)"}, "`transition`"),
        ("y ~ hmm(normal, states=2)", {"transition": "dirichlet(4, 1)"}, "`transition`"),
        ("y ~ mix(normal, K=2, order=c(mu, sigma))", {}, "several parameters (`mu`, `sigma`)"),
        ("y ~ mix(normal + student, order=mu)", {}, "components of different families (`mu`)"),
    ],
)
def test_an_order_that_restricts_the_model_is_said_to(
    formula: str, priors: dict[str, str], words: str
) -> None:
    restrictions = [
        n for n in sm.model(formula, FRAME, priors=priors).spec.notes if RESTRICTION in n
    ]
    assert len(restrictions) == 1
    assert words in restrictions[0]


@pytest.mark.parametrize(
    ("formula", "priors"),
    [
        ("y ~ mix(normal, K=2)", {}),
        ("y ~ mix(normal, K=2)", {"weights": "dirichlet(3, 3)", "mu": "normal(0, 9)"}),
        ("y ~ hmm(normal, states=2)", {"transition": "sticky(9, 1)"}),
        ("y ~ mix(normal, K=2, order=none)", {"mu[1]": "normal(0, 1)"}),
    ],
)
def test_labels_alone_are_not_called_a_restriction(formula: str, priors: dict[str, str]) -> None:
    notes = sm.model(formula, FRAME, priors=priors).spec.notes
    assert not any(RESTRICTION in note for note in notes)


def test_components_that_have_nothing_of_their_own_are_warned_of() -> None:
    with pytest.warns(sm.IdentifiabilityWarning, match="1 and 2 are the same distribution"):
        sm.model("y ~ mix(uniform, K=2)", FRAME)
