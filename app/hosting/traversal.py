"""Values without files are not searched for files.

Gradio looks at every single value that comes in or goes out, on the event loop, for a file to move: a million numbers
hold up everybody for a second.
"""

from __future__ import annotations

from typing import Any

import orjson
from gradio import processing_utils

_FILE = b"gradio.FileData"  # what every file says of itself
_search = processing_utils.async_move_files_to_cache


async def _search_if_needed(data: Any, *given: Any, **options: Any) -> Any:
    return data if has_no_file(data) else await _search(data, *given, **options)


def has_no_file(data: Any) -> bool:
    """Whether plain values are certain to hold no file of Gradio's.

    >>> has_no_file([[1, 2], {"path": "x"}]), has_no_file({"path": "x", "meta": {"_type": "gradio.FileData"}})
    (True, False)
    """
    if not isinstance(data, (list, dict)):
        return data is None or isinstance(data, (str, int, float))
    try:
        return _FILE not in orjson.dumps(data)
    except TypeError:  # not plain, or nothing that JSON can hold
        return False


def search_less() -> None:
    """From now on in this process."""
    processing_utils.async_move_files_to_cache = _search_if_needed
