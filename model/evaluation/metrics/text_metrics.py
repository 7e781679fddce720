"""How much of a text is left in another: BLEU, ROUGE, BERTScore and exact match. The reference is the original.

All of them measure likeness, none whether what matters is still there: a target can fail on a text that scores high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import sacrebleu
import torch
from rouge_score import rouge_scorer  # type: ignore[import-untyped]
from torch import Tensor

from ...denoiser.checkpoint import Checkpoint, from_encoder, load_checkpoint
from ...devices import pick_device
from ...errors import InputError
from .words import words

MOST_WORD_PAIRS = 25_000_000  # pairs of words or subwords that are compared: two texts of 5,000 words
WINDOWS_AT_ONCE = 16  # windows of an encoder at once
SHIPPED_LAYER = 4
ROWS = 1024  # hypothesis subwords matched at once


# --- words in common ---------------------------------------------------------------------------------------


def bleu(hypothesis: str, reference: str) -> float:
    """BLEU of one text, 0-100 (Papineni et al. 2002): sacrebleu's sentence BLEU, 13a tokens, exponential smoothing."""
    return float(sacrebleu.sentence_bleu(hypothesis, [reference]).score)


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of many texts together, 0-100: n-grams are counted over all of them, so it is no mean of `bleu`."""
    _check_pairs(hypotheses, references)
    return float(sacrebleu.corpus_bleu(list(hypotheses), [list(references)]).score)


@dataclass(frozen=True)
class Rouge:
    """F1, 0-1, of the words, pairs of words and longest common subsequence that two texts share."""

    rouge1: float
    rouge2: float
    rouge_l: float

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


def rouge(hypothesis: str, reference: str) -> Rouge:
    """ROUGE (Lin 2004) by the package rouge-score, without stemming.

    Words are the package's (lower case, letters and digits), but in every script: its own are a-z and 0-9 alone, and
    would call any two texts in Greek or Chinese different. Raises InputError where the texts are too long to compare.
    """
    scores = _score(("rouge1", "rouge2", "rougeL"), hypothesis, reference)
    return Rouge(*(float(scores[name].fmeasure) for name in ("rouge1", "rouge2", "rougeL")))


def rouge_l(hypothesis: str, reference: str) -> float:
    """F1 of the longest common subsequence of words, 0-1; see `rouge`."""
    return float(_score(("rougeL",), hypothesis, reference)["rougeL"].fmeasure)


def exact_match(hypothesis: str, reference: str) -> bool:
    """Whether the texts are the same but for white space."""
    return hypothesis.split() == reference.split()


class _Words:
    """The tokenizer interface of rouge-score."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@cache
def _scorer(kinds: tuple[str, ...]) -> Any:
    return rouge_scorer.RougeScorer(list(kinds), tokenizer=_Words())


def _score(kinds: tuple[str, ...], hypothesis: str, reference: str) -> Any:
    _check_size(len(words(hypothesis)), len(words(reference)), "words")
    return _scorer(kinds).score(reference, hypothesis)


def _check_size(hypothesis: int, reference: int, unit: str) -> None:
    if hypothesis * reference > MOST_WORD_PAIRS:
        raise InputError(f"texts of {hypothesis:,} and {reference:,} {unit} are too long to compare; compare parts")


