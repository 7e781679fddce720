"""What pyproject.toml says about the package, against the files that it speaks of."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import model
from model.cli import build_parser

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
CODE = {".py", ".pyc"}
COMMANDS = {
    "compress": ["compress", "-"],
    "teach": ["teach", "--data", "d", "--out", "o"],
    "train": ["train", "--pairs", "p", "--data", "d", "--out", "o"],
    "finetune": ["finetune", "--corrections", "c", "--out", "o"],
    "evaluate": ["evaluate", "--task", "agnews", "--data", "d"],
    "report": ["report", "--out", "o"],
    "bench": ["bench"],
}


@cache
def pyproject() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return content


def expanded(extra: str) -> set[str]:
    """The requirements of an extra; diffumask[a,b] in it stands for those of a and b."""
    requirements: set[str] = set()
    for line in pyproject()["project"]["optional-dependencies"][extra]:
        own = re.fullmatch(r"diffumask\[(.+)\]", line)
        requirements |= set().union(*map(expanded, own[1].split(","))) if own else {line}
    return requirements


def lines() -> list[str]:
    """The lines of requirements.txt that ask for a package."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_space_installs_what_the_studio_needs() -> None:
    asked = {line.partition("#")[0].strip() for line in lines()}
    assert asked == set(pyproject()["project"]["dependencies"]) | expanded("studio")


def test_every_requirement_has_a_reason() -> None:
    assert [line for line in lines() if not re.search(r"#\s*\w+", line)] == []


def test_files_that_are_no_code_go_into_the_wheel() -> None:
    patterns = pyproject()["tool"]["setuptools"]["package-data"]["diffumask"]
    taken = {file for pattern in patterns for file in (ROOT / "model").glob(pattern)}
    files = {file for file in (ROOT / "model").rglob("*") if file.is_file() and file.suffix not in CODE}
    assert files - taken == set()


def test_the_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", model.__version__)
    assert f"## [{model.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_says_to_install_is_there(command: str) -> None:
    extra = build_parser().parse_args(COMMANDS[command]).extra
    assert extra in {"", *pyproject()["project"]["optional-dependencies"]}


def test_version_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"diffumask {model.__version__}\n"


@pytest.mark.parametrize(
    ("called", "shown"), [("/usr/bin/diffumask", "diffumask"), ("/x/model/__main__.py", "python -m model")]
)
def test_help_names_the_program_as_it_was_called(monkeypatch: pytest.MonkeyPatch, called: str, shown: str) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert build_parser().format_usage().startswith(f"usage: {shown} ")
