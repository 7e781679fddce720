"""What axe-core finds on a page."""

from __future__ import annotations

from typing import Any


def serious_faults(page: Any) -> list[tuple[str, str]]:
    """The rule that is broken, and by what."""
    from axe_playwright_python.sync_playwright import Axe

    faults = Axe().run(page).response["violations"]
    serious = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
    return [(fault["id"], node["html"][:200]) for fault in serious for node in fault["nodes"]]
