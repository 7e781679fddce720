"""Haystack: retrieved documents pruned and ranked, as a component between retriever and prompt builder. For
haystack-ai 2.x and later.

>>> pipeline.add_component("compressor", DiffuMaskRanker(Compressor.load, retention=0.3))
>>> pipeline.connect("retriever.documents", "compressor.documents")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import InputError, needs
from . import Ranks

with needs("haystack"):
    from haystack import Document, component, default_from_dict, default_to_dict
    from haystack.utils import deserialize_callable, serialize_callable


@component
class DiffuMaskRanker:
    """Keeps of all documents together what says most to the query; documents of which nothing is left go.

    The documents come back as copies, the most relevant first, with a score in [0, 1] and in their meta `kept_spans`,
    the characters [start, end) of the content that are kept.

    Args:
        load: makes the compressor when the pipeline warms up: `Compressor.load`, or a function of your own. Its name is
            what a saved pipeline holds; to load that, allow its module (`Pipeline.loads` says how).
        retention: share of the documents' tokens to keep at most, in (0, 1]; 1 ranks alone.
        options: as of `Compressor.rank`: target_tokens, tokenizer, granularity, ...
    """

    def __init__(
        self, load: Callable[[], Ranks], retention: float = 0.5, options: dict[str, Any] | None = None
    ) -> None:
        self.load, self.retention, self.options = load, retention, options or {}
        self._compressor: Ranks | None = None

    def warm_up(self) -> None:
        """Load the compressor, once."""
        self._compressor = self._compressor or self.load()

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], retention: float | None = None) -> dict[str, list[Document]]:
        """The documents that are left; retention: instead of the component's own.

        Raises InputError as `Compressor.rank` does, and where a document has no text.
        """
        self.warm_up()
        assert self._compressor is not None
        if (first := next((i for i, each in enumerate(documents) if each.content is None), None)) is not None:
            raise InputError(f"document {first} has no text: leave out what is not text")
        texts = [each.content or "" for each in documents]
        asked = self.retention if retention is None else retention
        ranking = self._compressor.rank(query, texts, asked, **self.options)
        return {"documents": [_pruned_content(documents[place.index], place) for place in ranking if place.text]}

    def to_dict(self) -> dict[str, Any]:
        """What a saved pipeline holds."""
        return default_to_dict(self, load=serialize_callable(self.load), retention=self.retention, options=self.options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DiffuMaskRanker:
        """The component of a saved pipeline."""
        parameters = data["init_parameters"]
        made = {**parameters, "load": deserialize_callable(parameters["load"])}
        return default_from_dict(cls, {**data, "init_parameters": made})


def _pruned_content(document: Document, place: Any) -> Document:
    meta = {**document.meta, "kept_spans": [list(span) for span in place.spans]}
    return replace(document, content=place.text, score=place.score, meta=meta)
