"""The formula language: text to tree, tree to text, and what is refused."""

from __future__ import annotations

import copy
import dataclasses
import doctest
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stanmix.errors import FormulaError, Problem, Span
from stanmix.language import syntax
from stanmix.language.syntax import (
    FUNCTIONS,
    LATENT,
    MAX_LENGTH,
    MAX_OPERATORS,
    format_formula,
    parse,
)
from stanmix.language.tokens import MAX_DEPTH
from stanmix.language.tree import (
    Addition,
    Argument,
    At,
    Binary,
    Call,
    Component,
    FamilyCall,
    Formula,
    Group,
    Index,
    Keyword,
    Latent,
    Many,
    ModelLine,
    Name,
    Number,
    ParameterLine,
    Slope,
    Term,
    Text,
    Unary,
    Value,
)

NOWHERE = Span(0, 0)
quick = settings(derandomize=True, deadline=None, max_examples=50)


# Trees without places, which equality ignores.


def name(text: str) -> Name:
    return Name(text, NOWHERE)


def number(value: float) -> Number:
    return Number(value, NOWHERE)


def text(value: str) -> Text:
    return Text(value, NOWHERE)


def family(called: str, **arguments: Value) -> FamilyCall:
    return FamilyCall(name(called), options(**arguments), NOWHERE)


def component(*families: FamilyCall) -> Component:
    return Component(families, NOWHERE)


def options(**values: Value) -> tuple[Argument, ...]:
    return tuple(Argument(name(key), value, NOWHERE) for key, value in values.items())


def addition(called: str, *args: Name | Number | Argument) -> Addition:
    return Addition(name(called), args, NOWHERE)


def latent(kind: str, *components: Component, **values: Value) -> Latent:
    return Latent(name(kind), components, options(**values), NOWHERE)


def binary(op: str, left: Term, right: Term) -> Binary:
    return Binary(op, left, right, NOWHERE)


def minus(operand: Term) -> Unary:
    return Unary("-", operand, NOWHERE)


def call(function: str, *args: Term | Text, **keywords: Term | Text) -> Call:
    named = tuple(Keyword(name(key), value, NOWHERE) for key, value in keywords.items())
    return Call(name(function), args, named, NOWHERE)


def group(terms: Term, by: str, correlated: bool = True) -> Group:
    return Group(terms, name(by), correlated, NOWHERE)


def index(parameter: str, part: Name | Number) -> Index:
    return Index(name(parameter), part, NOWHERE)


x, y, z, g = map(name, "xyzg")
normal = component(family("normal"))


# Formula to tree.

LEFT_SIDES = [
    ("y", (y,), ()),
    ("`reaction time`", (name("reaction time"),), ()),
    ("größe.2", (name("größe.2"),), ()),
    ("cbind", (name("cbind"),), ()),
    ("cbind(eruptions, waiting)", (name("eruptions"), name("waiting")), ()),
    ("cbind(y)", (y,), ()),
    ("rt | dec(choice)", (name("rt"),), (addition("dec", name("choice")),)),
    ("y|trials(20)", (y,), (addition("trials", number(20)),)),
    ("y | trunc(-1.5, 10)", (y,), (addition("trunc", number(-1.5), number(10)),)),
    ("y | trunc(lb=0)", (y,), (addition("trunc", Argument(name("lb"), number(0), NOWHERE)),)),
    (
        "y | series(id) + time(t)",
        (y,),
        (addition("series", name("id")), addition("time", name("t"))),
    ),
]


@pytest.mark.parametrize(("left", "response", "additions"), LEFT_SIDES)
def test_the_left_side_names_response_and_additions(
    left: str, response: tuple[Name, ...], additions: tuple[Addition, ...]
) -> None:
    model = parse(f"{left} ~ mix(normal, K=3)").model
    assert model == ModelLine(response, additions, latent("mix", normal, K=number(3)), NOWHERE)


LATENT_CALLS = [
    ("mix(normal)", latent("mix", normal)),
    ("mix( normal ( ) )", latent("mix", normal)),
    ("hmm(poisson, states=2)", latent("hmm", component(family("poisson")), states=number(2))),
    (
        "mix(normal(sigma=1), K=3)",
        latent("mix", component(family("normal", sigma=number(1))), K=number(3)),
    ),
    ("hmm(rdm(order=drift))", latent("hmm", component(family("rdm", order=name("drift"))))),
    (
        "mix(normal + student, order=none)",
        latent("mix", normal, component(family("student")), order=name("none")),
    ),
    (
        "hmm(exponential & normal + gamma & normal)",
        latent(
            "hmm",
            component(family("exponential"), family("normal")),
            component(family("gamma"), family("normal")),
        ),
    ),
    (
        "hmm(wald + rdm,\n  states=2,\n  share=ndt\n)",
        latent(
            "hmm",
            component(family("wald")),
            component(family("rdm")),
            states=number(2),
            share=name("ndt"),
        ),
    ),
]


