"""What docs/service.md shows as commands, code and configuration works."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
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


class Gateway:
    """Stands for Kong's: sends messages as its policy says, and hands on what comes back, or else the original."""

    def __init__(self, policy: dict[str, Any], url: str) -> None:
        self.config = policy["config"]
        self.path = self.config["compressor_url"].removeprefix(f"http://{SERVICE}")
        self.url, self.token = url, self.config["headroom"]["proxy_token"]

    def handed_on(self, messages: list[dict[str, Any]], headers: dict[str, str]) -> list[dict[str, Any]]:
        try:
            body = {"model": "gpt-4o", "messages": messages}
            seconds = self.config["timeout"] / 1000
            reply = httpx.post(self.url + self.path, json=body, headers=headers, timeout=seconds)
            made: list[dict[str, Any]] = reply.raise_for_status().json()["messages"]
            return made
        except httpx.HTTPError:
            if self.config["stop_on_error"]:
                raise
            return messages


def test_kongs_configuration_leads_to_shorter_prompts_and_loses_none() -> None:
    (policy,) = CONFIGURATION[1]["ai_gateway_policies"]
    assert (policy["type"], policy["config"]["provider"]) == ("ai-prompt-compressor", "headroom")
    key = policy["config"]["headroom"]["proxy_token"] = "the-key-of-a-gateway"
    with serving(make_service(Shortener(Compressor(tiny_checkpoint())), Keys([key]), ServiceLimits())) as url:
        gateway = Gateway(policy, url)
        for headers in ({"X-Headroom-Proxy-Token": gateway.token}, {"Authorization": f"Bearer {gateway.token}"}):
            made = gateway.handed_on(TALK, headers)
            assert [i for i, (old, new) in enumerate(zip(TALK, made, strict=True)) if old != new] == [3, 7]
            assert len(made[3]["content"]) < len(TALK[3]["content"])
        assert gateway.handed_on(TALK, {"Authorization": "Bearer of-somebody-else"}) == TALK
    assert gateway.handed_on(TALK, headers) == TALK  # the service is gone


def test_other_pages_name_the_same_commands() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    for command in re.findall(r"`python -m model ((?:serve|proxy|corpus)[^`]*)`", readme):
        required = {"proxy": ["--upstream", "http://x"], "corpus": ["in.jsonl", "out"]}
        build_parser().parse_args([*command.split(), *required.get(command, [])])
