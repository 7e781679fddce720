"""Free answers: greedy generation after a shared prefix, and exact match of the final number (GSM8K)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from .causal import Prefix, Target, cached
from .masked_diffusion import DiffusionTarget
from .unmasking import WritingConfig, unmask, written

NEW_TOKENS = 256  # at most, per answer
ANSWERED_AT_ONCE = 16  # queries generated for at once
UNMASKED_AT_ONCE = 32  # subwords that a diffusion LLM writes before a stop is looked for
STOPS = ("Question:", "\n\n")

_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?|-?\$?\.\d+")


def final_number(text: str) -> float | None:
    """The number after the last "####", else the last number in the text, else None.

    >>> final_number("5 + 1,000 = 1005\\n#### $1,005."), final_number("so 3 or -4"), final_number("none")
    (1005.0, -4.0, None)
    """
    _, mark, tail = text.rpartition("####")
    if mark and (found := _NUMBER.search(tail)):
        return _value(found[0])
    numbers = _NUMBER.findall(text)
    return _value(numbers[-1]) if numbers else None


def _value(number: str) -> float:
    return float(number.replace("$", "").replace(",", ""))


def same_final_number(answer: str, gold: str) -> bool:
    """Whether both texts end in the same number."""
    number = final_number(answer)
    return number is not None and number == final_number(gold)


def cut(answer: str) -> str:
    """The answer up to the next question or blank line; white space in front does not count.

    >>> cut(" 3 + 4 = 7\\n#### 7\\n\\nQuestion: 1?")
    '3 + 4 = 7\\n#### 7'
    """
    answer = answer.lstrip()
    found = (at for stop in STOPS if (at := answer.find(stop)) >= 0)
    return answer[: min(found, default=len(answer))].rstrip()


@torch.inference_mode()
def greedy_answers(
    target: Target, prefix: Prefix, queries: Sequence[Sequence[int]], new_tokens: int = NEW_TOKENS
) -> list[str]:
    """The greedy answer to each query after a prefix that was read once, without gates."""
    if isinstance(target, DiffusionTarget):
        return [_unmasked(target, prefix, query, new_tokens) for query in queries]
    by_length = sorted(range(len(queries)), key=lambda i: len(queries[i]))
    answers = [""] * len(queries)
    for at in range(0, len(by_length), ANSWERED_AT_ONCE):
        batch = by_length[at : at + ANSWERED_AT_ONCE]
        texts = _batch(target, prefix, [queries[i] for i in batch], new_tokens)
        for i, text in zip(batch, texts, strict=True):
            answers[i] = text
    return answers


def _unmasked(target: DiffusionTarget, prefix: Prefix, query: Sequence[int], new_tokens: int) -> str:
    """A diffusion LLM's greedy answer, exactly computed; no block is begun after one with a stop in it."""
    config = WritingConfig(length=new_tokens, block=UNMASKED_AT_ONCE, exact=True)
    last = {edge for _, edge, _ in config.plan()}
    steps, done = [], 0
    for step in unmask(target, prefix, query, config):
        steps.append(step)
        done += len(step.positions)
        if done in last and any(stop in written(target, steps[-1:]).text.lstrip() for stop in STOPS):
            break
    return cut(written(target, steps).text)


def _batch(target: Target, prefix: Prefix, queries: Sequence[Sequence[int]], new_tokens: int) -> list[str]:
    """Greedy answers to left-padded queries.

    The padding stands between prefix and query: it is masked, and positions run on as if it were not there.
    """
    past, count, width = len(prefix.bias), len(queries), max(map(len, queries))
    pads = [width - len(q) for q in queries]
    tokens = torch.tensor([[0] * n + list(q) for n, q in zip(pads, queries, strict=True)], device=target.device)
    real = torch.tensor([[1] * past + [0] * n + [1] * (width - n) for n in pads], device=target.device)
    cache = DynamicCache()
    for i, (keys, values) in enumerate(prefix.layers):
        cache.update(keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1), i)
    ends = _end_ids(target)
    generated: list[list[int]] = [[] for _ in queries]
    running = [True] * count
    for _ in range(new_tokens):
        step = _next(target, tokens, real, cache)
        for row, token in enumerate(step.tolist()):
            if running[row]:
                running[row] = token not in ends
                if running[row]:
                    generated[row].append(token)
                    text = target.tokenizer.decode(generated[row], skip_special_tokens=True).lstrip()
                    running[row] = not any(stop in text for stop in STOPS)
        if not any(running):
            break
        tokens, real = step[:, None], torch.cat([real, real.new_ones(count, 1)], dim=1)
    return [cut(target.tokenizer.decode(ids, skip_special_tokens=True)) for ids in generated]


def _next(target: Target, tokens: Tensor, real: Tensor, cache: DynamicCache) -> Tensor:
    """One greedy step: new tokens [batch, n], real [batch, all] with 0 for padding -> [batch] ids."""
    columns = (real.cumsum(1) - 1).clamp(min=0)
    rows = columns[:, -tokens.shape[1] :]
    distance = rows[:, None, :, None] - columns[:, None, None, :]
    seen = (distance >= 0) & (real[:, None, None, :] == 1)
    masks = {"full_attention": seen}
    if (kinds := getattr(target.model.config, "layer_types", None)) and "sliding_attention" in kinds:
        masks["sliding_attention"] = seen & (distance < target.model.config.sliding_window)
    low = torch.finfo(target.model.dtype).min
    added = {kind: torch.zeros_like(m, dtype=target.model.dtype).masked_fill(~m, low) for kind, m in masks.items()}
    mask = added if len(added) > 1 else added["full_attention"]
    known = cached(target.model.model, cache)
    out = target.model.model(tokens, attention_mask=mask, position_ids=rows, use_cache=True, **known)
    logits: Tensor = target.model.get_output_embeddings()(out.last_hidden_state[:, -1])
    return logits.argmax(-1)


def _end_ids(target: Target) -> set[int]:
    ends = {target.tokenizer.eos_token_id}
    config = target.model.generation_config
    more = getattr(config, "eos_token_id", None)
    ends.update(more if isinstance(more, list) else [more])
    return {end for end in ends if end is not None}
