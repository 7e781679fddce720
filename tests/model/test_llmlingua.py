"""LLMLingua's class: tags, JSON, lengths and recovery; and the adapters of LangChain and LlamaIndex that call it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.compress import Compressor
from model.errors import InputError
from model.integrations.recover import recover
from model.llmlingua import PromptCompressor
from model.prompt import parse
from tests.support.tiny import tiny_checkpoint

LINGUA = PromptCompressor(compressor=Compressor(tiny_checkpoint()))
TEXTS = [
    "The ferry to Lund leaves at nine. It is blue. Tickets are sold on board.",
    "The museum opens at ten. Dogs are not allowed. It has a garden.",
    "The mill was built in 1850. It burnt down twice. Nobody lives there.",
]


def is_part(small: Any, large: Any) -> bool:
    """Whether a JSON value is what another one is when members and elements are left out."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(key in large and is_part(value, large[key]) for key, value in small.items())
    if isinstance(small, list) and isinstance(large, list):
        rest = iter(large)
        return all(any(is_part(value, other) for other in rest) for value in small)
    return type(small) is type(large) and small == large


# --- tags ----------------------------------------------------------------------------------------------------------


def test_tags_say_what_stays_and_how_much() -> None:
    tagged = (
        "<llmlingua, compress=False>Speaker 1:</llmlingua>"
        f"<llmlingua, rate=0.5> {TEXTS[0]}</llmlingua>"
        "<llmlingua, compress=False>\nSpeaker 2:</llmlingua>"
        f"<llmlingua, rate=0.4> {TEXTS[1]}</llmlingua> {TEXTS[2]}"
    )
    result = LINGUA.structured_compress_prompt(tagged, question="When does the museum open?", rate=0.5)
    (left,) = result["compressed_prompt_list"]
    assert "Speaker 1:" in left and "Speaker 2:" in left and "llmlingua" not in left
    assert 0 < len(parse(left)) < len(parse(" ".join(TEXTS)))
    first, second = left.split("Speaker 2:")
    assert len(parse(first)) - 3 <= 0.5 * len(parse(TEXTS[0]))
    assert result["compressed_prompt"].endswith("\n\nWhen does the museum open?")


@pytest.mark.parametrize("text", ["<llmlingua>a", "a</llmlingua>", "<llmlingua, rate=3>a</llmlingua>", "<llmlingua"])
def test_wrong_tags_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="llmlingua"):
        LINGUA.structured_compress_prompt([text])


def test_each_rate_costs_a_run_so_they_are_limited() -> None:
    with pytest.raises(InputError, match="65 segments have a rate"):
        LINGUA.structured_compress_prompt("<llmlingua, rate=0.5>One. Two.</llmlingua>\n\n" * 65)


# --- JSON ----------------------------------------------------------------------------------------------------------

DATA = {"place": TEXTS[0], "count": 3, "open": True, "stops": ["Lund", "Malmö", "Ystad", "Trelleborg"], "note": ""}
CONFIG: dict[str, dict[str, Any]] = {
    "place": {"rate": 0.5, "compress": True, "pair_remove": False, "value_type": "str"},
    "count": {"rate": 1, "compress": False, "pair_remove": False, "value_type": "int"},
    "open": {"rate": 0.5, "compress": True, "pair_remove": True, "value_type": "bool"},
    "stops": {"rate": 0.6, "compress": True, "pair_remove": True, "value_type": "list"},
    "note": {},
}


def test_json_in_json_out() -> None:
    result = LINGUA.compress_json(DATA, CONFIG, question="Where does it stop?", rate=0.5)["compressed_prompt"]
    assert list(result) == list(DATA)
    assert result["count"] == 3 and result["open"] is True and result["note"] == ""
    assert 0 < len(parse(result["place"])) <= 0.5 * len(parse(TEXTS[0])) and is_part(result["stops"], DATA["stops"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab .,\"'{}[]:", max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text("xyz", min_size=1), VALUES, min_size=1, max_size=4), st.floats(0.05, 1), st.booleans())
def test_what_comes_out_is_part_of_what_went_in(data: dict[str, Any], rate: float, may_go: bool) -> None:
    config = {key: {"pair_remove": True} for key in data}
    if not any(json.dumps(value).strip('" ') for value in data.values()):
        return
    result = LINGUA.compress_json(data, config, rate=rate, use_keyvalue_level_filter=may_go)["compressed_prompt"]
    for key, value in result.items():
        if isinstance(data[key], str):
            assert len(value) <= len(data[key])
        else:
            assert is_part(value, data[key])
    assert may_go or list(result) == list(data)


