"""Who a request comes from: a Hugging Face login, a trusted proxy's header, or Gradio's own."""

from __future__ import annotations

import time
from typing import Any

from app.hosting.edge import VISITOR, Origin, Signature
from app.hosting.mode import Hosting
from app.hosting.people import LOCAL, Person, Role


class Identity:
    """Turns requests into people."""

    def __init__(self, hosting: Hosting, signature: Signature):
        self.hosting, self.signature = hosting, signature

    def person(self, request: Any, username: str | None = None) -> Person:
        """Who asks; request: Gradio's or FastAPI's, or None when there is none."""
        if not self.hosting.hosted:
            return LOCAL
        if request is None:
            return Person()
        headers = getattr(request, "headers", None) or {}
        origin = self.signature.read(headers.get(VISITOR, "")) or Origin()
        id = "" if origin.of_another_site else self._signed_in(request, username, origin.user)
        return Person(id, self._role(id), origin.address)

    def _signed_in(self, request: Any, username: str | None, user: str) -> str:
        if user:
            return f"proxy:{user}"
        if name := username or _username(request):
            return f"auth:{name}"
        if self.hosting.oauth and (name := _oauth_name(request)):
            return f"hf:{name}"
        return ""

    def _role(self, id: str) -> Role:
        if not id:
            return Role.VISITOR
        if self.hosting.is_admin(id):
            return Role.ADMIN
        return Role.REVIEWER if self.hosting.is_reviewer(id) else Role.ANNOTATOR


def _oauth_name(request: Any) -> str:
    """The name in a Hugging Face login that has not run out; its cookie was checked by Starlette's sessions."""
    scope = getattr(getattr(request, "request", None) or request, "scope", {})
    session = scope.get("session") or {}
    info = session.get("oauth_info") or {}
    expires = info.get("expires_at") if isinstance(info, dict) else None
    if not isinstance(expires, (int, float)) or not expires > time.time():
        return ""
    return str((info.get("userinfo") or {}).get("preferred_username") or "")[:100]


def _username(request: Any) -> str:
    try:
        return str(request.username or "")  # Gradio's request; FastAPI's has none
    except (AttributeError, AssertionError):
        return ""
