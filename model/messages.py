"""Chat messages in, chat messages out: what OpenAI's and Anthropic's interfaces take, shortened under one budget.

>>> compressor = Compressor.load()
>>> short = compressor.compress_messages([
...     {"role": "system", "content": "Answer in one sentence."},
...     {"role": "user", "content": [{"type": "text", "text": "..."}, {"type": "image_url", "image_url": {...}}]},
...     {"role": "assistant", "content": None, "tool_calls": [...]},
...     {"role": "tool", "tool_call_id": "c1", "content": '[{"city": "Lund", "beds": 120}, ...]'},
...     {"role": "user", "content": "How many beds has Lund?"},
... ], retention=0.5)
>>> short.verdict.summary()

Only texts are shortened, each by its own structure: JSON of a tool stays JSON. Roles, names, ids, tool calls, images
and whatever else a message holds stay as they are, and every message stays. The last user message is what the others
are judged by. A text of which nothing is left becomes "…", since neither interface takes an empty one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .diffusion.trace import SamplerConfig
from .errors import InputError
from .integrations import Compresses
from .prompt import Prompt, parse
from .prompt.join import JOINT, Joined, with_roles
from .prompt.limits import check_length
from .reader import ReaderTokenizer, load_reader, prices
from .request import AUTO, share_of
from .verdict import PartVerdict, Verdict

GONE = "…"
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
PROTECTED = ("system", "user", "last_user", "assistant", "tool")  # what `protect` may name
_TEXT_TYPES = ("text", "input_text", "output_text")
_NAMED = {"developer": "system", "function": "tool"}
_TURN = {"instruction": "turn", "question": "turn", "text": "turn"}
_SAID = {"instruction": "document", "question": "document", "text": "document"}

Path = tuple[int | str, ...]


class CompressedMessages(list[dict[str, Any]]):
    """Compressed messages, a list to send as it is.

    Attributes:
        verdict: what was lost; its parts are named after their messages, counted from 0.
        retention: share of the tokens of all texts that was kept, the reader's tokens where one was named.
    """

    def __init__(self, messages: Sequence[dict[str, Any]], verdict: Verdict) -> None:
        super().__init__(messages)
        self.verdict, self.retention = verdict, verdict.kept_share

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at, a line each; () = nothing."""
        return self.verdict.warnings


@dataclass(frozen=True)
class MessageText:
    """A text in a message: where it stands, who says it (a name as in PROTECTED), and whether it stays whole."""

    path: Path
    text: str
    speaker: str
    protected: bool
    role: str

    def prompt(self) -> Prompt:
        """Its structure. What a protected text says to do or asks is what the others are judged by."""
        if self.protected and self.speaker in ("system", "last_user"):
            role = "instruction" if self.speaker == "system" else "question"
            return with_roles(parse(self.text, parts=[(0, len(self.text), role)]), {}, self.role)
        if self.speaker == "last_user":
            return with_roles(parse(self.text), {}, self.role)
        return with_roles(parse(self.text), _TURN if self.speaker in ("user", "assistant") else _SAID, self.role)