@pytest.mark.parametrize(("right", "tree"), LATENT_CALLS)
def test_the_right_side_joins_components_before_columns(right: str, tree: Latent) -> None:
    assert parse(f"y ~ {right}").model == ModelLine((y,), (), tree, NOWHERE)


VALUES = [
    ("3", number(3)),
    ("-3", number(-3)),
    ("+3", number(3)),
    ("1.", number(1.0)),
    (".5", number(0.5)),
    ("1e-3", number(0.001)),
    ("2E+2", number(200.0)),
    ("9007199254740993", number(9007199254740993)),
    ("stationary", name("stationary")),
    ("`odd one`", name("odd one")),
    ('"full"', text("full")),
    ("'full'", text("full")),
    ("'a \"b\"; (`'", text('a "b"; (`')),
    ('"110;011;001"', text("110;011;001")),
    ("mu[waiting]", index("mu", name("waiting"))),
    ("mu[2]", index("mu", number(2))),
    ("mu:x", Slope(name("mu"), x, NOWHERE)),
    ("mu(x=0)", At(name("mu"), (("x", number(0)),), NOWHERE)),
    ("mu(x=0, `a b`=-1)", At(name("mu"), (("x", number(0)), ("a b", number(-1))), NOWHERE)),
    ("c", name("c")),
    ("c(rate_u, mu[2])", Many((name("rate_u"), index("mu", number(2))), NOWHERE)),
    ("c('a')", Many((text("a"),), NOWHERE)),
]


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_an_option_value_keeps_how_it_is_written(written: str, value: Value) -> None:
    assert parse(f"y ~ mix(normal, o={written})").model.latent.options == options(o=value)


def test_whole_numbers_stay_integers() -> None:
    tree = parse("y ~ mix(normal, K=3, a=3.0, b=-2)")
    numbers = [node for node in nodes(tree) if isinstance(node, Number)]
    assert [type(number.value) for number in numbers] == [int, float, int]


TERMS = [
    ("x", x),
    ("1", number(1)),
    ("`a b`", name("a b")),
    ("or", name("or")),
    ("0 + x", binary("+", number(0), x)),
    ("-1 + x", binary("+", minus(number(1)), x)),
    ("x + -1", binary("+", x, minus(number(1)))),
    ("x + y - z", binary("-", binary("+", x, y), z)),
    ("x - (y + z)", binary("-", x, binary("+", y, z))),
    ("x + y*z", binary("+", x, binary("*", y, z))),
    ("x*y/z", binary("/", binary("*", x, y), z)),
    ("x*y:z", binary("*", x, binary(":", y, z))),
    ("(x*y):z", binary(":", binary("*", x, y), z)),
    ("x:y^2", binary(":", x, binary("^", y, number(2)))),
    ("(x + y)**2", binary("^", binary("+", x, y), number(2))),
    ("((x))", x),
    ("(x\n + y)", binary("+", x, y)),
    ("log", name("log")),
    ("log(x)", call("log", x)),
    ("poly(x, 2)", call("poly", x, number(2))),
    ("bs(x, df=4)", call("bs", x, df=number(4))),
    ("C(g, 'sum', base='a')", call("C", g, text("sum"), base=text("a"))),
    ("offset(log(x))", call("offset", call("log", x))),
    ("I(x^2)", call("I", binary("^", x, number(2)))),
    ("I(2*-x)", call("I", binary("*", number(2), minus(x)))),
    ("I(-x^2)", call("I", minus(binary("^", x, number(2))))),
    ("I(x^-y^2)", call("I", binary("^", x, minus(binary("^", y, number(2)))))),
    ("I((x^y)^z)", call("I", binary("^", binary("^", x, y), z))),
    ("I((-x)^2)", call("I", binary("^", minus(x), number(2)))),
    ("I(x/(y*z))", call("I", binary("/", x, binary("*", y, z)))),
    ("I(+--x)", call("I", Unary("+", minus(minus(x)), NOWHERE))),
    ("(1 | g)", group(number(1), "g")),
    ("(x || g)", group(x, "g", correlated=False)),
    (
        "x + (1 + x | g) - 1",
        binary("-", binary("+", x, group(binary("+", number(1), x), "g")), number(1)),
    ),
]


@pytest.mark.parametrize(("written", "terms"), TERMS)
def test_terms_bind_as_in_r(written: str, terms: Term) -> None:
    (line,) = parse(f"y ~ mix(normal)\nmu ~ {written}").lines
    assert line == ParameterLine(name("mu"), None, terms, NOWHERE)


