"""What answers a prompt, piece by piece as the answer comes: a language model in this process (here), or an
OpenAI-compatible endpoint (`model.llm.endpoint`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import DynamicCache

from ..diffusion.trace import Trace
from ..errors import InputError
from ..prompt import Prompt
from .causal import Target, cached

BREAK = "\n\n"  # what ends an answer that merely continues its prompt: the next demonstration would follow
READ_AT_ONCE = 256  # prompt subwords in one forward pass; between two passes the work can be stopped


@dataclass(frozen=True)
class Usage:
    """Tokens of a prompt and of its answer, as the model counts them; None = it did not say. And of a diffusion LLM
    the answer with the steps in which it was unmasked, to be played."""

    prompt: int | None = None
    answer: int | None = None
    trace: tuple[Prompt, Trace] | None = None


Pieces = Generator[str, None, Usage]  # of an answer; some may be empty


class Writer(Protocol):
    """Answers prompts.

    Attributes:
        name: for people.
        at_once: whether two answers may be written at the same time without slowing each other down.
    """

    name: str
    at_once: bool

    def write(self, prompt: str, limit: int, system: str = "") -> Pieces:
        """The answer, greedily, of at most `limit` tokens; closing the generator stops the work. Raises InputError.

        system: what a chat model is told beforehand.
        """
        ...


class LocalWriter:
    """A target LLM in this process.

    chat: put the prompt into the tokenizer's chat template, if it has one. Otherwise the model continues the prompt
    up to a blank line, as base models and few-shot prompts want it.
    """

    at_once = False

    def __init__(self, target: Target, chat: bool = True):
        self.name, self.target = target.name, target
        self.chat = chat and bool(getattr(target.tokenizer, "chat_template", None))

    def encode(self, prompt: str, system: str = "") -> list[int]:
        """The ids that the model reads."""
        if self.chat:
            told = [{"role": "system", "content": system}] if system else []
            messages = [*told, {"role": "user", "content": prompt}]
            text = self.target.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            return self.target.encode(text)
        return [*self.target.bos, *self.target.encode(f"{system}{BREAK}{prompt}" if system else prompt)]

    def write(self, prompt: str, limit: int, system: str = "") -> Pieces:
        """See `Writer`. The first pieces are empty, one for each part of the prompt that was read."""
        ids = self.encode(prompt, system)
        self._check(len(ids), limit)
        made: list[int] = []
        sent = 0
        for token in greedy(self.target, ids, limit):
            if token is None:
                yield ""
                continue
            made.append(token)
            text, done = self._decode(made)
            yield text[sent:]
            sent = len(text)
            if done:
                break
        text, _ = self._decode(made, ended=True)
        yield text[sent:]
        return Usage(len(ids), len(made))

    def _decode(self, ids: list[int], ended: bool = False) -> tuple[str, bool]:
        """The text so far, without half a character or break at its end, and whether it is complete."""
        text = self.target.tokenizer.decode(ids, skip_special_tokens=True)
        if not self.chat:
            start = len(text) - len(text.lstrip())
            at = text.find(BREAK, start)
            if at >= 0:
                return text[:at], True
        return (text if ended else text.rstrip("\ufffd\n")), False

    def _check(self, n: int, limit: int) -> None:
        if not n:
            raise InputError("There is nothing to answer: the prompt is empty.")
        most = getattr(self.target.model.config, "max_position_embeddings", None)
        if most and n + limit > most:
            raise InputError(
                f"The prompt has {n:,} tokens, and {self.name} reads and writes {most:,} together at the most: shorten "
                "the prompt or the answer."
            )


@torch.inference_mode()
def greedy(target: Target, ids: Sequence[int], limit: int) -> Iterator[int | None]:
    """The likeliest next token, again and again, up to the end token or `limit`; None for each part of `ids` read."""
    cache, ends = DynamicCache(config=target.model.config), end_ids(target)
    known = cached(target.model, cache)
    parts = torch.tensor([list(ids)], device=target.device).split(READ_AT_ONCE, dim=1)
    for part in parts[:-1]:
        target.model(part, **known, use_cache=True, logits_to_keep=1)
        yield None
    tokens = parts[-1]
    for _ in range(limit):
        out = target.model(tokens, **known, use_cache=True, logits_to_keep=1)
        token = int(out.logits[0, -1].argmax())
        if token in ends:
            return
        yield token
        tokens = tokens.new_tensor([[token]])


def end_ids(target: Target) -> set[int]:
    """The tokens that end an answer: the tokenizer's and those of the model's generation settings."""
    more = getattr(target.model.generation_config, "eos_token_id", None)
    ends = {target.tokenizer.eos_token_id, *(more if isinstance(more, list) else [more])}
    return {end for end in ends if end is not None}
