"""BM25 (Robertson and Zaragoza 2009, with Lucene's idf): how well texts of a small collection answer a question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..relevance.lexical import terms

K1, B = 1.2, 0.75


class BM25:
    """A collection of texts.

    >>> BM25(["a cat sat", "a dog ran", "a cat and a dog"]).scores("which cat?").round(2).tolist()
    [0.23, 0.0, 0.19]
    """

    def __init__(self, texts: Sequence[str]):
        counts = [Counter(terms(text)) for text in texts]
        self._texts = len(texts)
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        self._norm = K1 * (1 - B + B * lengths / max(lengths.mean() if len(texts) else 1.0, 1.0))
        self._places: dict[str, tuple[list[int], list[int]]] = {}
        for i, count in enumerate(counts):
            for term, times in count.items():
                where, often = self._places.setdefault(term, ([], []))
                where.append(i)
                often.append(times)

    def scores(self, question: str) -> NDArray[np.float64]:
        """How well each text fits: [texts], 0 where they share no word."""
        total = np.zeros(self._texts)
        for term in dict.fromkeys(terms(question)):
            where, often = self._places.get(term, ([], []))
            idf = np.log(1 + (self._texts - len(where) + 0.5) / (len(where) + 0.5))
            times = np.array(often, dtype=np.float64)
            total[where] += idf * times / (times + self._norm[where])
        return total
