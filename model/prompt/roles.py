"""What each stretch of a prompt is for: instruction, demonstration, document, turn, code, data, question or text.

`draft` reads a text from the outside in: chat templates, then blocks that begin alike, then Markdown sections, then
paragraphs. Its drafts lie end to end and may hold others; the innermost ones become the parts of a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .blocks import line_at
from .containers import ChatTurn, chat_turns, containers
from .cues import asks, tells, waits
from .drafts import Draft, Reader
from .guards import is_guard
from .lines import ITEM_LABEL, Marker, TextLine, heading_level
from .paragraphs import BULLET, NAMED_ROLES, SHORT, TOOLS, paragraph_drafts, share_telling
from .shots import USERS, Blocks, find_blocks

_DEEP = 8  # drafts within drafts
PROSE = 100  # characters of a paragraph that says more than a line of instructions


def draft(reader: Reader) -> list[Draft]:
    """The drafts of a whole text, end to end."""
    start, end = reader.layout.lines[0].start, len(reader.text)
    if turns := chat_turns(reader.text, start, end, reader.layout):
        return _chat(reader, turns)
    return _segment(reader, start, end, _DEEP)


# --- chat templates ------------------------------------------------------------------------------------------


def _chat(reader: Reader, turns: Sequence[ChatTurn]) -> list[Draft]:
    """System turns are instruction; the last user turn asks if nothing answers it."""
    said = [bool(reader.text[t.head : t.tail].strip()) for t in turns]
    last = max((i for i, t in enumerate(turns) if t.role == "user" and said[i]), default=-1)
    is_open = not any(said[i] for i, t in enumerate(turns) if i > last)
    return [_chat_turn(reader, turn, said[i], is_open and i >= last) for i, turn in enumerate(turns)]


def _chat_turn(reader: Reader, turn: ChatTurn, said: bool, asked: bool) -> Draft:
    role = "instruction" if turn.role in ("system", "developer") else "question" if asked else "turn"
    if not said or role == "turn":
        return Draft(role, turn.start, turn.end, turn.head, turn.tail)
    inner = _segment(reader, turn.head, turn.tail, _DEEP)
    if any(each.role in ("document", "code", "data", "demonstration", "turn") or each.inner for each in inner):
        return Draft("turn", turn.start, turn.end, turn.head, turn.tail, tuple(inner))
    told = [each.role for each in inner]
    if role == "question" and len(inner) > 1 and {"instruction", "question"} & set(told) and "text" in told:
        return Draft("turn", turn.start, turn.end, turn.head, turn.tail, tuple(inner))
    return Draft(role, turn.start, turn.end, turn.head, turn.tail)


# --- blocks that begin alike, sections, paragraphs -------------------------------------------------------------


def _segment(reader: Reader, start: int, end: int, depth: int) -> list[Draft]:
    if not depth:
        return [Draft.plain("text", start, end)]
    held = containers(reader.text, start, end, reader.layout)
    markers = _outside(reader.markers(start, end), [(c.start, c.end) for c in held])
    headings = [line for line in _outside(reader.lines(start, end), [(c.start, c.end) for c in held])
                if heading_level(reader.text, line) and not reader.layout.inside(line.start)]  # fmt: skip
    items = not headings and not held and _is_all_list(reader, start, end, markers)
    found = find_blocks(reader.text, start, end, markers, reader.paragraphs(start, end), items)
    if found and not (held and held[0].start > found.starts[0]) and not _crossed(reader, found, headings, markers):
        return _repeated(reader, start, end, found, depth)
    if headings:
        return _sections(reader, start, end, headings, depth)
    return paragraph_drafts(reader, start, end, depth, _segment)


def _crossed(reader: Reader, found: Blocks, headings: Sequence[TextLine], markers: Sequence[Marker]) -> bool:
    """Whether headings that are no labels lie among the blocks, which then are only repeated words of sections.

    Demonstrations may hold headings, but none as high as the one above them.
    """
    below = [line for line in headings if line.start > found.starts[0]]
    if found.role == "demonstration" and len(found.labels) > 1:
        theirs = {m.start for m in markers if m.label in found.labels}
        above = [heading_level(reader.text, line) for line in headings if line.end <= found.starts[0]]
        return bool(above) and any(heading_level(reader.text, x) <= above[-1] for x in below if x.start not in theirs)
    labelled = {m.start for m in markers}
    return any(line.start not in labelled for line in below)


def _outside(things: Sequence[Any], spans: Sequence[tuple[int, int]]) -> list[Any]:
    """The lines or markers that begin in none of the spans; both come in order."""
    kept, i = [], 0
    for thing in things:
        while i < len(spans) and spans[i][1] <= thing.start:
            i += 1
        if i == len(spans) or thing.start < spans[i][0]:
            kept.append(thing)
    return kept


def _is_all_list(reader: Reader, start: int, end: int, markers: Sequence[Marker]) -> bool:
    """Whether numbered items are what the text is about: nothing stands between or behind them but a last paragraph.

    Rules are no such items: they tell, or say what must not be.
    """
    items = [m for m in markers if m.label == ITEM_LABEL]
    if len(items) < 2:
        return False
    before = reader.text[start : items[0].start].strip("\ufeff \t\r\n")
    if before and before[-1] not in ":：" and share_telling(reader, start, items[0].start) < 0.5:
        return False
    ends = [m.start for m in items[1:]] + [_line_end(reader, items[-1].start)]
    said = [reader.text[m.end : min(b, m.end + 300)] for m, b in zip(items, ends, strict=True)]
    rules = sum(tells(s, reader.language) or is_guard(s, reader.language) for s in said)
    after = [p for p in reader.paragraphs(items[-1].start, end) if p > items[-1].start]
    labelled = [m for m in markers if m.label != ITEM_LABEL and m.start > items[-1].start]
    return 3 * rules <= len(items) and len(after) < 2 and not labelled


def _line_end(reader: Reader, at: int) -> int:
    return line_at(reader.layout, at).end


def _repeated(reader: Reader, start: int, end: int, found: Blocks, depth: int) -> list[Draft]:
    """What stands before the blocks, the blocks, and what waits for an answer."""
    first = found.starts[0]
    title = _title(reader, start, first)
    begin = title.start if title else first
    drafts = _preface(reader, start, begin, depth) if reader.text[start:begin].strip() else []
    before = len(drafts)
    edges = [*found.starts, end]
    if not drafts and not title:
        edges[0] = start
    for i, (a, b) in enumerate(zip(edges, edges[1:], strict=False)):
        last = i == len(found.starts) - 1
        role = "question" if last and found.open else found.role
        drafts.append(Draft(role, a, b, label_end(reader, a, b, role), b, (), found.labels))
    if found.role in ("turn", "document"):
        drafts = _asked_last(reader, drafts, found)
    return _titled(drafts, before, title, start) if title else drafts


def _title(reader: Reader, start: int, end: int) -> TextLine | None:
    """The heading right in front of repeated blocks."""
    lines = [line for line in reader.lines(start, end) if not line.blank]
    return lines[-1] if lines and heading_level(reader.text, lines[-1]) else None


def _titled(drafts: list[Draft], before: int, title: TextLine, start: int) -> list[Draft]:
    """The blocks under their heading; the question is not one of them."""
    inner = [each for each in drafts[before:] if each.role != "question"]
    rest = drafts[before + len(inner) :]
    begin = title.start if before else start
    if not inner:
        return [*drafts[:before], replace(rest[0], start=begin), *rest[1:]]
    return [*drafts[:before], Draft("section", begin, inner[-1].end, title.end, inner[-1].end, tuple(inner)), *rest]


def _preface(reader: Reader, start: int, end: int, depth: int) -> list[Draft]:
    """What stands before demonstrations, documents or turns tells what to do, if it is not itself a document."""
    inner = _segment(reader, start, end, depth - 1)
    roles = {each.role for each in inner}
    if (len(inner) == 1 or not reader.paragraphs(start, end)) and roles <= {
        "document",
        "instruction",
        "question",
        "text",
    }:
        roles = {"text"}
    if roles <= {"instruction", "question", "text"} and not any(each.inner for each in inner):
        return [Draft.plain("instruction", start, end)]
    return [replace(each, role="instruction") if each.role in ("text", "question") else each for each in inner]


def _asked_last(reader: Reader, drafts: list[Draft], found: Blocks) -> list[Draft]:
    """Of a dialogue the last line that waits is the question, with the turn before it; or a paragraph that asks."""
    last = drafts[-1]
    if found.open:
        if found.role == "turn" and len(drafts) > 1 and drafts[-2].role == "turn":
            drafts[-2] = replace(drafts[-2], role="question")
        return drafts
    edges = [*reader.paragraphs(last.start, last.end)]
    asked = edges[-1] if edges else last.end
    labelled = [m for m in reader.markers(last.start + 1, last.end) if m.after_blank and found.role == "turn"]
    cut = min([asked, *(m.start for m in labelled[:1])])
    tail = reader.text[cut : last.end].strip()
    if len(tail) > SHORT or BULLET.match(tail):
        return drafts
    if tail and (labelled or waits(tail) or asks(tail, reader.language) or tells(tail, reader.language)):
        return [*drafts[:-1], replace(last, end=cut, tail=cut), Draft.plain("question", cut, last.end)]
    marker = next(iter(reader.markers(last.start, last.end)), None)
    if found.role == "turn" and marker and marker.label in USERS:  # who waits for the assistant
        return [*drafts[:-1], replace(last, role="question")]
    return drafts


def label_end(reader: Reader, start: int, end: int, role: str) -> int:
    """Where the label or title at the head of a block ends: the whole first line if that is no sentence."""
    marker = next(iter(reader.markers(start, end)), None)
    if marker is None or reader.text[start : marker.start].strip():
        return start
    line = line_at(reader.layout, marker.start)
    rest = reader.text[marker.end : line.end].strip()
    titled = role == "document" and rest and rest[-1] not in ".!?。！？:：" and len(rest) < 120
    return line.end if titled and reader.text[line.end : end].strip() else marker.end


# --- Markdown sections -----------------------------------------------------------------------------------------


def _sections(reader: Reader, start: int, end: int, headings: Sequence[TextLine], depth: int) -> list[Draft]:
    first = headings[0].start
    before = paragraph_drafts(reader, start, first, depth - 1, _segment) if reader.text[start:first].strip() else []
    begin = first if before else start
    drafts = _nested(reader, begin, end, headings, depth)
    told = bool(before) and before[0].role == "instruction"
    drafts = _sandwiched(reader, before + drafts) if told else before + drafts
    return _with_question(reader, drafts)


def _nested(reader: Reader, start: int, end: int, headings: Sequence[TextLine], depth: int) -> list[Draft]:
    """Sections by the highest level among the headings, each with what is below it."""
    levels = [heading_level(reader.text, line) for line in headings]
    top = min(levels)
    tops = [i for i, level in enumerate(levels) if level == top]
    drafts: list[Draft] = []
    if tops[0]:
        drafts += _nested(reader, start, headings[tops[0]].start, headings[: tops[0]], depth)
    for i, j in zip(tops, [*tops[1:], len(headings)], strict=True):
        begin = start if not i else headings[i].start
        after = headings[j].start if j < len(headings) else end
        drafts.append(_section(reader, begin, after, headings[i], headings[i + 1 : j], depth - 1))
    return _sandwiched(reader, drafts) if drafts[0].role == "instruction" else drafts


def _section(reader: Reader, start: int, end: int, heading: TextLine, below: Sequence[TextLine], depth: int) -> Draft:
    head, first = heading.end, below[0].start if below else end
    inner: list[Draft] = []
    if reader.text[head:first].strip():
        inner += _section_content(reader, head, first, reader.text[heading.start : heading.end], depth)
    if below and depth:
        inner += _nested(reader, first if inner else head, end, below, depth)
    elif below and inner:
        inner = [replace(inner[0], end=end, tail=end)]
    if len(inner) == 1 and not inner[0].inner and inner[0].head == inner[0].start:
        return replace(inner[0], start=start, head=head)
    if not inner:
        return Draft("text", start, end, head, end)
    return Draft("section", start, end, head, end, tuple(inner))


def _section_content(reader: Reader, start: int, end: int, heading: str, depth: int) -> list[Draft]:
    """What a section holds: blocks that begin alike or tags, or one part with the section's role."""
    name = heading.strip("# \t*").casefold()
    role = next((role for role, stems in NAMED_ROLES.items() if stems.search(name)), "")
    markers = reader.markers(start, end)
    found = find_blocks(reader.text, start, end, markers, reader.paragraphs(start, end), False) if depth else None
    if found:
        return _repeated(reader, start, end, found, depth)
    if depth and containers(reader.text, start, end, reader.layout):
        return paragraph_drafts(reader, start, end, depth, _segment)
    if role == "question" and len(reader.text[start:end].strip()) > 3 * SHORT:
        role = "document"
    if role in ("", "instruction"):
        telling = share_telling(reader, start, end) >= (0.25 if role else 0.5)
        role = "instruction" if telling or TOOLS.search(name) else "document"
    return [Draft.plain(role, start, end)]


