"""How long work shows how far it is: tqdm, or a stand-in that is called like it and passes the items on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Progress = Callable[..., Iterable[Any]]  # (iterable, total=, unit=, desc=)


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    """Progress that shows nothing."""
    return items
