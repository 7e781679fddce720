"""Instruction, contexts and question as one prompt, for LLMLingua's interface."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import regex

from ..errors import InputError
from ..prompt import Prompt, parse
from ..prompt.join import JOINT, Joined, framed, with_roles
from ..prompt.limits import check_length
from ..prompt.pins import pins_for_digits, pins_for_words
from ..prompt.tagged import Wish, parse_tagged
from .lingua_options import LinguaOptions

_MARK = regex.compile(r"<#\w{1,40}#>")  # as LangChain sets it in front of a document and behind it
_TOLD = {"instruction": "document", "question": "document"}  # what a context says is not what is to be done
RATED_LIMIT = 64  # segments with a rate of their own; each costs a run of the model


@dataclass(frozen=True)
class Contexts:
    """What is compressed.

    Attributes:
        joined: instruction, contexts and question.
        instruction, question: as they were given.
        wishes: (tokens, wish) of each stretch that the caller marked.
    """

    joined: Joined
    instruction: str
    question: str
    wishes: tuple[tuple[range, Wish], ...]

    @classmethod
    def of(
        cls, instruction: str | None, context: object, question: str | None, options: LinguaOptions, tagged: bool
    ) -> Contexts:
        """Read all texts; tagged: contexts may hold <llmlingua> tags.

        Raises InputError when something is not a text, all are empty or they are too long together.
        """
        instruction, question = instruction or "", question or ""
        texts = _texts(context)
        if not isinstance(instruction, str) or not isinstance(question, str):
            raise InputError("instruction and question must be texts")
        check_length(sum(map(len, (instruction, *texts, question))) + 2 * len(texts))
        if options.context_segs:
            texts, tagged = _with_tags(texts, options), True
        alone = len(texts) == 1 and not (instruction or question)
        if tagged:
            read = [parse_tagged(text) if text.strip() else None for text in texts]
            prompts = [pair and (pair[0] if alone else with_roles(pair[0], _TOLD)) for pair in read]
            said: list[Sequence[Wish]] = [pair[1] if pair else () for pair in read]
        else:
            prompts = [parse(texts[0])] if alone and texts[0].strip() else list(_documents(texts))
            said = [()] * len(texts)
        joined = Joined.of([_named(instruction, "instruction"), *prompts, _named(question, "question")])
        return cls(joined, instruction, question, tuple(_wishes(joined, said)))

    @property
    def tokens(self) -> tuple[range, ...]:
        """The tokens of each context."""
        return self.joined.tokens[1:-1]

    @property
    def size(self) -> int:
        """Prompt tokens of all texts; what joins them does not count."""
        return len(self.joined.prompt) - len(self.joined.prompt.joints)

    def pins(self, options: LinguaOptions) -> dict[int, bool]:
        """Tokens that stay whatever is asked: instruction, question, and what the options force."""
        pins = dict.fromkeys((*self.joined.tokens[0], *self.joined.tokens[-1]), True)
        for tokens, context in zip(self.tokens, self.joined.prompts[1:-1], strict=True):
            if context is not None:
                pins.update({tokens[i]: True for i in _forced(context, options)})
        pins.update({i: True for tokens, wish in self.wishes if wish.whole for i in tokens})
        return pins

    def rated(self) -> list[tuple[range, float]]:
        """The stretches with a rate of their own. InputError when there are too many."""
        rated = [(tokens, wish.rate) for tokens, wish in self.wishes if wish.rate is not None and not wish.whole]
        if len(rated) > RATED_LIMIT:
            raise InputError(f"{len(rated)} segments have a rate of their own; at most {RATED_LIMIT} may: join some")
        return rated

    def parts(self, tokens: range) -> range:
        """The parts that some tokens lie in."""
        of = self.joined.prompt.tokens
        return range(of[tokens[0]].part, of[tokens[-1]].part + 1) if tokens else range(0)

    @cached_property
    def units(self) -> list[list[range]]:
        """Of each context, the tokens of each sentence, item, line or record."""
        found: list[list[range]] = [[] for _ in self.tokens]
        starts = [tokens.start for tokens in self.tokens if tokens]
        filled = [context for context, tokens in enumerate(self.tokens) if tokens]
        for unit in self.joined.prompt.units:
            context = bisect_right(starts, unit.first) - 1
            if unit.leaf and not unit.frame and context >= 0 and unit.last <= self.tokens[filled[context]].stop:
                found[filled[context]].append(range(unit.first, unit.last))
        return [units or [tokens] for units, tokens in zip(found, self.tokens, strict=True)]


def _texts(context: object) -> list[str]:
    texts = [context] if isinstance(context, str) else list(context) if isinstance(context, list | tuple) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("context must be a text or a list of texts")
    return texts  # type: ignore[return-value]


def _named(text: str, role: str) -> Prompt | None:
    return parse(text, parts=[(0, len(text), role)]) if text.strip() else None


def _documents(texts: Sequence[str]) -> Iterator[Prompt | None]:
    """Each context by its own structure; what repeats from one to the next says that they are demonstrations."""
    filled = [text for text in texts if text.strip()]
    starts = list(accumulate((len(text) + len(JOINT) for text in filled[:-1]), initial=0))
    roles: Mapping[int, str] = {}
    if len(filled) > 1:
        roles = {part.start: part.role for part in parse(JOINT.join(filled), starts).parts}
    at = iter(starts)
    for text in texts:
        if not text.strip():
            yield None
            continue
        role = roles.get(next(at), "")
        if role in ("demonstration", "document", "turn"):
            yield parse(text, parts=[(0, len(text), role)])
        elif marked := _between_marks(text):
            start, end = marked
            yield framed(with_roles(parse(text[start:end]), _TOLD), text[:start], text[end:])
        else:
            yield with_roles(parse(text), _TOLD)


def _between_marks(text: str) -> tuple[int, int] | None:
    """The characters between two equal marks at the ends of a text; None where there are none, or nothing between."""
    begin, stop = len(text) - len(text.lstrip()), len(text.rstrip())
    mark = _MARK.match(text, begin)
    if not mark or stop < mark.end() + len(mark[0]) or not text[:stop].endswith(mark[0]):
        return None
    inner = text[mark.end() : stop - len(mark[0])]
    start = mark.end() + len(inner) - len(inner.lstrip())
    return (start, mark.end() + len(inner.rstrip())) if inner.strip() else None


def _with_tags(texts: Sequence[str], options: LinguaOptions) -> list[str]:
    """The contexts with their segments in tags."""
    segments, rates, whether = options.context_segs, options.context_segs_rate, options.context_segs_compress
    try:
        if ["".join(each) for each in segments] != list(texts):
            raise ValueError
        return [
            "".join(
                f"<llmlingua{'' if rate is None else f', rate={rate}'}, compress={bool(compress)}>{text}</llmlingua>"
                for text, rate, compress in zip(*each, strict=True)
            )
            for each in zip(segments, rates, whether, strict=True)
        ]
    except (TypeError, ValueError):
        raise InputError(
            "context_segs must hold the segments of each context, which make it up, and context_segs_rate and "
            "context_segs_compress a value for each segment"
        ) from None


def _wishes(joined: Joined, said: Sequence[Sequence[Wish]]) -> Iterator[tuple[range, Wish]]:
    """Wishes with their tokens; parts next to each other that lie in one tag are one stretch."""
    for tokens, context, wishes in zip(joined.tokens[1:-1], joined.prompts[1:-1], said, strict=True):
        begun: tuple[int, int, Wish] | None = None
        for part, wish in zip(context.parts if context and wishes else (), wishes, strict=True):
            if begun and begun[2] is wish:
                begun = (begun[0], part.last, wish)
                continue
            if begun:
                yield tokens[begun[0] : begun[1]], begun[2]
            begun = (part.first, part.last, wish)
        if begun:
            yield tokens[begun[0] : begun[1]], begun[2]


def _forced(context: Prompt, options: LinguaOptions) -> Iterator[int]:
    """The tokens of a context that the options keep."""
    yield from pins_for_words(context, list(options.force_tokens))
    if options.force_reserve_digit:
        yield from pins_for_digits(context)
    if options.keep_split:
        yield from (i for i, token in enumerate(context.tokens) if token.text.isspace() and token.text.count("\n") > 1)
    leaves = [unit for unit in context.units if unit.leaf and not unit.frame]
    first, last = options.keep_first_sentence, options.keep_last_sentence
    for unit in (*leaves[:first], *(leaves[-last:] if last else ())):
        yield from range(unit.first, unit.last)
