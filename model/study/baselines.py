"""Compressors to compare with. Each turns a demonstrations text into a shorter one.

The budget of all of them is a share of prompt tokens (`model.prompt`), except `llmlingua`, which counts
subwords of its own small LM, and `recorded`, which has the length it was recorded with. What was really kept
is measured by `model.study.evaluate`.
"""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from model.data import read_lines
from model.errors import InputError
from model.prompt import Prompt, parse
from model.targets import Target
from model.wheels import fetch

Baseline = Callable[
    [str, float], str
]  # demonstrations text, share of prompt tokens to keep -> compressed text

QUERY = "Article: {sentence_1}\nAnswer:"  # the end of every AG News prompt
POSITIONS_PER_CHUNK = 128  # logits of so many positions at once: 128 x 262k floats are 130 MB
LLMLINGUA_MISSING = "the method 'llmlingua' needs its package: pip install -r requirements-eval.txt"


def random_tokens(text: str, retention: float, seed: int) -> str:
    """Keep exactly round(retention * n) prompt tokens, drawn without replacement; seeded by `seed` and text.

    >>> random_tokens("one two three four", 0.5, seed=0)
    'one four'
    """
    prompt = parse(text)
    kept = random.Random(f"{seed}:{text}").sample(range(len(prompt)), _budget(prompt, retention))
    return _render(prompt, kept)


def first_tokens(text: str, retention: float) -> str:
    """Cut the prompt off after round(retention * n) prompt tokens: what anyone can do without a model.

    >>> first_tokens("one two three four", 0.5)
    'one two'
    """
    prompt = parse(text)
    return _render(prompt, list(range(_budget(prompt, retention))))


def selective_context(text: str, retention: float, target: Target) -> str:
    """Selective-Context (Li et al. 2023): keep the round(retention * n) prompt tokens that surprise most.

    The unit is our prompt token (the paper: token, phrase or sentence), its self-information the sum of
    -log p(x_t | x_<t) over its subwords, and the count is exact (the paper: a percentile).
    """
    prompt = parse(text)
    surprise = _self_information(prompt, target)
    ranked = sorted(range(len(prompt)), key=lambda i: -surprise[i])
    return _render(prompt, ranked[: _budget(prompt, retention)])


def recorded(path: Path) -> list[str]:
    """Real outputs of a peer, row by row: the compressed demonstrations without the query that ends each.

    `path` is a JSON Lines file whose rows hold compressed_output.compressed_prompt (as PromptQuine's do).
    Raises InputError when the file is missing or a row does not end in "Article: {sentence_1}\\nAnswer:".
    """
    texts = []
    for number, line in enumerate(filter(str.strip, read_lines(path)), start=1):
        try:
            text = json.loads(line)["compressed_output"]["compressed_prompt"]
        except (ValueError, KeyError, TypeError) as e:
            raise InputError(f"{path} row {number} has no compressed_output.compressed_prompt ({e!r})") from e
        texts.append(without_query(text, f"{path} row {number}"))
    return texts


def without_query(text: str, where: str) -> str:
    """A few-shot prompt without the QUERY that ends it and without white space at its ends."""
    demonstrations, mark, rest = text.rpartition(QUERY)
    if not mark or rest.strip():
        raise InputError(f"{where} does not end in {QUERY!r}; is it another task's file?")
    return demonstrations.strip()


# --- masks -------------------------------------------------------------------------------------------------


def _budget(prompt: Prompt, retention: float) -> int:
    return round(retention * len(prompt))


def _render(prompt: Prompt, kept: Sequence[int]) -> str:
    chosen = set(kept)
    return prompt.render([i in chosen for i in range(len(prompt))])


@torch.inference_mode()
def _self_information(prompt: Prompt, target: Target) -> list[float]:
    """Nats per prompt token. A subword that covers several prompt tokens is shared evenly among them.

    Without a BOS nothing precedes the first subword: it counts as drawn evenly from the vocabulary.
    """
    ids, offsets = target.encode_with_offsets(prompt.text)
    tokens = torch.tensor([[*target.bos, *ids]], device=target.device)
    hidden = target.model.model(tokens, use_cache=False).last_hidden_state[0, :-1]
    head = target.model.get_output_embeddings()
    nats = [
        cross_entropy(head(states).float(), gold, reduction="none")
        for states, gold in zip(
            torch.split(hidden, POSITIONS_PER_CHUNK),
            torch.split(tokens[0, 1:], POSITIONS_PER_CHUNK),
            strict=True,
        )
    ]
    first = [] if target.bos else [float(torch.tensor(float(head.weight.shape[0])).log())]
    surprise = [0.0] * len(prompt)
    at = 0
    for nat, (start, end) in zip([*first, *torch.cat(nats).tolist()], offsets, strict=True):
        while at < len(prompt) - 1 and prompt.tokens[at].end <= start:
            at += 1
        covered = [at]
        while covered[-1] + 1 < len(prompt) and prompt.tokens[covered[-1] + 1].start < end:
            covered.append(covered[-1] + 1)
        for i in covered:
            surprise[i] += nat / len(covered)
    return surprise


# --- LLMLingua ---------------------------------------------------------------------------------------------


def llmlingua(folder: Path | None = None) -> Baseline:
    """LLMLingua (Jiang et al. 2023): the real package, its small LM the one in `folder` (SmolLM2).

    The shots of the text are its list of contexts and its defaults hold: whole shots go first, down to the
    budget plus 100 subwords, then tokens in windows of 200. What remains after the last whole window is left
    as it is, so a short prompt keeps more than asked (recorded runs with gpt2 show the same uncut end). Three
    things are set:
    - the tiktoken vocabulary, fetched over the network, only fills its statistics: replaced by a word count;
    - trust_remote_code, which it turns on, is off;
    - keys and values travel as lists of pairs, which transformers no longer takes: `_ListCache` translates.

    Raises InputError when the package is not installed.
    """
    try:
        package = importlib.import_module("llmlingua.prompt_compressor")
    except ImportError as e:
        raise InputError(f"{LLMLINGUA_MISSING} ({e})") from e
    words = SimpleNamespace(encode=lambda text: text.split())
    with mock.patch.object(package.tiktoken, "encoding_for_model", lambda _: words):
        compressor = package.PromptCompressor(
            model_name=str(folder or fetch("smollm2")),
            device_map="cpu",
            model_config={"trust_remote_code": False},
        )
    compressor.model = _ListCache(compressor.model)

    def compress(text: str, retention: float) -> str:
        prompt = parse(text)
        contexts = [text[shot.start : shot.end].strip() for shot in prompt.shots]
        result = compressor.compress_prompt(contexts, rate=retention)
        return str(result["compressed_prompt"])

    return compress


class _ListCache:
    """A causal LM that takes and returns past keys and values as a list of pairs, one per layer."""

    def __init__(self, model: Any):
        self._model = model

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        past_key_values: Sequence[Sequence[Tensor]] | None,
        use_cache: bool,
    ) -> SimpleNamespace:
        cache = DynamicCache()
        for i, (keys, values) in enumerate(past_key_values or ()):
            cache.update(keys, values, i)
        out = self._model(
            input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=use_cache
        )
        pairs = [(keys, values) for keys, values, *_ in cache]
        return SimpleNamespace(logits=out.logits, past_key_values=pairs)
