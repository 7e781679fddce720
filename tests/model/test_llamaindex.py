"""LlamaIndex's node postprocessor, with the real package."""

from __future__ import annotations

import asyncio

import pytest

from model.errors import InputError
from tests.support.retrieved import COMPRESSOR, FOUND, QUERY, in_order, quoted

pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
from llama_index.core.llms.mock import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode

from model.integrations.llamaindex import NodeCompressor


def nodes() -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(id_=str(i), text=text, metadata={"file": f"{i}.txt"}), score=0.1)
        for i, text in enumerate(FOUND)
    ]


class Retriever(BaseRetriever):
    """Finds everything."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return nodes()


def test_nodes_are_ranked_pruned_and_copied() -> None:
    given = nodes()
    pruned = NodeCompressor(compressor=COMPRESSOR, retention=0.3).postprocess_nodes(given, query_str=QUERY)
    assert given == nodes() and pruned and len(pruned) <= 3
    scores = [each.score or 0.0 for each in pruned]
    assert scores == sorted(scores, reverse=True)
    for each in pruned:
        text = each.node.get_content(MetadataMode.NONE)
        assert text and each.node.metadata["file"] == f"{each.node.node_id}.txt"
        assert in_order(quoted(FOUND[int(each.node.node_id)], each.node.metadata["kept_spans"]), text)
        assert "kept_spans" not in each.node.get_content(MetadataMode.LLM)
        assert "kept_spans" not in each.node.get_content(MetadataMode.EMBED)


def test_a_query_engine_answers_from_what_is_left() -> None:
    postprocessor = NodeCompressor(compressor=COMPRESSOR, retention=0.2)
    engine = RetrieverQueryEngine.from_args(Retriever(), llm=MockLLM(), node_postprocessors=[postprocessor])
    response = engine.query(QUERY)
    left = [each.node.get_content(MetadataMode.NONE) for each in response.source_nodes]
    assert left and sum(map(len, left)) < 0.5 * sum(map(len, FOUND))
    assert all(text in str(response) for text in left)  # the model that only repeats its prompt


def test_async_is_the_same_and_mistakes_are_said() -> None:
    postprocessor = NodeCompressor(compressor=COMPRESSOR, retention=0.3)
    pruned = postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    assert asyncio.run(postprocessor.apostprocess_nodes(nodes(), query_str=QUERY)) == pruned
    assert postprocessor.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(InputError, match="pass query_str"):
        postprocessor.postprocess_nodes(nodes())
