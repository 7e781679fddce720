"""Reconstruction: a target LLM is asked to write the original of a compressed prompt, and all three are compared.

As a study of LLMLingua-2 on LLaDA does: BLEU, ROUGE and BERTScore of the compressed and of the reconstructed prompt
against the original, beside what each of the three does for the task. Likeness can stay high where the task breaks:
information is left out (recall below precision), and what the target adds is a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError
from ...llm.causal import Prefix, Target
from ...llm.masked_diffusion import DiffusionTarget
from ...llm.unmasking import WritingConfig, unmask, written
from ..metrics.bootstrap import Bootstrap
from ..metrics.figures import Figure, figure, markdown, mean_of, show
from ..metrics.text_metrics import BertScore, bleu, exact_match, rouge
from ..progress import Progress, silent
from ..result_cache import ResultCache
from ..tasks.task import Task
from ..text_score import prompt_of, score_text, sha256

SLOT = "{compressed}"
INSTRUCTION = (
    "Words were removed from the following text to make it shorter. Write the original text again: put the missing "
    "words back, keep all names, numbers and line breaks, and write nothing else.\n\n" + SLOT
)
# for a target without a chat template
PLAIN_PROMPT = f"Shortened text:\n{SLOT}\n\nThe same text with all of its words:\n"
FORMS = ("original", "compressed", "reconstructed")
NOTE = (
    "Prompts restored by {target}. Against the original: BLEU 0-100; ROUGE and BERTScore F1, 0-1; BERT P and R, "
    "precision and recall, and R - P, below 0 where more is missing than made up. subwords: length as a share of "
    "the original's. Means with 95 % bootstrap intervals over {prompts} prompts{task}."
)


def restore(target: Target, compressed: str, limit: int) -> str:
    """What the target writes when it is asked for the original of a compressed text: greedy, at most `limit` subwords.

    INSTRUCTION in the tokenizer's chat template, or PLAIN_PROMPT where it has none. The text is read as plain text, so
    special tokens that are spelled out in it do nothing. Raises InputError where it does not fit into the target's
    context.
    """
    if limit < 1:
        raise InputError(f"limit {limit} must be at least 1 subword")
    ids = _question(target, compressed)
    most = getattr(target.model.config, "max_position_embeddings", None)
    if most and len(ids) + limit > most:
        raise InputError(
            f"{len(ids):,} subwords to read and {limit:,} to write are more than the {most:,} that {target.name} holds "
            "at once: restore shorter prompts, or choose another target"
        )
    return _generate(target, ids, limit).strip()


def _question(target: Target, compressed: str) -> list[int]:
    """The subwords that the target answers to."""
    chat = getattr(target.tokenizer, "chat_template", None)
    asked = PLAIN_PROMPT
    if chat:
        messages = [{"role": "user", "content": INSTRUCTION}]
        asked = target.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    before, _, after = asked.partition(SLOT)
    text = target.tokenizer(compressed, add_special_tokens=False, split_special_tokens=True).input_ids
    return [*([] if chat else target.bos), *target.encode(before), *text, *target.encode(after)]


@torch.inference_mode()
def _generate(target: Target, ids: Sequence[int], limit: int) -> str:
    if isinstance(target, DiffusionTarget):
        config = WritingConfig(length=limit)
        return written(target, unmask(target, Prefix([], torch.zeros(len(ids)), tuple(ids)), (), config)).text
    tokens = torch.tensor([ids], device=target.device)
    out = target.model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=limit,
        do_sample=False,
        repetition_penalty=1.0,  # some models' own settings have another
        pad_token_id=target.tokenizer.eos_token_id,
    )
    text: str = target.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)
    return text


# --- many prompts ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """One measure of the forms of all prompts; of the original only what is not a comparison with itself.

    Attributes:
        forms: figure by form; n = prompts, or prompts * queries for what the task measures.
        gain: mean of reconstructed - compressed, over the same prompts and queries.
    """

    name: str
    forms: Mapping[str, Figure]
    gain: Figure

    def to_json(self) -> dict[str, Any]:
        forms = {form: value.to_json() for form, value in self.forms.items()}
        return {"measure": self.name, "forms": forms, "reconstructed_less_compressed": self.gain.to_json()}


@dataclass(frozen=True)
class Fidelity:
    """How much of the prompts is in their compressed and reconstructed forms.

    Attributes:
        encoder: of the BERTScore; "" where there is none.
        task: its name; "" where there is none.
        texts: by form, one for each prompt.
    """

    target: str
    encoder: str
    task: str
    prompts: int
    rows: tuple[Measure, ...]
    texts: Mapping[str, tuple[str, ...]] = field(repr=False)

    def table(self) -> str:
        """A Markdown table, measures down and forms across, with a line that explains it."""
        rows = [
            [row.name, *(show(row.forms.get(form)) for form in FORMS), show(row.gain, sign="+")] for row in self.rows
        ]
        task = f" (NLL and accuracy: and their queries of {self.task})" if self.task else ""
        encoder = f" BERTScore with {self.encoder}." if self.encoder else ""
        note = NOTE.format(target=self.target, prompts=self.prompts, task=task)
        return f"{markdown(['measure', *FORMS, 'reconstructed - compressed'], rows)}\n\n{note}{encoder}"

    def to_json(self) -> dict[str, Any]:
        """Plain values without the texts; a figure is [mean, low, high, n]."""
        about = {"target": self.target, "encoder": self.encoder, "task": self.task, "prompts": self.prompts}
        return about | {"rows": [row.to_json() for row in self.rows]}


def fidelity(
    target: Target,
    originals: Sequence[str],
    compressed: Sequence[str],
    bert: BertScore | None = None,
    task: Task | None = None,
    *,
    cells: ResultCache | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Fidelity:
    """Let the target restore each compressed prompt, in as many subwords as the original has, and compare.

    Args:
        task: also score its queries after each form; the prompts are then its demonstrations.
        cells: where finished reconstructions and scores are looked up and kept, so that a run that was cut off goes on.

    Raises InputError when there are no pairs or a prompt does not fit into the target.
    """
    if not originals or len(originals) != len(compressed):
        raise InputError(f"{len(originals)} originals and {len(compressed)} compressed prompts: give one for each")
    cells = cells or ResultCache()
    texts: dict[str, list[str]] = {form: [] for form in FORMS}
    values: dict[str, dict[str, list[Any]]] = {}  # measure -> form -> one number or row of queries per prompt
    pairs = list(zip(originals, compressed, strict=True))
    for original, short in progress(pairs, total=len(pairs), unit="prompt", desc="restore"):
        prompt = prompt_of(task, original) if task else None
        for form, text in zip(FORMS, (original, short, _restored(target, original, short, cells)), strict=True):
            texts[form].append(text)
            measured: dict[str, Any] = {}
            if form != FORMS[0]:
                measured["subwords"] = len(target.encode(text)) / len(target.encode(original))
                measured |= _likeness(text, original)
            if task:
                scored = score_text(task, target, text, prompt, cells)
                measured |= {"NLL": scored.nll} | ({} if scored.right is None else {"accuracy": scored.right})
            for name, value in measured.items():
                values.setdefault(name, {}).setdefault(form, []).append(value)
    if bert:
        for form in FORMS[1:]:
            for name, column in _bert(bert, texts[form], originals).items():
                values.setdefault(name, {})[form] = column
    rows = tuple(_measure(name, forms, seed) for name, forms in values.items())
    kept = {form: tuple(column) for form, column in texts.items()}
    return Fidelity(target.name, bert.name if bert else "", task.name if task else "", len(pairs), rows, kept)


def _restored(target: Target, original: str, compressed: str, cells: ResultCache) -> str:
    limit = len(target.encode(original))
    key = {
        "restored_by": target.name,
        "dtype": str(target.model.dtype),
        "asked": sha256(INSTRUCTION + PLAIN_PROMPT),
        "limit": limit,
        "text_sha256": sha256(compressed),
    }
    record = cells.find(key)
    if record is None:
        record = {"text": restore(target, compressed, limit)}
        cells.add(key, record)
    return str(record["text"])


def _likeness(text: str, original: str) -> dict[str, float]:
    shared = rouge(text, original)
    return {
        "BLEU": bleu(text, original),
        "ROUGE-1": shared.rouge1,
        "ROUGE-2": shared.rouge2,
        "ROUGE-L": shared.rouge_l,
        "exact match": float(exact_match(text, original)),
    }


def _bert(bert: BertScore, texts: Sequence[str], originals: Sequence[str]) -> dict[str, list[float]]:
    found = bert.score(texts, originals)
    return {
        "BERT P": [match.precision for match in found],
        "BERT R": [match.recall for match in found],
        "BERT F1": [match.f1 for match in found],
        "BERT R - P": [match.recall - match.precision for match in found],
    }


def _measure(name: str, forms: Mapping[str, Sequence[Any]], seed: int) -> Measure:
    columns = {form: np.array(values, dtype=np.float64) for form, values in forms.items()}
    gain = columns["reconstructed"] - columns["compressed"]
    return Measure(name, {form: _figure(values, seed) for form, values in columns.items()}, _figure(gain, seed))


def _figure(values: NDArray[np.float64], seed: int) -> Figure:
    """Over prompts, or over prompts and queries."""
    if values.ndim == 1:
        return mean_of(values, seed)
    return figure(float(values.mean()), Bootstrap(values.shape[0], values.shape[1], seed).means(values), values.size)
