"""Programs that do what Explore has just done, with exactly its settings: Python, curl, JavaScript, LangChain, LiteLLM.

Those in Python need the package alone. curl and JavaScript call this very server; ORIGIN stands for its address, which
the browser knows.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from pprint import pformat
from typing import Any

from app.explore.pasted import Chat
from model.compress import CompressRequest

ORIGIN = "https://diffumask.invalid"  # replaced in the browser
EMBEDDED = 4000  # characters of a prompt that stand in a snippet; a longer one is read from a file
MOST_PINS = 1000  # that a program for this server names one by one
_FILE = "prompt.txt"
_WIDTH = 100
_SETTINGS = (
    "steps",
    "threshold",
    "seed",
    "keep",
    "keep_words",
    "keep_digits",
    "keep_breaks",
    "keep_task",
    "granularity",
    "guards",
    "least",
    "least_demonstration",
)
_DEFAULTS = {field.name: field.default for field in fields(CompressRequest)}


def snippets(
    request: CompressRequest, retention: float | str, chat: Chat | None, parts: Sequence[tuple[int, int, str]] = ()
) -> dict[str, str]:
    """Title -> program.

    Args:
        retention: as it was asked for, or AUTO.
        chat: the messages that the prompt was made of.
        parts: where the prompt's parts are, as a person said.
    """
    settings = {"retention": retention, **_changed(request)}
    if chat is not None:
        return _for_messages(chat, settings)
    return _for_text(request, settings, parts)


def _changed(request: CompressRequest) -> dict[str, Any]:
    """The settings that are not what they are without being given."""
    values = {name: getattr(request, name) for name in _SETTINGS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name] and value != ()}


# --- of a prompt -------------------------------------------------------------------------------------------


def _for_text(
    request: CompressRequest, settings: Mapping[str, Any], parts: Sequence[tuple[int, int, str]]
) -> dict[str, str]:
    text = request.prompt.text
    given, imported = (
        ("parse(prompt, parts=parts)", "from diffumask.prompt import parse\n") if parts else ("prompt", "")
    )
    before = f"{_prompt_in_python(text)}\n" + (f"parts = {_wrapped(list(parts))}\n" if parts else "")
    options = _arguments({**settings, **_pins_in_python(request.pins)})
    head = f"from diffumask import Compressor\n{imported}\n{before}\ncompressor = Compressor.load()\n"
    short = f"short = compressor.compress({given}, {options})\n"
    asked = {"text": text, **settings, **_pins_in_json(request.pins), **({"parts": list(parts)} if parts else {})}
    shorten = f"shorten = RunnableLambda(lambda prompt: compressor.compress({given}, {options}).text)\n"
    server = {"curl": _curl(asked), "JavaScript": _javascript(asked)} if len(request.pins) <= MOST_PINS else {}
    return {
        "Python": f"{head}{short}print(short.text)\nprint(short.verdict)  # what was lost\n",
        **server,
        "LangChain": f"from langchain_core.runnables import RunnableLambda\n\n{head}{shorten}"
        "chain = shorten  # | your model\nprint(chain.invoke(prompt))\n",
        "LiteLLM": f"import litellm\n\n{head}{short}"
        'messages = [{"role": "user", "content": short.text}]\n'
        'answer = litellm.completion(model="gpt-4o-mini", messages=messages)\n'
        "print(answer.choices[0].message.content)\n",
    }


def _prompt_in_python(text: str) -> str:
    if len(text) > EMBEDDED:
        return f'prompt = open("{_FILE}", encoding="utf-8", newline="").read()  # save your prompt as {_FILE}'
    return f'prompt = """{text}"""' if _stands_in_quotes(text) else f"prompt = {_wrapped(text)}"


def _stands_in_quotes(text: str) -> bool:
    """Whether a text is the same between triple quotes: nothing in it is read as an escape, an end or other signs."""
    return (
        "\n" in text
        and not set(text) & {"\\", "\r"}
        and '"""' not in text
        and text[-1:] != '"'
        and all(c.isprintable() or c == "\n" for c in text)
    )


def _pins_in_python(pins: Mapping[int, bool]) -> dict[str, Any]:
    return {"pins": _Source(" | ".join(_runs(pins)))} if pins else {}


