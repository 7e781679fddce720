"""The page's own HTML, CSS and scripts.

The scripts are ES modules in src, bundled into dist by `npm run build`: one file for each component, whose default
export makes the component. Only dist is read here, so the studio runs without Node.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
LOGO = _HERE / "logo.svg"


def read_web(name: str) -> str:
    """An HTML or CSS file of this folder."""
    return (_HERE / name).read_text(encoding="utf-8")


def script(name: str, **settings: Any) -> str:
    """What gr.HTML runs as `js_on_load` to make a component: "canvas", "table", "learn", ...

    Gradio runs it as the body of a function whose arguments `element`, `props`, `trigger` and `watch` the component
    takes.

    Args:
        settings: of this one component, passed to its script as JSON.
    """
    arguments = f"{{ element, props, trigger, watch, settings: {json.dumps(settings)} }}"
    return f"{read_web(f'dist/{name}.js')}component.default({arguments});"
