"""From formula text to a syntax tree, and back.

The parser knows the shape of a formula and nothing of families, options or data: `resolve` gives
the tree its meaning. Formula text is data. What may stand in a term is listed here, and anything
else is refused, so that later stages meet only columns, numbers, arithmetic and known functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from stanmix.errors import FormulaError, Problem, did_you_mean, listing
from stanmix.language.tokens import CONTINUE, Cursor, Token, is_bare, shown, tokenize
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
    Single,
    Slope,
    Term,
    Text,
    Unary,
    Value,
)

MAX_LENGTH = 20_000
"""Longest formula, in characters."""

MAX_OPERATORS = 100
"""Most operators in the terms of one line; with `MAX_DEPTH` it bounds the height of the tree."""

LATENT = ("mix", "hmm")
"""The calls that a model line may hold."""

FUNCTIONS = ("poly", "bs", "C", "scale", "center", "log", "exp", "sqrt", "I", "offset")
"""The functions that a term may call."""


def parse(text: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text
        A model line, then a line for each parameter that is modelled. Lines end at a newline
        outside brackets, or at `;`.

    Returns
    -------
    Formula
        The syntax tree.

    Raises
    ------
    FormulaError
        At the first place where `text` leaves the language.

    Examples
    --------
    >>> formula = parse("y ~ mix(normal, K=3); mu ~ x")
    >>> formula.model.latent.options
    (Argument(name=Name(text='K'), value=Number(value=3)),)
    >>> formula.lines
    (ParameterLine(parameter=Name(text='mu'), index=None, terms=Name(text='x')),)
    """
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text, not `{type(text).__name__}`.")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"The formula is longer than {MAX_LENGTH} characters.")
    lines = _split(text)
    if not lines:
        raise FormulaError(Problem("The formula is empty.", hint="try `y ~ mix(normal, K=2)`"))
    model = _model_line(lines[0])
    return Formula(model, tuple(_parameter_line(line) for line in lines[1:]), text)


def format_formula(formula: Formula) -> str:
    """Write a formula in its canonical form.

    Parameters
    ----------
    formula
        A syntax tree, as `parse` gives it.

    Returns
    -------
    str
        Text that `parse` reads as an equal tree, with the fewest brackets and one line each.

    Examples
    --------
    >>> print(format_formula(parse("y~mix(normal( ),K=3);mu~(x)+( 1|g )")))
    y ~ mix(normal, K=3)
    mu ~ x + (1 | g)
    """
    return "\n".join([_model_text(formula.model), *map(_line_text, formula.lines)])


# Reading: a function for each construct, which takes the tokens of that construct from a line.


def _split(source: str) -> list[Cursor]:
    """Put a cursor on each line that is not empty."""
    lines: list[Cursor] = []
    tokens: list[Token] = []
    for token in tokenize(source):
        tokens.append(token)
        if token.kind == "end":
            if len(tokens) > 1:
                lines.append(Cursor(source, tokens))
            tokens = []
    return lines


def _require_one_tilde(line: Cursor, hint: str | None) -> None:
    tildes = [token for token in line.tokens if token.text == "~"]
    if not tildes:
        span = line.tokens[0].span.to(line.tokens[-2].span)
        raise line.error("This line holds no `~`.", span, hint)
    if len(tildes) > 1:
        raise line.error("A line holds one `~`, and this is a second.", tildes[1].span)


def _require_distinct(line: Cursor, names: Iterable[Name]) -> None:
    seen: set[Name] = set()
    for name in names:
        if name in seen:
            raise line.error(f"{shown(name.text)} is given twice.", name.span)
        seen.add(name)


def _name(line: Cursor, wanted: str) -> Name:
    if line.here.kind != "name":
        raise line.expected(wanted)
    token = line.take()
    return Name(token.text.strip("`"), token.span)


def _column(line: Cursor) -> Name:
    return _name(line, "a column")