def _runs(pins: Mapping[int, bool]) -> list[str]:
    """Pins as Python, stretches of tokens with the same keep together."""
    places = sorted(pins)
    made = []
    for (_, keep), group in groupby(enumerate(places), key=lambda at: (at[1] - at[0], pins[at[1]])):
        run = [place for _, place in group]
        made.append(f"dict.fromkeys(range({run[0]}, {run[-1] + 1}), {keep})")
    return made


def _pins_in_json(pins: Mapping[int, bool]) -> dict[str, Any]:
    return {"pins": {str(i): keep for i, keep in sorted(pins.items())}} if pins else {}


# --- of messages -------------------------------------------------------------------------------------------


def _for_messages(chat: Chat, settings: Mapping[str, Any]) -> dict[str, str]:
    protect = sorted({each.speaker for each in chat.talk.texts if each.protected}, reverse=True)
    options = _arguments({**settings, **({} if protect else {"protect": []})})
    messages = [dict(message) for message in chat.talk.messages]
    is_short = len(json.dumps(messages)) <= EMBEDDED
    given = _wrapped(messages) if is_short else 'json.load(open("messages.json", encoding="utf-8"))'
    head = f"messages = {given}\n\ncompressor = Compressor.load()\n"
    imported = "" if is_short else "import json\n\n"
    imported += "from diffumask import Compressor\n"
    short = f"short = compressor.compress_messages(messages, {options})\n"
    anthropic = "# Anthropic: system=short[0]['content'], messages=short[1:]\n" if chat.system else ""
    lambda_ = f"lambda messages: compressor.compress_messages(convert_to_openai_messages(messages), {options})"
    return {
        "Python": f"{imported}\n{head}{short}print(list(short))\nprint(short.verdict)  # what was lost\n{anthropic}",
        "LangChain": "from langchain_core.messages import convert_to_openai_messages\n"
        f"from langchain_core.runnables import RunnableLambda\n{imported}\n{head}"
        f"shorten = RunnableLambda({lambda_})\nchain = shorten  # | your model\nprint(list(chain.invoke(messages)))\n",
        "LiteLLM": f"import litellm\n{imported}\n{head}{short}"
        'answer = litellm.completion(model="gpt-4o-mini", messages=list(short))\n'
        "print(answer.choices[0].message.content)\n",
    }


# --- of this server ----------------------------------------------------------------------------------------


def _curl(asked: Mapping[str, Any]) -> str:
    post = "curl -s -H 'Content-Type: application/json' -d"
    if len(asked["text"]) > EMBEDDED:  # more than a command may be long; needs jq
        rest = shlex.quote(json.dumps({**asked, "text": ""}, ensure_ascii=False))
        ask = f"jq -Rs --argjson rest {rest} '$rest + {{text: .}}' {_FILE} | {post} @- $url"
    else:
        ask = f"{post} {shlex.quote(json.dumps(asked, ensure_ascii=False))} $url"
    return (
        f"url={ORIGIN}/gradio_api/call/v2/compress\n"
        f"id=$({ask} | cut -d'\"' -f4)\n"
        "curl -sN $url/$id  # the answer is the line that begins with data:\n"
    )


def _javascript(asked: Mapping[str, Any]) -> str:
    is_long = len(asked["text"]) > EMBEDDED
    read = "import { readFileSync } from 'node:fs';\n\n" if is_long else ""
    given = {**asked, "text": ""} if is_long else asked
    text = f", text: readFileSync('{_FILE}', 'utf8')" if is_long else ""
    return (
        f"{read}const url = '{ORIGIN}/gradio_api/call/v2/compress';\n"
        f"const body = JSON.stringify({{ ...{json.dumps(given)}{text} }});\n"
        "const headers = { 'Content-Type': 'application/json' };\n"
        "const { event_id: id } = await (await fetch(url, "
        "{ method: 'POST', headers, body })).json();\n"
        "const said = await (await fetch(`${url}/${id}`)).text();\n"
        "const [short] = JSON.parse(said.match(/^event: complete\\ndata: (.*)$/m)[1]);\n"
        "console.log(short.compressed);\n"
    )


# --- Python's way to write values --------------------------------------------------------------------------


class _Source(str):
    """Python that stands for itself."""

    def __repr__(self) -> str:
        return str(self)


def _arguments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def _wrapped(value: Any) -> str:
    """A value as Python writes it, in lines that one can read; it needs nothing around it."""
    text = pformat(value, width=_WIDTH, sort_dicts=False)
    return f"({text})" if isinstance(value, str) and "\n" in text and not text.startswith("(") else text
