"""Compressors to compare with. Each turns a demonstrations text into a shorter one.

The budget of all of them is a share of prompt tokens (`model.prompt`), except the LLMLinguas', which count subwords
of their own model. What was really kept is measured by `model.evaluation.evaluate`.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from ...errors import InputError, install
from ...llm.causal import Target, cached
from ...llm.masked_diffusion import DiffusionTarget
from ...pretrained import fetch
from ...prompt import Prompt, parse

Baseline = Callable[[str, float], str]  # context, share of prompt tokens to keep -> compressed text
Texts = str | Sequence[str]  # a context, or the parts of one

POSITIONS_PER_CHUNK = 128  # logits of so many positions at once: 128 x 262k floats are 130 MB
LLMLINGUA_MISSING = f"the LLMLingua methods need their package: {install('eval')}"


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


def selective_context(text: str, retention: float, targets: Sequence[Target]) -> str:
    """Selective-Context (Li et al. 2023): keep the round(retention * n) prompt tokens that surprise most.

    The unit is our prompt token (the paper: token, phrase or sentence), its self-information the sum of
    -log p(x_t | x_<t) over its subwords, and the count is exact (the paper: a percentile). Of several targets it is
    the mean.
    """
    if any(isinstance(target, DiffusionTarget) for target in targets):
        raise InputError("a diffusion LLM does not read from left to right; let another one choose, as in @smollm2")
    prompt = parse(text)
    surprise = [sum(nats) for nats in zip(*(_self_information(prompt, t) for t in targets), strict=True)]
    ranked = sorted(range(len(prompt)), key=lambda i: -surprise[i])
    return _render(prompt, ranked[: _budget(prompt, retention)])


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


def llmlingua(folder: Path | None = None) -> Callable[[Texts, float], str]:
    """LLMLingua (Jiang et al. 2023): the real package, its small LM the one in `folder` (None: SmolLM2).

    The texts, or the shots of a single one, are its list of contexts and its defaults hold: whole ones go first, down
    to the budget plus 100 subwords, then tokens in windows of 200. What remains after the last whole window is left as
    it is, so a short prompt keeps more than asked (recorded runs with gpt2 show the same uncut end). Raises InputError
    when the package is not installed or the folder holds no model.
    """
    compressor = _causal(folder)

    def compress(text: Texts, retention: float) -> str:
        return str(compressor.compress_prompt(_contexts(text), rate=retention)["compressed_prompt"])

    return compress


def longllmlingua(folder: Path | None = None) -> Callable[[Texts, float, str], str]:
    """LongLLMLingua (Jiang et al. 2023, arXiv 2310.06839): texts, retention, question -> compressed text.

    The same package and small LM as `llmlingua`, with the settings that its README gives: texts ranked by how likely
    they make the question and put in that order, the budget shared out by rank, tokens ranked by how much the
    question changes their likelihood. The question only steers: it takes nothing from the budget and is not in the
    result. As with `llmlingua`, a prompt of less than a window of 200 subwords is hardly shortened.
    """
    compressor = _causal(folder)

    def compress(text: Texts, retention: float, question: str) -> str:
        contexts = _contexts(text)
        result = compressor.compress_prompt(
            contexts,
            question=question,
            target_token=retention * sum(map(compressor.get_token_length, contexts)),
            rank_method="longllmlingua",
            condition_in_question="after_condition",
            reorder_context="sort",
            dynamic_context_compression_ratio=0.3,
            condition_compare=True,
            context_budget="+100",
            concate_question=False,
        )
        return str(result["compressed_prompt"])

    return compress


def llmlingua2(folder: Path) -> Baseline:
    """LLMLingua-2 (Pan et al. 2024, arXiv 2403.12968): the real package with the token classifier in `folder`, BERT or
    XLM-RoBERTa, and its README's forced tokens.

    The package tells by the model's name how words are spelled, and counts words in GPT subwords; here the kind of
    the model tells, and its own subwords count. Raises InputError as `llmlingua`, or for another kind of model.
    """
    compressor = _load(folder, use_llmlingua2=True)
    kinds = {"bert": "bert-base-multilingual-cased", "xlm-roberta": "xlm-roberta-large"}
    kind, classifies = compressor.model.config.model_type, "TokenClassification" in type(compressor.model).__name__
    if kind not in kinds or not classifies:
        raise InputError(f"{folder} is no LLMLingua-2 model: it must be a BERT or XLM-RoBERTa token classifier")
    compressor.model_name = kinds[kind]
    compressor.oai_tokenizer = SimpleNamespace(encode=compressor.tokenizer.tokenize)

    def compress(text: str, retention: float) -> str:
        result = compressor.compress_prompt(text, rate=retention, force_tokens=["\n", "?"])
        return str(result["compressed_prompt"])

    return compress


def _contexts(text: Texts) -> list[str]:
    if not isinstance(text, str):
        return list(text)
    return [text[shot.start : shot.end].strip() for shot in parse(text).parts]


def _causal(folder: Path | None) -> Any:
    """A compressor with a causal LM. Keys and values travel as lists of pairs, which transformers no longer takes:
    `_ListCache` translates."""
    compressor = _load(folder)
    compressor.model = _ListCache(compressor.model)
    return compressor


def _load(folder: Path | None, **options: Any) -> Any:
    """The package's compressor with the model in a folder (None: SmolLM2's), whose own code is never run.

    The package fetches tiktoken's vocabulary over the network, only for its statistics: it gets a word count instead.
    """
    try:
        package: Any = importlib.import_module("llmlingua.prompt_compressor")
    except ImportError as e:
        raise InputError(f"{LLMLINGUA_MISSING} ({e})") from e
    folder = folder or fetch("smollm2")
    package.tiktoken = SimpleNamespace(encoding_for_model=lambda name: SimpleNamespace(encode=str.split))
    settings = {"device_map": "cpu", "model_config": {"trust_remote_code": False}}
    try:
        return package.PromptCompressor(model_name=str(folder), **settings, **options)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as e:
        reason = (str(e).strip() or repr(e)).splitlines()[0]
        raise InputError(f"LLMLingua cannot load a model from {folder} ({reason[:200]}); name its folder") from e


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
        known = cached(self._model, cache)
        out = self._model(input_ids, attention_mask=attention_mask, use_cache=use_cache, **known)
        pairs = [(keys, values) for keys, values, *_ in cache]
        return SimpleNamespace(logits=out.logits, past_key_values=pairs)
