"""Target LLMs: the frozen causal LMs that will read the compressed prompt, and how they score it.

A prompt is scored by what it does for queries that follow it. The prefix (the prompt) is run once, its keys and
values are shared by every query, so a long prompt with few queries and a short prompt with many cost about their
own tokens, and memory is bounded by `TOKENS_PER_CHUNK`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

TOKENS_PER_CHUNK = 512  # padded query tokens in a forward pass: bounds memory, and small blocks stay in the CPU's cache
POSITIONS_PER_BLOCK = 128  # rows of logits in memory at once


class Target:
    """A frozen causal LM and its tokenizer.

    >>> target = load_target("smollm2")  # model.llm.load
    >>> prefix = target.read(target.encode("Review: dull\\nAnswer: terrible\\n\\n"))
    >>> target.label_log_probs(prefix, [target.encode("Review: fun\\nAnswer:")], [1])   # [queries, labels]
    """

    def __init__(self, name: str, model: Any, tokenizer: Any):
        self.name, self.model, self.tokenizer = name, model.eval().requires_grad_(False), tokenizer
        self.device: torch.device = model.device
        bos = tokenizer.bos_token_id
        adds_bos = bool(ids := tokenizer("a").input_ids) and ids[0] == bos
        self.bos: list[int] = [bos] if adds_bos and bos is not None else []

    def encode(self, text: str) -> list[int]:
        """Text -> subword ids, without special tokens."""
        return self.tokenizer(text, add_special_tokens=False).input_ids if text else []

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Text -> subword ids and their (start, end) character offsets."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return encoded.input_ids, encoded.offset_mapping

    # ---- the prefix

    def read(self, ids: Sequence[int], log_gates: Tensor | None = None) -> Prefix:
        """Run the prompt once and keep its keys and values.

        Args:
            ids: subword ids of the prompt; a BOS is put in front where the model was trained with one.
            log_gates: [len(ids)] log of the soft-deletion gates (SYSTEM: the teacher, step 2), added to every
                attention score towards that subword, here and in the queries that follow. None = all kept.
        """
        ids = [*self.bos, *ids]
        if not ids:
            return Prefix([], torch.zeros(0, device=self.device))
        bias = torch.zeros(len(ids), device=self.device)
        if log_gates is not None:
            bias = torch.cat([bias[: len(self.bos)], log_gates.to(self.device)])
        tokens = torch.tensor([ids], device=self.device)
        cache = DynamicCache()
        if log_gates is None:
            self.model.model(tokens, **cached(self.model.model, cache), use_cache=True)
        else:
            position = torch.arange(len(ids), device=self.device)
            mask = self._masks(position[None], position, bias[None])
            self.model.model(tokens, attention_mask=mask, **cached(self.model.model, cache), use_cache=True)
        return Prefix([(keys, values) for keys, values, *_ in cache], bias)

    # ---- the queries

    def label_log_probs(self, prefix: Prefix, queries: Sequence[Sequence[int]], labels: Sequence[int]) -> Tensor:
        """Log-probability of each label's first subword right after each query: [queries, labels]."""
        wanted = torch.tensor(labels, device=self.device)
        rows = []
        for chunk in chunks_of([len(q) for q in queries]):
            ids = [queries[i] for i in chunk]
            hidden = self._hidden(prefix, ids)
            last = hidden[torch.arange(len(ids)), torch.tensor([len(q) - 1 for q in ids])]
            rows.append(self._log_softmax(last)[:, wanted])
        order = [i for chunk in chunks_of([len(q) for q in queries]) for i in chunk]
        return torch.cat(rows)[torch.tensor(order, device=self.device).argsort()]

    def answer_log_probs(
        self, prefix: Prefix, queries: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> Tensor:
        """Mean log-probability per subword of each gold answer after its query: [queries]."""
        lengths = [len(q) + len(a) for q, a in zip(queries, answers, strict=True)]
        means, order = [], []
        for chunk in chunks_of(lengths):
            ids = [[*queries[i], *answers[i]][:-1] for i in chunk]
            hidden = self._hidden(prefix, ids)
            spans = [(len(queries[i]) - 1, len(answers[i])) for i in chunk]
            states = torch.cat([hidden[row, a : a + n] for row, (a, n) in enumerate(spans)])
            gold = torch.tensor([t for i in chunk for t in answers[i]], device=self.device)
            each = self._gold_log_probs(states, gold).split([n for _, n in spans])
            means += [log_probs.mean() for log_probs in each]
            order += chunk
        return torch.stack(means)[torch.tensor(order, device=self.device).argsort()]

    def _gold_log_probs(self, states: Tensor, gold: Tensor) -> Tensor:
        """Log-probability of the gold subword at each position: [positions]. Never a whole [positions, vocabulary]
        block of probabilities: with 262,144 subwords that is what the time and memory go into."""
        head = self.model.get_output_embeddings()
        rows = zip(states.split(POSITIONS_PER_BLOCK), gold.split(POSITIONS_PER_BLOCK), strict=True)
        blocks = []
        for hidden, wanted in rows:
            logits = head(hidden)
            blocks.append(logits.gather(1, wanted[:, None])[:, 0].float() - logits.float().logsumexp(-1))
        return torch.cat(blocks)

    def _hidden(self, prefix: Prefix, queries: Sequence[Sequence[int]]) -> Tensor:
        """Last hidden states of right-padded queries that follow the shared prefix: [queries, longest, d]."""
        width, count, past = max(map(len, queries)), len(queries), len(prefix.bias)
        tokens = torch.tensor([[*q, *[0] * (width - len(q))] for q in queries], device=self.device)
        position = torch.arange(past + width, device=self.device)
        bias = torch.cat([prefix.bias, torch.zeros(width, device=self.device)])
        cache = DynamicCache()
        for i, (keys, values) in enumerate(prefix.layers):
            cache.update(keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1), i)
        # Right padding comes after every real token, so the causal mask alone hides it.
        mask = self._masks(position[None, past:], position, bias[None])
        rows = position[None, past:].expand(count, -1)
        network = self.model.model
        known = cached(network, cache)
        out = network(tokens, attention_mask=mask, position_ids=rows, use_cache=True, **known)
        hidden: Tensor = out.last_hidden_state
        return hidden

    def _masks(self, rows: Tensor, columns: Tensor, bias: Tensor) -> Any:
        """Additive causal masks [1, 1, rows, columns] with the gates' bias; one per attention type if several."""
        distance = rows[0, :, None] - columns[None, :]
        bias = bias.to(self.model.dtype)
        low = torch.finfo(bias.dtype).min
        full = torch.where(distance >= 0, bias, low)[None, None]
        kinds = getattr(self.model.config, "layer_types", None)
        if not kinds or set(kinds) == {"full_attention"}:
            return full
        window = self.model.config.sliding_window
        near = torch.where((distance >= 0) & (distance < window), bias, low)[None, None]
        return {"full_attention": full, "sliding_attention": near}

    def _log_softmax(self, hidden: Tensor) -> Tensor:
        return torch.log_softmax(self.model.get_output_embeddings()(hidden).float(), dim=-1)


@dataclass(frozen=True)
class Prefix:
    """A prompt that a target has read: per layer (keys, values), each [1, heads, n, d]; bias [n] of its gates. A
    diffusion LLM keeps the ids instead, to read them again with each query."""

    layers: list[tuple[Tensor, Tensor]]
    bias: Tensor
    ids: tuple[int, ...] = ()


def cached(model: Any, cache: Any) -> dict[str, Any]:
    """A cache as the keyword argument that the model takes it by: transformers 5.24 renamed it."""
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    return {name: cache}


def chunks_of(lengths: Sequence[int]) -> list[list[int]]:
    """Indices 0..n-1, longest first, in groups of at most TOKENS_PER_CHUNK padded tokens.

    >>> chunks_of([3, 9, 5])
    [[1, 2, 0]]
    """
    chunks: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if chunks and (len(chunks[-1]) + 1) * lengths[chunks[-1][0]] <= TOKENS_PER_CHUNK:
            chunks[-1].append(i)
        else:
            chunks.append([i])
    return chunks
