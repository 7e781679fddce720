"""Tags that hold parts: <document>...</document>, and the templates of chat models (ChatML, Llama, Gemma, [INST])."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from .lines import Layout

_V = regex.V1 | regex.VERBOSE
_TAG = regex.compile(r"<(?P<close>/?)(?P<name>[\p{L}_][\p{L}\p{N}_:.\-]{0,63}+)(?:\s[^<>]{0,500}?)?(?P<empty>/?)>", _V)
_TRIPLE = regex.compile(
    r"""(?m)^[ \t]*(?P<mark>\"{3}|'{3})(?P<body>[^\"']*+(?:(?!(?P=mark)).[^\"']*+)*+)(?P=mark)[ \t]*$""", regex.S
)
_INLINE = frozenset(
    "a b i u s em strong p br hr span div code pre li ul ol dl dt dd h1 h2 h3 h4 h5 h6 table thead tbody tr td th"
    " img sub sup "
    "html head body title meta link script style small mark section article main nav header footer form label "
    "button".split()
)
_ROLES = (
    (
        "instruction",
        r"instruct|rule|guideline|system|task|persona|constraint|format|polic|goal|objective|anweisung|consigne"
        r"|instruc|istruz",
    ),
    (
        "question",
        r"question|query|user_?(?:input|message|request)|request|ask|frage|pregunta|domanda|pergunta|вопрос|问题|質問|질문",
    ),
    ("demonstration", r"example|demonstration|shot|sample|beispiel|exemple|ejemplo|esempio|exemplo|пример|例|예시"),
    ("code", r"code|script|source_code|diff|patch"),
    ("data", r"data|json|table|log|schema|records?"),
)
_OPENER = regex.compile(
    r"""(?: (?:<\|im_start\|>|<start_of_turn>|<\|start_header_id\|>|<\|start\|>|<\
    |turn>)[ ]*(?P<role>\w{1,20})[^\n<]{0,60}
            (?:<\|end_header_id\|>|<\|message\|>)?
          | <[|｜](?P<role>system|user|assistant|tool|developer|observation|System|User|Assistant)[|｜]>
          | (?P<role>\[INST\]|\[/INST\]|<<SYS>>|<</SYS>>) ) [ \t]*(?:\r?\n){0,2}""",
    _V,
)
_CLOSER = regex.compile(
    r"(?:<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|end\|>|<end_of_turn>|<turn\|>|<\|end_of_text\|>"
    r"|<\|endoftext\|>|</s>)(?:\s|</s>|<s>)*$",
    _V,
)
_INST_ROLES = {"[INST]": "user", "[/INST]": "assistant", "<<SYS>>": "system", "<</SYS>>": "user"}
_START = regex.compile(r"(?:<s>|<bos>|<\|begin_of_text\|>|\s)*", _V)


@dataclass(frozen=True, slots=True)
class Container:
    """Characters [start, end) from an opening to its closing tag; [head, tail) is what lies between."""

    name: str
    start: int
    head: int
    tail: int
    end: int

    @property
    def role(self) -> str:
        name = self.name.casefold()
        return next((role for role, stems in _ROLES if regex.search(stems, name)), "document")


def containers(text: str, start: int, end: int, layout: Layout) -> list[Container]:
    """The outermost elements of text[start:end] whose tags stand at the ends of lines, and texts in triple quotes."""
    found: list[Container] = []
    every = [*_elements(text, start, end, layout), *_triple_quoted(text, start, end, layout)]
    for container in sorted(every, key=lambda c: (c.start, -c.end)):
        if not found or container.start >= found[-1].end:
            found.append(container)
    return found


def _elements(text: str, start: int, end: int, layout: Layout) -> Iterator[Container]:
    """All closed elements whose opening tag begins a line and whose closing tag ends one."""
    stack: list[regex.Match[str]] = []
    names: Counter[str] = Counter()
    for match in _TAG.finditer(text, start, end):
        name = match["name"].casefold()
        if match["empty"] or name in _INLINE or layout.inside(match.start()):
            continue
        if not match["close"]:
            stack.append(match)
            names[name] += 1
        elif names[name]:
            opener = stack.pop()
            while opener["name"].casefold() != name:
                names[opener["name"].casefold()] -= 1
                opener = stack.pop()
            names[name] -= 1
            if _begins_line(text, opener.start(), start) and _ends_line(text, match.end(), end):
                yield Container(opener["name"], opener.start(), opener.end(), match.start(), match.end())


def _triple_quoted(text: str, start: int, end: int, layout: Layout) -> Iterator[Container]:
    for match in _TRIPLE.finditer(text, start, end):
        if not layout.inside(match.start("mark")) and match["body"].strip():
            head, tail = match.span("body")
            yield Container("quotation", match.start("mark"), head, tail, tail + 3)


def _begins_line(text: str, at: int, start: int) -> bool:
    before = text[max(start, at - 40) : at].rstrip(" \t")
    return before[-1:] in ("", "\n", "\r", "\ufeff", ">")


def _ends_line(text: str, at: int, end: int) -> bool:
    after = text[at : min(end, at + 40)].lstrip(" \t")
    return after[:1] in ("", "\n", "\r", "<", ".", ",")


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """A turn of a chat template: characters [start, end), its message between the tags [head, tail)."""

    role: str
    start: int
    head: int
    tail: int
    end: int


def chat_turns(text: str, start: int, end: int, layout: Layout) -> list[ChatTurn]:
    """The turns of text[start:end], end to end, if it is written in a chat model's template; else []."""
    openers = [m for m in _OPENER.finditer(text, start, end) if not layout.inside(m.start())]
    if not openers or _START.match(text, start, end).end() < openers[0].start():
        return []
    return list(_turns(text, start, end, openers))


def _turns(text: str, start: int, end: int, openers: Sequence[regex.Match[str]]) -> Iterator[ChatTurn]:
    begin = start
    for i, opener in enumerate(openers):
        after = openers[i + 1].start() if i + 1 < len(openers) else end
        role = opener["role"].casefold()
        role = _INST_ROLES.get(opener["role"], {"model": "assistant"}.get(role, role))
        closer = _CLOSER.search(text, opener.end(), after)
        tail = closer.start() if closer else after
        if after < end and not closer and not text[opener.end() : after].strip():
            continue  # [INST] in front of <<SYS>>: the tags of one turn
        yield ChatTurn(role, begin, opener.end(), tail, after)
        begin = after
