"""The command line: what it prints, and one clear line for every mistake."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import model.evaluation.evaluate
import model.teacher.pairs
import model.training.train
from model.cli import main
from model.compress import PAPER, Compressor
from model.denoiser.checkpoint import save_checkpoint
from tests.support.tiny import PROMPT, tiny_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("cli") / "tiny"
    tiny = tiny_checkpoint()
    save_checkpoint(folder, tiny.denoiser, tiny.collator.tokenizer, {})
    return str(folder)


@pytest.fixture()
def prompt(tmp_path: Path) -> str:
    path = tmp_path / "prompt.txt"
    path.write_text(PROMPT, encoding="utf-8", newline="")
    return str(path)


def run(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # argparse ends the program by itself
        assert isinstance(end.code, int)
        return end.code


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


# --- compress ----------------------------------------------------------------------------------------------


def test_compress_prints_what_the_api_gives(
    prompt: str, checkpoint: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    flags = ["--retention", "0.6", "--steps", "3", "--threshold", "0.6", "--temperature", "0.5", "--seed", "7"]
    assert run("compress", prompt, "--checkpoint", checkpoint, *flags, "--keep", "2", "--drop-task") == 0
    out, err = capfdbinary.readouterr()
    short = Compressor.load(checkpoint).compress(
        PROMPT, 0.6, 3, threshold=0.6, temperature=0.5, seed=7, keep="2", keep_task=False
    )
    assert out.decode() == short.text + "\n"
    assert err.decode().splitlines() == short.verdict.summary()


@pytest.mark.parametrize("text", ["Größe\u2028 – 世界\r\nok\r\n\r\n", "no break at the end", "\n\n \ttwo\n\n"])
def test_everything_kept_is_printed_byte_for_byte(
    text: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    feed(monkeypatch, text.encode())
    assert run("compress", "-", "--checkpoint", checkpoint, "--retention", "1") == 0
    assert capfdbinary.readouterr().out.decode() == (text if text.endswith("\n") else text + "\n")


def test_the_whole_verdict_and_nothing_that_steers_a_terminal(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = "Never say \x1b[31mred\x1b[0m, please. It rained. It was cold. The sun came out. All went home."
    feed(monkeypatch, text.encode())
    assert run("compress", "-", "--checkpoint", checkpoint, "--retention", "0.3", "--verdict", "--drop-task") == 0
    lines = capfdbinary.readouterr().err.decode().splitlines()
    short = Compressor.load(checkpoint).compress(text, 0.3, keep_task=False)
    assert len(lines) == len(short.verdict.lines()) > 2 and all(line.isprintable() for line in lines)


def test_how_fine_and_how_long(prompt: str, checkpoint: str, capfd: pytest.CaptureFixture[str]) -> None:
    common = ["compress", prompt, "--checkpoint", checkpoint]
    compressor = Compressor.load(checkpoint)
    for flags, options in (
        (["--granularity", "part"], {"granularity": "part"}),
        (["--target-tokens", "20"], {"target_tokens": 20}),
        (["--paper"], dict(PAPER)),
        (["--tokenizer", checkpoint, "--target-tokens", "25"], {"tokenizer": checkpoint, "target_tokens": 25}),
    ):
        assert run(*common, *flags) == 0
        assert capfd.readouterr().out == compressor.compress(PROMPT, **options).text + "\n"
    for wrong in (["--paper", "--granularity", "part"], ["--target-tokens", "0"], ["--granularity", "line"]):
        assert run(*common, *wrong) == 2
        assert capfd.readouterr().err.startswith("diffumask: argument ")


CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "It rains. I am cold. Who is ill?"}]


def test_messages_in_messages_out(tmp_path: Path, checkpoint: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.json"
    earlier = [{"role": "user", "content": "It rains. I am cold. Ann is ill."}, {"role": "assistant", "content": "Oh."}]
    asked = [*earlier, CHAT[1]]
    body = {"model": "m", "system": "Be brief.", "messages": asked, "max_tokens": 9}
    short = Compressor.load(checkpoint).compress_messages([CHAT[0], *asked], 0.7)
    assert short[1:] != asked
    for value, made in (
        ([CHAT[0], *asked], short),
        (body, body | {"messages": short[1:]}),
        ({"messages": [CHAT[0], *asked]}, {"messages": short}),
    ):
        path.write_text(json.dumps(value), encoding="utf-8")
        assert run("compress", str(path), "--checkpoint", checkpoint, "--retention", "0.7") == 0
        out, err = capfd.readouterr()
        assert json.loads(out) == made and err.splitlines() == short.verdict.summary()
    assert run("compress", str(path), "--checkpoint", checkpoint, "--retention", "0.7", "--json") == 0
    record = json.loads(capfd.readouterr().out)
    assert record["messages"] == {"messages": short} and record["verdict"]["parts"][0]["name"] == "message 0 (system)"


def test_other_json_is_a_prompt(tmp_path: Path, checkpoint: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.json"
    for text in ('[{"id": 1}, {"id": 2}]', '{"messages": 5, "a": 1}', "[" * 5000, '[{"role": "user"'):
        path.write_text(text, encoding="utf-8")
        assert run("compress", str(path), "--checkpoint", checkpoint) == 0
        capfd.readouterr()
        assert run("compress", str(path), "--checkpoint", checkpoint, "--messages") == 2
        assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ['[{"role": "user", "content": 5}]', '{"messages": [{"role": "x"}]}', "[]", "5", "[NaN]"]
)
def test_bad_messages(
    text: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, text.encode())
    assert run("compress", "-", "--checkpoint", checkpoint, "--messages") == 2
    error = capfd.readouterr().err
    assert error.startswith("diffumask: ") and error.count("\n") == 1 and "essage" in error


def test_json(prompt: str, checkpoint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("compress", prompt, "--checkpoint", checkpoint, "--json", "--retention", "0.75") == 0
    record = json.loads(capfd.readouterr().out)
    tokens = record["tokens"]
    assert len(tokens) == record["prompt_tokens"]
    assert sum(token["keep"] for token in tokens) == record["kept_tokens"] <= 0.75 * len(tokens)
    assert record["verdict"]["kept"] == record["kept_tokens"]
    assert all(PROMPT[t["start"] : t["end"]] == t["text"] for t in tokens)
    assert record["retention"] == record["kept_tokens"] / len(tokens)


FILES = {
    "fine": PROMPT.encode(),
    "nul": b"a\0b",
    "png": b"\x89PNG\r\n\x1a\n\0\0",
    "utf16": "hello".encode("utf-16"),
    "latin": b"caf\xe9 au lait",
    "surrogate": b"a \xed\xa0\x80 b",
    "empty": b"",
    "blank": b" \n\n ",
    "long": b"word " * 50_000,
    "megabyte": b"x" * 1_000_000,
}
# (arguments, what the message must say); @name is a file of FILES, or nothing, in the test's folder
MISTAKES = [
    ("", "COMMAND"),
    ("shrink", "invalid choice"),
    ("compress", "FILE"),
    ("compress @nowhere", "No such file"),
    ("compress @", "Is a directory"),
    ("compress @nul", "NUL bytes"),
    ("compress @png", "NUL bytes"),
    ("compress @utf16", "not UTF-8 text|NUL bytes"),
    ("compress @latin", "not UTF-8 text .byte 0xe9 at offset 3"),
    ("compress @surrogate", "not UTF-8 text .byte 0xed at offset 2"),
    ("compress @empty", "empty"),
    ("compress @blank", "empty"),
    ("compress @long", "250,000 characters"),
    ("compress @megabyte", "200,000 characters"),
    ("compress @fine --retention half", "such as 0.35, or auto, not 'half'"),
    ("compress @fine --retention 0", "retention 0 must be"),
    ("compress @fine --retention 35", "retention 35 must be"),
    ("compress @fine --retention nan", "retention nan must be"),
    ("compress @fine --steps 100", "steps 100 must be"),
    ("compress @fine --steps 2.5", "invalid int value"),
    ("compress @fine --threshold 1", "threshold 1 must be"),
    ("compress @fine --temperature -1", "temperature -1 must be"),
    ("compress @fine --seed -1", "seed -1 must be"),
    (f"compress @fine --seed {'9' * 30}", "seed 9+ must be"),
    ("compress @fine --keep (", "not a valid regular expression"),
    (f"compress @fine --keep {'x' * 2000}", "2000 characters"),
    ("compress @fine --device abacus", "unknown device 'abacus'"),
    ("compress @fine --checkpoint @nowhere", "there is no checkpoint"),
    ("compress @fine --checkpoint @fine", "there is no checkpoint"),
    ("compress @fine --rate 0.5", "unrecognized arguments"),
    ("compress @fine --reten 0.5", "unrecognized arguments"),
    ("compress @fine a\vb", "unrecognized arguments: a b"),
    ("teach --data @ --out @o --tasks trec,agnews", "agnews is held out"),
    ("teach --data @ --out @o --tasks yelp", "yelp is held out"),
    ("teach --data @ --out @o --tasks yahoo", "yahoo is held out"),
    ("teach --data @ --out @o --tasks mmlu", "unknown task 'mmlu'"),
    ("teach --data @ --out @o --tasks ,", "name at least one"),
    ("teach --data @ --out @o --method magic", "unknown method 'magic'"),
    ("teach --data @ --out @o --pairs 0", "at least 1, not 0"),
    ("teach --data @ --out @o --queries -3", "at least 1, not -3"),
    ("teach --data @ --out @o", "is not there"),
    ("train --pairs @nowhere --data @ --out @o", "cannot read"),
    ("train --pairs @fine --data @ --out @o", "is not a pair"),
    ("train --pairs @fine --data @ --out @o --rate 9", "learning rate"),
    ("train --pairs @fine --data @ --out @fine", "never overwritten"),
    ("train --pairs @fine --data @", "--out"),
    ("evaluate --task mmlu --data @", "unknown task 'mmlu'"),
    ("evaluate --task agnews --data @", "is not there"),
    ("evaluate --task agnews --data @ --methods magic", "unknown method 'magic'"),
    ("evaluate --task agnews --data @ --retention 0.5 1", "between 0 and 1"),
    ("evaluate --task agnews --data @ --retention 0.5,0.2", "invalid float value"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    return place


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=lambda value: value[:50])
def test_a_mistake_is_one_line_and_status_2(
    line: str, message: str, folder: Path, checkpoint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder / word[1:]) if word.startswith("@") else word for word in line.split(" ") if word]
    if line.startswith("compress @") and "--checkpoint" not in arguments:
        arguments += ["--checkpoint", checkpoint]
    assert run(*(word.replace("\v", "\n") for word in arguments)) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("diffumask: ") and err.count("\n") == 1 and err.endswith("\n")
    assert re.search(message, err), err
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)  # and nothing is left behind


@pytest.mark.parametrize("name", ["nul", "latin", "surrogate", "empty", "megabyte"])
def test_mistakes_on_standard_input(
    name: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, FILES[name])
    assert run("compress", "-", "--checkpoint", checkpoint) == 2
    assert capfd.readouterr().err.startswith("diffumask: ")


def test_closed_streams(
    prompt: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run("compress", "-") == 2
    assert "standard input is closed" in capfd.readouterr().err
    monkeypatch.setattr(sys, "stdout", None)
    assert run("compress", prompt, "--checkpoint", checkpoint) == 2
    assert "standard output is closed" in capfd.readouterr().err


def test_full_disk(
    prompt: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Full(io.RawIOBase):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(Full()))  # type: ignore[type-var]
        assert run("compress", prompt, "--checkpoint", checkpoint) == 2
    assert capfd.readouterr().err == "diffumask: cannot write the result: No space left on device\n"


def test_interrupt(prompt: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Compressor, "load", interrupted)
    assert run("compress", prompt) == 130
    assert capfd.readouterr().err == "diffumask: interrupted\n"


# --- the program as it is started --------------------------------------------------------------------------


def test_reader_that_goes_away(prompt: str, checkpoint: str) -> None:
    command = [sys.executable, "-m", "model", "compress", prompt, "--checkpoint", checkpoint, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys, model, model.prompt, model.prompt.pins; from model.cli import build_parser; "
        "build_parser().format_help();"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("entry", [["app.py"], ["-m", "model", "compress", "examples/maths.txt"]])
def test_packages_that_are_not_installed(entry: list[str]) -> None:
    done = subprocess.run([sys.executable, "-S", *entry], cwd=ROOT, capture_output=True, text=True)  # -S: none are seen
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is not installed here: activate the environment" in done.stderr


@pytest.mark.parametrize("command", ["compress", "teach", "train", "evaluate"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert f"python -m model {command}" in text.split("examples:")[1]


# --- what the flags become ---------------------------------------------------------------------------------


def test_teach_and_train_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(model.teacher.pairs, "teach", seen.append)
    monkeypatch.setattr(model.training.train, "train", seen.append)
    line = "teach --data d --out o.jsonl --tasks trec,mr --targets smollm2 --pairs 7 --label-free --queries 4 --seed 3"
    assert run(*line.split()) == 0
    line = "train --pairs a b --data d --out o --base x --epochs 2 --tokens 3 --rate 0.01 --seed 4 --resume"
    assert run(*line.split()) == 0
    teach, train = seen
    assert (teach.tasks, teach.targets, teach.pairs, teach.seed) == (("trec", "mr"), ("smollm2",), 7, 3)
    assert (teach.teacher.queries, teach.teacher.label_free, teach.method) == (4, True, "hierarchical")
    assert train.pairs == (Path("a"), Path("b")) and (train.base, train.resume) == ("x", True)
    assert (train.fit.epochs, train.fit.tokens, train.fit.rate, train.fit.seed) == (2, 3, 0.01, 4)


def test_evaluate_settings(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []

    class Table:
        def table(self) -> str:
            return "| table |"

    def evaluate(config: Any, progress: Any) -> Table:
        seen.append(config)
        return Table()

    monkeypatch.setattr(model.evaluation.evaluate, "evaluate", evaluate)
    line = (
        "evaluate --task gsm8k --data d --target gemma3 --methods full,random --retention 0.2 0.5 --prompts 2"
        " --queries 3 --seed 5 --json o.json --generate --shots 6 --checkpoint c --device cpu"
    )
    assert run(*line.split()) == 0
    config = seen[0]
    assert (config.task, config.target, config.methods) == ("gsm8k", "gemma3", ("full", "random"))
    assert (config.retention, config.prompts, config.queries, config.seed) == ((0.2, 0.5), 2, 3, 5)
    assert (config.json, config.generate, config.shots) == (Path("o.json"), True, 6)
    assert (config.checkpoint, config.device) == (Path("c"), "cpu")
    assert capfd.readouterr().out == "| table |\n"
