"""Who waits for what: handlers wait in lanes of their own, so that a crowd at the model keeps nobody from saving."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from gradio.queueing import Event, Queue

from app.hosting.identity import Identity

LANE = 64  # events that may wait in a lane
_BUSY = "Too many people are waiting for this: try again in a minute."
_HALF = "A text in this request holds half a character (a lone surrogate): remove it."
_OWN = "Your last requests are still being worked on: wait for them, or cancel them."


class LaneQueue(Queue):  # type: ignore[misc]
    """Gradio's queue, but full lane by lane, and not full of one person."""

    identity: Identity
    own: int  # events of one person that may wait or go on in a lane

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """As Gradio's, or (False, why, "queue_full" or "error")."""
        if _holds_half_characters([body.data, body.event_data]):
            return False, _HALF, "error"
        handler = self.blocks.fns.get(body.fn_index) if body.fn_index is not None else None
        lane = self.event_queue_per_concurrency_id.get(str(handler.concurrency_id)) if handler is not None else None
        if lane is not None:
            if len(lane.queue) >= LANE:
                return False, _BUSY, "queue_full"
            person = self.identity.person(request, username)
            if not person.local and self._of(person.key, str(handler.concurrency_id)) >= self.own:  # type: ignore[union-attr]
                return False, _OWN, "queue_full"
        return await super().push(body, request, username)

    def _of(self, key: str, lane: str) -> int:
        running = [event for job in self.active_jobs if job for event in job if event.concurrency_id == lane]
        return sum(self._key(event) == key for event in [*running, *self.event_queue_per_concurrency_id[lane].queue])

    def _key(self, event: Event) -> str:
        return self.identity.person(event.request, event.username).key


def _holds_half_characters(sent: Any) -> bool:
    """Whether a text could not be sent back: Gradio repeats in its errors what it does not take."""
    try:
        json.dumps(sent, ensure_ascii=False, default=str).encode()
    except (UnicodeEncodeError, RecursionError):
        return True
    return False


def use_lanes(page: gr.Blocks, identity: Identity, own: int) -> None:
    """Let a page's events wait in lanes; after `page.queue()`."""
    queue = page._queue
    queue.__class__ = LaneQueue
    queue.max_size, queue.identity, queue.own = None, identity, own
