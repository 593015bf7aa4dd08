"""Which match of several an expression finds: random expressions, and PostgreSQL 16's answers."""

from __future__ import annotations

import polars as pl
import pytest

from storage.errors import InvalidRequest, NotYet
from warehouse.functions.regex.choice import agrees
from warehouse.functions.regex.match import contains, search
from warehouse.functions.regex.parse import Options, options, parse
from warehouse.functions.regex.print import rust_expression

# (expression, text, position of the match or 0, the match, what regexp_match returns)
# fmt: off
CASES: list[tuple[str, str, int, str | None, tuple[str | None, ...] | None]] = [
    ("$", "ca", 3, "", ("",)), ("$", "ab", 3, "", ("",)), ("$", "cacab ", 7, "", ("",)),
    ("$", "abc", 4, "", ("",)), (".", "aaabb", 1, "a", ("a",)), (".", "11ca", 1, "1", ("1",)),
    (".", "caabb1 b", 1, "c", ("c",)), (".", "1abbc", 1, "1", ("1",)),
    (".", "caaab", 1, "c", ("c",)), ("a", "a", 1, "a", ("a",)), ("a", "abbbaaa", 1, "a", ("a",)),
    ("a", "accb ", 1, "a", ("a",)), ("a", "bbabbc1b", 3, "a", ("a",)),
    ("a", "cac11", 2, "a", ("a",)), ("a", " cbba1", 5, "a", ("a",)), ("b", "bbaa", 1, "b", ("b",)),
    ("b", "aacababc", 5, "b", ("b",)), ("b", " a aacb", 7, "b", ("b",)),
    ("b", "ccabcccc", 4, "b", ("b",)), ("b", "bab", 1, "b", ("b",)), ("c", "bcbab", 2, "c", ("c",)),
    ("c", "bcabbaac", 2, "c", ("c",)), ("c", "ccaaccb", 1, "c", ("c",)),
    (".*", "a ", 1, "a ", ("a ",)), (".*", "ccb1aaa", 1, "ccb1aaa", ("ccb1aaa",)),
    (".c", "ccabbbb", 1, "cc", ("cc",)), (r"\m", "a", 1, "", ("",)), (r"\m", " bc ", 2, "", ("",)),
    (r"\y", "cbbb", 1, "", ("",)), (r"\y", "bba", 1, "", ("",)), (r"\y", "aacccbb", 1, "", ("",)),
    ("a*", "", 1, "", ("",)), ("a+", "ccac", 3, "a", ("a",)), ("a?", "ab1bcccc", 1, "a", ("a",)),
    ("b*", "c", 1, "", ("",)), ("b?", "a", 1, "", ("",)), ("c+", "bbacba", 4, "c", ("c",)),
    ("c.", "bccc", 2, "cc", ("cc",)), ("c?", "aabbc a", 1, "", ("",)), ("c^", "ca", 0, None, None),
    ("$b*", "abba", 5, "", ("",)), (".a*", "b", 1, "b", ("b",)), ("b?^", "b", 1, "", ("",)),
    ("c?.", "  1", 1, " ", (" ",)), ("ca*", "bbcc", 3, "c", ("c",)),
    ("cb?", "ba1cbcbc", 4, "cb", ("cb",)), (".*a*", "", 1, "", ("",)), (".{2}", "", 0, None, None),
    ("[ab]", "a bc", 1, "a", ("a",)), (r"\d$.", "aa cac", 0, None, None),
    ("(ab)*", "cbcbcc", 1, "", (None,)), (".{2,}", "cccbcaa ", 1, "cccbcaa ", ("cccbcaa ",)),
    (".{2,}", "ca cab b", 1, "ca cab b", ("ca cab b",)), (".{2,}", "cc", 1, "cc", ("cc",)),
    (r".|\mc", "babaa ", 1, "b", ("b",)), ("[ab]*", "cacb", 1, "", ("",)),
    ("[bc]?", "cbb c", 1, "c", ("c",)), ("a.bc?", "bacbcca", 2, "acbc", ("acbc",)),
    ("a[^a]", "aba", 1, "ab", ("ab",)), (r"b*?\y", "aaabbcb", 1, "", ("",)),
    ("b{2}?", "bb", 1, "bb", ("bb",)), ("..|.+?", "cc", 1, "cc", ("cc",)),
    (r".\d??a", "aacc", 1, "aa", ("aa",)), (".{1,2}", "bacbb", 1, "ba", ("ba",)),
    (".{1,2}", "bccaabbb", 1, "bc", ("bc",)), ("a{1,2}", "cacaa", 2, "a", ("a",)),
    ("b{0,2}", "ba1a", 1, "b", ("b",)), ("b|c+..", " acbac1c", 3, "cba", ("cba",)),
    ("c[^a]a", "ccbcca", 4, "cca", ("cca",)), ("c{0,2}", "", 1, "", ("",)),
    ("c{1,2}", "ba c", 4, "c", ("c",)), ("c{1,2}", "aaacac", 4, "c", ("c",)),
    ("c{2}|c", "c bcb", 1, "c", ("c",)), (".{0,2}?", "bbc", 1, "", ("",)),
    (".{2,}.c", "ccaabcbc", 1, "ccaabcbc", ("ccaabcbc",)), (".|c[bc]", "c", 1, "c", ("c",)),
    (r"\w{2}\w", "acaaaa1c", 1, "aca", ("aca",)), ("a*?b??b", "bb", 1, "b", ("b",)),
    ("ac{0,2}", "bc1bcac", 6, "ac", ("ac",)), ("a{0,2}?", "ccaa cac", 1, "", ("",)),
    ("c+?.(.)", "ccc bcbc", 1, "ccc", ("c",)), ("(.){1,2}", "aba", 1, "ab", ("b",)),
    (r"(?:\w)c?", "ccabcb", 1, "cc", ("cc",)), ("(?:cc$)?", "b1acaba", 1, "", ("",)),
    ("(a){1,2}", "ba", 2, "a", ("a",)), (r".*?|\Mb?", "abac", 1, "abac", ("abac",)),
    (r"\d\yb?|a", "bccaca c", 4, "a", ("a",)), (r"\w{0,2}?", " a bbbc", 1, "", ("",)),
    ("c^[^a]?c", "aba b", 0, None, None), ("$a*c{0,2}", "a", 2, "", ("",)),
    ("($b)+bb*a", "caa", 0, None, None), ("(?<=ac)|.", "aaacb", 1, "a", ("a",)),
    (".[^a]{2}?", "ba", 0, None, None), (r"\d?c{1,2}", "accba", 2, "cc", ("cc",)),
    ("a+?c{0,2}", "abb1a", 1, "a", ("a",)), ("a^b|(b)|b", "cbb", 2, "b", ("b",)),
    ("cc{0,2}^^", "ca", 0, None, None), ("(.*bb[bc])", "cccabbc", 1, "cccabbc", ("cccabbc",)),
    (".{0,2}b?.a", "baccba", 1, "ba", ("ba",)), (".{0,2}|ba$", "cabb", 1, "ca", ("ca",)),
    (".{1,2}.?|b", "ccbb", 1, "ccb", ("ccb",)), (r".{2,}?b\yb", "ca", 0, None, None),
    (r".|a+|\wa$a", "ac bcab", 1, "a", ("a",)), ("[bc]a{0,2}", "cab", 1, "ca", ("ca",)),
    (r"\M|aa?|.+a", "ccc", 4, "", ("",)), (r"\d?\wa*?c*", "bc babca", 1, "bc", ("bc",)),
    ("(?:cb{0,2})", "b1ccaba", 3, "c", ("c",)), (r".a{2}|c\w??", "acbc", 2, "cb", ("cb",)),
    (r".b{0,2}\w??", "aba", 1, "aba", ("aba",)), ("[bc][^a]?b+", "cb", 1, "cb", ("cb",)),
    ("[bc]ac{0,2}", "cbcccba", 6, "ba", ("ba",)), (r"a\y.*(b?)??", "baaacb", 0, None, None),
    ("a{0,2}?[ab]", "baccacac", 1, "b", ("b",)), (r"a{0,2}a?|\m", "bc", 1, "", ("",)),
    (r".[^a]\w*\w+?", "ccccca ", 1, "ccccca", ("ccccca",)),
    ("[ab]{1,2}c+?", "bbaca", 2, "bac", ("bac",)), (r"\d|[^a]?[bc]", "ccb1cbba", 1, "cc", ("cc",)),
    ("c[^a]{1,2}|c", "cbbac", 1, "cbb", ("cbb",)), ("$|((?<=ccc*))", "cbaab", 6, "", (None,)),
    ("(?:a{2}){0,2}", "ca ", 1, "", ("",)), ("(a{2}(cc+))?.", "aaa ccc", 1, "a", (None, None)),
    (".{2,}?.{0,2}c", "cacc", 1, "cac", ("cac",)), ("[bc].|c{0,2}.", "b ccac", 1, "b ", ("b ",)),
    (r"a??(\w{2,}.*)", "acbbaca", 1, "ac", ("ac",)), ("b^[bc]{2}?b|b", "bbbbab", 1, "b", ("b",)),
    ("c|b*b+?b{1,2}", "bbbcc", 1, "bbb", ("bbb",)), ("$a{0,2}|a{0,2}", "aa", 1, "aa", ("aa",)),
    ("((.{2,}c)|a$)?", "", 1, "", (None, None)), (r"(baa\M)|c?[^a]", "abbc1", 2, "b", (None,)),
    (r".{0,2}.\d{0,2}", "c", 1, "c", ("c",)), (r".|\m|\mb{1,2}?", "bccbccba", 1, "b", ("b",)),
    ("a*b?|[ab]{0,2}", "a", 1, "a", ("a",)), ("ba+a|[^a]{2,}?", "abca", 2, "bc", ("bc",)),
    (r"b{1,2}.{1,2}\M", "ab ccbca", 6, "bca", ("bca",)), (r"c(c+\m.a){2}.?", "cb", 0, None, None),
    (r"(b?b.a{2})b+|\m", "bbb", 1, "", (None,)), (".*?.ab{2,}|a|bb", "bacaacca", 2, "a", ("a",)),
    (r"\M|(.*c)|.{2}?b", "ccb   ", 1, "ccb", (None,)),
    ("a|.{2}a*|b{2,}?", "baacacbb", 1, "baa", ("baa",)),
    ("cc{0,2}?b{0,2}?", "cbccba", 1, "c", ("c",)), (r"(?:c{0,2}).\yc|^", "bacab1b", 1, "", ("",)),
    (r"[^a]{2,}|\w{1,2}", "a", 1, "a", ("a",)), (r"\w{2}(b)|c{1,2}?", "a c", 3, "c", (None,)),
    (r"b\M|b?\d{2}|a{2}", "cbabab", 6, "b", ("b",)),
    ("(a{1,2})c|..{1,2}", "acabcbcb", 1, "aca", (None,)),
    ("[ab]{0,2}a{0,2}|a", "bbaac", 1, "bbaa", ("bbaa",)),
    ("[bc]c{2,}a{0,2}a+", "acbc", 0, None, None),
    (r"\yb[ab]a{2}|.{2,}", "baabba", 1, "baabba", ("baabba",)),
    ("a(.{0,2}.{2,})b??", "caabacaa", 2, "aabacaa", ("abacaa",)),
    ("a?(?:a{1,2}|c){2}", "", 0, None, None), ("bc{2,}a(?:[bc])|b", "aaab", 4, "b", ("b",)),
    ("cb{2,}(?:c{0,2}.)", "cc", 0, None, None), ("(a+(?:aaa{2}b)){2}", "cb", 0, None, None),
    (".*|c.|a{1,2}(c)+$b", "", 1, "", (None,)), (r"a+|bc*|[bc]c??a\d*", "1ba ", 2, "ba", ("ba",)),
    (r"a?[ab]+\w+|.{1,2}?", "baabcc", 1, "baabcc", ("baabcc",)),
    ("a{2}cb|c{1,2}|acbb", "b1abcbc", 5, "c", ("c",)), (r"b[ab]|\wa?\w|.\ma+", " ", 0, None, None),
    (r"c{1,2}c|a{0,2}ba\y", "cbcbbccc", 6, "ccc", ("ccc",)),
    (r"c{2,}a(\yc{2,})|a+", "aca", 1, "a", (None,)),
    (r"(?<=aa{2,}?\w{2}?)c", "cccbacca", 0, None, None),
    (".+.{1,2}|[bc]a{0,2}", "ca ", 1, "ca ", ("ca ",)),
    ("[bc].*cc{1,2}?|a{2}", "aacc", 1, "aa", ("aa",)),
    (r"a$|\ya*a|[ab]{0,2}?", "bbababa", 1, "bb", ("bb",)),
    ("(a?b?.*.{2,}){0,2}|a", "caa1c", 1, "caa1c", ("caa1c",)),
    ("(b?)(?:.(?:c?.cc).+)", "cbbaab", 0, None, None),
    (r".c[^a]{0,2}|\yb{1,2}", "bbcccab", 1, "bb", ("bb",)),
    (r"a{0,2}?(\da{2,}.)*\w", "ca", 1, "c", (None,)),
    ("((a+){0,2}c*).{1,2}.c", " abca", 1, " abc", ("", None)),
    (".{0,2}?(?:(c+a*?|.))?", "bb", 1, "", (None,)),
    ("($$c.{2,}?|.{2}.*?){2}", "ccbb", 1, "ccbb", ("bb",)),
    ("(?:(?:ac|a+[^a].+b?))*", "acccaaca", 1, "acccaaca", ("acccaaca",)),
    ("(?:aa(.*bcb{0,2})??)??", "cac", 1, "", (None,)),
    ("(?<!ac{2,}?|.{1,2})c??", "bac", 1, "", ("",)),
    (r"(\yc(bbbc+){2,}){0,2}?", "ababaaba", 1, "", (None, None)),
    ("a|c{0,2}?.(?:.c*aa*?)?", "aab a", 1, "a", ("a",)),
    (r"[ab]+[^a].+\d|\ya{0,2}?", "cacbbbc", 1, "", ("",)),
    (r"[bc]{2}|c{0,2}?c{1,2}\M", "bcb", 1, "bc", ("bc",)),
    ("b*b{2,}|b{2,}?|[bc]+.+?", "bb1ba cb", 1, "bb1ba cb", ("bb1ba cb",)),
    ("b|a?([bc]{1,2}a+){0,2}c", "bbaaac ", 1, "bbaaac", ("bbaaa",)),
    (r"(.(b+?.a\w)*){0,2}a{0,2}", "ababb", 1, "aba", ("b", None)),
    ("(?:[ab]b{0,2}?$)(?=.+c.)", "a", 0, None, None),
    (r".{0,2}(?:(?:b)[^a]+a)|\y", "caa", 1, "", ("",)),
    (r"\d*|((c*)..*.{1,2}){2}|b", "1c", 1, "1", (None, None)),
    ("a??((?=b{0,2})|cb){0,2}?", "c", 1, "", ("",)),
    ("(.+?(?<!b+c{0,2}))+?[^a]c", "1cc", 1, "1cc", ("1",)),
    (r"..((?:c.{2}?|b{2}))+|ab\y", "ac", 0, None, None),
    (r"\w(?:ba.+)c+|a{1,2}|bb{2}", "cca1bb1b", 3, "a", ("a",)),
    (r"b(?:c+.{2,}){2}b??\w{0,2}", "a", 0, None, None),
    ("((?:bcc|[ab]{2}a{1,2})?)+?", "acaac", 1, "", ("",)),
    (".b|ac(.?)[ab]{0,2}|a{0,2}c", "cba   ab", 1, "cb", (None,)),
    (r"((c*c.{2}b|b|a)+\w)+?.{0,2}", "caccc", 2, "ac", ("ac", "a")),
    (r"\m(c*.{2,}.){1,2}cb*|[bc]c*", "bacbc", 1, "bacbc", ("bacb",)),
    ("c{1,2}?..?[ab]{2,}?|b{1,2}a", "acbbacab", 2, "cbba", ("cbba",)),
    (r"(.b{1,2}(?:c{0,2})?a{2})a|\y", "bacc", 1, "", (None,)),
    ("(?:b{2,}?(?:cbb{1,2})?cb*)*.", " cac", 1, " ", (" ",)),
    (r"c*?.|aa?(?:b{0,2}b{0,2}(\m))", "cb1cba", 1, "cb", (None,)),
    (r"(?!a(?:c?)\w{1,2}?)a{1,2}|^|c", "cabcbac", 1, "c", ("c",)),
    (r"[^a]{1,2}b{0,2}(a{2,})??\m|\y", "bacbaaa", 1, "", (None,)),
    (r"a(?:\db|.+c{1,2})|a{2}|c{0,2}", "1", 1, "", ("",)),
    (r"a{1,2}a{0,2}|c+?(\m)*?.|b{2}?", "bb", 1, "bb", (None,)),
    ("b|((?<=c+.{2,})c[ab]+?){2,}|c", "cbc", 1, "c", (None,)),
    ("c*(c{1,2}(?:b{2,}){2,}.{0,2})", "acaa", 0, None, None),
    (r"((a\Mac|.{0,2}?b*?){1,2}){1,2}", "babaacbc", 1, "babaacbc", ("cbc", "c")),
    (r"\m|.c(cb){2}?a{1,2}|a{1,2}[bc]", "b", 1, "", (None,)),
    (r"a\d+|b?|b*?\d(?:(a{0,2}){2})?b", "ab c", 1, "", (None,)),
    ("(.{0,2}b[^a](?!b{0,2}b+c|b))ac*", "bbac", 1, "bbac", ("bb",)),
    ("(?:$(b{2,}c*){2}(b)*)+|.{0,2}|.", " bbcba", 1, " b", (None, None)),
    (r"(?:aac.|a{2,}|ca\M)(c{2,}?\y)c.", "babbc", 0, None, None),
    (r"(c{2}){2}b{2,}b{0,2}|(c??\d{2})", "a", 0, None, None),
    ("a(?:(?:b{1,2}?.{1,2}b{2,}c+?))*", "bbbacabc", 4, "a", ("a",)),
    ("cc??|c??b(ca|(?:.{2}.{2}){2,})?", "cb", 1, "cb", (None,)),
    (r"(?:(?:c?c?)*[^a]{1,2})\mb??c{2,}", "c", 0, None, None),
    ("b+?|(cc{2,}(a{1,2}b[bc])){0,2}?a", "abbbacbc", 1, "a", (None, None)),
    (r"c{2}|[^a]((?<=b)[bc]{2}\Mb){0,2}", "bc", 1, "b", (None,)),
    (r"((^.c\w)*bc{0,2}b?){0,2}c{1,2}|.c", "abcca1ca", 2, "bcc", ("bc", None)),
    ("(?:.+)b+?.{2,}.|b{1,2}([ab]b)+|a.", "bacbabba", 1, "bacbabba", (None,)),
    (".c+([^a]+[bc](?:cb{0,2}.?).){1,2}", "bccccaa", 1, "bccccaa", ("cccaa",)),
    (r"[^a]*\w((?:b\d{0,2}a)|\M(a+)?c+)?", "bcbb", 1, "bcbb", (None, None)),
    (r"cac+|b|(?:(a{2}?|a+.+){2})+(?:\y)", "ccba", 3, "b", (None,)),
    ("(b?)ba{0,2}a|a(ac{1,2}?[ab]{2}b?)b", "a b11a", 0, None, None),
    ("(b{1,2}c[ab]*(ccb{1,2}c){2,}){0,2}", "cbcbca", 1, "", (None, None)),
    (r"a{2}(c{0,2}?\M){0,2}(a?b\w)|(?:c)?", "acbabca", 1, "", (None, None)),
    ("ba(?:$|(c.{2,}bb?){2,})|c{2,}?ca|$", "aa 1cbcb", 9, "", (None,)),
    ("c.{2,}|(.(a.c*c+){0,2}c+(.{1,2}?))", "caccb", 1, "caccb", (None, None, None)),
]
# fmt: on