def _number(line: Cursor) -> Number:
    """Read a number without a sign."""
    if line.here.kind != "number":
        raise line.expected("a number")
    token = line.take()
    whole = token.text.isdecimal()
    return Number(int(token.text) if whole else float(token.text), token.span)


def _signed_number(line: Cursor) -> Number:
    start = line.here
    negative = line.at("-")
    if line.at("+", "-"):
        line.take()
    value = _number(line).value
    return Number(-value if negative else value, line.since(start))


def _at_number(line: Cursor) -> bool:
    return line.here.kind == "number" or line.at("+", "-")


def _at_equals(line: Cursor) -> bool:
    """Whether `name=` stands here."""
    return line.here.kind == "name" and line.following.text == "="


def _index(line: Cursor) -> Name | Number:
    line.expect("[")
    index: Name | Number
    if line.here.kind == "number" and line.here.text.isdecimal() and int(line.here.text) > 0:
        index = _number(line)
    else:
        index = _name(line, "a column or a whole number from 1")
    line.expect("]")
    return index


# The model line.


def _model_line(line: Cursor) -> ModelLine:
    _require_one_tilde(line, "the first line is the model, such as `y ~ mix(normal, K=2)`")
    start = line.here
    response = _response(line)
    additions = line.joined("+", _addition) if line.accept("|") else ()
    if additions and line.at("|"):
        raise line.error("`|` opens the additions once; `+` joins them.", line.here.span)
    hint = None
    if additions and line.at(","):
        hint = "additions are joined by `+`"
    elif not additions and line.at("+", ","):
        hint = "several columns are written `cbind(a, b)`"
    line.expect("~", "`+` or `~`" if additions else "`|` or `~`", hint)
    latent = _latent(line)
    hint = "covariates have a line of their own, such as `mu ~ x`" if line.at("+") else None
    line.expect_end(hint)
    return ModelLine(response, additions, latent, line.since(start))


def _response(line: Cursor) -> tuple[Name, ...]:
    name = _column(line)
    if not line.at("("):
        return (name,)
    if name.text != "cbind":
        message = f"The left side is a column or `cbind(..)`, not a call of {shown(name.text)}."
        raise line.error(message, name.span, "compute a new column, and name it here")
    return line.listed(_column)


def _addition(line: Cursor) -> Addition:
    start = line.here
    name = _name(line, "an addition such as `unit(id)`")
    return Addition(name, line.listed(_of_addition), line.since(start))


def _of_addition(line: Cursor) -> Name | Number | Argument:
    if _at_equals(line):
        return _argument(line)
    return _signed_number(line) if _at_number(line) else _name(line, "a column or a number")


def _latent(line: Cursor) -> Latent:
    start = line.here
    kind = _name(line, "`mix(..)` or `hmm(..)`")
    if kind.text not in LATENT:
        message = f"Unknown latent structure {shown(kind.text)}; must be one of {listing(LATENT)}."
        raise line.error(message, kind.span, did_you_mean(kind.text, LATENT))
    line.expect("(")
    components = line.joined("+", _component)
    options = line.joined(",", _option) if line.accept(",") else ()
    line.expect(")", "`,` or `)`" if options else "`+`, `&`, `,` or `)`")
    _require_distinct(line, (option.name for option in options))
    return Latent(kind, components, options, line.since(start))


def _component(line: Cursor) -> Component:
    start = line.here
    return Component(line.joined("&", _family), line.since(start))


def _family(line: Cursor) -> FamilyCall:
    if _at_equals(line):
        raise line.error("A family is needed before the options.", line.here.span)
    start = line.here
    name = _name(line, "a family")
    arguments: tuple[Argument, ...] = ()
    if line.at("(") and line.following.text == ")":
        line.take()
        line.take()
    elif line.at("("):
        arguments = line.listed(_argument)
        _require_distinct(line, (argument.name for argument in arguments))
    return FamilyCall(name, arguments, line.since(start))