def test_the_left_side_of_a_parameter_line_may_name_a_part() -> None:
    lines = parse("y ~ mix(normal); mu ~ x; mu[2] ~ y; `mu`[waiting] ~ z").lines
    assert [(line.parameter, line.index) for line in lines] == [
        (name("mu"), None),
        (name("mu"), number(2)),
        (name("mu"), name("waiting")),
    ]


@pytest.mark.parametrize("gap", ["\n", ";", "\r\n", " ; \n\n ;\t\n"])
def test_lines_end_at_newlines_and_semicolons(gap: str) -> None:
    formula = parse(gap.join(["", "y ~ mix(normal)", "mu ~ x", ""]))
    assert len(formula.lines) == 1


def test_the_first_line_is_the_model_whatever_its_name() -> None:
    assert parse("mu ~ mix(normal)\nmu ~ x").model.response == (name("mu"),)


def test_a_formula_keeps_its_text_but_is_compared_without_it() -> None:
    loose, tight = parse("y  ~ mix( normal )"), parse("y ~ mix(normal)")
    assert loose.text == "y  ~ mix( normal )"
    assert loose == tight
    assert hash(loose) == hash(tight)


def nodes(value: Any) -> Iterator[Any]:
    """Every node of a tree, parents first."""
    if isinstance(value, tuple):
        for item in value:
            yield from nodes(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Span):
        yield value
        for part in dataclasses.fields(value):
            yield from nodes(getattr(value, part.name))


def test_every_node_knows_its_place() -> None:
    source = (
        "cbind(u, `v w`) | dec(a) ~ hmm(wald(ndt=-1) & rdm(), o=c(mu[2], mu:x, mu(x=0)))\n"
        "mu[u] ~ (x + y)*z - I((x) / 2) + (1 + x | g) + poly(x, n='a') \n"
    )
    places = {
        (type(node).__name__, source[node.span.start : node.span.end])
        for node in nodes(parse(source))
        if not isinstance(node, Formula | Name)
    }
    first, second = source.splitlines()
    terms = second.removeprefix("mu[u] ~ ").strip()
    assert places == {
        ("ModelLine", first),
        ("Addition", "dec(a)"),
        ("Latent", first[first.index("hmm") :]),
        ("Component", "wald(ndt=-1) & rdm()"),
        ("FamilyCall", "wald(ndt=-1)"),
        ("FamilyCall", "rdm()"),
        ("Argument", "ndt=-1"),
        ("Argument", "o=c(mu[2], mu:x, mu(x=0))"),
        ("Many", "c(mu[2], mu:x, mu(x=0))"),
        ("Index", "mu[2]"),
        ("Slope", "mu:x"),
        ("At", "mu(x=0)"),
        ("Number", "-1"),
        ("Number", "2"),
        ("Number", "1"),
        ("Number", "0"),
        ("ParameterLine", second.strip()),
        ("Binary", terms),
        ("Binary", terms.removesuffix(" + poly(x, n='a')")),
        ("Binary", "(x + y)*z - I((x) / 2)"),
        ("Binary", "(x + y)*z"),
        ("Binary", "x + y"),
        ("Binary", "(x) / 2"),
        ("Call", "I((x) / 2)"),
        ("Group", "(1 + x | g)"),
        ("Binary", "1 + x"),
        ("Call", "poly(x, n='a')"),
        ("Keyword", "n='a'"),
        ("Text", "'a'"),
    }


# What is refused. The mistake stands between « and ».

MODEL_FIRST = "the first line is the model, such as `y ~ mix(normal, K=2)`"
GOES_ON = "a line goes on after a newline only inside brackets"
FAMILIES = "`+` joins families, before the options"
IN_BACKTICKS = "a column of that name stands in backticks"
ARITHMETIC = "arithmetic stands inside `I(..)`"
KNOWN = "must be one of " + ", ".join(f"`{name}`" for name in FUNCTIONS) + "."

