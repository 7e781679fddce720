"""A prompt as a tree: parts, and in them sections, paragraphs, lists, fields and sentences (`model.prompt.tree.Node`).

What of a text may go on its own is decided here: sentences, items, lines and records are leaves; headings, labels,
bullets and answers are frames. A sentence that says not, only, unless, at most ... is a guard, and whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import regex

from .blocks import Block, blocks_of
from .cues import QUESTION_MARKS, waits
from .drafts import Draft, Reader
from .guards import is_guard
from .languages import language_of
from .lines import Marker, Opaque, TextLine, heading_level
from .sentences import is_title, paragraph_lines, quotation, sentences, trimmed
from .structured import nodes
from .tree import Node

FRAME_KIND = "frame"  # the kind of a child that is frame: it stays exactly when something of the other children stays
Named = tuple[int, int, bool]  # a unit that the caller named: characters [start, end), and whether it is whole

_BULLET = regex.compile(
    r"""(\s*)(?: [-*+•‣◦·・▪►✓✔☐☑](?:\s\[[\ xX]\])?
      | [\[(]?\d{1,4}[.)\]](?=\s) | §{1,2}\s?\d{1,4}\p{L}?(?=\s)
      | \d{1,3}(?:\.\d{1,3}){1,4}\.?(?=\s) | \(?\p{L}[.)](?=\s) | \d{1,3}[、．] )\s*(?=\S)""",
    regex.V1 | regex.VERBOSE,
)
_CLAUSE = regex.compile(r"(?:;|；|(?<=\s)[—–](?=\s))\s*")
_TITLE = 80  # characters of a line that may head a paragraph
_NO_TITLE_ENDS = ".!?。！？।…,;:，、；："
_LONG_SENTENCE = 250  # characters; longer ones are split at semicolons and dashes
_ARROW = regex.compile(r"(?:=>|->|→|⇒)")
_DEPTH = 12  # lists in lists, sections in sections


def tree_of(reader: Reader, drafts: Sequence[Draft], named: Sequence[Named] = ()) -> Node:
    """The whole text as one node; its children are the drafts' nodes."""
    return Node("prompt", 0, len(reader.text), tuple(_draft_node(reader, each, named) for each in drafts))


def _span(text: str, start: int, end: int) -> tuple[int, int]:
    return trimmed(text, start, end) or (start, end)


def _draft_node(reader: Reader, draft: Draft, named: Sequence[Named]) -> Node:
    start, end = _span(reader.text, draft.start, draft.end)
    if draft.inner:
        return Node(draft.role, start, end, tuple(_draft_node(reader, each, named) for each in draft.inner))
    inside = [unit for unit in named if draft.head <= unit[0] and unit[1] <= draft.tail]
    children = tuple(_part(reader, draft, inside))
    if draft.role == "question":
        children = _waiting(reader.text, children)
    return Node(draft.role, start, end, children, whole=not children)


def _part(reader: Reader, draft: Draft, named: Sequence[Named]) -> Iterator[Node]:
    """The children of a part: the units that the caller named, and between them what the text says."""
    if not named and draft.role == "demonstration":
        yield from _demonstration(reader, draft)
        return
    at = draft.head
    for start, end, whole in sorted(named):
        if start >= at:
            yield from content_nodes(reader, at, start)
            yield Node("unit", start, end, whole=whole)
            at = end
    yield from content_nodes(reader, at, draft.tail)


def _asking(text: str, children: tuple[Node, ...]) -> tuple[Node, ...]:
    """The sentence that asks at the end of a field is frame to the others: without it the answer answers nothing."""
    last = children[-1]
    if last.kind == "paragraph":
        return (*children[:-1], replace(last, children=_asking(text, last.children)))
    asks = len(children) > 1 and last.kind == "sentence" and text[last.end - 1] in QUESTION_MARKS
    return (*children[:-1], Node(FRAME_KIND, last.start, last.end)) if asks else children


def _waiting(text: str, children: tuple[Node, ...]) -> tuple[Node, ...]:
    """The last line of a question, where it only waits for an answer ("Answer:"), is frame to the others."""
    if not children:
        return children
    last = children[-1]
    if last.children:
        return (*children[:-1], replace(last, children=_waiting(text, last.children)))
    label = len(children) > 1 and last.end - last.start < 40 and waits(text[last.start : last.end])
    return (*children[:-1], Node(FRAME_KIND, last.start, last.end)) if label else children


# --- demonstrations --------------------------------------------------------------------------------------------


def _demonstration(reader: Reader, draft: Draft) -> Iterator[Node]:
    """Its fields; the last one, the answer, is frame. Of an answer of several lines, all but the last are units."""
    fields = [m for m in reader.markers(draft.start, draft.tail) if m.label in draft.labels]
    if len(fields) < 2 and not (
        fields and fields[0].start > draft.head and reader.text[draft.head : fields[0].start].strip()
    ):
        yield from _with_arrow(reader, draft)
        return
    if before := trimmed(reader.text, draft.head, fields[0].start):
        yield from content_nodes(reader, *before)
    edges = [field.start for field in fields[1:]]
    for field, after in zip(fields, edges, strict=False):
        if children := tuple(content_nodes(reader, field.end, after)):
            yield Node("field", *_span(reader.text, field.start, after), _asking(reader.text, children))
    yield from _answer(reader, fields[-1], draft.tail)


