"""What the environment decides about the studio, and what is said when it is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from model.errors import InputError

ROOT = Path(__file__).parents[2]


def test_who_may_reach_the_servers_own_network() -> None:
    def settings(**env: str) -> Settings:
        return Settings.from_env(env)

    assert settings().reaches_private("127.0.0.1", ["Host"])
    assert not settings().reaches_private("127.0.0.1", ["Host", "X-Forwarded-For"]), "a proxy stands in between"
    assert not settings().reaches_private("192.168.0.7", [])
    for public in ({"GRADIO_SERVER_NAME": "0.0.0.0"}, {"GRADIO_SHARE": "True"}, {"SPACE_ID": "me/space"}):
        assert not settings(**public).reaches_private("127.0.0.1", [])
        assert settings(**public).endpoints == "off" and settings(**public).hosting.hosted
    named = settings(DIFFUMASK_ENDPOINTS="any", GRADIO_SERVER_NAME="0.0.0.0", DIFFUMASK_ENDPOINT_HOSTS="api.example")
    assert named.endpoints == "any" and not named.reaches_private("127.0.0.1", []), "strangers never"
    assert not Settings().reaches_private("127.0.0.1", []), "safe unless somebody says otherwise"
    with pytest.raises(InputError, match="one of any, local, public, off"):
        settings(DIFFUMASK_ENDPOINTS="yes")


def test_the_studio_says_in_one_line_what_is_wrong_with_its_settings(tmp_path: Path) -> None:
    run = [sys.executable, "app.py"]
    wrong = os.environ | {"DIFFUMASK_ENDPOINTS": "yes", "DIFFUMASK_DATA": str(tmp_path)}
    done = subprocess.run(run, cwd=ROOT, env=wrong, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "DIFFUMASK_ENDPOINTS is 'yes'" in done.stderr
