"""The tabs, read by axe-core: nothing that keeps anybody from using them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accessibility import serious_faults
from tests.support.browsing import explore, needs_chromium, open_tab, token

pytestmark = needs_chromium

PROMPT = "Answer from the notes.\n\nNotes: The office opens at 9. Never pay in cash. Ann left.\n\nQuestion: How?"
TABS = {  # what stands there once a tab is open
    "Review": "#corrections-list",
    "Learn": "#fine-tune",
    "Compare": "#compare",
    "Results": "#results-curve .js-plotly-plot",
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_no_serious_fault(page: Any, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{page.url}?__theme={scheme}")
    page.wait_for_selector("#run")
    explore(page, PROMPT)
    token(page, "explore-canvas", 10).click()
    page.click("#explore-canvas .dm-use summary")
    page.click("#explore-canvas [data-view=diff]")
    for fold in ("#check", "#check-who", "#settings"):
        page.click(f"{fold} > button")
    faults = {"Explore": serious_faults(page)}
    open_tab(page, "Correct")
    page.fill("#correct-prompt textarea", PROMPT)
    page.click("#open")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    faults["Correct"] = serious_faults(page)
    for name, shown in TABS.items():
        open_tab(page, name)
        page.wait_for_selector(shown)
        faults[name] = serious_faults(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert not {name: found for name, found in faults.items() if found}
