"""A frozen sentence encoder: texts and stretches of texts -> vectors whose products say how alike they are."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, BertModel
from transformers.utils import cached_file

from ..devices import fastest_dtype, pick_device
from ..errors import InputError
from ..layers import KNOWN_ENCODERS, WholeEncoder
from ..turns import give_way
from .cache import TensorCache
from .storage import SHIPPED, is_stored, load_stored

WINDOW = 512  # subwords read at once, where the encoder has positions for as many
BATCH = 4096  # subwords in one pass, padding included
CACHE = 32 * 2**20  # bytes of embeddings that are remembered
Kind = Literal["query", "passage"]
Pooling = Literal["mean", "cls"]
Span = tuple[int, int]


@dataclass(frozen=True)
class Prefixes:
    """What an encoder wants to read before a text."""

    query: str = ""
    passage: str = ""


NO_PREFIXES = Prefixes()


@dataclass(frozen=True)
class _Text:
    """A text to read. spans: character offsets of the stretches that are wanted on their own. asked: read before it."""

    kind: Kind
    text: str
    spans: tuple[Span, ...]
    asked: str

    @property
    def bytes(self) -> int:
        return 4 * (len(self.text) + len(self.asked)) + 150 * len(self.spans)


class SentenceEncoder:
    """Normalised embeddings, remembered for the texts that were read last."""

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        prefixes: Prefixes = NO_PREFIXES,
        pooling: Pooling = "mean",
        dtype: torch.dtype | None = None,
    ) -> None:
        """model: a bidirectional encoder in eval mode. tokenizer: without truncation and padding.

        pooling: mean over the subwords, or the first one's state.
        dtype: to compute in; None = the fastest there.
        """
        self._words = model.get_input_embeddings()
        self._states_of = _runner(model, dtype)
        self._device = model.device
        self._tokenizer = tokenizer
        self._prefixes = prefixes
        self._pooling = pooling
        self._first, self._last = _special(tokenizer)
        self._window = min(WINDOW, _positions(model))
        self._cache = TensorCache(CACHE)
        self.width: int = model.config.hidden_size

    @classmethod
    def load(
        cls,
        source: str | Path | None = None,
        device: str | torch.device | None = None,
        prefixes: Prefixes | None = None,
    ) -> SentenceEncoder:
        """The encoder in a folder or on the Hugging Face hub; None: the shipped multilingual-e5-small.

        prefixes: instead of those that the encoder's own files name.
        Raises InputError when it cannot be loaded or is no such encoder.
        """
        place = pick_device(device)
        if source is not None and not is_stored(source):
            return _from_hugging_face(str(source), place, prefixes)
        stored = load_stored(SHIPPED if source is None else Path(source))
        own = Prefixes(**stored.meta.get("prefixes", {}))
        return cls(stored.model.to(place), stored.tokenizer, prefixes or own)

    def with_layers(self, model: BertModel) -> SentenceEncoder:
        """An encoder with this one's vocabulary and the layers of `model`, whose own vocabulary is replaced."""
        model.set_input_embeddings(self._words)
        return SentenceEncoder(model.to(self._device), self._tokenizer, self._prefixes, self._pooling)

    def remember(self, limit: int) -> None:
        """Keep up to so many bytes of embeddings, beginning with none."""
        self._cache = TensorCache(limit)

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Tensor:
        """fp32 [texts, width] of length 1, on the CPU. What is longer than a window is read in several."""
        return self.read(texts, [()] * len(texts), kind)[0]

    def read(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], kind: Kind = "passage", asked: str = ""
    ) -> tuple[Tensor, Tensor]:
        """Each text, and stretches of it as they read in its context.

        One pass over a text gives the embeddings of all its sentences ("late chunking", Günther et al. 2024,
        arXiv 2409.04701).

        Args:
            spans: for each text, character offsets (start, end), ascending and disjoint.
            asked: a question that is read together with each text, for encoders that have learnt to.
        Returns:
            fp32 [texts, width] and fp32 [spans of all texts, width], of length 1 (0 for a span of spaces), on the CPU.
        """
        wanted = [_Text(kind, text, tuple(own), asked) for text, own in zip(texts, spans, strict=True)]
        rows = {text: row for text in dict.fromkeys(wanted) if (row := self._cache.get(text)) is not None}
        new = [text for text in dict.fromkeys(wanted) if text not in rows]
        for text, row in zip(new, self._read(new), strict=True):
            rows[text] = row
            self._cache.put(text, row, text.bytes)
        empty = torch.zeros(0, self.width)
        return (
            torch.cat([empty, *(rows[text][:1] for text in wanted)]),
            torch.cat([empty, *(rows[text][1:] for text in wanted)]),
        )

    def pieces(self, text: str, spans: Sequence[Span], room: int) -> Iterator[tuple[list[int], list[Span], list[int]]]:
        """A text's subwords in windows of at most `room`, with the spans in them: ids, subword spans, which spans."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        places = _subwords_of(encoded, spans)
        before = [0] * (self._window - len(self._last) - room)
        for window in self._windows(0, before, encoded.ids, [start for start, _ in places]):
            inside = [
                (i, max(start - window.begin, 0), min(end - window.begin, window.size))
                for i, (start, end) in enumerate(places)
                if start < window.begin + window.size and end > window.begin
            ]
            ids = window.ids[window.before : window.before + window.size]
            yield ids, [(start, end) for _, start, end in inside], [i for i, _, _ in inside]

    def question_ids(self, asked: str, most: int) -> list[int]:
        """A question's first subwords, as it is read before a text."""
        return self._ids(self._prefix("query") + asked)[:most]

    def _read(self, texts: Sequence[_Text]) -> list[Tensor]:
        """For each text [1 + spans, width]: the text's own embedding first."""
        encoded = self._tokenizer.encode_batch([text.text for text in texts], add_special_tokens=False)
        places = [_subwords_of(one, text.spans) for one, text in zip(encoded, texts, strict=True)]
        sums = [torch.zeros(1 + len(text.spans), self.width) for text in texts]
        windows = [
            window
            for i, text in enumerate(texts)
            for window in self._windows(i, self._before(text), encoded[i].ids, [start for start, _ in places[i]])
        ]
        for batch in _batches(windows):
            for window, states in zip(batch, self._states([window.ids for window in batch]), strict=True):
                _add(sums[window.text], states, window, places[window.text], self._pooling)
            give_way()
        return [F.normalize(total, dim=-1) for total in sums]

    def _windows(self, text: int, before: list[int], ids: list[int], starts: list[int]) -> Iterator[_Window]:
        """A text's subwords in stretches that fit, which begin where a span does if they can."""
        room = max(1, self._window - len(before) - len(self._last))
        begin = 0
        while begin < len(ids) or begin == 0:
            end = min(begin + room, len(ids))
            if end < len(ids):
                end = max((start for start in starts if begin < start <= end), default=end)
            yield _Window(text, begin, [*before, *ids[begin:end], *self._last], len(before), end - begin)
            begin = max(end, 1)

    def _before(self, text: _Text) -> list[int]:
        """The subwords that a text is read after."""
        own = [*self._first, *self._ids(self._prefix(text.kind).strip())]
        if not text.asked:
            return own
        question = self.question_ids(text.asked, self._window // 4)
        return [*self._first, *question, *self._last, *own[len(self._first) :]]

    def _prefix(self, kind: Kind) -> str:
        return self._prefixes.query if kind == "query" else self._prefixes.passage

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @torch.inference_mode()
    def _states(self, batch: list[list[int]]) -> Iterator[Tensor]:
        """The encoder's last states of each window, fp32 [its length, width], on the CPU."""
        longest = max(map(len, batch))
        ids = torch.tensor([[*window, *[0] * (longest - len(window))] for window in batch])
        real = torch.tensor([[i < len(window) for i in range(longest)] for window in batch])
        states = self._states_of(ids.to(self._device), real.to(self._device)).float().cpu()
        return (row[: len(window)] for row, window in zip(states, batch, strict=True))


def _runner(model: Any, dtype: torch.dtype | None) -> Callable[[Tensor, Tensor], Tensor]:
    """ids, real [windows, width] -> last hidden states; with its layers as they are run here, where they are known."""
    if model.config.model_type in KNOWN_ENCODERS:
        return WholeEncoder(model, dtype)
    model.to(dtype or fastest_dtype(model.device))
    return lambda ids, real: model(input_ids=ids, attention_mask=real.long()).last_hidden_state


@dataclass(frozen=True)
class _Window:
    """What is read in one row of a pass.

    Attributes:
        text: its number.
        begin: first of the text's subwords in it.
        ids: special subwords and prefix, then the text's, then the last special ones.
        before: how many come before the text's.
        size: how many are the text's.
    """

    text: int
    begin: int
    ids: list[int]
    before: int
    size: int


def _add(sums: Tensor, states: Tensor, window: _Window, places: Sequence[Span], pooling: Pooling) -> None:
    """Add a window's states [length, width] to the sums [1 + spans, width] of its text."""
    sums[0] += states[0] if pooling == "cls" else states.sum(0)
    own = states[window.before : window.before + window.size]
    for i, (start, end) in enumerate(places):
        if start < window.begin + window.size and end > window.begin:
            sums[1 + i] += own[max(0, start - window.begin) : end - window.begin].sum(0)


def _subwords_of(encoded: Encoding, spans: Sequence[Span]) -> list[Span]:
    """Character spans -> subword spans: those that begin in the span."""
    if not spans:
        return []
    starts = [start for start, _ in encoded.offsets]
    return [(bisect_left(starts, start), bisect_left(starts, end)) for start, end in spans]


def _batches(windows: list[_Window]) -> Iterator[list[_Window]]:
    """Windows of like length together, BATCH subwords at most with padding (or one window)."""
    batch: list[_Window] = []
    for window in sorted(windows, key=lambda window: len(window.ids)):
        if batch and (len(batch) + 1) * len(window.ids) > BATCH:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


# --- encoders from elsewhere -------------------------------------------------------------------------------


def _from_hugging_face(source: str, device: torch.device, prefixes: Prefixes | None) -> SentenceEncoder:
    try:
        model = AutoModel.from_pretrained(source, use_safetensors=True, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"cannot load the sentence encoder {source!r} ({first}); give a Hugging Face name or folder with "
            "safetensors weights, or leave it out for the shipped one"
        ) from error
    if model.config.is_encoder_decoder or not hasattr(model.config, "hidden_size"):
        raise InputError(f"{source!r} is no bidirectional encoder; choose one like BERT or RoBERTa")
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(f"{source!r} has no fast tokenizer (tokenizer.json); choose another sentence encoder")
    plain = tokenizer.backend_tokenizer
    if plain.get_vocab_size() > model.get_input_embeddings().weight.shape[0]:
        raise InputError(f"the vocabulary of {source!r} is larger than its weights; choose another sentence encoder")
    plain.no_truncation()
    plain.no_padding()
    model = model.eval().requires_grad_(False).to(device)
    return SentenceEncoder(model, plain, prefixes or _prefixes(source), _pooling(source))


def _prefixes(source: str) -> Prefixes:
    """As sentence-transformers stores them; those of the E5 family, which stores none, by its name."""
    prompts = _extra(source, "config_sentence_transformers.json").get("prompts") or {}
    if not prompts and "e5-" in Path(source).name and "instruct" not in source:
        return Prefixes("query: ", "passage: ")
    return Prefixes(prompts.get("query", ""), prompts.get("passage", prompts.get("document", "")))


def _pooling(source: str) -> Pooling:
    return "cls" if _extra(source, "1_Pooling/config.json").get("pooling_mode_cls_token") else "mean"


def _extra(source: str, name: str) -> dict[str, Any]:
    """A JSON file beside the weights; {} if there is none."""
    path = cached_file(
        source,
        name,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        value = {}
    return value if isinstance(value, dict) else {}


def _special(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special subwords that a text is read between, such as [CLS] and [SEP]."""
    core = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    at = next((i for i in range(len(whole)) if whole[i : i + len(core)] == core), 0)
    return whole[:at], whole[at + len(core) :]


def _positions(model: Any) -> int:
    """How many subwords the encoder has positions for. RoBERTa counts from its padding index + 1."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)
    most = getattr(model.config, "max_position_embeddings", None) or WINDOW
    return int(most if offset is None else most - offset - 1)
