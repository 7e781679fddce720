"""Tokens as language models count them: what a prompt costs depends on the tokenizer of the model that will read it.

Tokenizers are read from folders that are there already; nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from model.errors import InputError
from model.pretrained import WHEELS, cache_dir
from model.prompt import Prompt

OWN = "DiffuMask's own"  # the served model's
_FILE = "tokenizer.json"
_TITLES = {"smollm2": "SmolLM2", "gemma3": "Gemma 3"}


class Counters:
    """The tokenizers to choose from. Safe to share between threads.

    own: the served model's way to count, a number for each prompt token.
    folders: of further tokenizers, each with a tokenizer.json.
    """

    def __init__(self, own: Callable[[Prompt], list[int]], folders: Sequence[Path] = ()):
        self._own = own
        self._folders = dict(_tokenizer_folders(folders))
        self._loaded: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What can be chosen; the first is the default."""
        return [OWN, *self._folders]

    def count(self, name: str, prompt: Prompt) -> list[int]:
        """How many of the tokenizer's tokens belong to each prompt token; their sum is the whole prompt's.

        Raises InputError when there is no such tokenizer, or it cannot be read.
        """
        if name == OWN:
            return self._own(prompt)
        return counts(self._tokenizer(name), prompt)

    def _tokenizer(self, name: str) -> Any:
        if name not in self._folders:
            raise InputError("There is no such tokenizer here: choose another.")
        with self._lock:
            if name not in self._loaded:
                try:
                    tokenizer = Tokenizer.from_file(str(self._folders[name] / _FILE))
                except Exception as error:  # the library raises nothing more precise
                    raise InputError(f"The tokenizer in {self._folders[name]} cannot be read: {error}") from None
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._loaded[name] = tokenizer
            return self._loaded[name]


def counts(tokenizer: Any, prompt: Prompt) -> list[int]:
    """The tokenizer reads the whole prompt; each of its tokens counts for the prompt token that its end lies in.

    What lies between two prompt tokens (spaces) counts for the second, what follows the last one for the last.
    """
    made = [0] * len(prompt)
    at = 0
    for start, end in tokenizer.encode(prompt.text, add_special_tokens=False).offsets:
        last = max(start, end - 1)
        while at + 1 < len(prompt) and prompt.tokens[at].end <= last:
            at += 1
        made[at] += 1
    return made


def _tokenizer_folders(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Name and folder of the target LLMs' tokenizers that were fetched before, then of the given ones."""
    for name in WHEELS:
        folder = cache_dir() / "targets" / name
        if (folder / _FILE).is_file():
            yield _TITLES.get(name, name), folder
    for folder in folders:
        if (folder / _FILE).is_file():
            yield folder.name, folder