def compress_messages(
    compressor: Compresses,
    messages: Sequence[Mapping[str, Any]],
    retention: float | str = 0.5,
    *,
    target_tokens: int | None = None,
    protect: Sequence[str] = ("system", "last_user"),
    tokenizer: Any = None,
    of_unprotected: bool = False,
    whole: Collection[str] = (),
    **options: Any,
) -> CompressedMessages:
    """Shorten the texts of messages until `retention` of their tokens is left at most (AUTO: all that is needed).

    Args:
        messages: [{"role", "content", ...}]; content is a text or a list of parts, those of type text, input_text,
            output_text and tool_result hold texts. They are not changed.
        target_tokens: how many tokens all texts may have together, instead of a share.
        protect: whose texts stay whole: "system" (and developer), "last_user", "user", "assistant", "tool". An
            unprotected last user message keeps what it says to do and asks.
        tokenizer: as of `CompressRequest`; lengths then count in its tokens. Tool calls, images and the marks of a
            chat template are not counted.
        of_unprotected: the share or number is that of the texts that are not protected, instead of all.
        whole: further texts that stay as they are.
        options: as of `Compressor.compress`, pins excepted.
    Raises InputError for whatever is not a message, a text that is not valid, or too much of it.
    """
    talk = Conversation.of(messages, protect, whole)
    prompt = talk.joined.prompt
    reader = None if tokenizer is None else load_reader(tokenizer)
    price = prices(prompt, reader)
    total = sum(price)
    auto = retention == AUTO and target_tokens is None
    asked = 1.0 if auto else _asked(retention, target_tokens, total)
    if of_unprotected:
        pinned = sum(price[i] for i in talk.pins())
        part = asked * (total - pinned) if target_tokens is None else target_tokens
        asked = min((pinned + part) / total, 1.0)
    if "pins" in options:
        raise InputError("compress_messages takes no pins; name messages in protect, or words in keep_words")
    share = AUTO if auto else talk.share(asked, reader)
    run = compressor.compress(prompt, share, pins=talk.pins(), tokenizer=reader, **{"stretch": 1.0, **options})
    asked = run.request.config.retention if auto else asked
    left = talk.left(run.trace.keep)
    counted = (reader.name, total, sum(map(reader.count, left))) if reader else None
    least = run.request.rules.least
    verdict = Verdict.of(prompt, run.trace.keep, asked=asked, pins=run.trace.pins, least=least, reader=counted)
    return CompressedMessages(talk.written(left), replace(verdict, parts=talk.named(verdict.parts)))


def _asked(retention: float | str, target_tokens: int | None, total: int) -> float:
    if target_tokens is not None:
        return min(_count(target_tokens) / total, 1.0)
    return SamplerConfig(share_of(retention)).retention


@dataclass(frozen=True)
class Conversation:
    """Messages with their texts.

    Attributes:
        texts: where each stands, in order.
        joined: the texts as one prompt, in order.
    """

    messages: Sequence[Mapping[str, Any]]
    texts: tuple[MessageText, ...]
    joined: Joined

    @classmethod
    def of(
        cls, messages: Sequence[Mapping[str, Any]], protect: Sequence[str], whole: Collection[str] = ()
    ) -> Conversation:
        """Raises InputError for whatever is not a message, and for too much text."""
        if isinstance(protect, str) or any(name not in PROTECTED for name in protect):
            raise InputError(f"protect must be a list of some of {', '.join(PROTECTED)}")
        texts = tuple(message_texts(messages, protect, whole))
        if not any(map(_says_something, texts)):
            raise InputError("The messages hold no text: give at least one with content.")
        check_length(sum(len(each.text) + len(JOINT) for each in texts))
        return cls(messages, texts, Joined.of([_read(each) for each in texts]))

    def share(self, asked: float, reader: ReaderTokenizer | None = None) -> float:
        """The share of tokens to ask for, so that at most `asked` is left with a GONE for every text that vanishes."""
        if asked >= 1:
            return 1.0
        total = sum(prices(self.joined.prompt, reader))
        vanishing = sum(not each.protected and _says_something(each) for each in self.texts)
        marks = vanishing * (reader.count(GONE) if reader else 1)
        return max(math.floor(asked * total + 1e-6) - marks, 1) / total

    def pins(self) -> dict[int, bool]:
        """The tokens that stay whatever is asked."""
        pairs = zip(self.texts, self.joined.tokens, strict=True)
        return {i: True for each, tokens in pairs if each.protected for i in tokens}

    def left(self, keep: Sequence[bool]) -> list[str]:
        """What is left of each text."""
        pairs = zip(self.texts, self.joined.texts(keep), strict=True)
        return [each.text if text is None else text if text.strip() else GONE for each, text in pairs]

    def written(self, left: Sequence[str]) -> list[dict[str, Any]]:
        """The messages with other texts; what changes is copied."""
        made: list[Any] = list(self.messages)
        for each, text in zip(self.texts, left, strict=True):
            put_text(made, each.path, text)
        return [dict(message) for message in made]

    def named(self, parts: Sequence[PartVerdict]) -> tuple[PartVerdict, ...]:
        """The parts of the verdict, named after the messages that they are in."""
        named, of = list(parts), self.joined.prompt.tokens
        for each, tokens in zip(self.texts, self.joined.tokens, strict=True):
            for part in range(of[tokens[0]].part, of[tokens[-1]].part + 1) if tokens else ():
                heading = f": {named[part].name}" if self.joined.prompt.parts[part].head > of[tokens[0]].start else ""
                named[part] = replace(named[part], name=f"message {each.path[0]} ({each.role}){heading}")
        return tuple(named)


