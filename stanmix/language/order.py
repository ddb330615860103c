"""Which parameters identify the components by increasing over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stanmix.clusters import best_separated
from stanmix.data import Table, numbers
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.language.options import Options, Ordering
from stanmix.language.parameters import Emission
from stanmix.spec import Parameter, Regression, Use


@dataclass(frozen=True)
class Ordered:
    """Parameters with their order.

    Parameters
    ----------
    parameters
        The emission parameters; those that identify the components have the order `state`.
    notes
        What was chosen for the user.
    """

    parameters: tuple[Parameter, ...]
    notes: tuple[str, ...] = ()


def read_order(
    emission: Emission, options: Options, table: Table, source: str, *, known: bool = False
) -> Ordered:
    """The parameters, ordered as `order=` says, or by the location of components that are alike.

    With `known` labels nothing is ordered by default: they say which component is which.

    Raises
    ------
    SpecError
        `order` names what cannot order the components.
    """
    chooser = _Chooser(emission, options, table, source)
    if options.order is None:
        chosen = [] if known else chooser.default()
    else:
        chosen = [chooser.meant(ordering) for ordering in options.order]
        if len(set(chosen)) < len(chosen):
            raise chooser.refusal("`order` names a parameter twice.")
    parameters = tuple(
        replace(p, order="state", place=chooser.places.get(p.name)) if p.name in chosen else p
        for p in emission.parameters
    )
    return Ordered(parameters, tuple(chooser.notes))


class _Chooser:
    """Finds the parameters that `order` means."""

    def __init__(self, emission: Emission, options: Options, table: Table, source: str) -> None:
        self.emission = emission
        self.options = options
        self.table = table
        self.source = source
        self.K = len(emission.pieces)
        self.places: dict[str, int] = {}
        self.notes: list[str] = []

    def default(self) -> list[str]:
        """The location of a homogeneous model, of several the best separated; else nothing."""
        if not self.emission.homogeneous or self.options.allowed is not None:
            # An order would be a restriction: of unequal components, or of unequal moves.
            return []
        locations = [
            p
            for p in self.emission.parameters
            if p.axes in (("state",), ("state", "column"))
            and any(param.orders for _, param in self.emission.users(p))
        ]
        if not locations and self.K > 1:
            self.notes.append("No location is free to order the components.")
        return [self.best(locations)] if locations else []

    def meant(self, ordering: Ordering) -> str:
        """The parameter that one item of `order` means."""
        if ordering.slope is not None:
            return self.slope(ordering.name, ordering.slope)
        return self.named(ordering.name, ordering.part)

    def slope(self, name: str, term: str) -> str:
        """The coefficients that `order=name:term` means."""
        if not any(name in (p.name, p.param) for p in self.of_families()) and not any(
            r.name == name for r in self.emission.regressions
        ):
            raise self.unknown(name)
        regressions = [r for r in self.emission.regressions if name in self.names_of(r)]
        if not regressions:
            raise self.refusal(f"`{name}` does not vary, so no slope of it orders the components.")
        if len(regressions) > 1:
            names = listing(r.name for r in regressions)
            raise self.refusal(f"`{name}:{term}` may be a slope of {names}: name one of them.")
        (regression,) = regressions
        if regression.along is not None:
            message = f"`{name}` is a vector in each component, so its slopes cannot order them."
            raise self.refusal(message)
        if term not in regression.columns:
            known = regression.columns
            has = f"it has {listing(known)}" if known else "it has none"
            message = f"`{name}` has no slope `{term}`; {has}."
            raise self.refusal(message, did_you_mean(term, known))
        slopes = next(p for p in self.emission.parameters if p.name == regression.coefficients)
        if slopes.axes[0] != "state" and name in self.options.share:
            message = f"`{name}` is shared, so its slopes cannot order the components."
            raise self.refusal(message)
        if slopes.axes[0] != "state":
            message = f"Slopes of `{name}` cannot order the components: they do not all have them."
            raise self.refusal(message)
        self.places[slopes.name] = regression.columns.index(term) + 1
        return slopes.name

    def names_of(self, regression: Regression) -> set[str]:
        """What a regression may be called: by its parameter, and as families call that."""
        own = {
            param
            for (_, _, param), use in self.emission.arguments.items()
            if isinstance(use, Use) and use.regression == regression.name
        }
        return {regression.name, regression.parameter or regression.name, *own}

    def named(self, name: str, part: str | None) -> str:
        """The parameter that `order=name` or `order=name[part]` means."""
        matching = [p for p in self.of_families() if name in (p.name, p.param)]
        if not matching:
            raise self.unknown(name)
        self.require_orderable(name, matching)
        if part is None:
            return self.best(matching)
        for parameter in matching:
            columns = self.emission.columns(parameter)
            if part in columns:
                if "column" in parameter.axes:
                    self.order_by(parameter, columns.index(part) + 1)
                return parameter.name
        known = dict.fromkeys(c for p in matching for c in self.emission.columns(p))
        raise self.refusal(f"`{name}` has no part `{part}`; it has {listing(known)}.")

    def of_families(self) -> list[Parameter]:
        """The parameters of families; others are coefficients, and the spread of groups."""
        return [p for p in self.emission.parameters if any(self.emission.users(p))]

    def order_by(self, parameter: Parameter, column: int) -> None:
        """Note the column that increases; all ordered vectors increase in the same one."""
        vectors = [p.name for p in self.emission.parameters if "column" in p.axes]
        if any(self.places.get(name, column) != column for name in vectors):
            raise self.refusal("`order` can name only one column of a vector.")
        self.places[parameter.name] = column

    def unknown(self, name: str) -> SpecError:
        if self.emission.is_fixed(name):
            return self.refusal(f"`{name}` is fixed, so it cannot order the components.")
        if any(r.parameter is None and r.name == name for r in self.emission.regressions):
            return self.refusal(f"`{name}` has no intercept, so it cannot order the components.")
        known = list(dict.fromkeys(p.param for p in self.of_families()))
        message = f"`order` names no parameter of these families: `{name}`; "
        return self.refusal(
            message + f"they have {listing(known) or 'none'}.", did_you_mean(name, known)
        )

    def require_orderable(self, name: str, matching: Sequence[Parameter]) -> None:
        if any("state" not in p.axes for p in matching):
            if {name, *(p.name for p in matching)} & set(self.options.share):
                raise self.refusal(f"`{name}` is shared, so it cannot order the components.")
            message = f"`{name}` cannot order the components: they do not all have it alike."
            raise self.refusal(message)
        if any(p.constraint == "correlation" for p in matching):
            message = f"`{name}` is a correlation matrix, so it cannot order the components."
            raise self.refusal(message)
        if any(p.constraint == "simplex" for p in matching):
            message = f"`{name}` sums to 1 in each component, so it cannot order the components."
            raise self.refusal(message)
        if any(p.constraint == "circular" for p in matching):
            message = (
                f"`{name}` is an angle, which has no order, so it cannot order the components."
            )
            raise self.refusal(message)
        if any(p.axes[-1] not in ("state", "column") for p in matching):
            family = next(self.emission.users(matching[0]))[0].family.name
            message = f"`{name}` is a vector in each component, so it cannot order them."
            inside = None if matching[0].order else f"`{family}(order={name})` orders it within"
            raise self.refusal(message, inside)

    def refusal(self, message: str, hint: str | None = None) -> SpecError:
        return SpecError(Problem(message, self.source, self.options.order_span, hint))

    def best(self, candidates: Sequence[Parameter]) -> str:
        """The candidate (and, of a vector, the column) that a rough split separates best."""
        if len(candidates) == 1 and candidates[0].axes == ("state",):
            return candidates[0].name
        options = [(p, column) for p in candidates for column in self.emission.columns(p)]
        columns = [numbers(self.table, column, missing=True) for _, column in options]
        values = np.column_stack(columns)
        whole = ~np.isnan(values).any(axis=1)
        if whole.sum() > self.K:
            values = values[whole]
        else:
            # Too few rows have all columns; the others stand in the middle of what they lack.
            seen = [column[~np.isnan(column)] for column in values.T]
            middle = [np.median(column) if column.size else 0.0 for column in seen]
            values = np.where(np.isnan(values), middle, values)
        chosen, column = options[best_separated(values, min(self.K, len(values)))]
        if "column" in chosen.axes:
            self.order_by(chosen, self.emission.columns(chosen).index(column) + 1)
        if self.K > 1:
            part = f"[{column}]" if "column" in chosen.axes else ""
            self.notes.append(f"Components are ordered by `{chosen.name}{part}`.")
        return chosen.name
