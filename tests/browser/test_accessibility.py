"""The tabs, read by axe-core: nothing that keeps anybody from using them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accessibility import serious_faults
from tests.support.browsing import correct, explore, needs_chromium, token

pytestmark = needs_chromium

PROMPT = "Answer from the notes.\n\nNotes: The office opens at 9. Never pay in cash. Ann left.\n\nQuestion: How?"
TABS = {  # what stands there once a tab is open
    "Corrections": "#corrections-list",
    "Learn": "#fine-tune",
    "Compare": "#compare",
    "Results": "#results-curve .js-plotly-plot",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Any, scheme: str) -> None:
    page.goto(f"{page.url}?__theme={scheme}")
    page.wait_for_selector("#run")
    explore(page, PROMPT)
    token(page, "explore-canvas", 10).click()
    page.click("#explore-canvas .dm-use summary")
    page.click("#explore-canvas [data-view=diff]")
    for fold in ("#check", "#check-who", "#settings"):
        page.click(f"{fold} > button")
    faults = {"Explore": serious_faults(page)}
    correct(page, PROMPT)
    faults["Correct"] = serious_faults(page)
    for name, shown in TABS.items():
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_selector(shown)
        faults[name] = serious_faults(page)
    assert not {name: found for name, found in faults.items() if found}
