"""Which words of a question a text repeats, weighted by how rare they are in the prompt."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence

import regex
import torch
from torch import Tensor

STEM = 6  # characters of a word that count: a plain stemmer for any alphabet
SHORT = (3, 4)  # letters of an abbreviation
SATURATION = 1.2  # BM25's k1
LONG = 0.8  # exponent of a text's length, where it is to say much for it
LENGTH = 0.5  # BM25's b: how much long texts are held back
_RUN = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"  # scripts without spaces
_WORD = rf"[[\p{{L}}\p{{N}}]--[{_RUN}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_RUN}]]*"
_TOKEN = regex.compile(rf"(?V1)(?P<run>[{_RUN}][{_RUN}\p{{M}}]*)|{_WORD}")


def terms(text: str) -> list[str]:
    """What is compared: word beginnings without case; pairs of characters where words are not spaced.

    "Die Türme" -> ["die", "türme"]; "天气好" -> ["天气", "气好"].
    """
    found: list[str] = []
    for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        word = match[0]
        if match["run"] is None or len(word) == 1:
            found.append(word[:STEM])
        else:
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
    return found


def overlap(texts: Sequence[Sequence[str]], questions: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    """How much of each question each text repeats: BM25, and the rarest word.

    Okapi BM25 (Robertson and Zaragoza 2009) with the texts themselves as the collection.

    Args:
        texts, questions: their `terms`.
    Returns:
        fp32 [texts, questions], BM25 as a share of what the whole question would get; and the same, how rare the
        rarest word is that they share, of the rarest that any text shares with the question. 0 where none is shared.
    """
    asked = {term: i for i, term in enumerate(dict.fromkeys(term for question in questions for term in question))}
    if not asked or not texts:
        return torch.zeros(len(texts), len(questions)), torch.zeros(len(texts), len(questions))
    rows, columns, counts = [], [], []
    for i, text in enumerate(texts):
        for term, times in Counter(term for term in text if term in asked).items():
            rows.append(i)
            columns.append(asked[term])
            counts.append(float(times))
    row, column = torch.tensor(rows, dtype=torch.long), torch.tensor(columns, dtype=torch.long)
    length = torch.tensor([float(len(text)) for text in texts])
    held_back = SATURATION * (1 - LENGTH + LENGTH * length / length.mean().clamp(min=1))
    count = torch.tensor(counts)
    value = count * (1 + SATURATION) / (count + held_back[row]) if rows else count
    have = torch.bincount(column, minlength=len(asked)).float()
    rarity = torch.log1p((len(texts) - have + 0.5) / (have + 0.5))
    weight, rare = torch.zeros(len(asked), len(questions)), torch.zeros(len(asked), len(questions))
    for i, question in enumerate(questions):
        own = torch.tensor([asked[term] for term in dict.fromkeys(question)], dtype=torch.long)
        weight[own, i] = rarity[own] / rarity[own].sum().clamp(min=1e-6)
        there = own[have[own] > 0]
        rare[there, i] = rarity[there] / rarity[there].max() if len(there) else 0.0
    nothing = torch.zeros(len(texts), len(questions))
    shares = nothing.index_add(0, row, value[:, None] * weight[column])
    return shares, nothing.scatter_reduce(0, row[:, None].expand(-1, len(questions)), rare[column], "amax")


def named(texts: Sequence[Sequence[str]], question: Sequence[str]) -> Tensor:
    """How rare the rarest word is that each text shares with a question, of the rarest that any text shares with it.

    A short word of a text stands for one that begins with it, as "Tue" does for "Tuesday".

    Args:
        texts, question: their `terms`.
    Returns: fp32 [texts], 0 where none is shared.
    """
    long = {word[:size]: word for word in reversed(question) for size in SHORT if word[size:] and word.isalpha()}
    return overlap([[long.get(term, term) for term in text] for text in texts], [question])[1][:, 0]


def density(texts: Sequence[Sequence[str]]) -> Tensor:
    """How much each text says for its length: how rare its words are among all texts, over its length to the 0.8.

    Args:
        texts: their `terms`.
    Returns: fp32 [texts], 0 of one without a word.
    """
    have = Counter(term for text in texts for term in set(text))
    said = [sum(math.log(len(texts) / have[term]) for term in set(text)) for text in texts]
    return torch.tensor([value / max(1, len(text)) ** LONG for value, text in zip(said, texts, strict=True)])


def share_of_names(text: str) -> float:
    """Share of words that begin with a capital letter or hold a digit: names, numbers, dates."""
    words = text.split()
    return sum(word[0].isupper() or any(c.isdigit() for c in word) for word in words) / max(1, len(words))