def _answer(reader: Reader, label: Marker, end: int) -> Iterator[Node]:
    lines = [
        span
        for line in reader.lines(label.start, end)
        if (span := trimmed(reader.text, line.start, min(line.end, end)))
    ]
    last = lines[-1][0] if len(lines) > 1 else label.start
    if stretch := reader.layout.inside(last):
        last = max(stretch.start, label.end)
    earlier = tuple(content_nodes(reader, label.end, last)) if last > label.end else ()
    if earlier:
        yield Node(FRAME_KIND, *_span(reader.text, label.start, label.end))
        yield from earlier
    else:
        last = label.start
    yield Node(FRAME_KIND, *_span(reader.text, last, end))


def _with_arrow(reader: Reader, draft: Draft) -> Iterator[Node]:
    """A demonstration such as "Text => label": what follows the last arrow is the answer."""
    arrows = [match.start() for match in _ARROW.finditer(reader.text, draft.head, draft.tail)]
    cut = arrows[-1] if arrows else draft.tail
    yield from content_nodes(reader, draft.head, cut)
    if arrows:
        yield Node(FRAME_KIND, *_span(reader.text, cut, draft.tail))


# --- sections, blocks, lists -------------------------------------------------------------------------------------


def content_nodes(reader: Reader, start: int, end: int, depth: int = _DEPTH) -> Iterator[Node]:
    """The nodes of text[start:end], in order."""
    headings = [
        line
        for line in reader.lines(start, end)
        if heading_level(reader.text, line) and not reader.layout.inside(line.start)
    ]
    if not headings or not depth:
        for block in blocks_of(reader, start, end):
            yield from _block(reader, block, depth)
        return
    yield from content_nodes(reader, start, headings[0].start, 0)
    top = min(heading_level(reader.text, line) for line in headings)
    tops = [line for i, line in enumerate(headings) if i == 0 or heading_level(reader.text, line) == top]
    for line, after in zip(tops, [*(t.start for t in tops[1:]), end], strict=True):
        children = tuple(content_nodes(reader, line.end, after, depth - 1))
        yield Node("section", *_span(reader.text, line.start, after), children, whole=not children)


def _block(reader: Reader, block: Block, depth: int) -> Iterator[Node]:
    if block.kind == "opaque":
        yield from _opaque(reader, block)
    elif block.container is not None:
        children = tuple(content_nodes(reader, block.container.head, block.container.tail, depth - 1)) if depth else ()
        yield Node("element", block.start, block.end, children, whole=not children)
    elif block.head > block.start:
        children = tuple(_lines(reader, block.head, block.end))
        yield Node("paragraph", block.start, block.end, children, whole=not children)  # its label is frame
    else:
        children = tuple(_lines(reader, block.start, block.end))
        if len(children) == 1:
            yield children[0]
        else:
            titled = _is_titled(reader.text, children)
            yield Node("paragraph", block.start, block.end, children[1:] if titled else children)


def _is_titled(text: str, children: Sequence[Node]) -> bool:
    """Whether a paragraph's first line heads the others, as "§ 2 Rent" does: short, and no sentence as they are.

    It is frame then: it stays with what stays below it, and only then.
    """
    title, after = children[0], children[1]
    if title.children or title.end - title.start > _TITLE or text[title.end - 1] in _NO_TITLE_ENDS:
        return False
    alone = text[title.start - 1 : title.start] in ("", "\n") and "\n" in text[title.end : after.start]
    return alone and not text[after.start].islower() and (after.kind == "list" or text[after.end - 1] in ".!?。！？।")


def _opaque(reader: Reader, block: Block) -> Iterator[Node]:
    """Code or data by its syntax, or line by line where no parser knows it."""
    stretch = reader.layout.inside(block.start)
    body = stretch.body if stretch else (block.start, block.end)
    if stretch and stretch.end > block.end:
        stretch, body = None, (block.start, block.end)  # only some of it is here
    inner = _structured(reader, stretch, *body)
    if stretch is None or not stretch.fenced:
        yield from inner
    else:
        yield Node("fence", block.start, block.end, inner, whole=not inner)


def _structured(reader: Reader, stretch: Opaque | None, start: int, end: int) -> tuple[Node, ...]:
    if not reader.text[start:end].strip():
        return ()
    if found := nodes(reader.text, start, end, stretch.kind if stretch else ""):
        return (found,)
    spans = (trimmed(reader.text, line.start, min(line.end, end)) for line in reader.lines(start, end))
    return tuple(Node("line", *span, whole=True) for span in spans if span)


