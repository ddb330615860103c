"""The classifier two-sample test: whether two sets of draws can be told apart.

References
----------
Friedman, J. (2003). On multivariate goodness-of-fit and two-sample testing. *SLAC-PUB-10325*.

Lopez-Paz, D., & Oquab, M. (2017). Revisiting classifier two-sample tests. *International Conference
on Learning Representations*.

Lueckmann, J.-M., Boelts, J., Greenberg, D., Goncalves, P., & Macke, J. (2021). Benchmarking
simulation-based inference. *Proceedings of Machine Learning Research*, 130, 343-351.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from stanmix.errors import StanmixError, require_count, require_one_of
from stanmix.judging.compared import Compared, compared, counted, evenly, scaled
from stanmix.judging.matching import Sample
from stanmix.named_draws import Source

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

FOLDS = 5
"""Folds of the cross-validation."""

VERDICT = 500
"""Fewest independent draws of either set from which a verdict is given."""

LEVEL = 0.01
"""The p-value below which draws are said to differ."""

REPEATS = 10
"""How often each number is permuted to see how much it gives away."""


@dataclass(frozen=True)
class Recipe:
    """How draws are told apart.

    Parameters
    ----------
    text
        What it is, for the reader.
    layers
        Units of the hidden layers; `scaled` says whether for each number.
    scaled
        Whether the layers grow with the numbers of a draw.
    scale_by
        The draws whose mean and standard deviation are taken for zero and one: the first or the
        second.
    stratified
        Whether each fold has as many draws of both.
    slow
        Whether it takes minutes.
    options
        What else scikit-learn's `MLPClassifier` is given.
    """

    text: str
    layers: tuple[int, ...]
    scaled: bool = False
    scale_by: int = 0
    stratified: bool = True
    slow: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


RECIPES: Mapping[str, Recipe] = {
    "stanmix": Recipe(
        "two layers of 32, penalty 1, 30 passes in batches of 200 with steps of 0.002",
        (32, 32),
        options={
            "alpha": 1.0,
            "batch_size": 200,
            "learning_rate_init": 2e-3,
            "max_iter": 30,
            "n_iter_no_change": 30,
        },
    ),
    "paper": Recipe(
        "two layers of 16 d, until they settle or for 10000 passes; scaled by the second draws",
        (16, 16),
        scaled=True,
        scale_by=1,
        slow=True,
        options={"max_iter": 10_000},
    ),
    "sbibm": Recipe(
        "two layers of 10 d, until they settle or for 10000 passes",
        (10, 10),
        scaled=True,
        stratified=False,
        slow=True,
        options={"max_iter": 10_000},
    ),
}
"""Recipes, by name. All have rectified linear units, Adam and five shuffled folds."""


@dataclass(frozen=True, repr=False, eq=False)
class C2ST:
    """What a classifier two-sample test found.

    Parameters
    ----------
    score
        The share of draws that it put where they are from, in cross-validation: 0.5 where they
        cannot be told apart, 1 where they have nothing in common. The mean over repetitions.
    p_value
        Of an exact binomial test, on the half of the draws that a classifier fitted to the other
        half has not seen.
    floor
        The score of one part of the reference against the other, at half the number of draws.
    folds
        The score of each fold, a row a repetition.
    importance
        By how much the score falls without each number, largest first: what gives the difference
        away.
    n
        Draws of each set that were compared.
    ess
        How many independent draws each set was worth.
    dropped
        Numbers that were left out, since they follow from others.
    notes
        What was done to the draws before: sentences.
    recipe
        The name of the recipe.
    """

    score: float
    p_value: float
    floor: float
    folds: pd.DataFrame
    importance: pd.Series
    n: int
    ess: tuple[float, float]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
    recipe: str

    @property
    def verdict(self) -> str:
        """`different`, `not told apart`, or `none` where there are too few draws for any."""
        if self.n < VERDICT:
            return "none"
        return "different" if self.p_value < LEVEL else "not told apart"

    def __repr__(self) -> str:
        lines = [
            f"C2ST {self.score:.3f} (recipe {self.recipe}: {RECIPES[self.recipe].text})",
            f"reference against itself {self.floor:.3f}; p = {self.p_value:.2g}",
            counted(self.n, self.ess, self.dropped),
        ]
        if self.verdict == "none":
            lines.append(f"No verdict: thinned, these are fewer than {VERDICT} draws.")
        elif self.verdict == "different":
            away = self.importance[self.importance > 0].head(3)
            named = ", ".join(f"{name} ({value:.3f})" for name, value in away.items())
            lines.append(f"They differ; what gives it away: {named}" if named else "They differ.")
        else:
            lines.append("They are not told apart.")
        return "\n".join([*lines, *self.notes])


def c2st(
    a: Source,
    b: Source,
    *,
    recipe: str = "stanmix",
    variables: str | Iterable[str] | None = None,
    repeats: int = 1,
    seed: int = 1,
) -> C2ST:
    """Whether a classifier can tell two sets of draws apart.

    Names and labels of components are made to agree first; of what follows from other numbers,
    such as the last weight, nothing is looked at; and draws that are not independent are thinned
    until they nearly are, since a classifier would tell chains apart that way.

    Parameters
    ----------
    a
        The reference: a fit, a tree of draws, arrays (draw, ...) by name, a table with a column for
        each number, or the path of such a table as CSV.
    b
        Draws to be judged, likewise.
    recipe
        The classifier. "stanmix" has a penalty, so that chance differences are not learned;
        "paper" is that of Kucharsky and Buerkner (2026), and "sbibm" that of Lueckmann et al.
        (2021). Scores of different recipes cannot be compared. The last two take minutes.
    variables
        What is compared: variables (`mu`) or numbers (`mu[1]`); all if not given.
    repeats
        How often the cross-validation is done, with other folds and other starting values.
    seed
        Seed of folds and classifiers.

    Returns
    -------
    C2ST
        `score`, `p_value`, `floor` (reference against reference), what gives the difference away,
        and a verdict.

    Raises
    ------
    DataError
        Names differ; draws are too few, not finite, or never vary; or the reference has one chain.
    SpecError
        There is no such recipe; or `repeats` is no whole number from 1 on.

    Notes
    -----
    One mode more, of mass m, costs about m / 2, and it may be the reference that lacks it:
    `referee` looks at that. The p-value is that of the first repetition: those of several are not
    independent.

    Examples
    --------
    >>> import numpy as np
    >>> import stanmix as sm
    >>> rng = np.random.default_rng(1)
    >>> a, b = rng.normal(size=(2, 1000, 3))
    >>> sm.c2st({"x": a}, {"x": b}).verdict
    'not told apart'
    >>> found = sm.c2st({"x": a}, {"x": b + [0.5, 0, 0]})
    >>> found.verdict, found.importance.index[0]
    ('different', 'x[1]')
    """
    require_one_of("recipe", recipe, RECIPES)
    require_count("repeats", repeats, 1)
    require_count("seed", seed, 0, 2**32 - 1 - repeats)
    require_classifier()
    return tell_apart(compared(a, b, variables), recipe=recipe, repeats=repeats, seed=seed)


def tell_apart(pair: Compared, *, recipe: str = "stanmix", repeats: int = 1, seed: int = 1) -> C2ST:
    """Whether a classifier can tell draws apart that are matched and independent; see `c2st`."""
    chosen = RECIPES[recipe]
    if chosen.slow:
        print(f"C2ST with the recipe {recipe!r} takes minutes.", file=sys.stderr, flush=True)
    x, y = _scaled(*pair.evenly(), chosen)
    folds = pd.DataFrame(
        [_cross_validated(x, y, chosen, seed + r) for r in range(repeats)],
        index=pd.RangeIndex(1, repeats + 1, name="repetition"),
        columns=pd.RangeIndex(1, FOLDS + 1, name="fold"),
    )
    p_value, importance = _tested(x, y, chosen, seed)
    halves = _halves(pair.reference, pair.n // 2)
    floor = _cross_validated(*_scaled(*halves, chosen), chosen, seed).mean()
    return C2ST(
        score=float(folds.to_numpy().mean()),
        p_value=p_value,
        floor=float(floor),
        folds=folds,
        importance=pd.Series(importance, pair.reference.names).sort_values(ascending=False),
        n=pair.n,
        ess=pair.ess,
        dropped=pair.dropped,
        notes=pair.notes,
        recipe=recipe,
    )


def _halves(reference: Sample, n: int) -> tuple[Array, Array]:
    """Two parts of the reference that do not hang together: chains, or halves of one."""
    chains, draws = reference.values.shape[:2]
    if chains > 1:
        parts = reference.values[::2], reference.values[1::2]
    else:
        parts = reference.values[:, : draws // 2], reference.values[:, draws // 2 :]
    one, other = (Sample(reference.names, part) for part in parts)
    n = min(n, len(one), len(other))
    return evenly(one, n), evenly(other, n)


def _scaled(first: Array, second: Array, recipe: Recipe) -> tuple[Array, Labels]:
    """Draws of both on the scale of one, and which they are."""
    by = (first, second)[recipe.scale_by]
    return scaled(first, second, by=by), np.repeat([0, 1], [len(first), len(second)])


def require_classifier() -> None:
    """Raise StanmixError where scikit-learn is not installed."""
    if importlib.util.find_spec("sklearn") is None:
        raise StanmixError(
            "A classifier two-sample test needs scikit-learn: `pip install 'stanmix[referee]'`."
        )


def _classifier(recipe: Recipe, d: int, seed: int) -> Any:
    """A classifier that has not been fitted."""
    from sklearn.neural_network import MLPClassifier

    layers = tuple(units * d for units in recipe.layers) if recipe.scaled else recipe.layers
    return MLPClassifier(hidden_layer_sizes=layers, random_state=seed, **recipe.options)


def _fitted(x: Array, y: Labels, recipe: Recipe, seed: int) -> Any:
    with warnings.catch_warnings():
        # So many passes are what the recipe says.
        warnings.simplefilter("ignore")
        return _classifier(recipe, x.shape[1], seed).fit(x, y)


def _cross_validated(x: Array, y: Labels, recipe: Recipe, seed: int) -> Array:
    """The score of each fold."""
    from sklearn.model_selection import KFold, StratifiedKFold

    folds = StratifiedKFold if recipe.stratified else KFold
    parts = folds(FOLDS, shuffle=True, random_state=seed).split(x, y)
    return np.array(
        [_fitted(x[seen], y[seen], recipe, seed).score(x[left], y[left]) for seen, left in parts]
    )


def _tested(x: Array, y: Labels, recipe: Recipe, seed: int) -> tuple[float, Array]:
    """The p-value of a classifier on draws it has not seen, and what each number gives away."""
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import train_test_split

    seen, left = train_test_split(np.arange(len(y)), test_size=0.5, random_state=seed, stratify=y)
    fitted = _fitted(x[seen], y[seen], recipe, seed)
    right = int((fitted.predict(x[left]) == y[left]).sum())
    p_value = stats.binomtest(right, len(left), 0.5, alternative="greater").pvalue
    permuted = permutation_importance(
        fitted, x[left], y[left], n_repeats=REPEATS, random_state=seed
    )
    return float(p_value), np.asarray(permuted.importances_mean)
