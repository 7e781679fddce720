"""What Gradio is given to run."""

from __future__ import annotations

import pytest

from app.web import read_web, script

COMPONENTS = ("canvas", "checkpoints", "compare", "confirm", "learn", "table")


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_bundle_survives_templates_and_pages(name: str) -> None:
    bundle = read_web(f"dist/{name}.js")
    assert bundle.isascii(), "no character can be mangled on the way"
    assert "${" not in bundle and "`" not in bundle, "nothing for a template to run"
    assert "</" not in bundle and "<!--" not in bundle, "nothing that ends a script"


def test_settings_reach_the_component_as_json() -> None:
    hostile = "');alert(`${1}`)//\u2028"
    call = script("canvas", mode="edit", empty=hostile).rsplit("\n", 1)[-1]
    assert call.isascii() and '"mode": "edit", "empty": "\');alert(`${1}`)//\\u2028"' in call
