"""Put a page behind its guard, its lanes and its edge."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from annotations.errors import StoreError
from app.hosting.disk import Disk
from app.hosting.doors import close_doors
from app.hosting.edge import Admit, Edge, Signature
from app.hosting.guard import Log, guard
from app.hosting.identity import Identity
from app.hosting.lanes import use_lanes
from app.hosting.mode import Hosting
from app.hosting.quotas import Quotas
from app.hosting.sessions import SESSIONS, slim_sessions
from app.hosting.traversal import search_less


def host(page: gr.Blocks, hosting: Hosting, log: Log) -> dict[str, Any]:
    """Guard a page that was built; returns options for Gradio's `launch`, which put the edge in front of it."""
    signature, quotas = Signature(), Quotas(hosting.limits)
    identity = Identity(hosting, signature)
    guard(page, identity, quotas, log)
    close_doors()
    slim_sessions()
    search_less()
    page.queue(default_concurrency_limit=1, api_open=False)  # all that runs waits in lanes
    use_lanes(page, identity, hosting.limits.waiting)
    uploads = _admit_uploads(hosting, quotas) if hosting.hosted else lambda address, size: ""
    edge = Middleware(Edge, hosting=hosting, signature=signature, uploads=uploads)
    app = {"middleware": [edge], "exception_handlers": {RequestValidationError: _unreadable}}
    return {"app_kwargs": app, "state_session_capacity": SESSIONS}


def _admit_uploads(hosting: Hosting, quotas: Quotas) -> Admit:
    disk = Disk(Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()), hosting)

    def admit(address: str, size: int) -> str:
        try:
            disk.check_room()
        except StoreError as error:
            return str(error)
        return quotas.upload(address, size)

    return admit


def _unreadable(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that is not what its address takes. FastAPI's own repeats what was sent, and fails when
    that is not text or holds what JSON cannot."""
    return JSONResponse({"detail": "This request is not one that can be read here."}, 422)
