"""A conversation split into turns, the pieces that are shortened each on its own.

A turn is what stands between two messages of the assistant: the user's documents and question, or the results of the
tools that the assistant called. What counts in it is told by the last message of the user in it or before it. All of
that is in place when a turn is sent for the first time, and nothing that is sent later changes it; so a message has the
same bytes in every later request, and the provider's cache of the conversation so far stays valid.

A gateway may hold messages back, as LiteLLM does with those of the assistant. Then results of tools arrive without the
calls that led to them; which question they belong to is not known, and each message is judged by itself.

>>> said = [{"role": "user", "content": "How many beds?"}, {"role": "assistant", "content": None},
...         {"role": "tool", "content": "Lund has 120 beds. It is by a lake."}]
>>> [(turn.places, turn.messages[0]["content"]) for turn in turns_of(said, Wishes(min_tokens=0), len)]
[((-1, 2), 'How many beds?')]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from ..messages import MessageText, message_texts
from ..prompt.limits import check_length
from ..request import AUTO, share_of

Message = Mapping[str, Any]
BORROWED = -1  # the place of a question that stands in for a message which is not shortened here


@dataclass(frozen=True)
class Wishes:
    """How a conversation is to be shortened.

    Attributes:
        retention: share of the tokens to keep at most of what may be shortened, in (0, 1]; or AUTO.
        token_budget: how many tokens the whole conversation may have, instead; None = the share counts.
        protect_recent: so many messages at the end stay whole.
        user, assistant: their messages may be shortened, too, and not only the results of tools.
        min_tokens: texts that are shorter stay whole.
    Raises InputError when a number is out of range.
    """

    retention: float | str = 0.5
    token_budget: int | None = None
    protect_recent: int = 0
    user: bool = False
    assistant: bool = False
    min_tokens: int = 64

    def __post_init__(self) -> None:
        if self.retention != AUTO and not 0 < share_of(self.retention) <= 1:
            raise InputError(f"retention {self.retention!r} must be above 0 and at most 1")
        if self.token_budget is not None and self.token_budget < 1:
            raise InputError(f"token_budget {self.token_budget!r} must be at least 1")
        if self.protect_recent < 0 or self.min_tokens < 0:
            raise InputError("protect_recent and min_tokens must be at least 0")


@dataclass(frozen=True)
class TurnOfTalk:
    """Messages that are shortened together.

    Attributes:
        messages: among them the question, borrowed where its message is not to be shortened.
        places: where each stands in the conversation; BORROWED for that one.
        protect, whole: whose texts stay whole, and which, as `compress_messages` takes it.
    """

    messages: tuple[Message, ...]
    places: tuple[int, ...]
    protect: tuple[str, ...]
    whole: frozenset[str] = frozenset()

    def texts(self) -> list[MessageText]:
        """The texts of all its messages, in order."""
        return list(message_texts(self.messages, self.protect, self.whole))


def turns_of(messages: Sequence[Message], wishes: Wishes, count: Callable[[str], int]) -> list[TurnOfTalk]:
    """The turns of which something may be shortened.

    count: how many tokens a text has.
    Raises InputError when something is no message, or a text is too long to be shortened.
    """
    list(message_texts(messages))  # so that a mistake is said with the message's place
    turns = list(_alone(messages, wishes) if _is_partial(messages) else _turns(messages, wishes))
    check_length(max((len(each.text) for turn in turns for each in turn.texts() if not each.protected), default=0))
    turns = [replace(turn, whole=_stay_whole(turn, wishes, count)) for turn in turns]
    return [turn for turn in turns if any(not each.protected for each in turn.texts())]


def _stay_whole(turn: TurnOfTalk, wishes: Wishes, count: Callable[[str], int]) -> frozenset[str]:
    """Texts that are short, and the last one of a user who brings several: what is asked stands there."""
    texts = turn.texts()
    asking = [each.text for each in texts if each.speaker == "last_user"]
    short = (each.text for each in texts if count(each.text) < max(wishes.min_tokens, 1))
    return frozenset((*short, *(asking[-1:] if len(asking) > 1 else ())))


def _is_partial(messages: Sequence[Message]) -> bool:
    """Whether a tool answers though no assistant has called it."""
    for message in messages:
        if message["role"] == "assistant":
            return False
        if _is_result(message):
            return True
    return False


def _alone(messages: Sequence[Message], wishes: Wishes) -> Iterator[TurnOfTalk]:
    protect = () if wishes.user else ("user",)
    for i in range(max(len(messages) - wishes.protect_recent, 0)):
        if messages[i]["role"] != "assistant" and _is_open(messages[i], wishes):
            yield TurnOfTalk((messages[i],), (i,), protect)


def _turns(messages: Sequence[Message], wishes: Wishes) -> Iterator[TurnOfTalk]:
    question, last = BORROWED, len(messages) - wishes.protect_recent
    for places in _runs(messages):
        question = max((i for i in places if _asks(messages[i])), default=question)
        open_ = [i for i in places if i < last and _is_open(messages[i], wishes)]
        if not open_:
            continue
        yield _turn(messages, open_, question, wishes)


def _turn(messages: Sequence[Message], open_: list[int], question: int, wishes: Wishes) -> TurnOfTalk:
    protect = () if wishes.user else ("user",)
    said = {i: messages[i] for i in open_}
    if question >= 0 and not (wishes.user and question in open_):
        protect = (*protect, "last_user")
        said.setdefault(question, {"role": "user", "content": _words_of(messages[question])})
    places = sorted(said)
    found = tuple(i if i in open_ else BORROWED for i in places)
    return TurnOfTalk(tuple(said[i] for i in places), found, protect)


def _runs(messages: Sequence[Message]) -> Iterator[list[int]]:
    """The places of each turn; a message of the assistant is one of its own."""
    run: list[int] = []
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            if run:
                yield run
            yield [i]
            run = []
        else:
            run.append(i)
    if run:
        yield run


def _is_open(message: Message, wishes: Wishes) -> bool:
    role = message["role"]
    if role in ("system", "developer"):
        return False
    return {"user": wishes.user, "assistant": wishes.assistant}.get(role, True) or _is_result(message)


def _is_result(message: Message) -> bool:
    """Whether a tool gave it, or a part of it."""
    if message["role"] in ("tool", "function"):
        return True
    content = message.get("content")
    return isinstance(content, list | tuple) and any(part["type"] == "tool_result" for part in content)


def _asks(message: Message) -> bool:
    return message["role"] == "user" and bool(_words_of(message).strip())


def _words_of(message: Message) -> str:
    """What the user says; what tools gave is left out."""
    said = message_texts([message])
    return "\n\n".join(each.text for each in said if each.speaker != "tool")