def _option(line: Cursor) -> Argument:
    if line.here.kind == "name" and not _at_equals(line):
        message = f"{shown(line.here.text)} is not an option of the form `name=value`."
        raise line.error(message, line.here.span, "`+` joins families, before the options")
    return _argument(line)


def _argument(line: Cursor) -> Argument:
    start = line.here
    name = _name(line, "`name=value`")
    line.expect("=")
    return Argument(name, _value(line), line.since(start))


def _value(line: Cursor) -> Value:
    start = line.here
    if start.text.strip("`") == "c" and line.following.text == "(":
        line.take()
        return Many(line.listed(_single), line.since(start))
    return _single(line)


def _single(line: Cursor) -> Single:
    start = line.here
    if start.kind == "text":
        return _text(line)
    if _at_number(line):
        return _signed_number(line)
    name = _name(line, "a value")
    if line.at("["):
        return Index(name, _index(line), line.since(start))
    if line.accept(":"):
        return Slope(name, _name(line, "a coefficient"), line.since(start))
    if line.at("("):
        if name.text == "c":
            raise line.error("`c(..)` cannot stand inside `c(..)`.", name.span)
        return At(name, _settings(line), line.since(start))
    return name


def _settings(line: Cursor) -> tuple[tuple[str, Number], ...]:
    settings = line.listed(_setting)
    _require_distinct(line, (column for column, _ in settings))
    return tuple((column.text, number) for column, number in settings)


def _setting(line: Cursor) -> tuple[Name, Number]:
    column = _name(line, "`column=number`")
    line.expect("=")
    return column, _signed_number(line)


def _text(line: Cursor) -> Text:
    token = line.take()
    return Text(token.text[1:-1], token.span)


# Parameter lines. Operators bind as in R: `^`, then signs, `:`, `* /`, `+ -`. Inside a function
# they are arithmetic, and `:` and `|` have no meaning; `function` is that function's name.

_POWERS = ("^", "**")
_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, ":": 3}
_SIGN_LEVEL = 4
_POWER_LEVEL = 5
_ATOM_LEVEL = 6
_ARITHMETIC = "arithmetic stands inside `I(..)`"


def _parameter_line(line: Cursor) -> ParameterLine:
    _require_one_tilde(line, CONTINUE if line.here.kind == "symbol" else None)
    _require_few_operators(line)
    start = line.here
    parameter = _name(line, "a parameter")
    index = _index(line) if line.at("[") else None
    line.expect("~", hint="the left side is a parameter here, such as `mu` or `mu[2]`")
    terms = _sum(line, None)
    if line.at("|", "||"):
        message = "Group-level terms stand in brackets, such as `(1 | g)`."
        raise line.error(message, line.here.span)
    line.expect_end()
    _require_terms(line, terms, {Number, Unary, Group})
    return ParameterLine(parameter, index, terms, line.since(start))


def _require_few_operators(line: Cursor) -> None:
    operators = [token for token in line.tokens if token.text in (*_LEVELS, *_POWERS)]
    if len(operators) > MAX_OPERATORS:
        message = f"A line holds at most {MAX_OPERATORS} operators."
        raise line.error(message, operators[MAX_OPERATORS].span)


def _sum(line: Cursor, function: str | None, lowest: int = 1) -> Term:
    """Read terms joined by operators that bind at least as tightly as level `lowest`."""
    start = line.here
    left = _signed(line, function)
    while (level := _level(line, function)) >= lowest:
        op = line.take().text
        right = _sum(line, function, level + 1)
        left = Binary(op, left, right, line.since(start))
    return left


def _level(line: Cursor, function: str | None) -> int:
    """Say how tightly the operator here binds; 0 if there is none."""
    if function is not None and line.at(":", "|", "||"):
        message = f"{shown(line.here.text)} has no meaning inside `{function}(..)`."
        raise line.error(message, line.here.span)
    return _LEVELS.get(line.here.text, 0)


def _signed(line: Cursor, function: str | None) -> Term:
    if not line.at("+", "-"):
        return _power(line, function)
    sign = line.take()
    return Unary(sign.text, _signed(line, function), line.since(sign))