def test_matches_and_groups_are_postgresql_s() -> None:
    for expression, text, position, whole, groups in CASES:
        pattern = parse(expression)
        found = search(pattern, text, 0)
        assert contains(pattern, text) == (whole is not None), expression
        if found is None:
            assert position == 0, expression
            continue
        parts = [None if span is None else text[slice(*span)] for span in found]
        assert found[0] is not None
        assert (found[0][0] + 1, parts[0]) == (position, whole), (expression, text)
        assert tuple(parts[1:] or parts) == groups, (expression, text)


def test_the_rust_engine_agrees_where_that_is_claimed() -> None:
    compared = 0
    for expression, text, _, whole, groups in CASES:
        pattern = parse(expression)
        rust = rust_expression(pattern)
        if rust is None:
            continue
        series = pl.Series([text])
        assert series.str.contains(rust)[0] == (whole is not None), expression
        if not agrees(pattern):
            continue
        compared += 1
        assert series.str.extract(rust, 0)[0] == whole, (expression, text)
        if pattern.groups and groups is not None:
            found = series.str.extract_groups(rust)[0]
            assert tuple(found.values()) == groups, (expression, text)
    assert compared > 50


def test_a_search_goes_on_from_a_position() -> None:
    pattern = parse("^a|a")
    assert search(pattern, "aba", 0) == [(0, 1)]
    assert search(pattern, "aba", 1) == [(2, 3)]
    assert search(pattern, "aba", 3) is None


def test_back_references_match_but_only_clear_ones_are_extracted() -> None:
    assert contains(parse(r"(a|ab)(c|bcd)\1"), "abcdab")
    assert search(parse(r"(.)\1"), "abccd", 0) == [(2, 4), (2, 3)]
    with pytest.raises(NotYet):
        search(parse(r"(a|ab)(c|bcd)*\1"), "abcdab", 0)


def test_options_come_from_letters() -> None:
    assert options("gi") == Options(every=True, ignore_case=True)
    assert options("ic") == Options()
    assert options("n") == Options(line_stop=True, line_anchors=True)
    with pytest.raises(InvalidRequest) as raised:
        options("z")
    assert raised.value.sqlstate == "22023"
    with pytest.raises(NotYet):
        options("b")
