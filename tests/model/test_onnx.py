"""Exported encoders: they say what the others say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.compress import Compressor
from model.errors import InputError
from model.relevance.question_reader import QuestionReader, SpanHead
from tests.support.tiny import PROMPT, tiny_bert, tiny_checkpoint
from tests.support.tiny_encoder import tiny_encoder

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

from model.onnx.compressor import DENOISER, OnnxCompressor, export_checkpoint
from model.onnx.export import export_layers
from model.onnx.runtime import ExportedEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("onnx") / "tiny"
    export_checkpoint(tiny_checkpoint(), made)
    return made


def test_hidden_states_are_those_of_torch(folder: Path) -> None:
    bert = tiny_bert().eval()
    exported = ExportedEncoder(folder / DENOISER, bert.get_input_embeddings(), bert.config)
    ids = torch.arange(3 * 50).view(3, 50) % 60
    real = torch.arange(50) < torch.tensor([50, 20, 1])[:, None]
    with torch.no_grad():
        expected = bert(input_ids=ids, attention_mask=real.long()).last_hidden_state[real]
    found = exported(input_ids=ids, attention_mask=real.long()).last_hidden_state[real]
    assert (found - expected).norm() < 0.03 * expected.norm()


def test_masks_agree(folder: Path) -> None:
    compressors = OnnxCompressor(tiny_checkpoint(), folder), Compressor(tiny_checkpoint())
    same: list[bool] = []
    for text in (PROMPT, PROMPT.replace("2", "7") * 3, "One two. Three four five. Six."):
        for retention in (0.3, 0.5, 0.7):
            masks = (each.compress(text, retention, exact=True).trace.keep for each in compressors)
            same += [mine == theirs for mine, theirs in zip(*masks, strict=True)]
    assert sum(same) >= 0.95 * len(same)


def test_the_question_reader_reads_with_exported_layers(folder: Path) -> None:
    base, bert = tiny_encoder(), tiny_bert().eval()
    torch.manual_seed(0)
    head = SpanHead(base.width).eval().requires_grad_(False)
    exported = ExportedEncoder(folder / DENOISER, bert.get_input_embeddings(), bert.config)
    texts = ["a cat.", "two dogs run.", "cats."], [0, 0, 1], ["a cat. two dogs run.", "cats."]
    expected = QuestionReader(base.with_layers(bert, torch.float32), head).logits("which cat", *texts)
    found = QuestionReader(base.with_layers(exported, torch.float32), head).logits("which cat", *texts)
    assert torch.allclose(found, expected, atol=0.05) and found.std() > 0.01


def test_an_export_is_whole_or_not_there_and_made_once(folder: Path) -> None:
    before = (folder / DENOISER).stat()
    export_checkpoint(tiny_checkpoint(), folder)  # as another process would at the same time
    assert (folder / DENOISER).stat() == before
    assert [file.name for file in folder.parent.iterdir()] == ["tiny"]


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="runs on the CPU, not on cuda"):
        OnnxCompressor.load(device="cuda")
    (tmp_path / DENOISER).write_text("no")
    with pytest.raises(InputError, match="cannot run .* delete its folder"):
        OnnxCompressor(tiny_checkpoint(), tmp_path)
    other = tiny_bert()
    other.config.model_type = "deberta"
    with pytest.raises(InputError, match="deberta encoders cannot be exported"):
        export_layers(other, tmp_path / "other.onnx")
