"""Haystack's component, in a real pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from model.errors import InputError
from tests.support.retrieved import COMPRESSOR, FOUND, QUERY, in_order, quoted

pytest.importorskip("haystack", minversion="3", reason="haystack-ai 3 is not installed")
from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from model.integrations.haystack import DiffuMaskRanker


def load() -> Any:
    return COMPRESSOR


DOCUMENTS = [Document(content=text, id=str(i), meta={"file": f"{i}.txt"}) for i, text in enumerate(FOUND)]


def test_documents_are_ranked_pruned_and_copied() -> None:
    pruned = DiffuMaskRanker(load, retention=0.3).run(QUERY, DOCUMENTS)["documents"]
    assert pruned and [document.content for document in DOCUMENTS] == FOUND
    scores = [document.score or 0.0 for document in pruned]
    assert scores == sorted(scores, reverse=True)
    for document in pruned:
        assert document.content and document.meta["file"] == f"{document.id}.txt"
        assert in_order(quoted(FOUND[int(document.id)], document.meta["kept_spans"]), document.content)


def test_it_runs_in_a_pipeline_that_was_saved() -> None:
    store = InMemoryDocumentStore()
    store.write_documents(DOCUMENTS)
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store))
    pipeline.add_component("compressor", DiffuMaskRanker(load, retention=0.2))
    pipeline.add_component("prompt", PromptBuilder("{% for d in documents %}{{ d.content }}\n{% endfor %}{{ query }}"))
    pipeline.connect("retriever.documents", "compressor.documents")
    pipeline.connect("compressor.documents", "prompt.documents")
    asked = {"retriever": {"query": QUERY}, "compressor": {"query": QUERY}, "prompt": {"query": QUERY}}
    prompt = pipeline.run(asked)["prompt"]["prompt"]
    assert prompt.endswith(QUERY) and len(QUERY) + 5 < len(prompt) < 0.6 * sum(map(len, FOUND))
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["model.*", "tests.*"])
    ranker = again.get_component("compressor")
    assert isinstance(ranker, DiffuMaskRanker) and ranker.load is load and ranker.retention == 0.2


def test_mistakes_are_said() -> None:
    ranker = DiffuMaskRanker(load)
    assert ranker.run(QUERY, [])["documents"] == []
    with pytest.raises(InputError, match="document 1 has no text"):
        ranker.run(QUERY, [DOCUMENTS[0], Document(content=None)])
    with pytest.raises(InputError, match="question is empty"):
        ranker.run("", DOCUMENTS)