def _power(line: Cursor, function: str | None) -> Term:
    start = line.here
    base = _atom(line, function)
    if not line.at(*_POWERS):
        return base
    line.take()
    return Binary("^", base, _signed(line, function), line.since(start))


def _atom(line: Cursor, function: str | None) -> Term:
    if line.here.kind == "number":
        return _number(line)
    if line.here.kind == "text":
        message = f"{shown(line.here.text)} is text, and no term."
        raise line.error(message, line.here.span, "odd column names stand in backticks")
    if line.at("("):
        return _bracketed(line, function)
    start = line.here
    name = _name(line, "a term")
    return _call(line, name, start) if line.at("(") else name


def _bracketed(line: Cursor, function: str | None) -> Term:
    start = line.take()
    terms = _sum(line, function)
    if not line.at("|", "||"):
        line.expect(")")
        return terms
    correlated = line.take().text == "|"
    by = _name(line, "a grouping column")
    line.expect(")", hint="a group is one column")
    return Group(terms, by, correlated, line.since(start))


def _call(line: Cursor, function: Name, start: Token) -> Call:
    _require_function(line, function)
    args: list[Term | Text] = []
    keywords: list[Keyword] = []
    for item in line.listed(lambda line: _operand(line, function.text)):
        if isinstance(item, Keyword):
            keywords.append(item)
        elif keywords:
            raise line.error("A value without a name stands before the named ones.", item.span)
        else:
            args.append(item)
    _require_distinct(line, (keyword.name for keyword in keywords))
    return Call(function, tuple(args), tuple(keywords), line.since(start))


def _require_function(line: Cursor, function: Name) -> None:
    if function.text in LATENT:
        message = f"Only the first line may hold {' or '.join(f'`{name}`' for name in LATENT)}."
        raise line.error(message, function.span)
    if function.text not in FUNCTIONS:
        message = f"Unknown function {shown(function.text)}; must be one of {listing(FUNCTIONS)}."
        raise line.error(message, function.span, did_you_mean(function.text, FUNCTIONS))


def _operand(line: Cursor, function: str) -> Term | Text | Keyword:
    """Read an argument of a function: arithmetic, or a text as a whole."""
    start = line.here
    if _at_equals(line):
        name = _name(line, "a name")
        line.take()
        return Keyword(name, _unnamed(line, function), line.since(start))
    return _unnamed(line, function)


def _unnamed(line: Cursor, function: str) -> Term | Text:
    return _text(line) if line.here.kind == "text" else _sum(line, function)


def _require_terms(line: Cursor, node: Term, allowed: set[type]) -> None:
    """Refuse numbers, signs and groups where, outside functions, they have no meaning."""
    summand: set[type] = {Number, Unary}
    if isinstance(node, Number | Unary | Group):
        _require_meaning(line, node, allowed)
    match node:
        case Unary():
            _require_terms(line, node.operand, {Number})
        case Group():
            _require_terms(line, node.terms, summand)
        case Binary(op="+" | "-"):
            groups = allowed & {Group}
            _require_terms(line, node.left, summand | groups)
            _require_terms(line, node.right, summand | groups if node.op == "+" else {Number})
        case Binary(op="^"):
            _require_terms(line, node.left, set())
            _require_exponent(line, node.right)
        case Binary():
            _require_terms(line, node.left, set())
            _require_terms(line, node.right, set())


def _require_meaning(line: Cursor, node: Number | Unary | Group, allowed: set[type]) -> None:
    if isinstance(node, Group):
        if Group not in allowed:
            raise line.error("Group-level terms can only be added to other terms.", node.span)
    elif type(node) not in allowed or (isinstance(node, Number) and node.value not in (0, 1)):
        what = "number" if isinstance(node, Number) else "sign"
        raise line.error(f"This {what} has no meaning in a term.", node.span, _ARITHMETIC)


