"""The one way messages are shortened in the service and in the proxy: by turns, in worker threads, remembered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..messages import MessageText, message_texts
from ..prompt.tokens import token_spans
from ..reader import ReaderTokenizer, load_reader
from ..request import AUTO, share_of
from .memo import Memo
from .originals import Originals, StoreLimits, hash_of
from .pool import FairPool
from .shortened import ShortensMessages, ShortTurn, TurnVerdict, is_sound, key_of, replaced, shorten_turn, together
from .turns import Message, TurnOfTalk, Wishes, turns_of

STEP = 0.9  # a budget's share goes down in such steps, so that it holds while a conversation grows
LEAST_SHARE = 0.01
MARK = "\n[Shortened. Retrieve more: hash={}]"  # a language model may ask for what is gone by this
REMEMBERED = 64 * 2**20  # bytes of turns
COUNTED = 8 * 2**20  # bytes of texts whose tokens were counted


@dataclass(frozen=True)
class Outcome:
    """A conversation, shortened.

    Attributes:
        before, after: tokens of all its texts.
        changed: places of the messages that are shorter now.
        refused: places of those that would be broken, and stay whole therefore.
        hashes: of the originals that may be asked for.
    """

    messages: list[dict[str, Any]]
    before: int
    after: int
    changed: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    hashes: tuple[str, ...] = ()
    verdict: TurnVerdict = field(default_factory=TurnVerdict)


class Shortener:
    """Holds the model, the worker threads, what was shortened before, and the originals.

    Args:
        workers, room: see `FairPool`.
        store: what originals may take; None: they are not kept.
        tokenizer: lengths count in its tokens; None: in prompt tokens.
    """

    def __init__(
        self,
        compressor: ShortensMessages,
        workers: int = 1,
        room: int = 256,
        store: StoreLimits | None = None,
        tokenizer: str | None = None,
    ) -> None:
        self.compressor = compressor
        self.reader: ReaderTokenizer | None = None if tokenizer is None else load_reader(tokenizer)
        self.pool = FairPool(workers, room)
        self.originals = Originals(store or StoreLimits(entries=0))
        self._keeps = store is not None
        self.memo: Memo[ShortTurn] = Memo(REMEMBERED, lambda short: short.bytes)
        self._counts: Memo[int] = Memo(COUNTED, lambda _: 0)
        self._running: dict[str, asyncio.Future[ShortTurn]] = {}

    def close(self) -> None:
        """Finish what has begun."""
        self.pool.close()

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        key = hash_of(text)
        if (known := self._counts.get(key)) is not None:
            return known
        tokens = self.reader.count(text) if self.reader else sum(1 for _ in token_spans(text))
        self._counts.put(key, tokens)
        return tokens

    def tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens all texts of messages have."""
        return sum(self.count(each.text) for each in message_texts(messages))

    async def shorten(
        self,
        messages: Sequence[Message],
        wishes: Wishes,
        caller: str = "",
        *,
        marks: bool = False,
        sound: bool = False,
    ) -> Outcome:
        """Shorten a conversation.

        Args:
            caller: whose it is; what is remembered and stored is this caller's alone.
            marks: put behind every shortened text by which hash its original can be asked for.
            sound: leave a turn whole if what is left of it would be broken.
        Raises InputError for what is no conversation, BusyError when too much waits already.
        """
        plan, share = await asyncio.to_thread(self._plan, messages, wishes)
        turns = [] if share != AUTO and share_of(share) >= 1 else plan
        waiting = [self._short_turn(turn, share, caller) for turn in turns]
        shorts = await asyncio.gather(*waiting, return_exceptions=True)
        for short in shorts:
            if isinstance(short, BaseException):
                raise short
        made = [short for short in shorts if isinstance(short, ShortTurn)]
        pairs = list(zip(turns, made, strict=True))
        good = [pair for pair in pairs if not sound or is_sound(*pair)]
        bad = [turn for turn, short in pairs if sound and not is_sound(turn, short)]
        outcome = await asyncio.to_thread(self._write, messages, good, caller, marks)
        return replace(outcome, refused=tuple(place for turn in bad for place in turn.places if place >= 0))

    async def run(self, caller: str, work: partial[Any]) -> Any:
        """Do other work in a worker thread, in its turn."""
        return await asyncio.wrap_future(self.pool.submit(caller, work))

    def _plan(self, messages: Sequence[Message], wishes: Wishes) -> tuple[list[TurnOfTalk], float | str]:
        turns = turns_of(messages, wishes, self.count)
        if wishes.token_budget is None:
            return turns, wishes.retention
        free = sum(
            self.count(text.text)
            for turn in turns
            for text in turn.texts()
            if not text.protected and turn.places[int(text.path[0])] >= 0
        )
        return turns, _share(wishes.token_budget - (self.tokens(messages) - free), free)

    async def _short_turn(self, turn: TurnOfTalk, share: float | str, caller: str) -> ShortTurn:
        """From memory, from a request that computes the same just now, or from a worker."""
        key = await asyncio.to_thread(key_of, turn, share, caller)
        if (known := self.memo.get(key)) is not None:
            return known
        if key not in self._running:
            options = {"tokenizer": self.reader} if self.reader else {}
            work = partial(shorten_turn, self.compressor, turn, share, options)
            future: Future[ShortTurn] = self.pool.submit(caller, work)
            self._running[key] = asyncio.wrap_future(future)
            self._running[key].add_done_callback(partial(self._done, key))
        return await asyncio.shield(self._running[key])  # one who leaves early does not stop it: a retry finds it done

    def _done(self, key: str, future: asyncio.Future[ShortTurn]) -> None:
        del self._running[key]
        if not future.cancelled() and future.exception() is None:
            self.memo.put(key, future.result())

    def _write(
        self,
        messages: Sequence[Message],
        pairs: Sequence[tuple[TurnOfTalk, ShortTurn]],
        caller: str,
        marks: bool,
    ) -> Outcome:
        made = [dict(message) for message in messages]
        hashes: dict[str, None] = {}
        full = False

        def write(old: MessageText, new: str) -> str | None:
            nonlocal full
            marked = new + MARK.format(hash_of(old.text)) if marks else new
            if self.count(marked) >= self.count(old.text):
                return None
            if not self._keeps:
                return new
            digest = self.originals.put(caller, old.text)
            full = full or digest is None
            if digest is not None:
                hashes[digest] = None
            return None if marks and digest is None else marked

        for turn, short in pairs:
            replaced(made, turn, short, write)
        verdict = together([short.verdict for _, short in pairs])
        if full:
            line = "the store of originals is full: some have no hash" + ", and stayed whole" * marks
            verdict = replace(verdict, warnings=(*verdict.warnings, line))
        changed = tuple(i for i, (old, new) in enumerate(zip(messages, made, strict=True)) if old != new)
        return Outcome(made, self.tokens(messages), self.tokens(made), changed, hashes=tuple(hashes), verdict=verdict)


def _share(room: int, free: int) -> float:
    """The share of `free` tokens that fits into a room, rounded down to a power of STEP; 1 where all of them do."""
    if free <= 0 or room >= free:
        return 1.0
    share = max(room / free, LEAST_SHARE)
    return float(round(STEP ** math.ceil(math.log(share) / math.log(STEP) - 1e-9), 6))
