"""What is left of a turn, and what it verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..messages import MessageText, message_texts, put_text
from ..verdict import Loss, Verdict
from .turns import TurnOfTalk

SHOWN_LOSSES = 20  # of a kind, in a reply
LOSSES = ("rules_gone", "rules_broken", "numbers_gone", "names_gone", "identifiers_gone", "fragments")


class ShortensMessages(Protocol):
    """What is needed of a `model.Compressor`."""

    def compress(self, text: str, retention: float | str, **options: Any) -> Any: ...
    def compress_messages(self, messages: Any, retention: float | str, **options: Any) -> Any: ...


@dataclass(frozen=True)
class TurnVerdict:
    """What shortening cost; a verdict without its tokens.

    Attributes:
        instruction_whole, question_whole: None where there is none.
        losses: (kind of LOSSES, text), SHOWN_LOSSES of each at most.
        warnings: what a person should look at, a line each.
    """

    instruction_whole: bool | None = None
    question_whole: bool | None = None
    losses: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, verdict: Verdict) -> TurnVerdict:
        losses = tuple((kind, loss.text) for kind in LOSSES for loss in _some(getattr(verdict, kind)))
        return cls(verdict.instruction_whole, verdict.question_whole, losses, verdict.warnings)

    @property
    def broken(self) -> bool:
        """Whether what is left says something else: a rule cut in two, the instruction or the question not whole."""
        cut = any(kind == "rules_broken" for kind, _ in self.losses)
        return cut or self.instruction_whole is False or self.question_whole is False

    def to_json(self) -> dict[str, Any]:
        """As a reply shows it."""
        lists = {kind: [text for of, text in self.losses if of == kind] for kind in LOSSES}
        return {
            "broken": self.broken,
            "instruction_whole": self.instruction_whole,
            "question_whole": self.question_whole,
            **lists,
            "warnings": list(self.warnings),
        }


def together(verdicts: list[TurnVerdict]) -> TurnVerdict:
    """What several turns verdict together."""
    losses = [pair for verdict in verdicts for pair in verdict.losses]
    few = tuple(pair for kind in LOSSES for pair in [pair for pair in losses if pair[0] == kind][:SHOWN_LOSSES])
    return TurnVerdict(
        _all_whole(verdict.instruction_whole for verdict in verdicts),
        _all_whole(verdict.question_whole for verdict in verdicts),
        few,
        tuple(line for verdict in verdicts for line in verdict.warnings),
    )


@dataclass(frozen=True)
class ShortTurn:
    """What is left of a turn.

    Attributes:
        texts: for each of its texts, what is left; None = it stayed as it was.
    """

    texts: tuple[str | None, ...]
    verdict: TurnVerdict

    @property
    def bytes(self) -> int:
        """About what it takes to remember it."""
        texts = (*filter(None, self.texts), *(text for _, text in self.verdict.losses), *self.verdict.warnings)
        return sum(4 * len(text) + 100 for text in texts)


def shorten_turn(
    compressor: ShortensMessages, turn: TurnOfTalk, retention: float | str, options: Mapping[str, Any]
) -> ShortTurn:
    """Compress the texts of a turn under one budget; the same turn gives the same texts every time.

    Raises InputError as `compress_messages` does.
    """
    made = compressor.compress_messages(
        turn.messages, retention, protect=turn.protect, whole=turn.whole, of_unprotected=True, **options
    )
    before, after = turn.texts(), message_texts(made)
    left = tuple(new.text if new.text != old.text else None for old, new in zip(before, after, strict=True))
    return ShortTurn(left, TurnVerdict.of(made.verdict))


def is_sound(turn: TurnOfTalk, short: ShortTurn) -> bool:
    """Whether what is left may be sent: it is not broken, and where the user's own words may go, something told what
    counts."""
    verdict = short.verdict
    nobody_asks = verdict.instruction_whole is None and verdict.question_whole is None
    own_words = any(each.speaker == "last_user" and not each.protected for each in turn.texts())
    return not verdict.broken and not (own_words and nobody_asks)


def key_of(turn: TurnOfTalk, retention: float | str, caller: str) -> str:
    """Names all that the result depends on; callers share nothing, so that none can tell what another has sent."""
    said = [[each.path, each.speaker, each.role, each.protected, each.text] for each in turn.texts()]
    return hashlib.sha256(json.dumps([caller, retention, turn.protect, said]).encode()).hexdigest()


def replaced(
    messages: list[dict[str, Any]], turn: TurnOfTalk, short: ShortTurn, write: Callable[[MessageText, str], str | None]
) -> None:
    """Put what is left of a turn into its conversation, in place.

    write: the old text and the new one -> what shall stand there; None = the old one.
    """
    for each, text in zip(turn.texts(), short.texts, strict=True):
        place = turn.places[int(each.path[0])]
        if place >= 0 and text is not None and (new := write(each, text)) is not None:
            put_text(messages, (place, *each.path[1:]), new)


def _some(losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
    return losses[:SHOWN_LOSSES]


def _all_whole(values: Iterator[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return all(known) if known else None
