"""The command line of the corrections: export, import, stats, and one line for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from annotations.cli import main
from annotations.results import Filter
from annotations.store import open_store
from model.record import CorrectionRecord
from tests.support.exported import NAMES, filled
from tests.support.saving import fields

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    monkeypatch.setenv("DIFFUMASK_DATABASE_URL", url)
    return url


def test_command_line(database: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = open_store()
    store.submit(fields(annotator="Ann\x1b[31m"))
    store.submit(fields(annotator="Bob", human_mask="1010", pins={}))
    store.save_draft(fields("A draft"))
    for name in NAMES:
        assert main(["export", str(tmp_path / name)]) == 0
        assert main(["import", str(tmp_path / name), "--verbose"]) == 0
        assert main(["import", str(tmp_path / name), "--database", f"sqlite:///{tmp_path}/{name}.db"]) == 0
    out = capfd.readouterr().out
    assert out.count("2 corrections written to") == 4 and out.count("0 added, 2 already there, 0 refused") == 4
    assert out.count("2 added, 0 already there, 0 refused") == 4 and out.count("line 2: already there") == 4
    assert main(["export", "-", "--format", "jsonl", "--annotator", "Bob"]) == 0
    [line] = capfd.readouterr().out.splitlines()
    assert json.loads(line)["human_mask"] == "1010"
    assert main(["export", "-", "--format=csv", "--status=draft", "--status=accepted"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2
    assert main(["stats"]) == 0
    out = capfd.readouterr().out
    assert "2 submitted" in out and "alpha" in out and "\x1b" not in out
    assert main(["stats", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["all"]["corrections"] == 2
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert main(["import", str(tmp_path / "bad.jsonl")]) == 1
    assert capfd.readouterr().out.splitlines()[0].startswith("line 1: refused: id: is missing")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "x.doc"],
        ["export", "nowhere/x.csv"],
        ["export", "-"],
        ["export", "x.csv", "--since", "soon"],
        ["export", "x.csv", "--status", "good"],
        ["export", "x.csv", "--unused-by", "nobody"],
        ["import", "none.csv"],
        ["stats", "--database", "nonsense"],
        ["delete"],
        [],
    ],
)
def test_mistakes_are_one_line(database: str, arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capfd.readouterr()
    assert status == 2 and captured.out == "" and len(captured.err.splitlines()) == 1


def test_help_and_a_reader_that_goes_away(database: str) -> None:
    filled(("one",))
    store = open_store(database)
    for i in range(200):
        store.submit(fields(f"Prompt {i} " + "x" * 900))
    command = f"{sys.executable} -m annotations"
    script = f"{command} --help | grep -c DIFFUMASK_DATA; {command} export - --format jsonl | head -c 100 | wc -c"
    result = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.split()[-1] == "100" and result.stderr == ""


def test_export_filters(database: str, tmp_path: Path) -> None:
    store = open_store()
    sent = fields()
    store.submit(sent)
    store.submit({**sent, "note": "second"})
    store.add_checkpoint("base", "/base", used=[(sent["id"], 2)])
    assert main(["export", str(tmp_path / "x.jsonl"), "--unused-by", "base"]) == 0
    assert (tmp_path / "x.jsonl").read_text() == ""
    assert main(["export", str(tmp_path / "x.jsonl"), "--history"]) == 0
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2
    assert store.keys(Filter(text="second")) == [(sent["id"], 2)]


def test_the_audit_log_is_printed_oldest_first(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store()
    store.log("hf:ada", "LearnEvents.serve")
    store.log("hf:ada", "erase", "0" * 32, "two\nlines")
    assert main(["audit"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("hf:ada  LearnEvents.serve") and "two" in second and "lines" in second
    assert main(["audit", "--last", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [second]


def test_an_interrupt(database: str) -> None:
    script = (  # it sleeps because another thread may get the signal first
        "import os, signal, time, annotations.cli as cli\n"
        "cli.open_store = lambda url: (os.kill(os.getpid(), signal.SIGINT), time.sleep(60))\n"
        "raise SystemExit(cli.main(['stats']))"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "diffumask: interrupted\n")


def test_the_card_explains_every_column(database: str, tmp_path: Path) -> None:
    open_store().submit(fields())
    assert main(["export", str(tmp_path / "set")]) == 0
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert all(f"| {name} | {field.description} |" in card for name, field in CorrectionRecord.model_fields.items())
    assert "1 correction (1 submitted)" in card and "$" not in card
