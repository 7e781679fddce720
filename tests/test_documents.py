"""What the documents show as code runs: every Python block, in order, and the README's commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.denoiser.checkpoint import save_checkpoint
from model.denoiser.sharing import push_to_hub
from tests.support.hub_stand_in import Hub
from tests.support.tiny import tiny_checkpoint

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it fetches prices where it is imported
ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/library.md", "docs/adapters.md")
FRAMEWORKS = {
    "docs/adapters.md": ("langchain", "llama_index.core", "haystack", "dspy", "litellm")
}  # that a page imports
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {  # commands of the README that are run by other checks
    "python3 -m venv .venv && . .venv/bin/activate && pip install -r requirements.txt": ".ci/run installs the same",
    "python app.py": "tests/browser open the studio",
}


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [code for kind, code in BLOCK.findall(text) if kind == language]


@pytest.fixture
def names() -> dict[str, Any]:
    """What a reader is expected to have."""
    documents = [
        "The match began at three. Ann won in two sets. It rained a little.",
        "The mill was built in 1850. It burnt down twice. Nobody lives there.",
    ]
    return {"prompt": (ROOT / "examples" / "maths.txt").read_text(encoding="utf-8"), "documents": documents}


@pytest.mark.parametrize("page", PAGES)
def test_python_of_a_page_runs(page: str, names: dict[str, Any], hub: Hub, tmp_path: Path) -> None:
    tiny = tiny_checkpoint()
    save_checkpoint(tmp_path / "tiny", tiny.denoiser, tiny.collator.tokenizer, {"base": "ann/tiny-bert"})
    push_to_hub(tmp_path / "tiny", "ann/short-prompts")
    for framework in FRAMEWORKS.get(page, ()):
        pytest.importorskip(framework, reason=f"{framework} is not installed")
    code = blocks(page, "python")
    assert code
    for block in code:  # a checkout calls the package `model`
        exec(compile(block.replace("from diffumask", "from model"), page, "exec"), names)


def commands() -> list[str]:
    lines = [line for block in blocks("README.md", "bash") for line in block.splitlines()]
    return [command for line in lines if (command := line.partition("  #")[0].strip()) not in ("", *ELSEWHERE)]


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_readme_run(command: str, tmp_path: Path) -> None:
    for name in ("examples", "model"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "examples" / "maths.txt", tmp_path / "prompt.txt")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr
