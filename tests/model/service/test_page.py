"""What docs/service.md shows as commands, code and configuration works."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest
import yaml
from litellm.proxy.guardrails.guardrail_hooks.headroom import initialize_guardrail
from litellm.types.guardrails import LitellmParams

from model.cli import build_parser
from model.compress import Compressor
from model.service.app import ServiceLimits, make_service
from model.service.keys import Keys
from model.service.originals import StoreLimits
from model.service.proxy.app import ProxySettings, make_proxy
from model.service.proxy.upstream import Upstream
from model.service.schemas import CompressReply
from model.service.shortener import Shortener
from model.service.turns import Wishes
from tests.support.serving import serving
from tests.support.stand_in import stand_in
from tests.support.talks import TALK
from tests.support.tiny import tiny_checkpoint
from tests.test_documents import blocks

PAGE = "docs/service.md"
SERVICE, PROXY = "localhost:8787", "localhost:8788"  # as the page has them
LINES = [line.partition("  #")[0].strip() for block in blocks(PAGE, "bash") for line in block.splitlines()]
CONFIGURATION = [yaml.safe_load(block) for block in blocks(PAGE, "yaml")]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    shortener = Shortener(Compressor(tiny_checkpoint()), store=StoreLimits())
    with serving(make_service(shortener, Keys([]), ServiceLimits())) as url:
        yield url.removeprefix("http://")


def test_every_line_is_run_by_a_test_here() -> None:
    assert {line.split()[0] for line in LINES} == {"diffumask", "curl"}
    assert [list(each) for each in CONFIGURATION] == [["guardrails"], ["ai_gateway_policies"]]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("diffumask")])
def test_the_programs_take_their_flags(line: str) -> None:
    """They are started in test_serve; where they listen by default is what the page says."""
    arguments = build_parser().parse_args(shlex.split(line)[1:])
    assert f"localhost:{arguments.port}" in (SERVICE, PROXY) and callable(arguments.run)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("curl")])
def test_curl_gets_what_the_page_shows(line: str, service: str) -> None:
    done = subprocess.run(["bash", "-ec", line.replace(SERVICE, service)], capture_output=True, text=True)
    reply = CompressReply.model_validate_json(done.stdout)
    (shown,) = blocks(PAGE, "json")
    known = {*CompressReply.model_fields, *reply.verdict.model_dump()}
    assert reply.text and set(re.findall(r'"(\w+)": ', shown)) <= known


def test_python_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    names: dict[str, Any] = {"messages": TALK}
    compressor = Compressor(tiny_checkpoint())
    with stand_in() as server:
        app = make_proxy(Shortener(compressor), Upstream(server.url), ProxySettings(Wishes(user=True)))
        with serving(app) as url:
            for block in blocks(PAGE, "python"):
                exec(compile(block.replace(f"http://{PROXY}", url), PAGE, "exec"), names)
    assert names["raw"].headers["x-diffumask-outcome"] in ("shortened", "refused", "unchanged")


def test_litellm_takes_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "callbacks", [])  # where it enters itself
    (guardrail,) = CONFIGURATION[0]["guardrails"]
    assert guardrail["litellm_params"]["guardrail"] == "headroom"
    made = initialize_guardrail(LitellmParams(**guardrail["litellm_params"]), guardrail)
    assert made.guardrail_name == "shorter" and SERVICE in str(vars(made))


def test_kong_is_sent_to_the_right_path() -> None:
    (policy,) = CONFIGURATION[1]["ai_gateway_policies"]
    assert policy["config"]["compressor_url"] == f"http://{SERVICE}/v1/compress"


def test_other_pages_name_the_same_commands() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    for command in re.findall(r"`python -m model ((?:serve|proxy|corpus)[^`]*)`", readme):
        required = {"proxy": ["--upstream", "http://x"], "corpus": ["in.jsonl", "out"]}
        build_parser().parse_args([*command.split(), *required.get(command, [])])