TEXTS = [
    ("y ~ mix(normal) «#» two", "`#` is not part of the language.", None),
    ("«{»{7*7}}", "`{` is not part of the language.", None),
    ("normal(0,1); «}» model {", "`}` is not part of the language.", None),
    ("y ~ mix(normal, a=«“»b”)", "`“` is not part of the language.", None),
    ("y ~ mix(normal, a=1«\u200b»)", "The character U+200B is not part of the language.", None),
    ("«\0»", "The character U+0000 is not part of the language.", None),
    ("y ~ mix(normal, a='«\x1b»')", "The character U+001B is not part of the language.", None),
    ("y ~ mix(normal, a=`«\u2028»`)", "The character U+2028 is not part of the language.", None),
    ("y ~ mix(`«\ud800»`)", "The character U+D800 is not part of the language.", None),
    ("y ~ mix(normal)«\r»mu ~ x", "The character U+000D is not part of the language.", None),
    ("y ~ mix(normal, a=«\"»b')", "This quote is not closed.", None),
    ("y ~ mix(normal, a=«'»b\n')", "This quote is not closed.", None),
    ("«`»y ~ mix(normal)", "This backtick is not closed.", None),
    ("«``» ~ mix(normal)", "There is no name between these backticks.", None),
    ("y ~ mix(normal, K=«1e999»)", "`1e999` is too large.", None),
    ("y ~ mix(normal, K=«0x10»)", "`0x10` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix(normal, K=«1_000»)", "`1_000` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix(normal, K=«1.2.3»)", "`1.2.3` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix(normal, K=«1e»)", "`1e` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix(normal, K=«٣»)", "`٣` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix(normal); mu ~ «.»", "`.` is neither a number nor a name.", IN_BACKTICKS),
    ("«__import__»('os')", "`__import__` is neither a number nor a name.", IN_BACKTICKS),
    ("y ~ mix«(»normal, K=3", "This bracket is not closed.", None),
    ("y ~ mix«(»normal(), K=3\nmu ~ x", "This bracket is not closed.", None),
    ("y ~ mix«(»normal; K=3)", "This bracket is not closed.", None),
    ("y ~ mix(normal)«)»", "`)` closes no bracket.", None),
    ("y ~ mix(normal«]»", "`]` does not close `(`.", None),
    ("(" * MAX_DEPTH + "«(»" + ")", f"More than {MAX_DEPTH} brackets are open here.", None),
]

MODEL_LINES = [
    ("«y»", "This line holds no `~`.", MODEL_FIRST),
    ("«y = mix(normal)»; mu ~ x", "This line holds no `~`.", MODEL_FIRST),
    ("y ~ mix(normal) «~» x", "A line holds one `~`, and this is a second.", None),
    ("«~» mix(normal)", "Expected a column, not `~`.", None),
    ("y «~»", "Expected `mix(..)` or `hmm(..)` after `~`.", None),
    ("y «~»\n", "Expected `mix(..)` or `hmm(..)` after `~`.", None),
    ("y «~»\nmix(normal)", "Expected `mix(..)` or `hmm(..)` after `~`.", GOES_ON),
    (
        "y «+» z ~ mix(normal)",
        "Expected `|` or `~`, not `+`.",
        "several columns are written `cbind(a, b)`",
    ),
    (
        "«log»(y) ~ mix(normal)",
        "The left side is a column or `cbind(..)`, not a call of `log`.",
        "compute a new column, and name it here",
    ),
    ("cbind(«)» ~ mix(normal)", "Expected a column, not `)`.", None),
    ("cbind(y «+» z) ~ mix(normal)", "Expected `,` or `)`, not `+`.", None),
    ("y | a(b) «|» c(d) ~ mix(normal)", "`|` opens the additions once; `+` joins them.", None),
    ("y «||» dec(a) ~ mix(normal)", "Expected `|` or `~`, not `||`.", None),
    ("y | «~» mix(normal)", "Expected an addition such as `unit(id)`, not `~`.", None),
    ("y | dec «~» mix(normal)", "Expected `(`, not `~`.", None),
    ("y | dec(«)» ~ mix(normal)", "Expected a column or a number, not `)`.", None),
    ("y | trunc(lb=«)» ~ mix(normal)", "Expected a value, not `)`.", None),
    ("y | dec(a) «cens»(b) ~ mix(normal)", "Expected `+` or `~`, not `cens`.", None),
    (
        "y ~ «mixture»(normal)",
        "Unknown latent structure `mixture`; must be one of `mix`, `hmm`.",
        "did you mean `mix`?",
    ),
    ("y ~ «x» + z", "Unknown latent structure `x`; must be one of `mix`, `hmm`.", None),
    ("y ~ «3»", "Expected `mix(..)` or `hmm(..)`, not `3`.", None),
    ("y ~ «mix»", "Expected `(` after `mix`.", None),
    ("y ~ mix(«)»", "Expected a family, not `)`.", None),
    ("y ~ mix(«K»=3)", "A family is needed before the options.", None),
    ("y ~ mix(normal + «K»=3)", "A family is needed before the options.", None),
    ("y ~ mix(«'normal'»)", "Expected a family, not `'normal'`.", None),
    ("y ~ mix(normal + «)»", "Expected a family, not `)`.", None),
    ("y ~ mix(«(»normal & gamma) + student)", "Expected a family, not `(`.", None),
    ("y ~ mix(normal «K»=3)", "Expected `+`, `&`, `,` or `)`, not `K`.", None),
    ("y ~ mix(normal(«1»))", "Expected `name=value`, not `1`.", None),
    ("y ~ mix(normal(sigma«)»)", "Expected `=`, not `)`.", None),
    ("y ~ mix(normal(a=1, «a»=2))", "`a` is given twice.", None),
    (
        "y ~ mix(normal, «student»)",
        "`student` is not an option of the form `name=value`.",
        FAMILIES,
    ),
    (
        "y ~ mix(normal, K=2, «student»(nu=3))",
        "`student` is not an option of the form `name=value`.",
        FAMILIES,
    ),
    ("y ~ mix(normal, «3»)", "Expected `name=value`, not `3`.", None),
    ("y ~ mix(normal, K=3,«)»", "Expected `name=value`, not `)`.", None),
    ("y ~ mix(normal, K=3, cov=full, «`K`»=3)", "`K` is given twice.", None),
    ("y ~ mix(normal, K=«=»3)", "Expected a value, not `=`.", None),
    ("y ~ mix(normal, K=3 «+» 1)", "Expected `,` or `)`, not `+`.", None),
    ("y ~ mix(normal, K=-«a»)", "Expected a number, not `a`.", None),
    (
        "y ~ mix(normal, o=mu[«0»])",
        "Expected a column or a whole number from 1, not `0`.",
        None,
    ),
    (
        "y ~ mix(normal, o=mu[«1.5»])",
        "Expected a column or a whole number from 1, not `1.5`.",
        None,
    ),
    ("y ~ mix(normal, o=mu[a«,» b])", "Expected `]`, not `,`.", None),
    ("y ~ mix(normal, o=mu:«1»)", "Expected a coefficient, not `1`.", None),
    ("y ~ mix(normal, o=mu(«3»))", "Expected `column=number`, not `3`.", None),
    ("y ~ mix(normal, o=mu(x=«z»))", "Expected a number, not `z`.", None),
    ("y ~ mix(normal, o=mu(x=0, «x»=1))", "`x` is given twice.", None),
    ("y ~ mix(normal, o=c(«)»)", "Expected a value, not `)`.", None),
    ("y ~ mix(normal, o=c(a, «c»(b)))", "`c(..)` cannot stand inside `c(..)`.", None),
    (
        "y ~ mix(normal) «+» x",
        "Expected the end of the line, not `+`.",
        "covariates have a line of their own, such as `mu ~ x`",
    ),
    ("y ~ mix(normal)«,» K=3", "Expected the end of the line, not `,`.", None),
]

