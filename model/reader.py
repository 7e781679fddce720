"""The reader's own tokens: what a prompt costs depends on the tokenizer of the language model that will read it.

No torch: a tokenizer is a file. Nothing is fetched but what the caller names on the hub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError, not_installed
from .prompt import Prompt

Offsets = list[tuple[int, int]]  # (start, end) characters of each token of a text


@dataclass(frozen=True)
class ReaderTokenizer:
    """A language model's tokenizer.

    Attributes:
        name: for people.
        offsets: text -> where each of its tokens lies.
    """

    name: str
    offsets: Callable[[str], Offsets] = field(repr=False)

    def count(self, text: str) -> int:
        """How many tokens a text has, without special tokens."""
        return len(self.offsets(text)) if text else 0

    def counts(self, prompt: Prompt) -> list[int]:
        """How many of the reader's tokens belong to each prompt token: [n]; their sum is the whole prompt's.

        Each counts for the prompt token that its end lies in. What lies between two prompt tokens (spaces) counts for
        the second, what follows the last one for the last.
        """
        made = [0] * len(prompt)
        at = 0
        for start, end in self.offsets(prompt.text):
            last = max(start, end - 1)
            while at + 1 < len(prompt) and prompt.tokens[at].end <= last:
                at += 1
            made[at] += 1
        return made


def prices(prompt: Prompt, reader: ReaderTokenizer | None) -> list[int]:
    """[n] what each prompt token counts in a budget: 1 without a reader, and nothing if it only joins texts."""
    counts = [1] * len(prompt) if reader is None else reader.counts(prompt)
    for joint in prompt.joints:
        counts[joint] = 0
    return counts


def load_reader(name: Any) -> ReaderTokenizer:
    """A tokenizer by name, or an object that is one.

    Args:
        name: a folder or file with tokenizer.json; "smollm2" or "gemma3"; a model on the Hugging Face hub; "tiktoken:"
            and an encoding or OpenAI model (with the package tiktoken); or any object with `encode(text)`.
    Raises InputError when there is no such tokenizer, or it cannot be read.
    """
    if not isinstance(name, str | Path):
        return _of_object(name)
    text = str(name)
    if text.startswith("tiktoken:"):
        return _tiktoken(text.removeprefix("tiktoken:"))
    return ReaderTokenizer(Path(text).name, _fast(text))


def _fast(name: str) -> Callable[[str], Offsets]:
    from tokenizers import Tokenizer  # here, since a prompt is compressed without

    path = Path(name)
    if name in ("smollm2", "gemma3") and not path.exists():
        from .pretrained import fetch

        path = fetch(name)
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_file(str(file)) if file.is_file() else Tokenizer.from_pretrained(name)
    except Exception as error:  # the library raises nothing more precise
        reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
        raise InputError(
            f"cannot read the tokenizer {name!r} ({reason}); give a folder with tokenizer.json or a model on the hub"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).offsets)


def _tiktoken(name: str) -> ReaderTokenizer:
    try:
        import tiktoken
    except ModuleNotFoundError as error:
        raise InputError(not_installed(error)) from None
    try:
        encoding = tiktoken.get_encoding(name) if "_base" in name else tiktoken.encoding_for_model(name)
    except Exception as error:  # unknown names, and no network for its vocabulary
        reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
        raise InputError(f"cannot load tiktoken's {name!r} ({reason}); name another tokenizer") from None

    def offsets(text: str) -> Offsets:
        _, starts = encoding.decode_with_offsets(encoding.encode_ordinary(text))
        return list(zip(starts, [*starts[1:], len(text)], strict=True))

    return ReaderTokenizer(name, offsets)


def _of_object(tokenizer: Any) -> ReaderTokenizer:
    """Any object with `encode`: tokens are laid over the text evenly where it says nothing of offsets."""
    if isinstance(tokenizer, ReaderTokenizer):
        return tokenizer
    if not hasattr(tokenizer, "encode"):
        raise InputError(
            f"{type(tokenizer).__name__} is no tokenizer: give a name, a folder or an object with encode()"
        )

    def offsets(text: str) -> Offsets:
        made = tokenizer.encode(text)
        found = getattr(made, "offsets", None)
        if found is not None:
            return list(found)
        count = len(getattr(made, "ids", made))
        edges = [round(i * len(text) / max(count, 1)) for i in range(count + 1)]
        return list(zip(edges, edges[1:], strict=False))

    return ReaderTokenizer(type(tokenizer).__name__, offsets)
