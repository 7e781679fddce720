"""Repeated blocks of a prompt: demonstrations, numbered items, documents and turns that begin alike.

A repeated label ("Question:"), rising numbers or blank lines say where a block begins, and what its labels are says
what it is: blocks with the same two labels or more are demonstrations, labels that change sides are a dialogue.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import regex

from .cues import asks
from .lines import ITEM_LABEL, Marker

USERS = frozenset("user human nutzer utilisateur usuario utente usuário пользователь 用户 用戶 ユーザー 사용자".split())
CHAT_ANSWER = 120  # characters; where User and Assistant speak, a longer answer is no demonstration's
QUESTION_MARK = regex.compile(r"[?？؟;՞](?=\s|$)")
Turn = tuple[Marker, str]  # a speaker's label, and what is said
Bound = tuple[int, int, int, int]  # start, end, first token, last token of a shot

_EXAMPLE = regex.compile(
    r"example|demo|shot|sample|case|beispiel|exemple|ejemplo|esempio|exemplo|voorbeeld|przykład|пример|örnek"
    r"|مثال|उदाहरण|ตัวอย่าง|例|예시|예제|보기"
)
_CLOCK = regex.compile(r"\d:\d\d")
_BLANK = regex.compile(r"[\s\ufeff]*+")
_ARROW = regex.compile(r"(?:=>|->|→|⇒)")
_MAIL = frozenset(
    "from to subject date cc sent von an betreff datum de à objet para asunto da a oggetto gesendet".split()
)
_CHAT = frozenset(
    """
    user assistant human ai bot system agent customer client tool developer model chatbot
    you me interviewer interviewee caller operator patient doctor student teacher tutor
    host guest speaker support nutzer assistent kunde utilisateur usuario asistente
    cliente utente usuário gebruiker użytkownik asystent пользователь ассистент kullanıcı
    asistan 用户 助手 客服 顾客 用戶 ユーザー アシスタント 客 사용자 어시스턴트 고객 상담원 المستخدم المساعد उपयोगकर्ता
    सहायक ผู้ใช้ ผู้ช่วย
    """.split()
)


@dataclass(frozen=True)
class Blocks:
    """Where repeated blocks begin, and what they are.

    Attributes:
        starts: where each begins, in order, a text after the last one included.
        role: "demonstration", "document" or "turn".
        opener: the label that opens them (ITEM_LABEL: numbers).
        labels: the labels that the blocks share, their fields.
        open: whether the last start is what waits for an answer.
    """

    starts: tuple[int, ...]
    role: str
    opener: str
    labels: frozenset[str]
    open: bool


def find_blocks(
    text: str, start: int, end: int, markers: Sequence[Marker], paragraphs: Sequence[int], items: bool
) -> Blocks | None:
    """The repeated blocks of text[start:end], or None. items: numbered items count, too."""
    opener = _opener(text, start, markers)
    if opener is not None and (turns := _turns(text, end, markers, opener)):
        return turns
    chosen = [m for m in markers if m.label == opener] if opener else _answers(text, start, markers, paragraphs)
    if not chosen and items:
        chosen = _items(text, markers, paragraphs)
    if not chosen:
        return None
    opener = chosen[0].label
    starts = [m.start for m in chosen]
    fields = _fields(markers, opener)
    if cut := _trailing_paragraph(text, starts, fields, paragraphs, end):
        starts.append(cut)
    return _classified(text, end, starts, fields, opener, bool(cut))


def _classified(text: str, end: int, starts: list[int], fields: list[Marker], opener: str, cut: bool) -> Blocks:
    edges = [*starts, end]
    cuts = [bisect_left(fields, edge, key=lambda m: m.start) for edge in edges]
    inside = [fields[i:j] for i, j in zip(cuts, cuts[1:], strict=False)]
    blocks = inside[:-1] if cut else inside
    counts = Counter(label for block in blocks for label in {m.label for m in block})
    shared = frozenset(label for label, count in counts.items() if count * 2 >= len(blocks) and count > 1) | {opener}
    first = text[starts[0] : edges[1]]
    if shared & _MAIL and len(shared & _MAIL) > 1:
        role = "document"
    elif opener == ITEM_LABEL and first[0] == "[":
        role = "document"  # numbered so that they can be cited
    elif (
        opener == ITEM_LABEL
        or len(shared) > 1
        or opener in _CHAT
        or fields[0].start > starts[0]
        or _EXAMPLE.search(opener)
        or _ARROW.search(first)
    ):
        role = "demonstration"
    else:
        role = "document"
    unanswered = len(edges) > 2 and _is_unanswered(text, fields, (edges[0], edges[1]), (edges[-2], end))
    return Blocks(tuple(starts), role, opener, shared, cut or unanswered)


def _opener(text: str, start: int, markers: Sequence[Marker]) -> str | None:
    """The repeated label that opens shots: the first to appear, blank lines before it preferred.

    A label that begins the text counts as set off by blank lines: "Q: a / A: b / Q: c / A:" -> "q". One that is neither
    must at least come with another repeated label, or a chat's other speaker: a "Note:" now and then opens nothing.
    """
    groups: dict[str, list[Marker]] = {}
    for marker in markers:
        if marker.label != ITEM_LABEL:
            groups.setdefault(marker.label, []).append(marker)
    repeated = {label: group for label, group in groups.items() if len(group) > 1}
    lead = _BLANK.match(text, start).end()
    for label, group in repeated.items():
        if group[0].start <= lead or all(m.after_blank for m in group[1:]):
            return label
    chat = len(groups) > 1 and groups.keys() <= _CHAT
    return next(iter(repeated), None) if len(repeated) > 1 or chat else None


def _answers(text: str, start: int, markers: Sequence[Marker], paragraphs: Sequence[int]) -> list[Marker]:
    """Paragraphs without a label at their head but with the same one inside: "Great film! / Sentiment: good".

    Each is returned as its marker, moved to where the paragraph begins.
    """
    begins = [start, *paragraphs]
    groups: dict[str, list[Marker]] = {}
    for marker in markers:
        if marker.label != ITEM_LABEL and not marker.after_blank:
            paragraph = begins[bisect_right(begins, marker.start) - 1]
            groups.setdefault(marker.label, []).append(replace(marker, start=paragraph))
    for group in groups.values():
        first = bisect_left(begins, group[0].start)
        if len(group) > 1 and [m.start for m in group] == begins[first : first + len(group)]:
            return group
    return []


def _items(text: str, markers: Sequence[Marker], paragraphs: Sequence[int]) -> list[Marker]:
    """Numbered items of rising number, if there are at least two; a nested list starting again is skipped.

    A list that starts again in another paragraph is a new one, and its first item begins with the paragraph.
    """
    items: list[Marker] = []
    for marker in markers:
        if marker.label != ITEM_LABEL:
            continue
        paragraph = paragraphs[max(0, bisect_right(paragraphs, marker.start) - 1)] if paragraphs else 0
        if not items or marker.number > items[-1].number:
            items.append(marker)
        elif marker.number == 1 and items[-1].start < paragraph <= marker.start and not text[marker.start].isspace():
            items.append(replace(marker, start=paragraph))
    return items if len(items) > 1 else []


def _trailing_paragraph(
    text: str, starts: list[int], fields: list[Marker], paragraphs: Sequence[int], end: int
) -> int | None:
    """Start of the text after the last demonstration, if every demonstration is one paragraph.

    A label that no demonstration has, such as the "Question:" after some documents, begins such a text, too.
    """
    tail = bisect_right(paragraphs, starts[-1])
    inside = paragraphs[bisect_right(paragraphs, starts[0]) : tail]
    if tail == len(paragraphs) or not set(inside) <= set(starts):
        return None
    cut = paragraphs[tail]
    after = [m.label for m in fields if m.start >= cut]
    if after and after[0] in {m.label for m in fields if m.start < cut}:
        return None
    first = starts[0], starts[1] if len(starts) > 1 else cut
    return None if _is_unanswered(text, fields, first, (starts[-1], cut)) else cut


def _fields(markers: Sequence[Marker], opener: str) -> list[Marker]:
    """The markers that count as fields of a shot; numbered lines only where they open the shots."""
    return [m for m in markers if m.label != ITEM_LABEL or opener == ITEM_LABEL]


def _is_unanswered(text: str, fields: list[Marker], first: tuple[int, int], last: tuple[int, int]) -> bool:
    """Whether the last block waits for an answer, judged against the first.

    True when its last field is empty ("Answer:"), when it has fewer labels, or when its last field is only
    the lead-in of a longer one in the first block ("A: Let's think step by step.").
    """
    model = [m for m in fields if first[0] <= m.start < first[1]]
    block = [m for m in fields if last[0] <= m.start < last[1]]
    if not block or not model:
        return False
    answer = text[block[-1].end : last[1]].strip()
    example = text[model[-1].end : first[1]].strip()
    lead_in = " " in answer and len(answer) < len(example) and example.startswith(answer)
    return not answer or lead_in or len({m.label for m in block}) < len({m.label for m in model})


# --- dialogue ----------------------------------------------------------------------------------------------


def _turns(text: str, end: int, markers: Sequence[Marker], opener: str) -> Blocks | None:
    """The turns of a dialogue: at least two speakers, in no fixed order or with questions on both sides."""
    named = [m for m in markers if m.label != ITEM_LABEL]
    counts = Counter(m.name for m in named)
    stamped = [bool(_CLOCK.search(text, m.start, m.end)) for m in named]
    again = [i for i, m in enumerate(named) if counts[m.name] > 1 or m.name in _CHAT or stamped[i]]
    begin = next(i for i, m in enumerate(named) if m.label == opener)
    again = [i for i in again if i >= begin]
    speakers = {named[i].name for i in again}
    few = 3 if speakers <= _CHAT else 4
    if len(again) < few or len(speakers) < 2 or len(again) < 2 * len(speakers) - 2 - sum(stamped):
        return None
    turns = named[again[0] : again[-1] + 1]  # whoever speaks once in between is a speaker, too
    if len(again) * 3 < len(turns) * 2:
        return None
    said = [text[a.end : b.start] for a, b in zip(turns, turns[1:], strict=False)]
    said.append(text[turns[-1].end : end])
    behind = named[again[-1] + 1 :]  # a paragraph with a label of its own asks about lines of talk
    asked_about = bool(behind) and behind[0].after_blank and not any(turn.after_blank for turn in turns[1:])
    unclear = not asked_about and sum(stamped) * 2 <= len(turns)
    talk = list(zip(turns, said, strict=True))
    if unclear and _is_few_shot(talk if speakers <= _CHAT else _common(talk, opener)):
        return None
    open_ = not said[-1].strip()
    starts = [m.start for m in turns]
    return Blocks(tuple(starts), "turn", opener, frozenset(m.label for m in turns), open_)


def _common(turns: list[Turn], opener: str) -> list[Turn]:
    """The turns whose label is in most of the blocks that the opener begins, if these are set off or most turns."""
    blocks: list[set[str]] = []
    for turn, _ in turns:
        if turn.label == opener or not blocks:
            blocks.append(set())
        blocks[-1].add(turn.label)
    counts = Counter(label for block in blocks for label in block)
    common = [(turn, said) for turn, said in turns if counts[turn.label] > 1 and counts[turn.label] * 2 >= len(blocks)]
    set_off = all(turn.after_blank == (turn.label == opener) for turn, _ in common[1:])
    return common if set_off or len(common) * 2 > len(turns) else turns


def _is_few_shot(turns: list[Turn]) -> bool:
    """Whether labels come in a fixed order, as of demonstrations, and nothing tells that two people talk.

    Demonstrations are set apart by blank lines or have short answers; in a dialogue whoever answers also asks, or tells
    more than a label does.
    """
    steady = [turn for i, turn in enumerate(turns) if not i or turn[0].label != turns[i - 1][0].label]
    labels = [marker.label for marker, _ in steady]
    period = next((i for i, label in enumerate(labels) if i and label == labels[0]), 0)
    if len(labels) < 2 or any(label != labels[i % period] for i, label in enumerate(labels) if period):
        return len(labels) < 2
    if period != 2 or len(steady) < len(turns):
        return period > 2
    opening, within = ([marker.after_blank for marker, _ in steady[i::2]] for i in (2, 1))
    if all(opening) and not any(within):
        return True
    answers = [said.strip() for _, said in steady[1::2] if said.strip()]
    back = sum(asks(answer) for answer in answers)
    if all(label in _CHAT for label in labels[:2]):
        return not any(QUESTION_MARK.search(answer) or len(answer) > CHAT_ANSWER for answer in answers)
    if all(len(answer.split()) <= 4 for answer in answers):
        return True
    return back * 4 < len(answers) and not _is_named(steady)


def _is_named(turns: list[Turn]) -> bool:
    """Whether a speaker's name is said by somebody: people do, labels such as "Answer" are not."""
    words = {word.strip(",.!?:;") for _, said in turns[:50] for word in said[:500].casefold().split()}
    return any(marker.label in words for marker, _ in turns[:2])


