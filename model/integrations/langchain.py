"""LangChain: retrieved documents pruned and ranked (`DocumentCompressor`), and an agent's old tool results shortened
(`ToolResultsEdit`). For langchain-core 1.x; the edit needs langchain 1.x only where a middleware applies it.

>>> retriever = ContextualCompressionRetriever(
...     base_compressor=DocumentCompressor(compressor=Compressor.load(), retention=0.3), base_retriever=base
... )
>>> ContextEditingMiddleware(edits=[ToolResultsEdit(Compressor.load(), trigger=20_000)])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, Field

from ..errors import needs
from . import Ranks
from .history import HistoryShortener, question_of, with_texts

with needs("langchain"):
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document
    from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, ToolMessage

EDIT = "diffumask"  # marks messages that were shortened


class DocumentCompressor(BaseDocumentCompressor):
    """Keeps of all documents together what says most to the query.

    Each document comes back, the most relevant first, with what is kept of it (perhaps nothing) and in its metadata
    `relevance_score` in [0, 1] and `kept_spans`, the characters [start, end) of it that are kept.

    Attributes:
        compressor: a `Compressor`.
        retention: share of the documents' tokens to keep at most, in (0, 1]; 1 ranks alone.
        keep_empty: whether documents of which nothing is left come back, too.
        options: as of `Compressor.rank`: target_tokens, tokenizer, granularity, ...
    Raises InputError as `Compressor.rank` does.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    compressor: Any
    retention: float = 0.5
    keep_empty: bool = True
    options: Mapping[str, Any] = Field(default_factory=dict)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The documents in the order of what they say to the query; those that were given are not changed."""
        texts = [document.page_content for document in documents]
        ranking = self.compressor.rank(query, texts, self.retention, **self.options)
        return [_pruned(documents[place.index], place) for place in ranking if place.text or self.keep_empty]


def _pruned(document: Document, place: Any) -> Document:
    added = {"relevance_score": place.score, "kept_spans": [list(span) for span in place.spans]}
    return document.model_copy(update={"page_content": place.text, "metadata": {**document.metadata, **added}})


@dataclass
class ToolResultsEdit:
    """An edit for `ContextEditingMiddleware`: once a conversation is long, keep of what tools gave what the person's
    last question before it asks for.

    Ids, names, calls and every other message stay as they are. The same result becomes the same text with every call of
    the model, so that a provider can go on from what it has read.

    Attributes:
        compressor: a `Compressor`.
        trigger: tokens of all messages, as the middleware counts them, up to which nothing happens.
        retention: share of each result's tokens to keep at most, in (0, 1].
        keep: how many of the latest results stay whole.
        exclude_tools: names of tools whose results stay whole.
        options: as of `Compressor.rank`.
    """

    compressor: Ranks
    trigger: int = 20_000
    retention: float = 0.5
    keep: int = 1
    exclude_tools: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shorten = HistoryShortener(self.compressor, self.retention, **self.options)

    def apply(self, messages: list[AnyMessage], *, count_tokens: Callable[[Sequence[BaseMessage]], int]) -> None:
        """Replace the messages of older tool results in the list."""
        if count_tokens(messages) <= self.trigger:
            return
        results = [i for i, message in enumerate(messages) if isinstance(message, ToolMessage)]
        question, at = "", 0
        for i in results[: max(len(results) - self.keep, 0)]:
            asked = [question_of(message.content) for message in messages[at:i] if isinstance(message, HumanMessage)]
            question, at = asked[-1] if asked else question, i
            messages[i] = self._edited(messages[i], messages, question)

    def _edited(self, message: AnyMessage, messages: Sequence[AnyMessage], question: str) -> AnyMessage:
        made: Mapping[str, Any] = message.response_metadata.get("context_editing", {})
        if made.get("strategy") == EDIT or made.get("cleared") or _tool_of(message, messages) in self.exclude_tools:
            return message
        content = with_texts(message.content, lambda text: self._shorten(text, question))
        metadata = {**message.response_metadata, "context_editing": {"strategy": EDIT}}
        return message.model_copy(update={"content": content, "response_metadata": metadata})


def _tool_of(result: Any, messages: Sequence[Any]) -> str:
    """The name of the tool that gave a result, which only its call may say."""
    calls = (call for message in messages for call in getattr(message, "tool_calls", ()))
    return result.name or next((call["name"] for call in calls if call.get("id") == result.tool_call_id), "")
