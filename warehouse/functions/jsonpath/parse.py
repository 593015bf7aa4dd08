"""SQL/JSON paths as nodes: a recursive descent over what PostgreSQL's jsonpath type reads.

Predicates and expressions are two sorts of things: only what is an expression can be an
operand of arithmetic or a comparison, only a predicate one of `&&`, `||` and `!`. Both may stand in
parentheses, and a predicate in them is an expression as soon as a step follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from storage.errors import InvalidRequest, NotYet
from warehouse.functions.jsonpath.nodes import (
    COMPARISONS,
    DEEPEST,
    AnyKey,
    AnyLevel,
    AnyNode,
    AnyStep,
    Binary,
    Constant,
    Current,
    Elements,
    Exists,
    Filter,
    IsUnknown,
    JsonPath,
    Key,
    Last,
    LikeRegex,
    Method,
    Not,
    Path,
    Root,
    StartsWith,
    Subscripts,
    Unary,
    Variable,
)
from warehouse.functions.jsonpath.scan import Token, syntax_error, tokens
from warehouse.functions.regex.parse import Options
from warehouse.functions.regex.parse import parse as parse_regex

__all__ = ["parse", "regex_options"]

_METHODS = frozenset(("abs", "size", "type", "floor", "double", "ceiling", "keyvalue"))
_SPELLINGS = {"<>": "!="}
_SUMS, _PRODUCTS = ("+", "-"), ("*", "/", "%")
_EXACT_WORDS = ("null", "true", "false")  # the other keywords may be written in capitals
_LEVEL_MAX = 2**31 - 1


@lru_cache(maxsize=1024)
def parse(text: str) -> JsonPath:
    """The nodes of a path.

    Raises InvalidRequest: 42601 the text is no path, 22P02 it is empty, 2201B a regular expression
    in it is none. NotYet for what is not available in one.
    """
    parser = _Parser(text)
    if parser.token.kind == "end":
        raise InvalidRequest(f'invalid input syntax for type jsonpath: "{text}"', "22P02")
    strict = parser.take_word("strict")
    if not strict:
        parser.take_word("lax")
    try:
        node, _ = parser.disjunction()
    except RecursionError:
        raise InvalidRequest(
            "stack depth limit exceeded: the path nests too deeply", "54001"
        ) from None
    if parser.token.kind != "end":
        raise syntax_error(text, parser.token.at)
    _check(node, filtered=False, subscript=False)
    return JsonPath(node, strict)


def regex_options(flags: str) -> Options:
    """The options of PostgreSQL's regular expressions that a like_regex with these flags has."""
    if "q" in flags:
        return Options(ignore_case="i" in flags, literal=True)
    if "x" in flags:
        raise NotYet('XQuery "x" flag (expanded regular expressions) is not implemented')
    return Options(ignore_case="i" in flags, line_stop="s" not in flags, line_anchors="m" in flags)


