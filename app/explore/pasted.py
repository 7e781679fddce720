"""What was pasted into Explore: a prompt, or chat messages as OpenAI's and Anthropic's interfaces take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import regex

from model.errors import InputError
from model.messages import Conversation
from model.prompt import Prompt, parse
from model.prompt.limits import check_length
from model.prompt.parse import Given

PROTECTED = ("system", "last_user")  # whose words stay whole, as long as instruction and question do
_LIKE_MESSAGES = regex.compile(r'\s*(?:\{\s*"(?:messages|system|model)"\s*:|\[\s*\{\s*"(?:role|content)"\s*:)')
_TEXT_KEYS = ("content", "tool_calls", "parts")


@dataclass(frozen=True)
class Chat:
    """Messages, and what stood around them: a request's other fields.

    Attributes:
        talk: the messages; of a request with a system prompt of its own, that one is the first.
        body: the request without them; None: the messages were pasted alone.
        system: whether the first message is the request's system prompt.
    """

    talk: Conversation
    body: dict[str, Any] | None = field(default=None, repr=False)
    system: bool = False

    @property
    def template(self) -> Any:
        """What was pasted, with nothing in the places of its texts."""
        texts = zip(self.talk.texts, self.talk.joined.prompts, strict=True)
        return self._around(self.talk.written([each.text if prompt is None else "" for each, prompt in texts]))

    def places(self) -> list[tuple[list[int | str], int, int]]:
        """Of each text its path in the template and its tokens [first, last) in the joined prompt."""
        rows = zip(self.talk.texts, self.talk.joined.tokens, strict=True)
        return [(self._path(each.path), span.start, span.stop) for each, span in rows if span]

    def names(self) -> list[str]:
        """What each part of the joined prompt is called: the message that it stands in, and its number there."""
        names: dict[int, str] = {}
        prompt = self.talk.joined.prompt
        for each, span in zip(self.talk.texts, self.talk.joined.tokens, strict=True):
            parts = dict.fromkeys(prompt.tokens[i].part for i in span)
            for number, part in enumerate(parts, 1):
                message = f"Message {int(each.path[0]) + 1}, {each.role}"
                names[part] = f"{message} ({number} of {len(parts)})" if len(parts) > 1 else message
        return [names[part] for part in range(len(prompt.parts))]

    def written(self, keep: Sequence[bool]) -> Any:
        """What was pasted, with what a mask leaves of its texts."""
        return self._around(self.talk.written(self.talk.left(keep)))

    def _around(self, messages: list[dict[str, Any]]) -> Any:
        if self.body is None:
            return messages
        system = {"system": messages[0]["content"]} if self.system else {}
        return {**self.body, **system, "messages": messages[self.system :]}

    def _path(self, path: Sequence[int | str]) -> list[int | str]:
        at, *rest = path
        if self.body is None:
            return list(path)
        if self.system and at == 0:
            return ["system", *rest[1:]]
        return ["messages", int(at) - self.system, *rest]


@dataclass(frozen=True)
class Pasted:
    """What the model is given of it.

    Attributes:
        prompt: the text with its parts; of messages, their texts as one.
        chat: the messages, if it is some.
    """

    prompt: Prompt
    chat: Chat | None = None

    @classmethod
    def read(cls, text: str, whole_task: bool = True, parts: Sequence[Given] = ()) -> Pasted:
        """Read what was pasted.

        whole_task: system messages and the last user message stay whole. parts: where a text's parts are, as somebody
        said; () = as they are found. Raises InputError for an empty or too long text, and messages of a wrong shape.
        """
        check_length(len(text))
        chat = read_chat(text, PROTECTED if whole_task else ())
        if chat is not None:
            return cls(chat.talk.joined.prompt, chat)
        return cls(parse(text, parts=list(parts)) if parts else parse(text))


def prompt_text(text: str) -> str:
    """A prompt as it is; of messages, their texts as one prompt. What cannot be read stays as it is."""
    try:
        chat = read_chat(text)
    except InputError:
        chat = None
    return text if chat is None else chat.talk.joined.prompt.text


def without_question(text: str) -> tuple[str, str]:
    """A prompt without the question that it ends with, and that question; "" = it ends with none.

    >>> without_question("It rained. \n\nQuestion: Where?")
    ('It rained.', 'Question: Where?')
    """
    try:
        check_length(len(text))
        parts = parse(text).parts
    except InputError:
        return text, ""
    if len(parts) < 2 or parts[-1].role != "question":
        return text, ""
    return text[: parts[-1].start].rstrip(), text[parts[-1].start :].strip()


def read_chat(text: str, protect: Sequence[str] = PROTECTED) -> Chat | None:
    """The messages that a text holds as JSON: a list of them, or a request with them; None: it is something else.

    Raises InputError for what begins like messages but is none, and says where.
    """
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("[", "{"):
        return None
    try:
        value = json.loads(text.lstrip("\ufeff"))
    except RecursionError:
        return None
    except ValueError as error:
        if _LIKE_MESSAGES.match(text):
            raise InputError(
                f"This begins like chat messages, but is not whole JSON: {error}. Paste all of it."
            ) from None
        return None
    if _are_messages(value):
        return Chat(Conversation.of(value, protect))
    if isinstance(value, dict) and _are_messages(value.get("messages")):
        return _of_request(value, protect)
    if _are_messages([value]) and value["role"] in ("system", "user", "assistant"):
        raise InputError("This is a single chat message: paste the list that it belongs to, or its text alone.")
    return None


def _are_messages(value: object) -> bool:
    """Whether a list begins with a message; what is wrong further on is then said."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and "role" in first and any(key in first for key in _TEXT_KEYS)


def _of_request(value: dict[str, Any], protect: Sequence[str]) -> Chat:
    """A request's body; Anthropic's has its system prompt beside the messages."""
    body = {key: inner for key, inner in value.items() if key != "messages"}
    system = "system" in value and value["system"]
    first = [{"role": "system", "content": value["system"]}] if system else []
    return Chat(Conversation.of([*first, *value["messages"]], protect), body, bool(system))
