"""Compressors to compare with: exact budgets, and what each prefers."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import model.evaluation.methods.baselines
from model.errors import InputError
from model.evaluation.methods.baselines import llmlingua, llmlingua2, longllmlingua, random_tokens, selective_context
from model.evaluation.tasks.sources import QUERY, recorded, without_query
from model.llm.causal import Target
from model.pretrained import cache_dir
from model.prompt import Prompt, parse
from tests.support.tiny_classifier import write_classifier
from tests.support.tiny_target import tiny_tokenizer

TEXT = (
    "Article: The team won the final game.\nAnswer: Sports\n\n"
    "Article: Shares fell 3.5 % (Reuters), l'été.\nAnswer: Business"
)
RETENTIONS = [0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.0]


def kept(text: str, monkeypatch: pytest.MonkeyPatch, compress: Callable[[str], str]) -> list[int]:
    """Indices of the prompt tokens that a masking baseline keeps, as handed to the renderer."""
    seen: list[int] = []

    def note(prompt: Prompt, indices: Sequence[int]) -> str:
        seen.extend(indices)
        return ""

    monkeypatch.setattr(model.evaluation.methods.baselines, "_render", note)
    compress(text)
    assert len(set(seen)) == len(seen)
    return seen


@pytest.mark.parametrize("retention", RETENTIONS)
def test_random_keeps_exactly_as_many_tokens_as_asked(retention: float, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = kept(TEXT, monkeypatch, lambda text: random_tokens(text, retention, seed=1))
    assert len(chosen) == round(retention * len(parse(TEXT)))


def test_random_depends_on_seed_and_text_only() -> None:
    assert random_tokens(TEXT, 0.5, seed=1) == random_tokens(TEXT, 0.5, seed=1)
    assert random_tokens(TEXT, 0.5, seed=1) != random_tokens(TEXT, 0.5, seed=2)
    assert random_tokens(TEXT, 1.0, seed=1) == TEXT


@pytest.mark.parametrize("retention", RETENTIONS)
def test_selective_context_keeps_exactly_as_many_tokens_as_asked(
    any_target: Target, retention: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = kept(TEXT, monkeypatch, lambda text: selective_context(text, retention, [any_target]))
    assert len(chosen) == round(retention * len(parse(TEXT)))


class Scripted(torch.nn.Module):
    """A causal LM that expects every subword to be followed by the one in `table`, and is sure of it."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, table: dict[int, int], size: int):
        super().__init__()
        self.head = torch.nn.Linear(size, size, bias=False)
        self.head.weight.data = torch.eye(size) * 20
        self.table, self.size = table, size

    def model(self, tokens: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        expected = torch.tensor([[self.table.get(int(t), 0) for t in tokens[0]]])
        return SimpleNamespace(last_hidden_state=torch.nn.functional.one_hot(expected, self.size).float())

    def get_output_embeddings(self) -> torch.nn.Linear:
        return self.head


def test_selective_context_keeps_what_surprises() -> None:
    tokenizer = tiny_tokenizer(bos=True)
    usual, text = "the team won the game", "the team lost the game"
    ids = [tokenizer.bos_token_id, *tokenizer(usual, add_special_tokens=False).input_ids]
    table = dict(zip(ids, ids[1:], strict=False))
    odd = tokenizer(text, add_special_tokens=False).input_ids
    for a, b in zip(odd, odd[1:], strict=False):
        if b in ids:
            table[a] = b  # back on the usual track after the odd word
    target = Target("scripted", Scripted(table, len(tokenizer)), tokenizer)
    assert selective_context(text, 0.2, [target]) == "lost"


def test_self_information_adds_up_to_the_negative_log_likelihood(any_target: Target) -> None:
    prompt = parse(TEXT)
    ids = [*any_target.bos, *any_target.encode(TEXT)]
    table = torch.log_softmax(any_target.model(torch.tensor([ids])).logits[0].float(), -1)
    nll = -float(table[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum())
    if not any_target.bos:
        nll += float(torch.tensor(float(table.shape[1])).log())
    surprise = model.evaluation.methods.baselines._self_information(prompt, any_target)
    assert len(surprise) == len(prompt)
    assert sum(surprise) == pytest.approx(nll, rel=1e-4)


def test_recorded_reads_rows_without_the_query(tmp_path: Path) -> None:
    path = tmp_path / "peer.jsonl"
    rows = [{"compressed_output": {"compressed_prompt": f"short {i} World\n\n{QUERY} "}} for i in range(2)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    assert recorded(path) == ["short 0 World", "short 1 World"]
    assert without_query(QUERY, "x") == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not there"),
        ("{}\n", "line 1 has no compressed_output.compressed_prompt"),
        ("no json\n", "line 1 is not JSON"),
        ('{"compressed_output": {"compressed_prompt": "short"}}\n', "line 1 does not end in"),
    ],
)
def test_a_bad_recording_is_an_input_error(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "peer.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        recorded(path)


def test_llmlingua_missing_names_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(model.evaluation.methods.baselines.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install -e .\.\[eval\]"):
        llmlingua()


def test_llmlingua_runs_with_a_tiny_model_over_several_windows(tiny_target: Target, tmp_path: Path) -> None:
    pytest.importorskip("llmlingua")
    tiny_target.model.save_pretrained(tmp_path)
    tiny_target.tokenizer.save_pretrained(tmp_path)
    text = "\n\n".join([TEXT] * 12)
    short = llmlingua(tmp_path)(text, 0.35)
    assert 0 < len(parse(short)) < 0.7 * len(parse(text))


@pytest.mark.parametrize("retention", [0.2, 0.5])
def test_longllmlingua_runs_and_leaves_its_question_out(tiny_target: Target, tmp_path: Path, retention: float) -> None:
    pytest.importorskip("llmlingua")
    tiny_target.model.save_pretrained(tmp_path)
    tiny_target.tokenizer.save_pretrained(tmp_path)
    text = "\n\n".join([TEXT] * 12)
    short = longllmlingua(tmp_path)(text, retention, "Which zebra is it?")
    assert 0 < len(parse(short)) < (retention + 0.3) * len(parse(text)) and "zebra" not in short


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """The folder of a tiny BERT that classifies tokens."""
    return write_classifier(tmp_path)


def test_llmlingua2_keeps_words_of_the_text(classifier: Path) -> None:
    pytest.importorskip("llmlingua")
    compress = llmlingua2(classifier)
    texts = [compress(TEXT, retention) for retention in (0.3, 0.6)]
    assert 0 < len(parse(texts[0])) < len(parse(texts[1])) < len(parse(TEXT))
    words = {token.text for token in parse(texts[0]).tokens if token.text.isalpha() and len(token.text) > 3}
    assert words and words <= {token.text for token in parse(TEXT.lower()).tokens}


def test_llmlingua_models_of_the_wrong_kind_or_place(tiny_target: Target, tmp_path: Path) -> None:
    pytest.importorskip("llmlingua")
    for make in (llmlingua, longllmlingua, llmlingua2):
        with pytest.raises(InputError, match="cannot load a model from .*none.*; name its folder"):
            make(tmp_path / "none")
    tiny_target.model.save_pretrained(tmp_path)
    tiny_target.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is no LLMLingua-2 model"):
        llmlingua2(tmp_path)


def test_llmlingua_runs_with_smollm2() -> None:
    pytest.importorskip("llmlingua")
    folder = cache_dir() / "targets" / "smollm2"
    if not (folder / "model.safetensors").exists():
        pytest.skip("SmolLM2 is not in the cache")
    short = llmlingua(folder)("\n\n".join([TEXT] * 8), 0.35)
    assert short and len(parse(short)) < len(parse(TEXT)) * 8


def test_examples() -> None:
    assert doctest.testmod(model.evaluation.methods.baselines).failed == 0
