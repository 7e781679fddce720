"""LangChain's document compressor and agent edit, with the real package."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from model.errors import InputError
from tests.support.retrieved import COMPRESSOR, FOUND, QUERY, in_order, quoted

pytest.importorskip("langchain", reason="langchain is not installed")
from langchain.agents import create_agent
from langchain.agents.middleware import ContextEditingMiddleware
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import tool

from model.integrations.langchain import DocumentCompressor, ToolResultsEdit

DOCUMENTS = [Document(text, metadata={"source": f"{i}.txt"}, id=str(i)) for i, text in enumerate(FOUND)]


def test_every_document_comes_back_with_score_and_spans() -> None:
    before = [document.model_copy(deep=True) for document in DOCUMENTS]
    pruned = DocumentCompressor(compressor=COMPRESSOR, retention=0.3).compress_documents(DOCUMENTS, QUERY)
    assert sorted(document.id or "" for document in pruned) == ["0", "1", "2"] and before == DOCUMENTS
    scores = [document.metadata["relevance_score"] for document in pruned]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    for document in pruned:
        original = FOUND[int(document.id or "")]
        assert document.metadata["source"] == f"{document.id}.txt"
        assert in_order(quoted(original, document.metadata["kept_spans"]), document.page_content)
    assert 0 < sum(len(document.page_content) for document in pruned) < 0.6 * sum(map(len, FOUND))


def test_empty_documents_may_go_and_async_is_the_same() -> None:
    compressor = DocumentCompressor(compressor=COMPRESSOR, retention=0.2, keep_empty=False)
    pruned = compressor.compress_documents(DOCUMENTS, QUERY)
    assert pruned and all(document.page_content for document in pruned)
    assert asyncio.run(compressor.acompress_documents(DOCUMENTS, QUERY)) == pruned
    assert compressor.compress_documents([], QUERY) == []


def test_mistakes_are_said() -> None:
    with pytest.raises(InputError, match="question is empty"):
        DocumentCompressor(compressor=COMPRESSOR).compress_documents(DOCUMENTS, "")
    with pytest.raises(InputError, match="no option 'top'"):
        DocumentCompressor(compressor=COMPRESSOR, options={"top": 1}).compress_documents(DOCUMENTS, QUERY)


# --- the agent -----------------------------------------------------------------------------------------------------

LONG = " ".join(FOUND * 3)


class Model(GenericFakeChatModel):
    """Says what it is told to, and remembers what it was sent."""

    seen: list[list[BaseMessage]] = []

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *rest: Any, **more: Any) -> Any:
        self.seen.append(list(messages))
        return super()._generate(messages, *rest, **more)


@tool
def look_up(place: str) -> str:
    """What is known of a place."""
    return f"{place}. {LONG}"


def call(i: int) -> AIMessage:
    return AIMessage(
        "", tool_calls=[ToolCall(name="look_up", args={"place": f"Place {i}"}, id=f"c{i}", type="tool_call")]
    )


def test_an_agent_sends_old_results_shortened_and_the_same_each_time() -> None:
    model = Model(messages=iter([call(1), call(2), call(3), AIMessage("At ten.")]))
    edit = ToolResultsEdit(COMPRESSOR, trigger=10, retention=0.3)
    agent = create_agent(model, [look_up], middleware=[ContextEditingMiddleware(edits=[edit])])
    answered = agent.invoke({"messages": [HumanMessage(QUERY)]})
    assert answered["messages"][-1].content == "At ten."
    sent = [[m for m in messages if isinstance(m, ToolMessage)] for messages in model.seen]
    last = sent[-1]
    assert [m.tool_call_id for m in last] == ["c1", "c2", "c3"] and {m.name for m in last} == {"look_up"}
    assert all(0 < len(m.content) < 0.6 * len(LONG) for m in last[:2])
    assert last[2].content == f"Place 3. {LONG}"
    assert sent[2][0].content == last[0].content  # so that a provider can go on from it
    kept = [m.content for m in answered["messages"] if isinstance(m, ToolMessage)]
    assert kept == [f"Place {i}. {LONG}" for i in (1, 2, 3)]  # the agent's own memory is whole


def talk(content: Any) -> list[AnyMessage]:
    return [
        HumanMessage(QUERY),
        call(1),
        ToolMessage(content, tool_call_id="c1"),
        call(2),
        ToolMessage("x", tool_call_id="c2"),
    ]


def edited(messages: list[AnyMessage], **options: Any) -> list[AnyMessage]:
    ToolResultsEdit(COMPRESSOR, retention=0.3, **options).apply(messages, count_tokens=lambda m: 100)
    return messages


def test_what_stays_as_it_is() -> None:
    for options in ({"trigger": 100}, {"trigger": 1, "keep": 2}, {"trigger": 1, "exclude_tools": ["look_up"]}):
        assert edited(talk(LONG), **options) == talk(LONG)
    assert edited(talk("half \ud800 " * 9), trigger=1)[2].content == "half \ud800 " * 9
    once = edited(talk(LONG), trigger=1)
    assert edited(list(once), trigger=1) == once != talk(LONG)


def test_json_stays_json_and_images_stay() -> None:
    rows = [{"city": f"Town {i}", "beds": 7 * i} for i in range(9)]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    short: Any = edited(talk([{"type": "text", "text": json.dumps(rows)}, image, LONG]), trigger=1)[2].content
    left = json.loads(short[0]["text"])
    assert 0 < len(left) < 9 and all(row in rows for row in left)
    assert short[1] == image and len(short[2]) < len(LONG)