_Found = tuple[AnyNode, bool]  # and whether it is a predicate


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._index = 0

    # --- tokens -----------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self._tokens[self._index]

    def _peek(self, count: int = 1) -> Token:
        return self._tokens[min(self._index + count, len(self._tokens) - 1)]

    def _advance(self) -> Token:
        token = self.token
        self._index += 1
        return token

    def _fail(self) -> InvalidRequest:
        return syntax_error(self._text, self.token.at)

    def _at_word(self, word: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        if token.kind != "word":
            return False
        return token.text == word or (word not in _EXACT_WORDS and token.text.lower() == word)

    def take_word(self, word: str) -> bool:
        """Take the keyword if it comes next."""
        found = self._at_word(word)
        if found:
            self._advance()
        return found

    def _at(self, *operators: str) -> bool:
        return self.token.kind == "operator" and self.token.text in operators

    def _take(self, operator: str) -> bool:
        found = self._at(operator)
        if found:
            self._advance()
        return found

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise self._fail()

    # --- predicates -------------------------------------------------------------------------------

    def disjunction(self) -> _Found:
        """Anything: predicates joined by `||` and `&&`, or an expression."""
        return self._joined("||", lambda: self._joined("&&", self._negation))

    def _joined(self, operator: str, operand: object) -> _Found:
        assert callable(operand)
        found: _Found = operand()
        while self._at(operator):
            self._needs(found, predicate=True)
            self._advance()
            right: _Found = operand()
            self._needs(right, predicate=True)
            found = Binary(operator, found[0], right[0]), True
        return found

    def _needs(self, found: _Found, *, predicate: bool) -> AnyNode:
        if found[1] is not predicate:
            raise self._fail()
        return found[0]

    def _negation(self) -> _Found:
        if not self._take("!"):
            return self._comparison()
        if not (self._at("(") or self._at_word("exists")):
            raise self._fail()
        if self._at_word("exists"):
            return Not(self._needs(self._exists(), predicate=True)), True
        self._advance()
        inner = self._needs(self.disjunction(), predicate=True)
        self._expect(")")
        return Not(inner), True

    def _exists(self) -> _Found:
        self._advance()
        self._expect("(")
        inner = self._needs(self.disjunction(), predicate=False)
        self._expect(")")
        return Exists(inner), True

    def _predicate(self) -> AnyNode:
        """`( predicate )`."""
        self._expect("(")
        found = self._needs(self.disjunction(), predicate=True)
        self._expect(")")
        return found

    def _comparison(self) -> _Found:
        found = self._sum()
        if found[1]:
            return found
        left = found[0]
        if self.token.kind == "operator":
            op = _SPELLINGS.get(self.token.text, self.token.text)
            if op in COMPARISONS:
                self._advance()
                return Binary(op, left, self._needs(self._sum(), predicate=False)), True
        if self._at_word("starts") and self._at_word("with", 1):
            self._advance()
            self._advance()
            return StartsWith(left, self._start()), True
        if self.take_word("like_regex"):
            return self._like_regex(left), True
        return found

    def _start(self) -> Constant | Variable:
        token = self.token
        if token.kind not in ("string", "variable"):
            raise self._fail()
        self._advance()
        return Variable(token.text) if token.kind == "variable" else Constant(token.text)

    def _string(self) -> str:
        if self.token.kind != "string":
            raise self._fail()
        return self._advance().text

    def _like_regex(self, left: AnyNode) -> AnyNode:
        pattern = self._string()
        letters = self._string() if self.take_word("flag") else ""
        for letter in letters:
            if letter not in "ismxq":
                raise InvalidRequest(
                    "invalid input syntax for type jsonpath: unrecognized flag character"
                    f' "{letter}" in LIKE_REGEX predicate',
                    "42601",
                )
        flags = "".join(letter for letter in "ismxq" if letter in letters)
        parse_regex(pattern, regex_options(flags))
        return LikeRegex(left, pattern, flags)

    # --- expressions ------------------------------------------------------------------------------

    def _sum(self) -> _Found:
        return self._operators(_SUMS, lambda: self._operators(_PRODUCTS, self._signed))

    def _operators(self, operators: tuple[str, ...], operand: object) -> _Found:
        assert callable(operand)
        found: _Found = operand()
        while self._at(*operators):
            left = self._needs(found, predicate=False)
            op = self._advance().text
            right: _Found = operand()
            found = Binary(op, left, self._needs(right, predicate=False)), False
        return found

    def _signed(self) -> _Found:
        if not self._at("+", "-"):
            return self._accessed()
        op = self._advance().text
        arg = self._needs(self._signed(), predicate=False)
        match arg:
            case Constant(value) if value is not None and not isinstance(value, bool | str):
                return Constant(
                    value if op == "+" else value.copy_negate() if value else value
                ), False
            case _:
                return Unary(op, arg), False

    def _accessed(self) -> _Found:
        bare = self._at_word("exists")
        head, is_predicate = self._head()
        if bare or (isinstance(head, IsUnknown) and self._peek(-1).text != ")"):
            return head, is_predicate
        steps = tuple(self._steps())
        if not steps:
            return head, is_predicate
        if isinstance(head, Path):  # `($.a).b` is `$.a.b`
            return Path(head.head, head.steps + steps), False
        return Path(head, steps), False

    def _head(self) -> _Found:
        token = self.token
        if token.kind == "word":
            return self._word_head()
        if token.kind == "operator":
            return self._operator_head()
        if token.kind == "end":
            raise self._fail()
        self._advance()
        match token.kind:
            case "string":
                return Constant(token.text), False
            case "variable":
                return Variable(token.text), False
            case _:
                return Constant(token.number), False

    def _word_head(self) -> _Found:
        if self._at_word("exists"):
            return self._exists()
        for word, node in _WORDS.items():
            if self.take_word(word):
                return node, False
        raise self._fail()

    def _operator_head(self) -> _Found:
        if self._take("$"):
            return Root(), False
        if self._take("@"):
            return Current(), False
        self._expect("(")
        inner, is_predicate = self.disjunction()
        self._expect(")")
        if is_predicate and self._at_word("is"):
            self._advance()
            if not self.take_word("unknown"):
                raise self._fail()
            return IsUnknown(inner), True
        return inner, is_predicate

    # --- steps ------------------------------------------------------------------------------------

    def _steps(self) -> Iterator[AnyStep]:
        while True:
            if self._take("."):
                yield self._member()
            elif self._take("["):
                yield self._array()
            elif self._take("?"):
                yield Filter(self._predicate())
            else:
                return

    def _member(self) -> AnyStep:
        if self._take("*"):
            return AnyKey()
        if self._take("**"):
            return self._levels()
        token = self.token
        if token.kind not in ("word", "string"):
            raise self._fail()
        self._advance()
        if token.kind == "word" and self._at("("):
            return self._method(token)
        return Key(token.text)

    def _method(self, token: Token) -> AnyStep:
        name = token.text.lower()
        if name == "datetime":
            raise NotYet("jsonpath: the method .datetime() is not available")
        if name not in _METHODS:
            raise self._fail()
        self._expect("(")
        self._expect(")")
        return Method(name)

    def _levels(self) -> AnyStep:
        if not self._take("{"):
            return AnyLevel()
        first = last = self._level()
        if self.take_word("to"):
            last = self._level()
        self._expect("}")
        return AnyLevel(first, last)

    def _level(self) -> int:
        if self.take_word("last"):
            return DEEPEST
        if self.token.kind != "integer":
            raise self._fail()
        number = int(self._advance().text)
        if number > _LEVEL_MAX:
            raise InvalidRequest(f'value "{number}" is out of range for type integer', "22003")
        return number

    def _array(self) -> AnyStep:
        if self._at("*") and self._peek().text == "]":
            self._advance()
            self._advance()
            return Elements()
        ranges = [self._range()]
        while self._take(","):
            ranges.append(self._range())
        self._expect("]")
        return Subscripts(tuple(ranges))

    def _range(self) -> tuple[AnyNode, AnyNode | None]:
        first = self._needs(self._sum(), predicate=False)
        if self.take_word("to"):
            return first, self._needs(self._sum(), predicate=False)
        return first, None


_WORDS: dict[str, AnyNode] = {
    "null": Constant(None),
    "true": Constant(True),
    "false": Constant(False),
    "last": Last(),
}


def _check(node: AnyNode, *, filtered: bool, subscript: bool) -> None:
    """Raises InvalidRequest (42601) for `@` outside of filters and `last` outside of subscripts."""
    match node:
        case Current() if not filtered:
            raise InvalidRequest("@ is not allowed in root expressions", "42601")
        case Last() if not subscript:
            raise InvalidRequest("LAST is allowed only in array subscripts", "42601")
        case Unary(_, arg) | Not(arg) | IsUnknown(arg) | Exists(arg) | LikeRegex(arg):
            _check(arg, filtered=filtered, subscript=subscript)
        case StartsWith(arg):
            _check(arg, filtered=filtered, subscript=subscript)
        case Binary(_, left, right):
            _check(left, filtered=filtered, subscript=subscript)
            _check(right, filtered=filtered, subscript=subscript)
        case Path(head, steps):
            _check(head, filtered=filtered, subscript=subscript)
            for step in steps:
                _check_step(step, filtered=filtered, subscript=subscript)


def _check_step(step: AnyStep, *, filtered: bool, subscript: bool) -> None:
    match step:
        case Filter(condition):
            _check(condition, filtered=True, subscript=subscript)
        case Subscripts(ranges):
            for pair in ranges:
                for bound in pair:
                    if bound is not None:
                        _check(bound, filtered=filtered, subscript=True)
