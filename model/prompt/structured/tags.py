"""The tags of XML and HTML, in linear time: nothing is looked for twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_SPECIAL = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">"))
_NAME = re.compile(r"</?([A-Za-z_][\w:.-]{0,80})(?=[\s/>])")
_MARK = re.compile(r"[<>\"']")
_ATTRIBUTES = 200  # quoted values in one tag at most
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr !doctype".split())
_RAW = frozenset(("script", "style", "pre", "textarea"))  # what is in them is no markup, or its white space counts


class Tag(NamedTuple):
    """text[start:end] opens an element ("open"), closes one ("close") or stands for itself ("alone": a comment, <br>,
    <a/>, a whole script)."""

    kind: str
    name: str
    start: int
    end: int


def tags(text: str, start: int, end: int) -> Iterator[Tag]:
    """The tags of text[start:end] in order; a "<" that opens none is text."""
    missing: set[str] = set()  # ends that do not come any more
    at = start
    while (at := text.find("<", at, end)) >= 0:
        tag = _special(text, at, end, missing) if text[at + 1 : at + 2] in ("!", "?") else _tag(text, at, end, missing)
        if tag:
            yield tag
        at = tag.end if tag else at + 1


def elements(all_tags: list[Tag]) -> list[tuple[int, int]]:
    """The elements that are closed, as numbers of their two tags, outer ones before inner ones."""
    closed: list[tuple[int, int]] = []
    stack: list[int] = []
    names: Counter[str] = Counter()
    for number, tag in enumerate(all_tags):
        if tag.kind == "open":
            stack.append(number)
            names[tag.name] += 1
        elif tag.kind == "close" and names[tag.name]:
            opener = -1
            while opener < 0 or all_tags[opener].name != tag.name:
                opener = stack.pop()
                names[all_tags[opener].name] -= 1
            closed.append((opener, number))
    return sorted(closed)


def _special(text: str, at: int, end: int, missing: set[str]) -> Tag | None:
    """A comment, CDATA, an instruction or a doctype."""
    opener, closer = next(pair for pair in _SPECIAL if text.startswith(pair[0], at))
    stop = _find(text, closer, at + len(opener), end, missing)
    return Tag("alone", opener, at, stop + len(closer)) if stop >= 0 else None


def _tag(text: str, at: int, end: int, missing: set[str]) -> Tag | None:
    match = _NAME.match(text, at, end)
    stop = _end_of_tag(text, match.end(), end, missing) if match else -1
    if not match or stop < 0:
        return None
    name = match[1].lower()
    if text[at + 1] == "/":
        return Tag("close", name, at, stop)
    if name in _VOID or text[stop - 2] == "/":
        return Tag("alone", name, at, stop)
    if name in _RAW and (closer := _find_close(text, name, stop, end, missing)):
        return Tag("alone", name, at, closer)
    return Tag("open", name, at, stop)


def _end_of_tag(text: str, at: int, end: int, missing: set[str]) -> int:
    """Behind the ">" that ends a tag, past quoted values; -1 without one."""
    for _ in range(_ATTRIBUTES):
        mark = _MARK.search(text, at, end)
        if not mark or mark[0] == "<":
            return -1
        if mark[0] == ">":
            return mark.end()
        if (closing := _find(text, mark[0], mark.end(), end, missing)) < 0:
            return -1
        at = closing + 1
    return -1


def _find_close(text: str, name: str, at: int, end: int, missing: set[str]) -> int:
    """Behind the end tag of a raw element; 0 without one."""
    stop = _find(text, f"</{name}>", at, end, missing)
    return stop + len(name) + 3 if stop >= 0 else 0


def _find(text: str, what: str, at: int, end: int, missing: set[str]) -> int:
    """text.find, which remembers what is not there any more."""
    found = -1 if what in missing else text.find(what, at, end)
    if found < 0:
        missing.add(what)
    return found
