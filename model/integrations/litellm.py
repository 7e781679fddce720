"""LiteLLM: messages shortened on their way through its proxy, as a callback. For litellm 1.x.

In a Python file beside the proxy's configuration:

>>> compress = PromptCompression(Compressor.load(), retention=0.5)

and in the configuration `litellm_settings: {callbacks: your_file.compress}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError, needs
from . import Ranks
from .history import HistoryShortener, question_of, with_texts

with needs("litellm"):
    from litellm.integrations.custom_logger import CustomLogger

CALLS = ("completion", "acompletion", "anthropic_messages")  # whose data has messages
ROLES = ("user", "tool")
BYPASS = "diffumask"  # a request whose metadata says {"diffumask": False} goes through as it is


class PromptCompression(CustomLogger):
    """Shortens long texts of people and tools before a request goes out.

    A text of a tool is shortened by the question before it; one of a person as a prompt, whose instruction and question
    stay. Each is shortened for itself, to the same text every time, so that a provider can go on from what it has read.
    Everything else goes through as it is, and so does a text that cannot be shortened.

    Args:
        retention: share of each text's tokens to keep at most, in (0, 1].
        least: characters from which on a text is shortened.
        roles: whose texts: "user", "tool".
        options: as of `Compressor.compress`.
    Raises InputError for other roles.
    """

    def __init__(
        self,
        compressor: Ranks,
        retention: float = 0.5,
        *,
        least: int = 2000,
        roles: Sequence[str] = ROLES,
        **options: Any,
    ) -> None:
        super().__init__()
        if isinstance(roles, str) or not set(roles) <= set(ROLES):
            raise InputError(f"roles must be a list of some of {', '.join(ROLES)}")
        self.least, self.roles = least, frozenset(roles)
        self._shorten = HistoryShortener(compressor, retention, **options)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> Any:
        """The request with shorter messages; called by LiteLLM before each call."""
        metadata, messages = data.get("metadata"), data.get("messages")
        bypass = isinstance(metadata, Mapping) and metadata.get(BYPASS) is False
        if call_type not in CALLS or bypass or not isinstance(messages, list):
            return data
        return {**data, "messages": await asyncio.to_thread(self.shortened, messages)}

    def shortened(self, messages: Sequence[Any]) -> list[Any]:
        """The messages with shorter texts; those that were given are not changed."""
        made, question = [], ""
        for message in messages:
            role = message.get("role") if isinstance(message, Mapping) else None
            content = message.get("content") if role in ROLES else None
            made.append(
                {**message, "content": self._content(content, role == "tool", question)} if content else message
            )
            if role == "user":
                question = question_of(content) or question
        return made

    def _content(self, content: Any, is_tool: bool, question: str) -> Any:
        def of_tool(text: str) -> str:
            return self._shorten(text, question) if "tool" in self.roles and len(text) >= self.least else text

        def of_user(text: str) -> str:
            return self._shorten(text) if "user" in self.roles and len(text) >= self.least else text

        return with_texts(content, of_tool if is_tool else of_user, of_tool)
