"""Paragraphs one by one: the first ones that tell what to do, the last ones that ask, and what they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import regex

from .blocks import Block, blocks_of
from .containers import containers
from .cues import QUESTION_NAMES, asks, tells, waits
from .drafts import Draft, Reader
from .guards import is_guard
from .languages import language_of
from .sentences import is_title, paragraph_lines, sentences

Segment = Callable[[Reader, int, int, int], list[Draft]]  # reads what lies between tags

SHORT = 400  # characters of a paragraph that may still be a question
LITTLE = 100  # characters of a text that something may be asked about in its own paragraph
NOUNS = frozenset(  # labels that are no orders
    """answer ask call check design document draft group label list name note order outline output page plan point quote
    rate reason report review search show speak table tag test use""".split()
)
# What headings and labels say of what is below them, by parts of words.
NAMED_ROLES = {
    "instruction": regex.compile(
        r"""instruct|rule|guideline|task|goal|objective|persona|\brole\b|constraint|format|require|polic|tools|style|tone|steps|must
        |anweisung|regel|aufgabe|ziel|vorgabe|consigne|règle|tâche|objectif|instruc|reglas|tarea|istruz|regol|compito|regra|tarefa
        |инструкц|правил|задач|指示|规则|規則|要求|任务|任務|ルール|手順|지침|규칙|작업|تعليمات|निर्देश|नियम|คำสั่ง|กฎ""",
        regex.VERBOSE,
    ),
    "question": QUESTION_NAMES,
    "demonstration": regex.compile(
        r"""example|beispiel|exemple|ejemplo|esempio|exemplo|voorbeeld|przykład|пример|örnek|مثال|उदाहरण|ตัวอย่าง|例|예시""",
        regex.VERBOSE,
    ),
}
TOOLS = regex.compile(r"\b(?:tools?|functions?)\b|werkzeuge|outils|herramientas|strumenti|ferramentas|工具|ツール|도구")
BULLET = regex.compile(r"\s*(?:(?:[-*+•‣◦]|[\[(]?\d{1,4}[.)\]])\s+|[・·]\s*)")
_LEAD = regex.compile(r"[^:：\n]{10,300}[:：](?=\s)")  # "Summarise the following article: "


def paragraph_drafts(reader: Reader, start: int, end: int, depth: int, segment: Segment) -> list[Draft]:
    """The drafts of text[start:end], end to end. segment: reads what lies between tags, at most `depth` levels down."""
    blocks = _peeled(reader, blocks_of(reader, start, end))
    if not blocks:
        return [Draft.plain("text", start, end)]
    roles = _roles(reader, blocks)
    drafts: list[Draft] = []
    for i, (block, role) in enumerate(zip(blocks, roles, strict=True)):
        a = start if not i else block.start
        b = blocks[i + 1].start if i + 1 < len(blocks) else end
        drafts.append(_block_draft(reader, block, role, (a, b), depth, segment))
    return _joined(drafts)


def _block_draft(reader: Reader, block: Block, role: str, span: tuple[int, int], depth: int, segment: Segment) -> Draft:
    start, end = span
    if block.container is None:
        head = block.head if role != "question" else start
        return Draft(role, start, end, head, end)
    c = block.container
    inner: list[Draft] = []
    held = [each.name for each in containers(reader.text, c.head, c.tail, reader.layout)]
    if depth > 1 and len(set(held)) < len(held):
        inner = segment(reader, c.head, c.tail, depth - 1)
    if len(inner) > 1:
        return Draft("element", start, end, c.head, c.tail, tuple(inner))
    labels = frozenset(m.label for m in reader.markers(c.head, c.tail)) if role == "demonstration" else frozenset()
    return Draft(role, start, end, c.head, c.tail, (), labels)


def _joined(drafts: list[Draft]) -> list[Draft]:
    """Instructions that follow each other are one, and so are questions."""
    joined: list[Draft] = []
    for each in drafts:
        before = joined[-1] if joined else None
        if before and each.role == before.role in ("instruction", "question") and not (each.inner or before.inner):
            if before.tail == before.end and each.tail == each.end:
                joined[-1] = replace(before, end=each.end, tail=each.end)
                continue
        joined.append(each)
    return joined


def _roles(reader: Reader, blocks: Sequence[Block]) -> list[str]:
    roles = [block.role for block in blocks]
    _labelled_questions(reader, blocks, roles)
    last = _questions(reader, blocks, roles)
    first = _instructions(reader, blocks, roles, last)
    if last == len(blocks) > 1 and first < 2 and roles[0] in ("", "instruction") and _asks(reader, blocks[0]):
        roles[0] = "question"
    if _adds_to_it(reader, blocks, roles):
        roles[-1] = "question"
    if not {"instruction", "question"} & set(roles) and sum(bool(block.label) for block in blocks) < 2:
        roles = ["" if block.label else role for block, role in zip(blocks, roles, strict=True)]
    return [role or "text" for role in roles]


def _questions(reader: Reader, blocks: Sequence[Block], roles: list[str]) -> int:
    """Give the last blocks that ask their role, and return how many come before them."""
    i = len(blocks) - 1
    block = blocks[i]
    text = reader.text[block.start : block.end].strip()
    if i and roles[i] == "question":
        return i
    if i < 1 or (roles[i] not in ("", "document") and not block.label) or block.container is not None:
        return len(blocks)
    bare = bool(block.label) and not reader.text[block.head : block.end].strip()
    short = len(text) <= SHORT
    documents = sum(role in ("document", "data", "code") for role in roles[:i])
    asked = bool(documents) and bool(NAMED_ROLES["question"].search(block.label))
    named = asked or _is_turn_to(reader, blocks, documents)
    if not (bare or (waits(text) and short) or (short and _asks(reader, block)) or (named and short)
            or (short and _orders(reader, blocks, roles))):  # fmt: skip
        return len(blocks)
    roles[i] = "question"
    before = blocks[i - 1]
    if (
        (bare or len(text) < 60)
        and i > 1
        and before.container is None
        and before.end - before.start <= SHORT
        and roles[i - 1] in ("", "document")
    ):
        others = any(role in ("document", "data", "code") for role in roles[: i - 1])
        if _asks(reader, before) or (bare and before.label and others):
            roles[i - 1] = "question"
            return i - 1
    return i


def _adds_to_it(reader: Reader, blocks: Sequence[Block], roles: Sequence[str]) -> bool:
    """Whether a last paragraph goes on with what was asked in front of code or data: "..., I am going to Bergen."."""
    if len(blocks) < 3 or roles[-1] or blocks[-1].label or blocks[-1].kind != "para":
        return False
    asked = roles[0] in ("instruction", "question")
    return asked and roles[-2] in ("code", "data") and blocks[-1].end - blocks[-1].start <= SHORT // 2


def _is_turn_to(reader: Reader, blocks: Sequence[Block], documents: int) -> bool:
    """Whether a last paragraph with a label is what long instructions are about: "The customer writes: ..."."""
    block = blocks[-1]
    small = 4 * (block.end - block.start) < blocks[-1].end - blocks[0].start
    return bool(block.label) and small and not documents and not _has_list(reader, block)


def _has_list(reader: Reader, block: Block) -> bool:
    return any(BULLET.match(reader.text, line.start, line.end) for line in reader.lines(block.head, block.end))


def _labelled_questions(reader: Reader, blocks: Sequence[Block], roles: list[str]) -> None:
    """Short paragraphs with a label of their own that ask: "Question: ..." in front of "Context: ..."."""
    labels = Counter(block.label for block in blocks)
    for i, block in enumerate(blocks):
        if block.label and labels[block.label] == 1 and roles[i] == "document" and len(blocks) > 1:
            if block.end - block.start <= SHORT and _asks(reader, block):
                roles[i] = "question"


def _orders(reader: Reader, blocks: Sequence[Block], roles: Sequence[str]) -> bool:
    """Whether the last paragraph tells what to do with something that comes before it."""
    last = blocks[-1]
    if last.label or last.kind == "list" or share_telling(reader, last.start, last.end) <= 0.5:
        return False
    others = zip(blocks[:-1], roles, strict=False)
    return any(role or share_telling(reader, block.head, block.end) < 0.5 for block, role in others)


def _instructions(reader: Reader, blocks: Sequence[Block], roles: list[str], last: int) -> int:
    """Give the first blocks that tell what to do their role, and return how many they are."""
    if not blocks or last < 1:
        return 0
    free = next((i for i in range(last) if roles[i] or blocks[i].label), last)
    if (
        free == 0
        and roles[0] == "document"
        and last > 1
        and share_telling(reader, blocks[0].head, blocks[0].end) >= 0.5
    ):
        free = next((i for i in range(1, last) if roles[i] or blocks[i].label), last)
    if free == 0 and last > 1 and _tells_by_label(reader, blocks):
        roles[0] = "instruction"
        return 1
    shares = [share_telling(reader, blocks[i].head, blocks[i].end) for i in range(free)]
    telling = [share > 0.5 or (share == 0.5 and not i) for i, share in enumerate(shares)]
    count = 0
    for i in range(free):
        opens = reader.text[blocks[i].start : blocks[i].end].rstrip()[-1:] in ":："
        if telling[i] or (i == 0 and _leads(reader, blocks, roles, last, opens)):
            count = i + 1
        if opens and telling[i] and not (i + 1 < free and telling[i + 1]):
            break
    for i in range(count, last if count else 0):
        if not _is_rules(reader, blocks[i], roles[i]):
            break
        roles[i] = "instruction"
    for i in range(count + 1, last if count else 0):
        if not (roles[i] or blocks[i].label) and share_telling(reader, blocks[i].head, blocks[i].end) >= 0.75:
            roles[i] = "instruction"  # such as rules behind a list of tools
    for i in range(count):
        short = blocks[i].end - blocks[i].start <= SHORT // 2 or _has_list(reader, blocks[i])
        if telling[i] or short or i == 0:
            roles[i] = "instruction"
    return count


def _tells_by_label(reader: Reader, blocks: Sequence[Block]) -> bool:
    """Whether a first label that stands alone says what to do with what follows: "Summarise:" and a quotation."""
    block, after = blocks[0], blocks[1]
    bare = bool(block.label) and not reader.text[block.head : block.end].strip()
    return bare and not after.label and tells(f"{block.label} this", reader.language)


def _is_rules(reader: Reader, block: Block, role: str) -> bool:
    """Whether a paragraph with a label belongs to the instructions before it: "Rules: ...", a list of what to do."""
    if role != "document" or not block.label or block.container is not None:
        return False
    share = share_telling(reader, block.head, block.end)
    named = bool(NAMED_ROLES["instruction"].search(block.label))
    return share >= (0.25 if named else 0.5) and (named or _has_list(reader, block))


def _leads(reader: Reader, blocks: Sequence[Block], roles: Sequence[str], last: int, opens: bool) -> bool:
    """Whether a first paragraph without such words is the instruction: something else follows, or a question."""
    block = blocks[0]
    if roles[0] or block.end - block.start > 3 * SHORT or (last < 2 and last == len(blocks)):
        return False
    different = last > 1 and bool(roles[1]) and roles[1] != "question"
    asked = last < len(blocks) and last > 1 and reader.text[block.end - 1] in ".!?。！？।:："  # no title
    others = [each.end - each.start for each in blocks[1:last]]
    small = block.end - block.start <= SHORT and 2 * (block.end - block.start) * len(others) <= sum(others)
    return different or opens or (asked and small)


def share_telling(reader: Reader, start: int, end: int) -> float:
    """The share of sentences that tell somebody what to do; of a list that does, those that are guards count, too."""
    told = total = guards = 0
    language = language_of(reader.text[start:end], reader.language)
    for a, b in paragraph_lines(reader.text, start, min(end, start + 3000)):
        listed = BULLET.match(reader.text, a, b)
        spans = list(sentences(reader.text, listed.end() if listed else a, b, language))
        for c, d in spans[1:] if listed and is_title(reader.text, spans) else spans:
            sentence = reader.text[c:d]
            order = tells(sentence, language)
            told += order
            guards += bool(listed and not order and is_guard(sentence, language))
            total += 1
    return (told + guards) / total if told else 0.0


def _asks(reader: Reader, block: Block) -> bool:
    """Whether a paragraph ends with a question, or begins with one in its first line."""
    found = list(paragraph_lines(reader.text, block.head, block.end))
    if not found or block.end - block.start > 2 * SHORT:
        return False
    language = language_of(reader.text[block.start : block.end], reader.language)
    last = list(sentences(reader.text, *found[-1], language))
    asked = [last[-1], found[0]] if block.end - block.start > SHORT // 2 or len(found) > 1 else [*last, found[0]]
    return bool(last) and any(asks(reader.text[a:b], language) for a, b in asked)


def _peeled(reader: Reader, blocks: list[Block]) -> list[Block]:
    """What the first paragraph begins with and tells, and what the last one ends with and asks, as blocks of their own:
    lines, a label such as "Summarise:", or, of a long paragraph, sentences."""
    if blocks and blocks[0].kind == "para":
        cut = _label_cut(reader, blocks[0]) if blocks[0].label else _head_cut(reader, blocks[0])
        if cut:
            first = replace(blocks[0], end=cut[0], head=blocks[0].start, label="", role="")
            blocks[:1] = [first, *blocks_of(reader, cut[1], blocks[0].end)]
    if blocks and blocks[-1].kind in ("para", "list"):
        told = len(blocks) > 1 and _told(reader, blocks[0])
        cut = _tail_cut(reader, blocks[-1]) or (None if told else _last_cut(reader, blocks[-1]))
        if cut:
            tail = replace(blocks[-1], start=cut[1], head=cut[1], kind="para", label="", role="")
            blocks[-1:] = [replace(blocks[-1], end=cut[0], head=min(blocks[-1].head, cut[0])), tail]
    return blocks


def _told(reader: Reader, block: Block) -> bool:
    return _asks(reader, block) or share_telling(reader, block.head, block.end) >= 0.5


def _label_cut(reader: Reader, block: Block) -> tuple[int, int] | None:
    """Where a label that says what to do with what follows ends: "Translate to German: ..."; not "Review: ..."."""
    rest = reader.text[block.head : block.end].strip()
    if len(rest) < LITTLE or block.label in NOUNS or not tells(f"{block.label} this", reader.language):
        return None
    return block.head, block.end - len(reader.text[block.head : block.end].lstrip())


def _head_cut(reader: Reader, block: Block) -> tuple[int, int] | None:
    """Where the first line ends and the next begins, if the first one tells and the others do not."""
    found = list(paragraph_lines(reader.text, block.start, block.end))
    lead = _LEAD.match(reader.text, *found[0]) if found else None
    if lead and found[0][1] - lead.end() > SHORT and share_telling(reader, found[0][0], lead.end()) >= 0.5:
        return lead.end(), lead.end() + len(reader.text[lead.end() : block.end]) - len(
            reader.text[lead.end() : block.end].lstrip()
        )
    if found and (cut := _first_cut(reader, block, found[0])):
        return cut
    if len(found) < 2 or BULLET.match(reader.text, *found[1]):
        return None
    if reader.text[found[-1][1] - 1] in ":：" and found[-1][1] - found[-1][0] <= SHORT:
        if share_telling(reader, *found[0]) < 0.5:
            return found[-2][1], found[-1][0]
    first = reader.text[slice(*found[0])]
    if len(first) > 600 or not (first[-1] in ":：" or share_telling(reader, *found[0]) >= 0.5):
        return None
    return (found[0][1], found[1][0]) if share_telling(reader, found[1][0], block.end) < 0.5 else None


def _first_cut(reader: Reader, block: Block, line: tuple[int, int]) -> tuple[int, int] | None:
    """Where the first sentences of a long paragraph that tell or ask end, if the others do not tell."""
    language = language_of(reader.text[block.start : block.end], reader.language)
    spans = list(sentences(reader.text, *line, language))
    texts = [reader.text[a:b] for a, b in spans]
    count = next((i for i, text in enumerate(texts) if not (tells(text, language) or asks(text, language))), len(texts))
    if not 0 < count < len(spans) or block.end - spans[count][0] < LITTLE:
        return None
    told = share_telling(reader, spans[count][0], block.end) < 0.34
    return (spans[count - 1][1], spans[count][0]) if told else None


def _last_cut(reader: Reader, block: Block) -> tuple[int, int] | None:
    """Where the last sentence of a long paragraph begins, if it asks, or tells where the others do not."""
    if block.kind != "para" or block.label or block.role:
        return None
    line = list(paragraph_lines(reader.text, block.head, block.end))[-1]
    language = language_of(reader.text[block.start : block.end], reader.language)
    spans = list(sentences(reader.text, *line, language))
    start, end = spans[-1] if spans else (0, 0)
    if len(spans) < 2 or spans[-2][1] - block.start < LITTLE or end - start > SHORT // 2:
        return None
    text = reader.text[start:end]
    told = tells(text, language) and not share_telling(reader, block.start, spans[-2][1])
    return (spans[-2][1], start) if told or asks(text, language) else None


def _line_asks(reader: Reader, start: int, end: int) -> bool:
    """Whether a line asks, or has a label that says so: "Q: how deep is it"."""
    label = next((m for m in reader.markers(start, end) if m.start == start), None)
    if label and QUESTION_NAMES.search(label.label):
        return True
    return asks(reader.text[label.end if label else start : end], reader.language)


def _tail_cut(reader: Reader, block: Block) -> tuple[int, int] | None:
    """Where what asks or waits in the last lines of a paragraph begins, if other lines come before."""
    found = list(paragraph_lines(reader.text, block.start, block.end))
    text = reader.text[slice(*found[-1])] if found else ""
    if len(found) < 2 or len(text) > SHORT or not (waits(text) or asks(text, reader.language)):
        return None
    marked = {m.start for m in reader.markers(block.start, block.end)}
    i = len(found) - 1
    if waits(text) and _line_asks(reader, *found[i - 1]):
        i -= 1
    if not i or (waits(text) and i == 1 and found[0][0] in marked and _line_asks(reader, *found[0])):
        return None
    return found[i - 1][1], found[i][0]