PARAMETER_LINES = [
    ("«mu»", "This line holds no `~`.", None),
    ("mu ~ x\n «+ z»", "This line holds no `~`.", GOES_ON),
    ("mu ~ x «~» z", "A line holds one `~`, and this is a second.", None),
    ("mu «~»", "Expected a term after `~`.", None),
    ("mu ~ x «+»\n z", "Expected a term after `+`.", GOES_ON),
    ("«3» ~ x", "Expected a parameter, not `3`.", None),
    (
        "log«(»mu) ~ x",
        "Expected `~`, not `(`.",
        "the left side is a parameter here, such as `mu` or `mu[2]`",
    ),
    ("mu[«-»1] ~ x", "Expected a column or a whole number from 1, not `-`.", None),
    ("y ~ «mix»(normal)", "Only the first line may hold `mix` or `hmm`.", None),
    ("mu ~ I(«hmm»(normal))", "Only the first line may hold `mix` or `hmm`.", None),
    ("mu ~ «np.log»(x)", f"Unknown function `np.log`; {KNOWN}", "did you mean `log`?"),
    ("mu ~ I(«np.save»('f', x) or x)", f"Unknown function `np.save`; {KNOWN}", None),
    ("mu ~ «`__import__`»('os')", f"Unknown function `__import__`; {KNOWN}", None),
    ("mu ~ «eval»('x')", f"Unknown function `eval`; {KNOWN}", None),
    ("mu ~ x«[»1]", "Expected the end of the line, not `[`.", None),
    ("mu ~ log(x)«(»z)", "Expected the end of the line, not `(`.", None),
    ("mu ~ (log)«(»x)", "Expected the end of the line, not `(`.", None),
    ("mu ~ x «z»", "Expected the end of the line, not `z`.", None),
    ("mu ~ x«,» z", "Expected the end of the line, not `,`.", None),
    ("mu ~ I(x «or» z)", "Expected `,` or `)`, not `or`.", None),
    ("mu ~ I(lambda«:» x)", "`:` has no meaning inside `I(..)`.", None),
    ("mu ~ I(log(x) «|» z)", "`|` has no meaning inside `I(..)`.", None),
    ("mu ~ I(x=«=»z)", "Expected a term, not `=`.", None),
    ("mu ~ I((x«=»1))", "Expected `)`, not `=`.", None),
    ("mu ~ I(x «>» z)", "`>` is not part of the language.", None),
    ("mu ~ I(«[»x])", "Expected a term, not `[`.", None),
    ("mu ~ «[»x for x in z]", "Expected a term, not `[`.", None),
    ("mu ~ x «&» z", "Expected the end of the line, not `&`.", None),
    ("mu ~ log(«)»", "Expected a term, not `)`.", None),
    ("mu ~ «'x'»", "`'x'` is text, and no term.", "odd column names stand in backticks"),
    ("mu ~ I(x + «'a'»)", "`'a'` is text, and no term.", "odd column names stand in backticks"),
    ("mu ~ I('x'«(»z))", "Expected `,` or `)`, not `(`.", None),
    ("mu ~ poly(degree=2, «x»)", "A value without a name stands before the named ones.", None),
    ("mu ~ poly(x, degree=2, «degree»=3)", "`degree` is given twice.", None),
    ("mu ~ x «|» g", "Group-level terms stand in brackets, such as `(1 | g)`.", None),
    ("mu ~ (x | g«:»h)", "Expected `)`, not `:`.", "a group is one column"),
    ("mu ~ (x | «)»", "Expected a grouping column, not `)`.", None),
    ("mu ~ x - «(1 | g)»", "Group-level terms can only be added to other terms.", None),
    ("mu ~ (x + «(1 | g)»)*z", "Group-level terms can only be added to other terms.", None),
    ("mu ~ (x + «(1 | g)» | h)", "Group-level terms can only be added to other terms.", None),
    ("mu ~ -«(1 | g)»", "Group-level terms can only be added to other terms.", None),
    ("mu ~ «2»*x", "This number has no meaning in a term.", ARITHMETIC),
    ("mu ~ «1»:x", "This number has no meaning in a term.", ARITHMETIC),
    ("mu ~ x + «2»", "This number has no meaning in a term.", ARITHMETIC),
    ("mu ~ x*«-z»", "This sign has no meaning in a term.", ARITHMETIC),
    ("mu ~ x - «-z»", "This sign has no meaning in a term.", ARITHMETIC),
    ("mu ~ -«-x»", "This sign has no meaning in a term.", ARITHMETIC),
    ("mu ~ x^«z»", "The exponent of a term is a whole number from 1.", ARITHMETIC),
    ("mu ~ x^«-1»", "The exponent of a term is a whole number from 1.", ARITHMETIC),
    ("mu ~ x^«0.5»", "The exponent of a term is a whole number from 1.", ARITHMETIC),
    (
        "mu ~ x" + "+x" * MAX_OPERATORS + "«+»x",
        f"A line holds at most {MAX_OPERATORS} operators.",
        None,
    ),
]


