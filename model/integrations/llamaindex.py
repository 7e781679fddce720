"""LlamaIndex: retrieved nodes pruned and ranked, as a node postprocessor. For llama-index-core 0.12 and later.

>>> engine = index.as_query_engine(node_postprocessors=[NodeCompressor(compressor=Compressor.load(), retention=0.3)])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError, needs

with needs("llamaindex"):
    from llama_index.core.bridge.pydantic import Field
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

SPANS = "kept_spans"


class NodeCompressor(BaseNodePostprocessor):
    """Keeps of all nodes together what says most to the query; nodes of which nothing is left go.

    The nodes come back as copies, the most relevant first, with a score in [0, 1] and in their metadata `kept_spans`,
    the characters [start, end) of the node's text that are kept; language models and embeddings do not see these.

    Attributes:
        compressor: a `Compressor`.
        retention: share of the nodes' tokens to keep at most, in (0, 1]; 1 ranks alone.
        options: as of `Compressor.rank`: target_tokens, tokenizer, granularity, ...
    Raises InputError as `Compressor.rank` does, and where there is no query.
    """

    compressor: Any = Field(exclude=True)
    retention: float = 0.5
    options: Mapping[str, Any] = Field(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """How LlamaIndex calls it."""
        return "DiffuMaskNodeCompressor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise InputError("nodes are ranked by a query: pass query_str or query_bundle")
        texts = [each.node.get_content(MetadataMode.NONE) for each in nodes]
        ranking = self.compressor.rank(query_bundle.query_str, texts, self.retention, **self.options)
        return [_pruned_node(nodes[place.index], place) for place in ranking if place.text]


def _pruned_node(found: NodeWithScore, place: Any) -> NodeWithScore:
    node = found.node.model_copy(deep=True)
    node.set_content(place.text)
    node.metadata[SPANS] = [list(span) for span in place.spans]
    for hidden in (node.excluded_llm_metadata_keys, node.excluded_embed_metadata_keys):
        if SPANS not in hidden:
            hidden.append(SPANS)
    return NodeWithScore(node=node, score=place.score)
