"""What the service takes and gives. The contract is that of the Headroom service, which LiteLLM's guardrail calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..request import AUTO
from .turns import Wishes

EXAMPLES = {
    "tools": {
        "summary": "A conversation; half of what tools gave is kept",
        "value": {
            "model": "gpt-4o",
            "messages": [
                {"role": "user", "content": "How many beds has Lund?"},
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "beds", "arguments": "{}"}}],
                },
                {
                    "role": "tool",
                    "tool_call_id": "c1",
                    "content": '[{"city": "Lund", "beds": 120}, {"city": "Ystad", "beds": 80}]',
                },
            ],
            "retention": 0.5,
            "config": {"min_tokens": 0},
        },
    },
    "documents": {
        "summary": "Documents in a message of the user, and a budget for all",
        "value": {
            "messages": [
                {
                    "role": "user",
                    "content": "Lund has 120 beds. It is an old city.\n\nYstad has 80 beds. It is by the sea.",
                },
                {"role": "user", "content": "How many beds has Lund?"},
            ],
            "token_budget": 20,
            "config": {"compress_user_messages": True, "min_tokens": 20},
        },
    },
    "text": {
        "summary": "A single prompt",
        "value": {
            "text": "Answer briefly.\n\nLund has 120 beds. It is old.\n\nHow many beds has Lund?",
            "retention": 0.7,
        },
    },
}


class CompressConfig(BaseModel):
    """How to compress; what is not known here is not minded."""

    model_config = ConfigDict(strict=True, extra="ignore")

    target_ratio: float | None = Field(None, gt=0, le=1, description="another name of `retention`")
    protect_recent: int = Field(0, ge=0, description="so many messages at the end stay whole")
    compress_user_messages: bool = Field(
        False, description="shorten what users bring along, too; their instructions and questions stay"
    )
    compress_assistant_messages: bool = Field(False, description="shorten what the assistant said, too")
    min_tokens: int | None = Field(None, ge=0, description="texts with fewer tokens stay whole")
    mode: str | None = Field(
        None,
        max_length=100,
        description='"ccr": put behind each shortened text by which hash its original can be asked for',
    )


def _length(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == AUTO or (number and 0 < value <= 1):
        return value
    raise ValueError('give a number above 0 and at most 1, or "auto"')


class CompressBody(BaseModel):
    """A prompt to compress: either `messages` or `text`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    messages: list[dict[str, Any]] | None = Field(None, description="chat messages in OpenAI's or Anthropic's shape")
    text: str | None = Field(None, description="a prompt as plain text")
    model: str | None = Field(
        None, max_length=300, description="which model will read it; any name, it changes nothing"
    )
    retention: Annotated[Annotated[float, Field(gt=0, le=1)] | Literal["auto"] | None, BeforeValidator(_length)] = (
        Field(
            None, description="share of the tokens to keep at most of what may go; auto: as few as hold what is needed"
        )
    )
    token_budget: int | None = Field(None, ge=1, description="how many tokens all texts may have together, instead")
    config: CompressConfig = Field(default_factory=lambda: CompressConfig.model_validate({}))

    @model_validator(mode="after")
    def _one_of_each(self) -> CompressBody:
        if (self.messages is None) == (self.text is None):
            raise ValueError("give either messages or text")
        if sum(length is not None for length in (self.retention, self.token_budget, self.config.target_ratio)) > 1:
            raise ValueError("give one of retention, token_budget and config.target_ratio")
        return self

    def wishes(self, defaults: Wishes) -> Wishes:
        """What is asked for, and the service's own wishes where nothing is."""
        config = self.config
        return Wishes(
            retention=self.retention or config.target_ratio or defaults.retention,
            token_budget=self.token_budget,
            protect_recent=config.protect_recent,
            user=config.compress_user_messages,
            assistant=config.compress_assistant_messages,
            min_tokens=defaults.min_tokens if config.min_tokens is None else config.min_tokens,
        )


class VerdictReply(BaseModel):
    """What shortening cost: texts that are gone, twenty of a kind at most."""

    broken: bool = Field(description="what is left may say something else: look before you send it")
    instruction_whole: bool | None
    question_whole: bool | None
    rules_gone: list[str] = Field(description="sentences with a negation, limit or condition")
    rules_broken: list[str]
    numbers_gone: list[str]
    names_gone: list[str]
    identifiers_gone: list[str]
    fragments: list[str]
    warnings: list[str] = Field(description="what a person should look at, a line each")


class CompressReply(BaseModel):
    """The compressed prompt, in the shape that it came in."""

    messages: list[dict[str, Any]] | None = None
    text: str | None = None
    tokens_before: int
    tokens_after: int
    tokens_saved: int
    compression_ratio: float = Field(description="tokens_after / tokens_before")
    transforms_applied: list[str]
    verdict: VerdictReply
    hashes: list[str] = Field(description="of originals, for /v1/retrieve")
    ccr_hashes: list[str] = Field(description="the hashes that stand in the messages")


class RetrieveReply(BaseModel):
    """An original, or what of it has to do with a query."""

    hash: str
    original_content: str
    original_tokens: int
    returned_tokens: int
    query: str | None


class ErrorDetail(BaseModel):
    """type: a word for programs; message: a line for people."""

    type: str
    message: str


class ErrorReply(BaseModel):
    """What comes instead of a reply."""

    error: ErrorDetail