def refusal(marked: str) -> tuple[Problem, Problem]:
    """The problem that the text between « and » is found to have, and the bare one expected."""
    start, end = marked.index("«"), marked.index("»") - 1
    source = marked.replace("«", "").replace("»", "")
    with pytest.raises(FormulaError) as caught:
        parse(source)
    (problem,) = caught.value.problems
    return problem, Problem("", source, Span(start, end))


@pytest.mark.parametrize(("marked", "message", "hint"), TEXTS + MODEL_LINES)
def test_a_mistake_is_named_and_placed(marked: str, message: str, hint: str | None) -> None:
    found, expected = refusal(marked)
    assert found == dataclasses.replace(expected, message=message, hint=hint)


@pytest.mark.parametrize(("marked", "message", "hint"), PARAMETER_LINES)
def test_a_mistake_in_a_later_line_is_named_and_placed(
    marked: str, message: str, hint: str | None
) -> None:
    found, expected = refusal("y ~ mix(normal)\n" + marked)
    assert found == dataclasses.replace(expected, message=message, hint=hint)


@pytest.mark.parametrize("empty", ["", " ", "\n;\n\t;", "\r\n"])
def test_an_empty_formula_is_refused(empty: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(empty)
    assert str(caught.value) == "The formula is empty.\nHint: try `y ~ mix(normal, K=2)`"


@pytest.mark.parametrize("value", [None, 3, b"y ~ mix(normal)", ["y ~ mix(normal)"]])
def test_a_formula_that_is_not_text_is_refused(value: Any) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(value)
    assert str(caught.value) == f"A formula is text, not `{type(value).__name__}`."


def test_a_very_long_text_is_refused_unread() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("(" * 100_000)
    assert str(caught.value) == f"The formula is longer than {MAX_LENGTH} characters."


def test_a_long_word_is_cut_in_the_message() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("y ~ " + "m" * 1000)
    assert len(caught.value.problems[0].message) < 120


@pytest.mark.parametrize(
    "terms",
    ["(" * 5000, "(" * 5000 + "x" + ")" * 5000, "log(" * 3000 + "x" + ")" * 3000]
    + ["x" + f"{op}x" * 5000 for op in "+-*:/^"]
    + ["x" + "**x" * 5000, "-" * 5000 + "x", "I(" + "-" * 5000 + "x)", "x^-" * 5000 + "x"],
)
def test_deep_terms_are_refused(terms: str) -> None:
    with pytest.raises(FormulaError):
        parse(f"y ~ mix(normal)\nmu ~ {terms}")


CHAIN = "x - " * (MAX_OPERATORS - 1) + "x"
NEST = "log(" * MAX_DEPTH + "{}" + ")" * MAX_DEPTH


@pytest.mark.parametrize(
    "terms",
    [
        CHAIN,
        NEST.format(CHAIN),
        NEST.format("x^" * MAX_OPERATORS + "x"),
        NEST.format("-" * MAX_OPERATORS + "x"),
        ("x * log(x + " * MAX_DEPTH)[: -len(" + ")] + ")" * MAX_DEPTH,
    ],
)
def test_the_deepest_tree_can_be_compared_hashed_copied_shown_and_written(terms: str) -> None:
    formula = parse(f"y ~ mix(normal)\nmu ~ {terms}")
    again = parse(format_formula(formula))
    assert again == formula
    assert hash(again) == hash(formula)
    assert copy.deepcopy(formula) == formula
    assert "Name(text='x')" in repr(formula)


# Tree to text.


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("y~mix(normal( ),K=+3)", "y ~ mix(normal, K=3)"),
        (
            "cbind( y )|dec(a)+trunc(0,-1.50)~hmm(a&b+d(k=1))",
            "y | dec(a) + trunc(0, -1.5) ~ hmm(a & b + d(k=1))",
        ),
        (
            "cbind(y,`1z`)~mix(a,p='x',q='\"',r=c(1,mu [ 2 ],mu : x,mu( x = 0 )))",
            'cbind(y, `1z`) ~ mix(a, p="x", q=\'"\', r=c(1, mu[2], mu:x, mu(x=0)))',
        ),
        ("y~mix(a);;mu[ 2 ]~((x+(y)))*z -\t1", "y ~ mix(a)\nmu[2] ~ (x + y) * z - 1"),
        (
            "y~mix(a)\n\n`mu`~`a b`:x+I( (x) ** - 2 )+(1+x||g)",
            "y ~ mix(a)\nmu ~ `a b`:x + I(x^-2) + (1 + x || g)",
        ),
        (
            "y~mix(a)\nmu~poly(`x`,2,raw='a')+(x+y)^2",
            'y ~ mix(a)\nmu ~ poly(x, 2, raw="a") + (x + y)^2',
        ),
    ],
)
def test_a_formula_has_one_canonical_text(written: str, canonical: str) -> None:
    assert format_formula(parse(written)) == canonical
    assert parse(canonical) == parse(written)


