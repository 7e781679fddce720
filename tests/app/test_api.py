"""The endpoints for programs, over real HTTP: gradio_client, and an MCP client where the package is there."""

from __future__ import annotations

import asyncio
import json
import uuid
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from annotations.store import Store
from app.api import mcp_is_there
from app.examples import example_prompts
from model.record import CorrectionRecord
from tests.support.saving import HOSTILE, fields
from tests.support.scripted import ScriptedCompressor

NAMES = {"/compress", "/correct", "/corrections", "/checkpoints"}
PROMPT = "Sort the news.\n\nArticle: The team won 3:1.\nAnswer: Sports\n\nArticle: Shares fell sharply.\nAnswer:"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    made = Client(url, verbose=False)
    yield made
    made.close()


def test_nothing_else_is_public(client: Client) -> None:
    described = client.view_api(print_info=False, return_format="dict")
    assert set(described["named_endpoints"]) == NAMES and not described["unnamed_endpoints"]


def test_compress_is_what_python_gives(client: Client) -> None:
    asked: dict[str, Any] = {"retention": 0.35, "steps": 4, "threshold": 0.1, "seed": 3, "keep": r"\d"}
    got = client.predict(text=PROMPT, pins={"0": False}, tokens=True, **asked, api_name="/compress")
    wanted = ScriptedCompressor().compress(PROMPT, pins={0: False}, **asked).to_json()  # type: ignore[arg-type]
    assert {**got, "seconds": 0} == {**json.loads(json.dumps(wanted)), "seconds": 0}
    short = client.predict(text=PROMPT, retention=0.8, api_name="/compress")
    assert 0 < short["kept_tokens"] <= 0.8 * short["prompt_tokens"]


def test_an_answer_is_short_unless_its_words_are_asked_for(client: Client) -> None:
    text = example_prompts()["Documents + question"].text
    for granularity in ("unit", "part", "token"):
        answer = client.predict(text=text, granularity=granularity, api_name="/compress")
        assert len(json.dumps(answer)) <= 3 * len(text) and "tokens" not in answer
        wanted = ScriptedCompressor().compress(text, granularity=granularity)  # type: ignore[arg-type]
        assert answer["compressed"] == wanted.text


def test_every_setting_reaches_the_model(client: Client) -> None:
    asked: dict[str, Any] = {"keep_words": ["fell"], "keep_digits": True, "keep_breaks": True, "keep_task": False}
    asked |= {"granularity": "token", "guards": False, "least": 0.0, "least_demonstration": 0.0, "retention": 0.5}
    wanted = ScriptedCompressor().compress(PROMPT, **asked).text  # type: ignore[arg-type]
    assert client.predict(text=PROMPT, **asked, api_name="/compress")["compressed"] == wanted
    named = [[0, 14, "question"], [14, len(PROMPT), "document"]]
    answer = client.predict(text=PROMPT, parts=named, retention=0.1, api_name="/compress")
    assert [part["role"] for part in answer["verdict"]["parts"]] == ["question", "document"]
    assert "Sort the news." in answer["compressed"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"granularity": "letters"}, "no granularity"),
        ({"keep_words": "not"}, "keep_words must be a list"),
        ({"parts": [["a"]]}, "parts must be a list"),
        ({"parts": [[0, 9999, "document"]]}, "outside the prompt"),
        ({"text": " "}, "empty"),
        ({"text": "x " * 150_000}, "split it"),
        ({"retention": 2}, "retention 2"),
        ({"retention": "a lot"}, "retention must be a number"),
        ({"steps": 65}, "steps 65"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"keep": "("}, "regular expression"),
        ({"pins": {"x": True}}, "'x' is not the place of a word"),
        ({"pins": {"999": True}}, "Token 999"),
        ({"pins": {"0": "yes"}}, "pins must be an object"),
        ({"pins": [1]}, "pins must be an object"),
    ],
)
def test_a_mistake_is_said_in_one_line(client: Client, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError) as error:
        client.predict(**{"text": PROMPT, **asked}, api_name="/compress")
    assert says in str(error.value) and "\n" not in str(error.value) and "Traceback" not in str(error.value)


def test_what_is_corrected_comes_back(client: Client, store: Store) -> None:
    """Whatever the text, unchanged; the answer comes when the store has it."""
    for text in HOSTILE:
        sent = fields(f"Say {text} twice.", note=text, annotator=f"Ann {text}".strip())
        saved = client.predict(**sent, api_name="/correct")
        assert store.get(sent["id"]) == CorrectionRecord.from_fields(saved)
        assert {name: saved[name] for name in sent} == sent
        (listed,) = client.predict(text=sent["id"], api_name="/corrections")
        assert listed == saved


