"""Who answers: a model on this server or an endpoint, with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, InstanceOf

from app.components.forms import Number, Request, Text, Tick, Visitor, refused_as
from app.settings import Settings
from model.errors import InputError
from model.llm.endpoint import Endpoint

ANSWER_TOKENS = 1024  # at most
HERE, THERE = PLACES = ("A model on this server", "An endpoint")


@dataclass(frozen=True, repr=False)
class EndpointKey:
    """A key that was typed, and the only origin (scheme, host, port) that it is sent to."""

    origin: tuple[Any, ...]
    value: str


class Answerer(Request):
    """Who answers, as the page has it: `key` as it was typed just now, `kept_key` from before."""

    where: Text
    local: Text
    chat: Tick
    url: Text
    model: Text
    key: Annotated[Text, Field(repr=False)]
    kept_key: InstanceOf[EndpointKey] | None
    limit: Annotated[
        Number,
        Field(ge=1, le=ANSWER_TOKENS),
        refused_as(f"An answer has 1 to {ANSWER_TOKENS:,} tokens at the most."),
    ]
    visitor: InstanceOf[Visitor]

    def allowed_writer(self, settings: Settings, offered: Sequence[str]) -> tuple[Endpoint | str, EndpointKey | None]:
        """As `writer`, under the rules of a studio; offered: models that everybody may choose there."""
        private = settings.reaches_private(self.visitor.address, self.visitor.headers)
        return self.writer(offered, settings.endpoints != "off", private, settings.hosting.endpoints)

    def writer(
        self, offered: Sequence[str], endpoints: bool, private: bool, hosts: Sequence[str] = ()
    ) -> tuple[Endpoint | str, EndpointKey | None]:
        """An endpoint or the name of a model here, and the key to keep. Raises InputError.

        offered: models that everybody may choose; endpoints: whether there may be any; private: whether the visitor
        may use this machine's own network and disk; hosts: the only ones that may be called; (): all.
        """
        if self.where == THERE:
            if not endpoints:
                raise InputError("Endpoints are switched off here: choose a model on this server.")
            made, kept = self._endpoint(private)
            if hosts and made.url.host.lower() not in hosts:
                raise InputError(f"Only these hosts may be called from here: {', '.join(hosts)}.")
            return made, kept
        name = self.local.strip()
        if name not in offered and not (private and name):
            raise InputError("Choose one of the models in the list; other names work on your own machine only.")
        return name, self.kept_key

    def _endpoint(self, private: bool) -> tuple[Endpoint, EndpointKey | None]:
        made = Endpoint(self.url, self.model, self.key, private)
        origin = (made.url.scheme, made.url.host, made.url.port)
        if self.key:
            return made, EndpointKey(origin, self.key)
        if self.kept_key is not None and self.kept_key.origin == origin:
            return Endpoint(self.url, self.model, self.kept_key.value, private), self.kept_key
        return made, None