def _lines(reader: Reader, start: int, end: int) -> Iterator[Node]:
    """Sentences, and lists with their lead-ins, of lines without a blank one or with lists that go on behind one."""
    lines = [line for line in reader.lines(_line_start(reader, start), end) if not line.blank]
    bullets = [bool(_BULLET.match(reader.text, line.start, line.end)) and line.start >= start for line in lines]
    first = next((i for i, is_item in enumerate(bullets) if is_item), len(lines))
    below = lines[first + 1 :]
    alone = sum(bullets) == 1 and any(
        _indent(reader.text, line) <= _indent(reader.text, lines[first]) for line in below
    )
    if first == len(lines) or alone:  # one "✓ done" among other lines makes no list
        yield from _prose(reader, start, end)
        return
    lead = [*_prose(reader, start, lines[first].start)] if first else []
    items = tuple(_items(reader, lines[first:], bullets[first:], end))
    begin = (
        lines[first].start
        + len(reader.text[lines[first].start : end])
        - len(reader.text[lines[first].start : end].lstrip())
    )
    if lead and reader.text[lead[-1].start : lead[-1].end][-1:] in ":：":
        yield from lead[:-1]
        yield Node("list", lead[-1].start, items[-1].end, items)
    else:
        yield from lead
        yield Node("list", min(begin, items[0].start), items[-1].end, items)


def _line_start(reader: Reader, at: int) -> int:
    lines = reader.layout.lines
    i = bisect_left(lines, at + 1, key=lambda line: line.start) - 1
    return lines[max(i, 0)].start


def _items(
    reader: Reader, lines: Sequence[TextLine], bullets: Sequence[bool], end: int, depth: int = _DEPTH
) -> Iterator[Node]:
    """Items with what is indented below them; `lines` begin with an item."""
    indents = [_indent(reader.text, line) if is_item else -1 for line, is_item in zip(lines, bullets, strict=True)]
    least = min(indent for indent in indents if indent >= 0)
    own = (
        [i for i, indent in enumerate(indents) if 0 <= indent <= least]
        if depth
        else [i for i, b in enumerate(bullets) if b]
    )
    if own[0]:
        own.insert(0, 0)
    for i, j in zip(own, [*own[1:], len(lines)], strict=True):
        match = _BULLET.match(reader.text, lines[i].start, lines[i].end)
        head = match.end() if match else lines[i].start
        nested = next((k for k in range(i + 1, j) if bullets[k]), j)
        stop = min(lines[j - 1].end, end)
        children = [*_prose(reader, head, min(lines[nested - 1].end, end))]
        if is_title(reader.text, [(child.start, child.end) for child in children]):
            children[0] = Node(FRAME_KIND, children[0].start, children[0].end)
        if nested < j:
            inner = tuple(_items(reader, lines[nested:j], bullets[nested:j], end, depth - 1))
            children.append(Node("list", inner[0].start, inner[-1].end, inner))
        yield Node("item", *_span(reader.text, lines[i].start, stop), tuple(children), whole=not children)


def _indent(text: str, line: TextLine) -> int:
    body = text[line.start : line.end]
    return len(body[: len(body) - len(body.lstrip())].expandtabs(4))


# --- sentences ---------------------------------------------------------------------------------------------------


def _prose(reader: Reader, start: int, end: int) -> Iterator[Node]:
    """Sentences, and values such as JSON that stand among them; the marks around a long quotation are frame."""
    if (span := trimmed(reader.text, start, end)) and (said := quotation(reader.text, *span)):
        children = tuple(_prose(reader, *said))
        yield Node("quotation", *span, children, whole=not children)
        return
    opaque = reader.layout.opaque
    first, last = (bisect_left(opaque, at, key=lambda stretch: stretch.start) for at in (start, end))
    at = start
    for stretch in opaque[first:last]:
        if stretch.end <= end and (found := nodes(reader.text, *stretch.body, stretch.kind)):
            yield from _sentences(reader, at, found.start)
            yield found
            at = found.end
    yield from _sentences(reader, at, end)


def _sentences(reader: Reader, start: int, end: int) -> Iterator[Node]:
    language = language_of(reader.text[start:end], reader.language)
    for a, b in paragraph_lines(reader.text, start, end):
        for c, d in sentences(reader.text, a, b, language):
            yield _sentence(reader.text, c, d, language)


def _sentence(text: str, start: int, end: int, language: str) -> Node:
    clauses = list(_clauses(text, start, end)) if end - start > _LONG_SENTENCE else []
    if len(clauses) > 1:
        return Node("sentence", start, end, tuple(_leaf("clause", text, a, b, language) for a, b in clauses))
    return _leaf("sentence", text, start, end, language)


def _leaf(kind: str, text: str, start: int, end: int, language: str) -> Node:
    says = is_guard(text[start:end], language)
    return Node(kind, start, end, whole=says, guard=says and text[end - 1] not in QUESTION_MARKS)  # asking is no rule


def _clauses(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """The clauses between semicolons or dashes; brackets that are open keep one together."""
    at = start
    for match in _CLAUSE.finditer(text, start, end):
        clause = text[at : match.start()]
        if (
            clause.strip()
            and all(clause.count(a) == clause.count(b) for a, b in ("()", "[]", "{}", "“”", "«»"))
            and clause.count('"') % 2 == 0
        ):
            yield _span(text, at, match.start())
            at = match.end()
    if rest := trimmed(text, at, end):
        yield rest
