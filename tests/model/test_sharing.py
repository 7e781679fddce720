"""Checkpoints on the Hub: what was pushed comes back; what strangers put there harms nobody; errors are one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.cli import main
from model.compress import Compressor
from model.denoiser.checkpoint import load_checkpoint, save_checkpoint
from model.denoiser.sharing import MOST, fetch_checkpoint, push_to_hub
from model.errors import InputError
from tests.support.hub_stand_in import TOKEN, Hub
from tests.support.tiny import PROMPT, tiny_checkpoint

ROOT = Path(__file__).resolve().parents[2]
NAME = "ann/short"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    new = tiny_checkpoint()
    save_checkpoint(folder, new.denoiser, new.collator.tokenizer, {"base": "ann/tiny-bert", "licence": "Apache-2.0"})
    return folder


def results(folder: Path | None) -> dict[str, Any]:
    """As `evaluate --json` writes them."""
    row = {"method": "diffumask", "retention": 0.35, "prompts": 8, "measures": {"benefit kept": [0.78, 0.68, 0.85]}}
    other = {**row, "method": "first"}
    config = {"task": "gsm8k", "target": "gemma3", "checkpoint": None if folder is None else str(folder)}
    return {"config": config, "rows": [row, other]}


def header(hub: Hub) -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load(hub.files(NAME)["README.md"].decode().split("---\n")[1])
    return described


def test_what_was_pushed_comes_back(hub: Hub, saved: Path) -> None:
    commit = push_to_hub(saved, NAME, results=results(saved))
    assert hub.repos["model", NAME].private
    for file in saved.iterdir():
        assert hub.files(NAME)[file.name] == file.read_bytes(), "the same files as on disk"
    assert set(hub.files(NAME)) == {file.name for file in saved.iterdir()} | {"README.md"}
    here = Compressor.load(str(saved)).compress(PROMPT, 0.5)
    for there in (Compressor.load(NAME), Compressor.from_pretrained(NAME, revision=commit)):
        assert there.checkpoint.id == here.checkpoint and there.compress(PROMPT, 0.5).trace == here.trace


def test_the_card_carries_licence_base_and_results(hub: Hub, saved: Path) -> None:
    push_to_hub(saved, NAME, results=results(saved))
    card = header(hub)
    assert (card["license"], card["base_model"], card["library_name"]) == ("apache-2.0", "ann/tiny-bert", "diffumask")
    [index] = card["model-index"]
    [result] = index["results"]
    assert result["dataset"]["type"] == "gsm8k" and len(result["metrics"]) == 1
    assert result["metrics"][0]["value"] == 0.78 and "35%, read by gemma3 [0.68, 0.85]" in result["metrics"][0]["name"]
    assert f'Compressor.load("{NAME}")' in hub.files(NAME)["README.md"].decode()
    for wrong in (results(None), results(saved / "other")):
        with pytest.raises(InputError, match="no figures of this checkpoint"):
            push_to_hub(saved, NAME, results=wrong)


def test_the_shipped_study_makes_a_card() -> None:
    from model.denoiser.card import model_card
    from model.denoiser.checkpoint import SHIPPED

    report = json.loads((ROOT / "results" / "report.json").read_text())
    meta = json.loads((SHIPPED / "meta.json").read_text())
    card = model_card(NAME, meta, (SHIPPED / "README.md").read_text(), report, SHIPPED)
    found = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
    assert {entry["dataset"]["type"] for entry in found} == {"nq", "agnews", "gsm8k"} and "Unit head" in card


def test_pushing_again_changes_nothing_and_goes_on_after_a_lost_answer(hub: Hub, saved: Path) -> None:
    hub.fail(r"POST /api/models/.*/commit", 500, after=True)
    hub.fail(r"POST /api/models/.*/preupload", 429, retry_after="0")
    push_to_hub(saved, NAME)
    commits = len(hub.repos["model", NAME].commits)
    assert push_to_hub(saved, NAME) == hub.repos["model", NAME].commits[-1][0]
    assert len(hub.repos["model", NAME].commits) == commits == 2


def test_where_the_hub_cannot_be_reached_the_last_one_is_taken(
    hub: Hub, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_to_hub(saved, NAME)
    first = fetch_checkpoint(NAME)
    hub.fail("GET", 503, times=99)
    assert fetch_checkpoint(NAME) == first and load_checkpoint(first).id == load_checkpoint(saved).id
    with pytest.raises(InputError, match="answered 503"):
        fetch_checkpoint("ann/never-fetched")


# --- strangers ---------------------------------------------------------------------------------------------


def hostile(saved: Path, **changed: Any) -> dict[str, bytes]:
    """Its files, with entries of meta.json changed."""
    files = {file.name: file.read_bytes() for file in saved.iterdir()}
    meta = json.loads(files["meta.json"])
    for name, value in changed.items():
        meta[name] = {**meta[name], **value} if isinstance(value, dict) and meta[name] else value
    return {**files, "meta.json": json.dumps(meta).encode()}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sha256": {"model.safetensors": "0" * 64}}, "is not what its meta.json names"),
        (
            {"config": {"encoder": {"model_type": "bert", "hidden_size": 1_200_000, "vocab_size": 10**7}}},
            "larger network",
        ),
        ({"config": {"encoder": {"model_type": "bert", "num_hidden_layers": 10**9}}}, "larger network"),
        ({"config": {"encoder": {"model_type": "llama", "hidden_size": 16}}}, "larger network"),
        ({"config": {"encoder": {"model_type": ["x"]}}}, "larger network"),
        ({"config": {"surprise": 1}}, "no network that there is"),
        ({"units": {"encoder": "/etc"}}, "which does not come with it"),
        ({"units": {"width": 10**9}}, "larger network"),
        ({"sha256": None}, "is no checkpoint of DiffuMask"),
    ],
)
def test_what_a_stranger_describes_is_not_built(hub: Hub, saved: Path, changed: dict[str, Any], says: str) -> None:
    hub.put(NAME, hostile(saved, **changed))
    with pytest.raises(InputError, match=says) as error:
        Compressor.load(NAME)
    assert "\n" not in str(error.value)


def test_pickles_are_never_fetched_and_giants_neither(hub: Hub, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = {**hostile(saved), "pytorch_model.bin": b"\x80\x04cos\nsystem\n", "modeling.py": b"raise SystemExit"}
    hub.put(NAME, pickled)
    folder = fetch_checkpoint(NAME)
    assert {file.name for file in folder.iterdir()} == {file.name for file in saved.iterdir()}
    hub.put("ann/none", {"pytorch_model.bin": b"\x80\x04."})
    monkeypatch.setitem(MOST, "tokenizer.json", 100)
    hub.requests.clear()
    for name, says in (("ann/none", "has no meta.json"), (f"{NAME}@main", "more than the 100 bytes")):
        with pytest.raises(InputError, match=says):
            fetch_checkpoint(name)
    assert not [request for request in hub.requests if "safetensors" in request or ".bin" in request]


def test_a_damaged_cache_is_fetched_again(hub: Hub, saved: Path) -> None:
    push_to_hub(saved, NAME)
    (fetch_checkpoint(NAME) / "model.safetensors").write_bytes(b"cut off")
    assert load_checkpoint(fetch_checkpoint(NAME)).id == load_checkpoint(saved).id


# --- one line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (("POST /api/repos/create", 401), "set HF_TOKEN"),
        (("POST /api/repos/create", 403), "set HF_TOKEN"),
        (("POST /api/.*/commit", 409), "changed by somebody else"),
        (("POST /api/.*/preupload", 404), "on the Hub|answered 404"),
        (("POST /api/.*/commit", 429, 9, "300"), "try again in 300 s"),
        (("POST /api/.*/commit", 500, 9), "answered 500"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(hub: Hub, saved: Path, fault: Any, says: str) -> None:
    hub.fail(*fault)
    with pytest.raises(InputError, match=says) as error:
        push_to_hub(saved, NAME)
    assert "\n" not in str(error.value) and TOKEN not in str(error.value)


def test_names_and_tokens(hub: Hub, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_to_hub(saved, NAME)
    for name, says in ((f"{NAME}@v9", "no such revision"), ("ann/none", "is no folder here, .* there is no ann/none")):
        with pytest.raises(InputError, match=says):
            Compressor.load(name)
    with pytest.raises(InputError, match="no name of a repository"):
        push_to_hub(saved, "short prompts")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match="set HF_TOKEN"):
        push_to_hub(saved, "ann/mine")


def test_command_line(hub: Hub, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results(saved)))
    assert main(["push", str(saved), NAME, "--public", "--results", str(tmp_path / "results.json")]) == 0
    assert not hub.repos["model", NAME].private and "model-index" in header(hub)
    assert main(["pull", NAME, str(tmp_path / "new" / "mine")]) == 0
    assert load_checkpoint(tmp_path / "new" / "mine").id == load_checkpoint(saved).id
    assert os.listdir(tmp_path / "new") == ["mine"] and not (tmp_path / "new" / "mine" / "meta.json").is_symlink()
    assert main(["pull", NAME, str(tmp_path / "new" / "mine")]) == 2
    (tmp_path / "results.json").write_text("[]")
    assert main(["push", str(saved), NAME, "--results", str(tmp_path / "results.json")]) == 2
    assert "holds no results" in capsys.readouterr().err


def test_another_process_finds_the_hub_by_its_environment(hub: Hub, saved: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    push = [sys.executable, "-m", "model", "push", str(saved), NAME]
    done = subprocess.run(push, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"{NAME} is now"), done.stderr
    done = subprocess.run(push[:-1] + ["no name"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
