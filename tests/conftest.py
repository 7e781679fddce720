"""Fixtures for all tests: those of tests/support, and tiny models."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

from model.llm.causal import Target
from tests.support.browsing import browser, page, phone, store, url  # noqa: F401  (fixtures)
from tests.support.comparing import comparing, server  # noqa: F401  (fixtures)
from tests.support.exported import hostile  # noqa: F401  (a fixture)
from tests.support.hub_stand_in import hub  # noqa: F401  (a fixture)
from tests.support.tiny_target import make_target
from tests.support.toy_rows import data, loaded  # noqa: F401  (fixtures)

torch.set_num_threads(1)  # in tiny models threads only wait for each other
settings.register_profile("calm", deadline=None)  # a busy machine is no failure
settings.load_profile("calm")


@pytest.fixture(scope="session")
def tiny_target() -> Target:
    """A random Llama with 320 subwords, 2 layers and no BOS."""
    return make_target()


@pytest.fixture(scope="session", params=["llama", "llama-bos", "gemma"])
def any_target(request: pytest.FixtureRequest) -> Target:
    """Each kind of `make_target` in turn."""
    return make_target(request.param)
