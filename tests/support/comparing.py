"""A studio to compare in and an endpoint that answers (fixtures; conftest.py hands them out), and a prompt for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from annotations.store import Store
from tests.support.fake_endpoint import FakeEndpoint, fake_endpoint

if TYPE_CHECKING:
    from app.studio import Studio

CONTEXT = "Sort.\n\nMessage: broken <b>lid</b> ${1+1}\nTeam: Anchor\n\nMessage: charged twice\nTeam: Beacon"
QUESTION = "Message: where is it?\nTeam:"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeEndpoint]:
    """An endpoint on this machine."""
    with fake_endpoint() as served:
        yield served


@pytest.fixture(scope="module")
def comparing(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio with a scripted compressor and a tiny target LLM, whose visitors may use that endpoint."""
    from app.settings import Settings
    from app.studio import Studio
    from tests.support.scripted import ScriptedCompressor
    from tests.support.tiny_target import make_target

    target = make_target()
    return Studio(
        Settings(data=tmp_path_factory.mktemp("data"), endpoints="local"),
        load=ScriptedCompressor,
        open_store=lambda: store,
        load_target=lambda name: target,
    )