def _require_exponent(line: Cursor, node: Term) -> None:
    if not (isinstance(node, Number) and isinstance(node.value, int) and node.value > 0):
        message = "The exponent of a term is a whole number from 1."
        raise line.error(message, node.span, _ARITHMETIC)


# Writing.


def _model_text(model: ModelLine) -> str:
    columns = ", ".join(map(_name_text, model.response))
    left = f"cbind({columns})" if len(model.response) > 1 else columns
    if model.additions:
        left += " | " + " + ".join(map(_addition_text, model.additions))
    components = " + ".join(map(_component_text, model.latent.components))
    inside = ", ".join([components, *map(_argument_text, model.latent.options)])
    return f"{left} ~ {_name_text(model.latent.kind)}({inside})"


def _line_text(line: ParameterLine) -> str:
    index = "" if line.index is None else f"[{_value_text(line.index)}]"
    return f"{_name_text(line.parameter)}{index} ~ {_term_text(line.terms)}"


def _addition_text(addition: Addition) -> str:
    args = (_argument_text(a) if isinstance(a, Argument) else _value_text(a) for a in addition.args)
    return f"{_name_text(addition.name)}({', '.join(args)})"


def _component_text(component: Component) -> str:
    return " & ".join(map(_family_text, component.families))


def _family_text(family: FamilyCall) -> str:
    arguments = ", ".join(map(_argument_text, family.arguments))
    return _name_text(family.name) + (f"({arguments})" if arguments else "")


def _argument_text(argument: Argument) -> str:
    return f"{_name_text(argument.name)}={_value_text(argument.value)}"


def _name_text(name: Name) -> str:
    return _word(name.text)


def _word(text: str) -> str:
    return text if is_bare(text) else f"`{text}`"


def _value_text(value: Value) -> str:
    match value:
        case Name():
            return _name_text(value)
        case Number():
            return repr(value.value)
        case Text():
            quote = "'" if '"' in value.value else '"'
            return f"{quote}{value.value}{quote}"
        case Index():
            return f"{_name_text(value.name)}[{_value_text(value.index)}]"
        case Slope():
            return f"{_name_text(value.name)}:{_name_text(value.term)}"
        case At():
            return f"{_name_text(value.name)}({', '.join(map(_setting_text, value.settings))})"
        case Many():
            return f"c({', '.join(map(_value_text, value.items))})"


def _setting_text(setting: tuple[str, Number]) -> str:
    column, number = setting
    return f"{_word(column)}={_value_text(number)}"


def _term_text(node: Term | Text, lowest: int = 1) -> str:
    """Write a term, in brackets if it binds less tightly than level `lowest`."""
    text, level = _term_and_level(node)
    return text if level >= lowest else f"({text})"


def _term_and_level(node: Term | Text) -> tuple[str, int]:
    match node:
        case Binary(op="^"):
            base, exponent = _term_text(node.left, _ATOM_LEVEL), _term_text(node.right, _SIGN_LEVEL)
            return f"{base}^{exponent}", _POWER_LEVEL
        case Binary():
            level = _LEVELS[node.op]
            op = ":" if node.op == ":" else f" {node.op} "
            return f"{_term_text(node.left, level)}{op}{_term_text(node.right, level + 1)}", level
        case Unary():
            return f"{node.op}{_term_text(node.operand, _SIGN_LEVEL)}", _SIGN_LEVEL
        case Group():
            bar = "|" if node.correlated else "||"
            return f"({_term_text(node.terms)} {bar} {_name_text(node.by)})", _ATOM_LEVEL
        case Call():
            args = [*map(_term_text, node.args), *map(_keyword_text, node.keywords)]
            return f"{_name_text(node.function)}({', '.join(args)})", _ATOM_LEVEL
        case Name() | Number() | Text():
            return _value_text(node), _ATOM_LEVEL


def _keyword_text(keyword: Keyword) -> str:
    return f"{_name_text(keyword.name)}={_term_text(keyword.value)}"