def _says_something(text: MessageText) -> bool:
    return bool(text.text.strip("\ufeff").strip())


def _read(text: MessageText) -> Prompt | None:
    try:
        return text.prompt() if _says_something(text) else None
    except InputError as error:
        raise InputError(f"message {text.path[0]}: {error}") from None


def _count(tokens: object) -> int:
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        raise InputError(f"target_tokens {tokens!r} must be a whole number of at least 1")
    return tokens


# --- the shapes of messages --------------------------------------------------------------------------------------


def message_texts(
    messages: object, protect: Collection[str] = (), whole: Collection[str] = ()
) -> Iterator[MessageText]:
    """The texts of all messages, in order. InputError names the first message that is none.

    protect: whose texts stay whole. whole: texts that do.
    """
    if not isinstance(messages, list | tuple):
        raise InputError('messages must be a list of objects such as {"role": "user", "content": "..."}')
    for i, message in enumerate(messages):
        _check(i, message)
    last = max((i for i, m in enumerate(messages) if m["role"] == "user" and _has_text(m.get("content"))), default=-1)
    for i, message in enumerate(messages):
        role = message["role"]
        speaker = "last_user" if i == last else _NAMED.get(role, role)
        stays = speaker in protect or (i == last and "user" in protect)
        for path, text, is_result in _contents(message.get("content"), (i, "content")):
            if is_result:
                yield MessageText(path, text, "tool", "tool" in protect or text in whole, role)
            else:
                yield MessageText(path, text, speaker, stays or text in whole, role)


def _check(i: int, message: object) -> None:
    if not isinstance(message, Mapping):
        raise InputError(f"message {i} is not an object with role and content")
    if message.get("role") not in ROLES:
        raise InputError(f"message {i} has no role that is known: use one of {', '.join(ROLES)}")
    content = message.get("content")
    if content is not None and not isinstance(content, str | list | tuple):
        raise InputError(f"the content of message {i} must be a text or a list of parts")
    if isinstance(content, list | tuple) and not all(map(_is_part, content)):
        raise InputError(f"a part of message {i} is not an object with a type, or its text is none")


def _is_part(part: object) -> bool:
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        return False
    if part["type"] == "tool_result":
        inner = part.get("content")
        return inner is None or isinstance(inner, str) or (isinstance(inner, list) and all(map(_is_plain, inner)))
    return _is_plain(part)


def _is_plain(part: object) -> bool:
    """A part that holds no others."""
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str) or part["type"] == "tool_result":
        return False
    return part["type"] not in _TEXT_TYPES or isinstance(part.get("text"), str)


def _has_text(content: Any) -> bool:
    return any(text.strip() and not is_result for _, text, is_result in _contents(content, ()))


def _contents(content: Any, path: Path, is_result: bool = False) -> Iterator[tuple[Path, str, bool]]:
    """The texts in a content, where each stands, and whether a tool gave it."""
    if isinstance(content, str):
        yield path, content, is_result
        return
    for i, part in enumerate(content or ()):
        if part["type"] in _TEXT_TYPES:
            yield (*path, i, "text"), part["text"], is_result
        elif part["type"] == "tool_result":
            yield from _contents(part.get("content"), (*path, i, "content"), True)


def put_text(values: Any, path: Path, text: str) -> None:
    """Replace a text; lists and objects on the way to it are copied, since others may hold them, too."""
    for key in path[:-1]:
        inner = values[key]
        values[key] = dict(inner) if isinstance(inner, Mapping) else list(inner)
        values = values[key]
    values[path[-1]] = text