def test_the_same_correction_is_saved_once_and_a_changed_one_is_its_next_revision(client: Client, store: Store) -> None:
    sent = fields("Only once, please.")
    assert [client.predict(**sent, api_name="/correct")["revision"] for _ in range(3)] == [1, 1, 1]
    assert client.predict(**{**sent, "note": "changed"}, api_name="/correct")["revision"] == 2
    assert len(store.history(sent["id"])) == 2
    unnamed = [client.predict(**{**fields("Twice."), "id": ""}, api_name="/correct")["id"] for _ in range(2)]
    assert unnamed[0] != unnamed[1] and all(store.get(id).prompt == "Twice." for id in unnamed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"human_mask": "1"}, "human_mask: has 1 marks"),
        ({"prompt": "NUL \0"}, "NUL"),
        ({"offsets": [[0, 9**9]]}, "offsets"),
        ({"offsets": "all"}, "offsets"),
        ({"pins": {"0": False}}, "pins: token 0"),
        ({"annotator": " "}, "annotator: is empty"),
        ({"id": "../../x"}, "id: "),
        ({"retention": 7}, "retention"),
    ],
)
def test_a_bad_correction_is_refused(client: Client, store: Store, changed: dict[str, Any], says: str) -> None:
    before = store.find().total
    with pytest.raises(AppError, match=says):
        client.predict(**{**fields(), **changed}, api_name="/correct")
    assert store.find().total == before


def test_corrections_are_filtered_and_paged(client: Client, store: Store) -> None:
    name = uuid.uuid4().hex
    ids = [store.submit(fields(f"Number {i}.", annotator=name)).correction.id for i in range(5)]
    store.review(ids[0], 1, "accepted", "Rex")
    listed = [
        record["id"]
        for offset in (0, 2, 4)
        for record in client.predict(annotator=name, offset=offset, limit=2, api_name="/corrections")
    ]
    assert sorted(listed) == sorted(ids)
    (accepted,) = client.predict(statuses=["accepted"], annotator=name, api_name="/corrections")
    assert (accepted["id"], accepted["reviewer"]) == (ids[0], "Rex")
    assert client.predict(annotator=name, until="2001-01-01", api_name="/corrections") == []
    for wrong in ({"statuses": ["gone"]}, {"limit": 0}, {"offset": -1}, {"since": "soon"}, {"annotator": 5}):
        with pytest.raises(AppError):
            client.predict(**wrong, api_name="/corrections")


def test_checkpoints(client: Client, store: Store) -> None:
    id = f"learned-{uuid.uuid4().hex[:8]}"
    store.add_checkpoint(id, "/somewhere/secret", metrics={"edit_rate": 0.1})
    answer = client.predict(api_name="/checkpoints")
    assert answer["served"] == "scripted" and "secret" not in json.dumps(answer)
    (known,) = [one for one in answer["checkpoints"] if one["id"] == id]
    assert known["metrics"] == {"edit_rate": 0.1} and known["parent"] is None


@pytest.mark.skipif(not mcp_is_there(), reason='pip install "gradio[mcp]"')
def test_mcp(url: str, store: Store) -> None:
    """The endpoints are tools: described, and callable."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk() -> tuple[Any, Any, Any]:
        async with streamablehttp_client(f"{url}gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = (await session.list_tools()).tools
                names = {tool.name.rpartition("_")[2] or tool.name: tool.name for tool in tools}
                short = await session.call_tool(names["compress"], {"text": PROMPT, "retention": 0.35})
                refused = await session.call_tool(names["compress"], {"text": PROMPT, "retention": 35})
                return tools, short, refused

    tools, short, refused = asyncio.run(talk())
    assert {tool.name.rpartition("_")[2] for tool in tools} == {name[1:] for name in NAMES}
    (compress,) = [tool for tool in tools if tool.name.endswith("compress")]
    assert compress.description.startswith("Shorten a prompt") and compress.inputSchema["required"] == ["text"]
    assert all(about.get("description") for about in compress.inputSchema["properties"].values())
    wanted = ScriptedCompressor().compress(PROMPT, retention=0.35).text
    assert not short.isError and literal_eval(short.content[0].text)["compressed"] == wanted  # Gradio writes a dict so
    assert refused.isError and "retention 35" in refused.content[0].text