def _sandwiched(reader: Reader, drafts: list[Draft]) -> list[Draft]:
    """Lists and short lines between two instructions, before anything else comes, are instructions; prose is not."""
    flat = [d.inner[0].role if len({each.role for each in d.inner}) == 1 else d.role for d in drafts]
    stop = next((i for i, role in enumerate(flat) if role not in ("instruction", "document", "text")), len(flat))
    last = max((i for i in range(stop) if flat[i] == "instruction"), default=-1)
    return [
        replace(d, role="instruction")
        if i <= last and d.role in ("document", "text") and not _is_prose(reader, d)
        else d
        for i, d in enumerate(drafts)
    ]


def _is_prose(reader: Reader, each: Draft) -> bool:
    lines = [line for line in reader.lines(each.head, each.tail) if not line.blank]
    listed = any(BULLET.match(reader.text, line.start, line.end) for line in lines)
    return not listed and each.tail - each.head > PROSE


def _with_question(reader: Reader, drafts: list[Draft]) -> list[Draft]:
    """A last paragraph that asks or waits leaves its section."""
    last = drafts[-1]
    if last.inner or last.role == "question" or any(d.role == "question" for d in drafts):
        return drafts
    if last.head > last.start and not reader.text[last.head : last.tail].strip():
        return [*drafts[:-1], replace(last, role="question")]  # "### Response:" and nothing below
    edges = [p for p in reader.paragraphs(last.head, last.end) if p > last.head and not reader.layout.inside(p)]
    if not edges:
        return drafts
    cut = edges[-1]
    before = edges[-2] if len(edges) > 1 else cut
    tail = reader.text[cut : last.end].strip()
    if len(tail) < 80 and waits(tail) and asks(reader.text[before:cut].strip(), reader.language):
        cut = before
    if len(tail) < SHORT and (waits(tail) or asks(tail, reader.language) or _is_said_to(reader, drafts, cut)):
        return [*drafts[:-1], replace(last, end=cut, tail=cut), Draft.plain("question", cut, last.end)]
    return drafts


def _is_said_to(reader: Reader, drafts: Sequence[Draft], cut: int) -> bool:
    """Whether the paragraph behind instructions is what somebody says, the only one with a label in its section."""
    section = drafts[-1]
    labels = [m.start for m in reader.markers(section.head, section.end) if m.label != ITEM_LABEL]
    return labels == [cut] and any(each.role == "instruction" for each in drafts)