def test_the_configuration_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: {rate: 1, compress: false}\n", encoding="utf-8")
    assert LINGUA.compress_json({"a": "One. Two."}, str(path))["compressed_prompt"] == {"a": "One. Two."}
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="is not YAML"):
        LINGUA.compress_json({"a": "One."}, str(path))
    with pytest.raises(InputError, match="cannot read json_config"):
        LINGUA.compress_json({"a": "One."}, str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("data", "config", "message"),
    [
        ([], {}, "must be objects"),
        ({"a": 1}, {"b": {}}, "only in one"),
        ({"a": 1}, {"a": 3}, "knows only"),
        ({"a": 1}, {"a": {"ratio": 3}}, "knows only"),
        ({"a": 1}, {"a": {"value_type": "set"}}, "value_type of 'a' must be"),
        ({"a": 1}, {"a": {"value_type": "str"}}, "the value of 'a' is no str"),
        ({"a": 1}, {"a": {"rate": 0}}, "rate of 'a'"),
        ({"a": float("nan")}, {"a": {}}, "cannot be written as JSON"),
        ({"a": {1, 2}}, {"a": {}}, "cannot be written as JSON"),
    ],
)
def test_json_mistakes(data: Any, config: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LINGUA.compress_json(data, config)
    with pytest.raises(InputError, match="reorder_keyvalue='sort' is not offered"):
        LINGUA.compress_json({"a": "b"}, {"a": {}}, reorder_keyvalue="sort")


# --- lengths and recovery --------------------------------------------------------------------------------------------


def test_lengths_are_those_that_rates_count() -> None:
    result = LINGUA.compress_prompt(TEXTS, question="Who?", rate=1)
    assert result["origin_tokens"] == sum(map(LINGUA.get_token_length, [*TEXTS, "Who?"]))
    assert LINGUA.get_token_length("") == 0 and LINGUA.get_token_length("a b", add_special_tokens=False) == 2
    with pytest.raises(InputError, match="characters"):
        LINGUA.get_token_length("x" * 200_001)


def test_recovery_puts_back_what_was_dropped_inside_of_a_quotation() -> None:
    full = "The blue ferry, which is old, leaves Lund at nine. The ferry is full."
    assert LINGUA.recover(full, "The ferry leaves Lund at nine.", "It says: leaves Lund at nine!") == (
        "It says: leaves Lund at nine!"
    )
    assert recover(full, "blue ferry leaves Lund", "A blue ferry leaves Lund today.") == (
        "A blue ferry, which is old, leaves Lund today."
    )
    assert recover(full, "ferry full", "Is the ferry full?") == "Is the ferry is full?"
    assert recover(full, "", "Yes.") == "Yes."
    with pytest.raises(InputError, match="must be texts"):
        recover(full, "", None)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.lists(st.sampled_from("a b c d . ,".split()), min_size=1, max_size=30), st.data())
def test_recovery_of_what_was_not_shortened_changes_nothing(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    answer = " ".join(data.draw(st.lists(st.sampled_from("a b x .".split()), max_size=20)))
    assert recover(text, text, text) == text
    assert len(recover(text, "", answer)) == len(answer)


def test_recovery_of_hostile_texts_ends() -> None:
    assert recover("a " * 20_000, "a " * 20_000, "a " * 5_000)


# --- the constructor -------------------------------------------------------------------------------------------------


def test_what_only_llmlinguas_models_know_is_refused() -> None:
    for name in ("model_config", "open_api_config", "llmlingua2_config"):
        with pytest.raises(InputError, match=f"{name} is for LLMLingua's own models"):
            PromptCompressor(**{name: {"revision": "main"}})  # type: ignore[arg-type]
    with pytest.raises(InputError):
        PromptCompressor("no/such/checkpoint", device_map="cpu")


# --- adapters --------------------------------------------------------------------------------------------------------


def test_langchain_compresses_documents_with_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("llmlingua")
        module = pytest.importorskip("langchain_community.document_compressors.llmlingua_filter")
        documents = pytest.importorskip("langchain_core.documents")
    given = [documents.Document(page_content=text, metadata={"page": i}) for i, text in enumerate(TEXTS)]
    for target in (12, 30, 1000):
        compressor = module.LLMLinguaCompressor(lingua=LINGUA, target_token=target)
        made = compressor.compress_documents(given, "When does the museum open?")
        for document in made:  # a part of the document that its metadata names
            source = TEXTS[document.metadata["page"]]
            assert all(word in source for word in document.page_content.split())
        assert len(made) == 3 if target == 1000 else len(made) < 3


def test_llamaindex_postprocesses_nodes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("llmlingua")
        module = pytest.importorskip("llama_index.postprocessor.longllmlingua.base")
        schema = pytest.importorskip("llama_index.core.schema")
    monkeypatch.setattr(theirs, "PromptCompressor", lambda **options: _checked(options))
    nodes = [schema.NodeWithScore(node=schema.TextNode(text=f"{text}\n\n")) for text in TEXTS]
    for second in (False, True):
        name = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank" if second else "NousResearch/Llama-2-7b-hf"
        processor = module.LongLLMLinguaPostprocessor(model_name=name, target_token=40, use_llmlingua2=second)
        made = processor.postprocess_nodes(nodes, query_str="When does the museum open?")
        texts = [node.node.text for node in made if node.node.text.strip()]
        if second:  # which does not take instruction and question away
            texts = [text for text in texts if text not in (processor.instruction_str, "When does the museum open?")]
        assert 0 < len(texts) < 4 and all(any(text in source for source in TEXTS) for text in texts)


def _checked(options: dict[str, Any]) -> PromptCompressor:
    """What the adapter asks for, with a model that is here already; nothing else is changed."""
    assert PromptCompressor.__init__.__annotations__.keys() >= options.keys()
    return PromptCompressor(**options, compressor=LINGUA.compressor)
