"""Who waits for what: handlers wait in lanes of their own, so that a crowd at the model keeps nobody from saving.

Short prompts overtake long ones twice: here, and at the model itself (`app.background.served`).
"""

from __future__ import annotations

import random
from typing import Any

import gradio as gr
import orjson
from gradio.queueing import Event, EventQueue, Queue

from app.hosting.guard import MODEL_QUEUE, characters
from app.hosting.identity import Identity
from app.hosting.sessions import LONG_NAME, is_long

LANE = 64  # events that may wait in a lane
LONG = 10_000  # characters from which on a prompt waits in a lane of its own; the model reads as many in about 4 s
SHORT_AT_ONCE = 4  # runs that are under way with shorter prompts; of the long ones there is one
_LONG_QUEUE = f"{MODEL_QUEUE}, long prompts"
_RUNS = (MODEL_QUEUE, _LONG_QUEUE)
_BUSY = "Too many people are waiting for this: try again in a minute."
_ODD = "This request holds half a character, a whole number beyond 64 bits or too deep a list: remove it."
_OWN = "Your last requests are still being worked on: wait for them, or cancel them."
_FEW = "This takes {} values, and {} were sent."


class LaneQueue(Queue):  # type: ignore[misc]
    """Gradio's queue, but full lane by lane, and not full of one person."""

    identity: Identity
    own: int  # events of one person that may wait or go on in a lane
    turns: dict[str, int]  # when each person of late had a run of the model, as a count that only rises

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """As Gradio's, or (False, why, "queue_full" or "error")."""
        handler = self.blocks.fns.get(body.fn_index) if body.fn_index is not None else None
        if handler is None:
            return await super().push(body, request, username)
        if wrong := _wrong(handler, body):
            return False, wrong, "error"
        lane = _lane(str(handler.concurrency_id), body.data)
        if len(self._waiting(lane)) >= LANE:
            return False, _BUSY, "queue_full"
        person = self.identity.person(request, username)
        if not person.local and self._of(person.key, lane) >= self.own:
            return False, _OWN, "queue_full"
        pushed = await super().push(body, request, username)
        if pushed[0] and lane == _LONG_QUEUE:
            self._move(self.event_ids_to_events[pushed[1]], lane)
        return pushed

    def _move(self, event: Event, lane: str) -> None:
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        event.concurrency_id = lane
        self.event_queue_per_concurrency_id[lane].queue.append(event)

    def _waiting(self, lane: str) -> list[Event]:
        queue = self.event_queue_per_concurrency_id.get(lane)
        return list(queue.queue) if queue is not None else []

    def _running(self) -> list[Event]:
        return [event for job in self.active_jobs if job for event in job]

    def _of(self, key: str, lane: str) -> int:
        """How many events of a person wait or go on in a lane; the two for runs of the model count as one."""
        lanes = _RUNS if lane in _RUNS else (lane,)
        events = [event for event in self._running() if event.concurrency_id in lanes]
        events += [event for name in lanes for event in self._waiting(name)]
        return sum(self._key(event) == key for event in events)

    def _key(self, event: Event) -> str:
        return self.identity.person(event.request, event.username).key

    def create_event_queue_for_fn(self, block_fn: Any) -> None:
        """As Gradio's, but several runs of the model may be under way."""
        super().create_event_queue_for_fn(block_fn)
        if block_fn.concurrency_id == MODEL_QUEUE:
            self.event_queue_per_concurrency_id[MODEL_QUEUE].concurrency_limit = SHORT_AT_ONCE

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The event that is next, from any lane."""
        lanes = list(self.event_queue_per_concurrency_id.values())
        random.shuffle(lanes)
        for lane in lanes:
            if lane.concurrency_limit is None or lane.current_concurrency < lane.concurrency_limit:
                event = self._next_run(lane) if lane.concurrency_id in _RUNS else next(iter(lane.queue), None)
                if event is not None:
                    lane.queue.remove(event)
                    return [event], False, lane.concurrency_id
        return None

    def _take_turn(self, key: str) -> None:
        turn = next(reversed(self.turns.values()), 0) + 1
        self.turns.pop(key, None)
        self.turns[key] = turn
        while len(self.turns) > LANE * 2:
            self.turns.pop(next(iter(self.turns)))

    def _next_run(self, lane: EventQueue) -> Event | None:
        """The first run of whoever has waited longest for a turn; a page's own go one after the other."""
        if not lane.queue:
            return None
        runs = [event for event in self._running() if event.concurrency_id in _RUNS]
        waiting = sorted((event for name in _RUNS for event in self._waiting(name)), key=lambda one: one.enqueue_time)
        first: dict[str, Event] = {}
        for event in (*runs, *waiting):
            first.setdefault(event.session_hash, event)
        ready = [event for event in lane.queue if first[event.session_hash] is event]
        chosen = min(ready, key=lambda event: self.turns.get(self._key(event), 0), default=None)
        if chosen is not None:
            self._take_turn(self._key(chosen))
        return chosen

    def compute_analytics_summary(self, records: Any) -> dict[str, Any]:
        """Nothing: Gradio makes a table of the last 10,000 events whenever one fails."""
        return {"functions": {}}


def _lane(id: str, data: list[Any]) -> str:
    return _LONG_QUEUE if id == MODEL_QUEUE and characters(data) > LONG else id


def _wrong(handler: Any, body: Any) -> str:
    """What is wrong with a request; Gradio would print all of it, text included."""
    if is_long(body.session_hash):
        return LONG_NAME
    if len(body.data) < len(handler.inputs):
        return _FEW.format(len(handler.inputs), len(body.data))
    return _ODD if _cannot_be_repeated([body.data, body.event_data]) else ""


def _cannot_be_repeated(sent: Any) -> bool:
    """Whether Gradio could not send it back, as it does with values that only move about, and in its errors."""
    try:
        orjson.dumps(sent, default=str)
    except (TypeError, RecursionError):
        return True
    return False


def use_lanes(page: gr.Blocks, identity: Identity, own: int) -> None:
    """Let a page's events wait in lanes; after `page.queue()`."""
    queue = page._queue
    queue.__class__ = LaneQueue
    queue.max_size, queue.identity, queue.own, queue.turns = None, identity, own, {}
    queue.event_queue_per_concurrency_id[_LONG_QUEUE] = EventQueue(_LONG_QUEUE, 1)
