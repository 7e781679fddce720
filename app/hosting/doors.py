"""Which of Gradio's doors are open: those that the page and programs go through.

Gradio's server has many more: it fetches any public address for whoever asks, cuts videos, keeps links and a history of
runs on its disk or in a bucket, and shows its monitoring. The next version may have others; what is not named here is
closed.
"""

from __future__ import annotations

import os
import re
from typing import Any

import gradio as gr
from gradio import processing_utils, route_utils
from gradio.route_utils import GradioMultiPartParser

MOST_FILES = 10  # in one upload

_PAGE = (
    r"(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d+)?)?",
    r"(static|assets|svelte|_app)/.+",
    r"login(_check|/huggingface|/callback)?",
    "logout",
)
_PROGRAMS = (
    r"(info|openapi\.json|startup-events|app_id|user|token|login_check|theme\.css)",
    r"(queue/(join|data|status)|reset|cancel|heartbeat/[^/]+)",
    r"(run|api|call|call/v2)/[^/]+(/[^/]+)?",
    r"upload(_progress)?",
    r"file=(?!https?:).*",
    r"mcp(/.*)?",
)
_OPEN = re.compile(rf"/(({'|'.join(_PAGE)})|gradio_api/({'|'.join(_PROGRAMS)}))/?", re.IGNORECASE | re.DOTALL)


def is_open(path: str) -> bool:
    """Whether requests for a path are let in.

    >>> is_open("/config"), is_open("/gradio_api/queue/join"), is_open("/gradio_api/file=uploads/y.csv")
    (True, True, True)
    >>> is_open("/monitoring"), is_open("/gradio_api/process_recording"), is_open("/gradio_api/file=https://example.org")
    (False, False, False)
    """
    return _OPEN.fullmatch(path) is not None


def close_doors() -> None:
    """For this process: Gradio fetches nothing that a request names, takes few files at a time, keeps no history of
    runs, and leaves it to `app.hosting.edge` to find out who is behind a proxy."""
    for name in ("async_ssrf_protected_download", "ssrf_protected_download", "save_url_to_cache"):
        setattr(processing_utils, name, _never)
    route_utils.GradioMultiPartParser = FewFiles
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # uvicorn would put the visitor's address in the place of the proxy's


class FewFiles(GradioMultiPartParser):  # type: ignore[misc]
    """Reads what is uploaded; of a thousand small files Gradio makes a thousand large ones' work."""

    def __init__(self, *given: Any, **options: Any):
        super().__init__(*given, **{**options, "max_files": MOST_FILES, "max_fields": MOST_FILES})


def _never(*_: Any, **__: Any) -> Any:
    raise gr.Error("Files are uploaded here, never fetched from an address.", print_exception=False)
