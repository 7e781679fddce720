"""Who reads the compressed prompts: a language model in this process, one behind an endpoint, or nobody."""

from __future__ import annotations

import os
from typing import Protocol

from ..errors import InputError
from ..llm.causal import Target
from ..llm.endpoint import Endpoint
from ..llm.load import load_target
from .tasks.task import EvaluationPrompt, Scores, Task, before_queries

NOBODY = "none"
KEY = "OPENAI_API_KEY"  # the environment variable with an endpoint's key


class ReadingModel(Protocol):
    """Answers the queries of a task.

    Attributes:
        name: in the results.
        kind: in what precision or by what interface it reads; another kind scores anew.
        target: the model, where it is in this process.
        always_writes: whether it generates answers even if nobody asks for them, since it can do nothing else.
    """

    name: str
    kind: str
    target: Target | None
    always_writes: bool

    def score(self, task: Task, text: str, prompt: EvaluationPrompt | None, generate: bool) -> Scores:
        """All queries of the prompt after the compressed context `text`."""
        ...


class LocalReader:
    """A target LLM; chat: in its chat template."""

    always_writes = False

    def __init__(self, target: Target, chat: bool = False):
        self.target: Target | None = target
        self._target, self._chat = target, chat
        self.name, self.kind = target.name, str(target.model.dtype)

    def score(self, task: Task, text: str, prompt: EvaluationPrompt | None, generate: bool) -> Scores:
        return task.score(self._target, text, generate, prompt, self._chat)


class EndpointReader:
    """A model behind an OpenAI-compatible API: each prompt is a user's message, and answers are all that it gives."""

    kind, always_writes = "endpoint", True

    def __init__(self, endpoint: Endpoint):
        self.target: Target | None = None
        self.name, self._endpoint = endpoint.name, endpoint

    def score(self, task: Task, text: str, prompt: EvaluationPrompt | None, generate: bool) -> Scores:
        asked = task.queries_of(prompt)
        before = before_queries(text, prompt)
        answers = ["".join(self._endpoint.write(before + query.text, task.new_tokens)) for query in asked]
        return Scores([], [], task.graded(answers, asked), answers)


class Nobody:
    """No reader: what is measured is whether the compressed contexts still hold what is asked for."""

    name, kind, always_writes = NOBODY, NOBODY, False

    def __init__(self) -> None:
        self.target: Target | None = None

    def score(self, task: Task, text: str, prompt: EvaluationPrompt | None, generate: bool) -> Scores:
        return Scores([])


def is_endpoint(name: str) -> bool:
    """Whether a target's name is MODEL@URL.

    >>> is_endpoint("llama3.2@http://localhost:11434/v1"), is_endpoint("smollm2")
    (True, False)
    """
    return "@http://" in name or "@https://" in name


def load_reading_model(name: str, device: str | None = None, fast: bool = False, chat: bool = False) -> ReadingModel:
    """The reader of that name: "none", MODEL@URL (an endpoint; its key: $OPENAI_API_KEY), or what `load_target` takes.

    fast: bfloat16 where that is faster; chat: in the target's chat template. Raises InputError.
    """
    if name == NOBODY:
        return Nobody()
    if is_endpoint(name):
        model, _, url = name.partition("@http")
        return EndpointReader(Endpoint(f"http{url}", model, os.environ.get(KEY, ""), private=True))
    return LocalReader(load_target(name, device, fast=fast), chat)


def check_measurable(task: Task, name: str) -> None:
    """InputError when the reader of that name has nothing to say on this task."""
    if name == NOBODY and not task.extractive and not any(prompt.gold for prompt in task.prompts):
        raise InputError(f"without a reader nothing can be measured on {task.name}: name a --target")
    if is_endpoint(name) and task.labels and not task.reads:
        raise InputError(
            f"{task.name} compares the probabilities of labels, which no endpoint tells: name a local target"
        )