# --- bounds and kinds --------------------------------------------------------------------------------------


def bounds_of(text: str, spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> list[Bound]:
    """The bounds of each shot; a start that would leave a shot without a token is passed over."""
    ends = [end for _, end in spans]
    cuts = [(0, 0)]
    for start in starts:
        first = bisect_right(ends, start)
        if cuts[-1][1] < first < len(spans):
            cuts.append((min(start, spans[first][0]), first))
    cuts.append((len(text), len(spans)))
    return [(a, b, i, j) for (a, i), (b, j) in zip(cuts, cuts[1:], strict=False)]


def given_blocks(text: str, bounds: Sequence[Bound], markers: Sequence[Marker]) -> Blocks | None:
    """What blocks are whose bounds the caller gave, by the first label that opens at least two of them."""
    labels = _opening_labels(text, bounds, markers)
    counts = Counter(label for label in labels if label is not None)
    opener = next((label for label, count in counts.items() if count > 1), None)
    if opener is None:
        return None
    first = labels.index(opener)
    starts = [bound[0] for bound in bounds[first:]]
    fields = _fields(markers, opener)
    return _classified(text, len(text), starts, fields, opener, labels[-1] != opener)


def _opening_labels(text: str, bounds: Sequence[Bound], markers: Sequence[Marker]) -> list[str | None]:
    """The label on the first line of each shot, or None."""
    starts = [m.start for m in markers]
    labels: list[str | None] = []
    for start, end, _, _ in bounds:
        i = bisect_left(starts, start)
        opens = i < len(markers) and markers[i].start < end and not text[start : markers[i].start].strip()
        labels.append(markers[i].label if opens else None)
    return labels