def _check_pairs(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise InputError(f"{len(hypotheses)} hypotheses for {len(references)} references: give one for each")


# --- BERTScore ---------------------------------------------------------------------------------------------


class Match(NamedTuple):
    """Precision: how well the hypothesis is found in the reference. Recall: the reference in the hypothesis. F1."""

    precision: float
    recall: float
    f1: float


class BertScore:
    """BERTScore (Zhang et al. 2020, section 3): greedy cosine matching of contextual embeddings of subwords.

    As the package bert-score without idf, but: the last hidden layer, not one that was chosen for each model on
    translations; no baseline rescaling, so scores of different encoders do not compare; texts longer than the encoder's
    positions are read whole, in overlapping windows, instead of cut off. A text without a subword scores 0.

    >>> BertScore.load().score(["the cat sat"], ["the cat sat down"])       # [(precision, recall, f1)]
    """

    def __init__(self, name: str, checkpoint: Checkpoint, device: torch.device, layer: int = -1):
        self.name, self.layer, self.device = name, layer, device
        self.tokenizer: Any = checkpoint.collator.tokenizer
        self.window = checkpoint.denoiser.config.window
        self.backbone: Any = checkpoint.denoiser.backbone.to(device).eval()

    @classmethod
    def load(cls, encoder: str | Path | None = None, device: str | torch.device | None = None) -> BertScore:
        """The encoder named so; InputError if it cannot be loaded.

        encoder: None or "minilm" = all-MiniLM-L6-v2, fetched once; "shipped" = the denoiser's own encoder, which needs
            no network; or a Hugging Face name or folder. The shipped one was trained on for masks: its last layer
            finds unrelated texts as much alike as a text and its excerpt, so its fourth of six is read.
        """
        place = pick_device(device)
        if encoder == "shipped":
            own = load_checkpoint()
            return cls(f"diffumask-{own.id}", own, place, SHIPPED_LAYER)
        found = from_encoder(encoder or "minilm")
        return cls(str(found.meta["base"]), found, place)

    def score(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[Match]:
        """Each hypothesis against its reference."""
        _check_pairs(hypotheses, references)
        scores = []
        for at in range(0, len(references), WINDOWS_AT_ONCE):  # bounds what is held in memory
            pairs = list(zip(hypotheses[at : at + WINDOWS_AT_ONCE], references[at : at + WINDOWS_AT_ONCE], strict=True))
            vectors = self._embed(list(dict.fromkeys(text for pair in pairs for text in pair)))
            scores += [_match(vectors[hypothesis], vectors[reference]) for hypothesis, reference in pairs]
        return scores

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Unit vectors of each text's subwords: [subwords, d]."""
        ids = self.tokenizer(list(texts), add_special_tokens=False, verbose=False).input_ids
        spans = [(i, *span) for i, row in enumerate(ids) for span in _spans(len(row), self.window - 2)]
        spans.sort(key=lambda span: span[2] - span[1])  # windows of a batch are about as long
        found: list[dict[int, Tensor]] = [{} for _ in texts]
        for at in range(0, len(spans), WINDOWS_AT_ONCE):
            batch = spans[at : at + WINDOWS_AT_ONCE]
            hidden = self._hidden([ids[i][start:end] for i, start, end, _, _ in batch])
            for row, (i, start, _, first, last) in enumerate(batch):
                found[i][first] = hidden[row, first - start : last - start].cpu()
        none = torch.empty(0, 1)
        parts = [[rows[first] for first in sorted(rows)] or [none] for rows in found]
        whole = (torch.cat(rows) for rows in parts)
        return dict(zip(texts, (torch.nn.functional.normalize(rows, dim=-1) for rows in whole), strict=True))

    def _hidden(self, windows: Sequence[Sequence[int]]) -> Tensor:
        """Last hidden states of some windows, without their special tokens: [windows, longest, d]."""
        t, width = self.tokenizer, max(map(len, windows)) + 2
        ids = torch.full((len(windows), width), t.pad_token_id)
        attention = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window) + 2] = torch.tensor([t.cls_token_id, *window, t.sep_token_id])
            attention[row, : len(window) + 2] = 1
        out = self.backbone(ids.to(self.device), attention.to(self.device), output_hidden_states=True)
        hidden: Tensor = out.hidden_states[self.layer][:, 1:-1].float()
        return hidden


def _spans(length: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows that overlap by half, and the part that is taken from each, farthest from its edges:
    (start, end, first, last).

    >>> list(_spans(10, 8))
    [(0, 8, 0, 5), (2, 10, 5, 10)]
    """
    step = max(width // 2, 1)
    starts = [*range(0, max(length - width, 0), step), max(length - width, 0)] if length else []
    edges = [0, *((left + width + right) // 2 for left, right in zip(starts, starts[1:], strict=False)), length]
    for start, first, last in zip(starts, edges, edges[1:], strict=False):
        yield start, min(start + width, length), first, last


def _match(hypothesis: Tensor, reference: Tensor) -> Match:
    """Every subword with the most similar one of the other text; means over each text's subwords."""
    _check_size(len(hypothesis), len(reference), "subwords")
    if not len(hypothesis) or not len(reference):
        return Match(0.0, 0.0, 0.0)
    similar = [rows @ reference.T for rows in hypothesis.split(ROWS)]
    precision = float(torch.cat([block.amax(1) for block in similar]).mean())
    recall = float(torch.stack([block.amax(0) for block in similar]).amax(0).mean())
    total = precision + recall
    return Match(precision, recall, 2 * precision * recall / total if total else 0.0)
