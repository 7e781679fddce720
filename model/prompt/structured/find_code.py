"""Stretches of a text that are code or YAML without a fence. Conservative: prose with colons is neither."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .find_lines import Range, runs
from .lines import Line, filled

_WORDS = (
    r"(?:export |default |async |public |private |protected |internal |static |final |abstract |override |unsafe |"
    r"inline |pub(?:\(\w+\))? )*"
)
_STARTS = re.compile(
    rf"""{_WORDS}(?: (?:def|function\s*\*?|fn|func)\ [\w$.!?]*(?:\ ?<[^>]*>)?\s?\( | func\ \([^)]*\)\ \w+\(
        | (?:class|interface|struct|enum|trait|impl|namespace|record)\b[^.]*[{{:]$ )
    | def\ \w[\w.?!]*$ | (?:\#include|\#define|\#pragma)\s | \#!/ | <\?php | template\s?< | >>>\s
    | \$\ (?:sudo|cd|ls|cat|git|npm|npx|yarn|pip|python3?|docker|kubectl|curl|echo|make|cargo|go|mkdir|grep|ssh)\b
    | import\ [\w.]+(?:\ as\ \w+)?;?$ | from\ [\w.]+\ import\ [\w*(,. ]+$ | import\ .*\ from\ ["'] | import\ ["']
    | (?:using|use|package)\ [\w.:\\{{}}*, ]+;$ | package\ [a-z]\w*$
    | (?:const|var)\ [\w{{\[][^=]*=\ | let\ [\w{{\[][^=]*=\ .*[;{{(\["'`]
    | (?:if|for|while|switch|catch)\ ?\(.*\)\s*\{{$ | (?:try|do|else)\s*\{{$ | @[A-Za-z][\w.]*(?:\(.*\))?$
    | [\w:<>*&\[\],.\ ~]+\(.*\)\ ?(?:const\ )?\{{$ | [.\#]?[A-Za-z][\w.\#:>, -]{{0,80}}\ \{{$
    | SELECT\ [\w.*",()\ ]+(?:$|\bFROM\b) | INSERT\ INTO\ \w | UPDATE\ [\w.]+\ SET\b | DELETE\ FROM\ \w
    | (?:CREATE|ALTER|DROP)\ (?:OR\ REPLACE\ )?(?:TABLE|INDEX|VIEW|FUNCTION)\ \w | WITH\ \w+\ AS\ \(""",
    re.VERBOSE,
)
_GOES_ON = re.compile(
    r"""(?: //|/\*|\*/|\#(?:\s|!|include|define|if|el|endif|pragma)|@[\w.]+(?:\(|$) | \$\ \w )
    | (?:return|raise|throw|yield|await|assert|del|print|echo|local|export|set|pass|break|continue|end|fi|done|esac)\b
    | (?:if|elif|for|while|with|except|try|else|finally|case|match|do|then|unless)\b.*(?::|\{|then|do)$ | else:?$
    | (?:FROM|WHERE|(?:LEFT|RIGHT|INNER|OUTER|CROSS|FULL)?\ ?JOIN|GROUP\ BY|ORDER\ BY|HAVING|LIMIT|VALUES|SET|AND|OR|ON
        |UNION|RETURNING|SELECT)\b
    | [\w.\[\]"'*&$]+(?:,\ ?[\w.\[\]]+)*(?:\s*:\s*[\w\[\], .|]+)?\s*(?:[-+*/|&%]|//)?(?:=|:=|<-)(?![=>])\s*\S
    | [\w.:>$-]+\(.*\)?[;,{:]?$ | [)\]}]+[;,)]*$ | [)\]}].*[{(;,]$""",
    re.VERBOSE,
)
_ENDS = re.compile(r"(?:[;{}]|\);?|\},?|=>|\*/)$")
_MARKS = re.compile(r"#+ [A-Z]")  # a Markdown heading, or a comment
_PYTHON = re.compile(
    r"(?:async )?(?:def|class|if|elif|else|for|while|try|except|with)\b.*:(?:\s*#.*)?$|from \S+ import |>>> "
)
_SQL = re.compile(r"(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|WITH)\b")
_SESSION = re.compile(r">>> |\$ ")
_SHELL = re.compile(r"#!.*sh\b|\$ ")

_KEY = r"""(?:"[^"]{1,80}"|'[^']{1,80}'|[A-Za-z0-9_$][\w./$-]{0,60})"""
_YAML_PAIR = re.compile(rf"(?:- )*{_KEY}:(?: +\S.*)?$")
_YAML_LOWER = re.compile(r"""(?:- )*["']?[a-z_][\w./$-]{0,60}["']?:(?= |$)""")
_YAML_ITEM = re.compile(r"- \S|-$")
_YAML_HEADER = re.compile(rf"(?:- )*{_KEY}:(?: [&!]\S+)?$")
_YAML_TEXT = re.compile(r".*:\s+[|>][+-]?\d?$")
_YAML_START = re.compile(r"---$|%YAML ")
_SENTENCE = 80  # characters; values that are longer than this on average are prose


def code(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """From a line that only code has, as long as lines look like code or are deeper than it; with the language."""
    starts = [bool(_STARTS.match(begin)) for begin in heads]
    base = 0
    first = last = -1
    solid = 0  # lines that look like code, whatever their indentation
    for at, line in enumerate(lines):
        begin = heads[at]
        if not begin:
            continue
        gap = first >= 0 and not heads[at - 1]
        looks = starts[at] or (bool(_GOES_ON.match(begin) or _ENDS.search(begin)) and not (gap and _MARKS.match(begin)))
        answers = first >= 0 and not gap and bool(_SESSION.match(heads[first])) and line.indent == base
        if first >= 0 and (looks or line.indent > base or answers):
            last, solid = at + 1, solid + looks
            continue
        if first >= 0:
            yield from _stretch(heads, first, last, solid)
        first, last, solid, base = (at, at + 1, 1, line.indent) if starts[at] else (-1, -1, 0, 0)
    if first >= 0:
        yield from _stretch(heads, first, last, solid)


def _stretch(heads: Sequence[str], first: int, last: int, solid: int) -> Iterator[tuple[int, int, str]]:
    if solid > 1 and last - first > 1:
        yield first, last, _language(heads[first:last])


def _language(heads: Sequence[str]) -> str:
    """The kind of code, as far as it changes how lines are read."""
    if _SQL.match(heads[0]):
        return "sql"
    if _SHELL.match(heads[0]):
        return "bash"
    braces = sum(begin[-1:] in ("{", ";") for begin in heads)
    return "python" if sum(bool(_PYTHON.match(begin)) for begin in heads) > braces else "code"


def yaml(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Keys with something below them. Flat "key: value" lines may be a form or talk; below "---" they are not."""
    depth = -1  # of the key whose text after "|" is being passed

    def belongs(at: int) -> bool:
        nonlocal depth
        if depth >= 0 and lines[at].indent > depth:
            return True
        begin = heads[at]
        depth = lines[at].indent if _YAML_TEXT.match(begin) else -1
        return bool(_YAML_PAIR.match(begin) or _YAML_ITEM.match(begin) or _YAML_START.match(begin))

    def goes_on(at: int) -> bool:
        if heads[at]:
            return heads[at][0] == "#"
        return bool(at + 1 < len(lines) and (lines[at + 1].indent > 0 or _YAML_LOWER.match(heads[at + 1])))

    for first, last in runs(lines, belongs, goes_on):
        begin = _first_of_yaml(lines, heads, first, last)
        if _is_yaml(lines[begin:last], heads[begin:last]):
            yield begin, last


def _first_of_yaml(lines: Sequence[Line], heads: Sequence[str], first: int, last: int) -> int:
    """Behind what stands above YAML: a list of sentences, or a line "The file:" with nothing deeper below."""
    begin = next((at for at in range(first, last) if _YAML_LOWER.match(heads[at]) or heads[at] == "---"), last)
    if any(heads[at][:1] == "-" for at in range(first, begin)):
        return begin
    leads_in = heads[first][-1] == ":" and heads[first][0].isupper() and first + 1 < last
    return first + 1 if leads_in and lines[first + 1].indent <= lines[first].indent else first


def _is_yaml(lines: Sequence[Line], heads: Sequence[str]) -> bool:
    """Three lines or more, most keys in small letters, short values, and a key or an item with pairs below it."""
    pairs = [at for at in range(len(lines)) if _YAML_PAIR.match(heads[at])]
    lower = sum(bool(_YAML_LOWER.match(heads[at])) for at in pairs)
    values = sum(not _YAML_HEADER.match(heads[at]) for at in pairs)
    length = sum(len(heads[at]) for at in pairs)
    if len(filled(lines)) < 3 or not values or length > _SENTENCE * len(pairs):
        return False
    nested = [at for at in pairs if _has_below(lines, heads, at)]
    deep = any(lines[at].indent > 0 for at in nested)
    return (lower * 2 > len(pairs) or deep) and (bool(nested) or heads[0] == "---")


def _has_below(lines: Sequence[Line], heads: Sequence[str], at: int) -> bool:
    """Whether a key has deeper lines or a list below it, or an item a second member."""
    if at + 1 >= len(lines) or not heads[at + 1]:
        return False
    column = lines[at].indent + (len(heads[at]) - len(heads[at].lstrip("- ")))
    below = lines[at + 1].indent
    if _YAML_HEADER.match(heads[at]):
        return below > column or (below >= lines[at].indent and heads[at + 1][:2] == "- " and heads[at][:2] != "- ")
    return heads[at][:2] == "- " and below == column and bool(_YAML_PAIR.match(heads[at + 1]))
