"""A frozen sentence encoder: texts and stretches of texts -> vectors whose products say how alike they are."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer
from transformers.utils import cached_file

from ..devices import fastest_dtype, pick_device
from ..errors import InputError
from ..layers import KNOWN_ENCODERS
from ..turns import give_way
from .cache import TensorCache
from .packed import PackedEncoder
from .passes import SharedPasses, WindowEncoder
from .storage import SHIPPED, is_stored, load_stored

STRETCH = 8192  # subwords that are read before others may go first
WINDOW = 512  # subwords read at once, where the encoder has positions for as many
BATCH = 512  # subwords in one pass on a CPU: what it computes then stays in its caches
ACCELERATED = 16384  # elsewhere
CACHE = 32 * 2**20  # bytes of embeddings that are remembered
ReadAs = Literal["query", "passage"]
Pooling = Literal["mean", "cls"]
Span = tuple[int, int]
Rows = TypeVar("Rows", list[int], Tensor)


@dataclass(frozen=True)
class Prefixes:
    """What an encoder wants to read before a text."""

    query: str = ""
    passage: str = ""


NO_PREFIXES = Prefixes()


@dataclass(frozen=True)
class _Text:
    """A text to read. spans: character offsets of the stretches that are wanted on their own. asked: read before it."""

    kind: ReadAs
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
        passes: SharedPasses | None = None,
    ) -> None:
        """model: a bidirectional encoder in eval mode. tokenizer: without truncation and padding.

        pooling: mean over the subwords, or the first one's state.
        dtype: to compute in; None = the fastest there.
        passes: those of another encoder on the same device, so that both together compute no more at once.
        """
        self._words = model.get_input_embeddings()
        self._encoder = _encoder(model, dtype)
        self._passes = passes or SharedPasses.on(model.device)
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

    def with_layers(self, model: Any, dtype: torch.dtype | None = None) -> SentenceEncoder:
        """An encoder with this one's vocabulary and the layers of `model`, whose own vocabulary is replaced."""
        model.set_input_embeddings(self._words)
        placed = model.to(self._device)
        return SentenceEncoder(placed, self._tokenizer, self._prefixes, self._pooling, dtype, self._passes)

    def remember(self, limit: int) -> None:
        """Keep up to so many bytes of embeddings, beginning with none."""
        self._cache = TensorCache(limit)

    def embed(self, texts: Sequence[str], kind: ReadAs = "passage") -> Tensor:
        """fp32 [texts, width] of length 1, on the CPU. What is longer than a window is read in several."""
        return self.read(texts, [()] * len(texts), kind)[0]

    def read(
        self,
        texts: Sequence[str],
        spans: Sequence[Sequence[Span]],
        kind: ReadAs | Sequence[ReadAs] = "passage",
        asked: str = "",
    ) -> tuple[Tensor, Tensor]:
        """Each text, and stretches of it as they read in its context.

        One pass over a text gives the embeddings of all its sentences ("late chunking", Günther et al. 2024,
        arXiv 2409.04701).

        Args:
            spans: for each text, character offsets (start, end), ascending and disjoint.
            kind: of all texts, or of each.
            asked: a question that is read together with each text, for encoders that have learnt to.
        Returns:
            fp32 [texts, width] and fp32 [spans of all texts, width], of length 1 (0 for a span of spaces), on the CPU.
        """
        kinds = [kind] * len(texts) if isinstance(kind, str) else kind
        each = zip(kinds, texts, spans, strict=True)
        wanted = [_Text(kind, text, tuple(own), asked) for kind, text, own in each]
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
        before = [0] * (self._window - len(self._last) - room)
        for window in self._windows(0, before, encoded.ids, _subwords_of(encoded, spans)):
            yield window.own(window.ids), list(window.spans.values()), list(window.spans)

    def question_ids(self, asked: str, most: int) -> list[int]:
        """A question's first subwords, as it is read before a text."""
        return self._ids(self._prefix("query") + asked)[:most]

    def _read(self, texts: Sequence[_Text]) -> list[Tensor]:
        """For each text [1 + spans, width]: the text's own embedding first."""
        encoded = self._tokenizer.encode_batch([text.text for text in texts], add_special_tokens=False)
        windows = [
            window
            for i, (text, own) in enumerate(zip(texts, encoded, strict=True))
            for window in self._windows(i, self._before(text), own.ids, _subwords_of(own, text.spans))
        ]
        sums = [torch.zeros(1 + len(text.spans), self.width) for text in texts]
        for some in _stretches(windows):

            def summary(i: int, states: Tensor, some: Sequence[_Window] = some) -> Tensor:
                return some[i].sums(states.float().cpu(), self._pooling)

            results = self._passes.run(self._encoder, [window.ids for window in some], summary)
            for window, found in zip(some, results, strict=True):
                sums[window.text][[0, *(1 + i for i in window.spans)]] += found
            give_way()
        return [F.normalize(total, dim=-1) for total in sums]

    def _windows(self, text: int, before: list[int], ids: list[int], places: Sequence[Span]) -> Iterator[_Window]:
        """A text's subwords in stretches that fit, which begin where a span does if they can."""
        room = max(1, self._window - len(before) - len(self._last))
        begin = 0
        while begin < len(ids) or begin == 0:
            end = min(begin + room, len(ids))
            if end < len(ids):
                end = max((start for start, _ in places if begin < start <= end), default=end)
            spans = {
                i: (max(first - begin, 0), min(last, end) - begin)
                for i, (first, last) in enumerate(places)
                if first < end and last > begin
            }
            yield _Window(text, [*before, *ids[begin:end], *self._last], len(before), end - begin, spans)
            begin = max(end, 1)

    def _before(self, text: _Text) -> list[int]:
        """The subwords that a text is read after."""
        own = [*self._first, *self._ids(self._prefix(text.kind).strip())]
        if not text.asked:
            return own
        question = self.question_ids(text.asked, self._window // 4)
        return [*self._first, *question, *self._last, *own[len(self._first) :]]

    def _prefix(self, kind: ReadAs) -> str:
        return self._prefixes.query if kind == "query" else self._prefixes.passage

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _stretches(windows: Sequence[_Window]) -> Iterator[Sequence[_Window]]:
    """Windows that are asked for together: so few that others need not wait long."""
    first, size = 0, 0
    for i, window in enumerate(windows):
        if size + len(window.ids) > STRETCH and i > first:
            yield windows[first:i]
            first, size = i, 0
        size += len(window.ids)
    if windows:
        yield windows[first:]


def _encoder(model: Any, dtype: torch.dtype | None) -> WindowEncoder:
    """With its layers as they are run here, where they are known."""
    most = BATCH if model.device.type == "cpu" else ACCELERATED
    if model.config.model_type in KNOWN_ENCODERS:
        return WindowEncoder(PackedEncoder(model, dtype), most, False)
    model.to(dtype or fastest_dtype(model.device))
    return WindowEncoder(partial(_padded, model), most, True)


def _padded(model: Any, windows: Sequence[Sequence[int]]) -> list[Tensor]:
    longest = max(map(len, windows))
    ids = torch.tensor([[*window, *[0] * (longest - len(window))] for window in windows], device=model.device)
    real = torch.tensor([[i < len(window) for i in range(longest)] for window in windows], device=model.device)
    states = model(input_ids=ids, attention_mask=real.long()).last_hidden_state
    return [row[: len(window)] for row, window in zip(states, windows, strict=True)]


@dataclass(frozen=True)
class _Window:
    """A stretch of a text that is read at once.

    Attributes:
        text: its number.
        ids: special subwords and prefix, then the text's, then the last special ones.
        before: how many come before the text's.
        size: how many are the text's.
        spans: of each span in it, by its number, first and end among the text's subwords here.
    """

    text: int
    ids: list[int]
    before: int
    size: int
    spans: dict[int, Span]

    def own(self, rows: Rows) -> Rows:
        """Of what there is for each subword, that of the text's."""
        return rows[self.before : self.before + self.size]

    def sums(self, states: Tensor, pooling: Pooling) -> Tensor:
        """States [length, width] -> [1 + spans, width]: of all, and of each span."""
        own = self.own(states)
        whole = states[0] if pooling == "cls" else states.sum(0)
        return torch.stack([whole, *(own[start:end].sum(0) for start, end in self.spans.values())])


def _subwords_of(encoded: Encoding, spans: Sequence[Span]) -> list[Span]:
    """Character spans -> subword spans: those that begin in the span."""
    if not spans:
        return []
    starts = [start for start, _ in encoded.offsets]
    return [(bisect_left(starts, start), bisect_left(starts, end)) for start, end in spans]


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