@pytest.mark.parametrize(
    "source",
    [f"{left} ~ mix(normal)" for left, *_ in LEFT_SIDES]
    + [f"y ~ {right}" for right, _ in LATENT_CALLS]
    + [f"y ~ mix(normal, o={value})" for value, _ in VALUES]
    + [f"y ~ mix(normal)\nmu ~ {terms}" for terms, _ in TERMS],
)
def test_every_example_survives_being_written_and_read(source: str) -> None:
    assert parse(format_formula(parse(source))) == parse(source)


# Any tree, and any text.

words = st.sampled_from(["y", "mu", "a.b", "größe", "or", "c", "I", "mix", "cbind", "1x", "__x"])
odd_words = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="`«»"),
    min_size=1,
    max_size=5,
)
names = st.builds(name, words | odd_words)
sizes = st.integers(0, 10**20) | st.floats(0, allow_nan=False, allow_infinity=False)
unsigned = st.builds(number, sizes)
signed = st.builds(number, sizes | sizes.map(lambda value: -value))
parts = names | st.builds(number, st.integers(1, 99))


def texts(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[Text]:
    one_quote = st.sampled_from("'\"").flatmap(
        lambda quote: alphabet.map(lambda value: value.replace(quote, ""))
    )
    return st.builds(text, one_quote)


quoted = texts(odd_words | st.sampled_from(["", "110;011;001", "a`b", "(", "~"]))


def few(items: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


@st.composite
def distinct(
    draw: st.DrawFn, values: st.SearchStrategy[Any], node: Any, least: int = 0
) -> tuple[Any, ...]:
    """Named values, no name twice."""
    keys = draw(st.lists(names, min_size=least, max_size=3, unique=True))
    return tuple(node(key, draw(values), NOWHERE) for key in keys)


settings_of_at = distinct(signed, lambda key, value, _: (key.text, value), least=1)
singles = st.one_of(
    signed,
    names,
    quoted,
    st.builds(Index, names, parts, st.just(NOWHERE)),
    st.builds(Slope, names, names, st.just(NOWHERE)),
    # `c(x=0)` would be the call `c`.
    st.builds(At, names.filter(lambda it: it.text != "c"), settings_of_at, st.just(NOWHERE)),
)
values = singles | st.builds(Many, few(singles), st.just(NOWHERE))
arguments = distinct(values, Argument)

calls_of_families = st.builds(FamilyCall, names, arguments, st.just(NOWHERE))
components = st.builds(Component, few(calls_of_families), st.just(NOWHERE))
latents = st.builds(
    Latent, st.sampled_from(LATENT).map(name), few(components), arguments, st.just(NOWHERE)
)
of_additions = names | signed | st.builds(Argument, names, values, st.just(NOWHERE))
additions = st.builds(Addition, names, few(of_additions), st.just(NOWHERE))
model_lines = st.builds(ModelLine, few(names), few(additions, 0), latents, st.just(NOWHERE))


def calls(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    function = st.sampled_from(FUNCTIONS).map(name)
    operands = inside | quoted
    return st.builds(Call, function, few(operands), distinct(operands, Keyword), st.just(NOWHERE))


def binaries(ops: str, left: Any, right: Any) -> st.SearchStrategy[Binary]:
    return st.builds(binary, st.sampled_from(ops), left, right)


arithmetic = st.recursive(
    names | unsigned,
    lambda inside: st.one_of(
        binaries("+-*/^", inside, inside),
        st.builds(Unary, st.sampled_from("+-"), inside, st.just(NOWHERE)),
        calls(inside),
    ),
    max_leaves=5,
)
exponents = st.builds(number, st.integers(1, 9))
products = st.recursive(
    names | calls(arithmetic),
    lambda inside: binaries("+-*/:", inside, inside) | binaries("^", inside, exponents),
    max_leaves=4,
)
intercepts = st.sampled_from([number(0), number(1)])
summands = products | intercepts | st.builds(minus, products | intercepts)
sums = st.recursive(
    summands,
    lambda inside: binaries("+", inside, inside) | binaries("-", inside, products | intercepts),
    max_leaves=4,
)
groups = st.builds(Group, sums, names, st.booleans(), st.just(NOWHERE))
terms_and_groups = st.recursive(
    sums | groups, lambda inside: binaries("+", inside, inside), max_leaves=4
)
parameter_lines = st.builds(
    ParameterLine, names, st.none() | parts, terms_and_groups, st.just(NOWHERE)
)
formulas = st.builds(Formula, model_lines, few(parameter_lines, 0), st.just(""))


@quick
@given(formulas)
def test_what_is_written_is_read_as_the_same_tree(formula: Formula) -> None:
    written = format_formula(formula)
    assert parse(written) == formula
    assert format_formula(parse(written)) == written


def require_formula_or_refusal(source: str) -> None:
    """Anything but a formula or a placed, printable refusal fails the test."""
    try:
        formula = parse(source)
    except FormulaError as error:
        for problem in error.problems:
            assert problem.span is None or 0 <= problem.span.start < problem.span.end
            assert problem.span is None or problem.span.end <= len(source)
        assert str(error)
    else:
        assert parse(format_formula(formula)) == formula


@quick
@given(st.text())
def test_any_text_is_a_formula_or_refused(source: str) -> None:
    require_formula_or_refusal(source)


# Tokens that mostly fit together, so that many texts get past the first steps.
TOKENS = [*"yxc012", "mu", "normal", "mix", "hmm", "cbind", "dec", "I", "log", ".5", "'a'", "`a b`"]
SYMBOLS = [*"~|+-*/:^,=&;\n", "||", "**"]
JUNK = ["(", "[", "]", ")", "'", "`", "#", "\0", ".", "__x"]
soups = st.recursive(
    st.sampled_from(TOKENS) | st.sampled_from(SYMBOLS),
    lambda inside: (
        st.lists(inside, max_size=5).map(" ".join)
        | st.lists(inside, max_size=5).map(lambda parts: f"({' '.join(parts)})")
    ),
    max_leaves=12,
)


@quick
@given(soups, st.sampled_from(["{}", "{} ~ mix(normal)", "y ~ mix({})", "y ~ mix(a)\nmu ~ {}"]))
def test_any_text_of_tokens_is_a_formula_or_refused(soup: str, around: str) -> None:
    require_formula_or_refusal(around.format(soup))


@quick
@given(formulas.map(format_formula), st.data())
def test_a_damaged_formula_is_a_formula_or_refused(source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 3)))
    patch = data.draw(st.sampled_from(["", *TOKENS, *SYMBOLS, *JUNK]))
    require_formula_or_refusal(source[:start] + patch + source[end:])


def test_the_examples_in_the_documentation_run() -> None:
    assert doctest.testmod(syntax).failed == 0
