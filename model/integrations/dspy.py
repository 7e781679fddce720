"""DSPy: an adapter that shortens demonstrations before they are sent. For dspy 2.6 and later.

>>> dspy.configure(adapter=ShortDemonstrations(Compressor.load(), retention=0.5))
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..diffusion.trace import SamplerConfig
from ..errors import needs
from ..prompt import Prompt, parse
from ..prompt.join import JOINT, Joined
from ..prompt.limits import check_length
from . import Compresses

with needs("dspy"):
    from dspy.adapters import ChatAdapter

Example = Mapping[str, Any]


class ShortDemonstrations(ChatAdapter):  # type: ignore[misc]
    """DSPy's chat format, with demonstrations that are whole, thinned, or gone.

    All demonstrations compete for one budget. One that is thinned keeps its last output whole, and loses sentences of
    other texts; what is no text stays whole. A field that loses everything is left out, which DSPy calls not supplied.

    Args:
        retention: share of all demonstrations' tokens to keep at most, in (0, 1].
        options: as of `Compressor.compress`; granularity="part" keeps demonstrations whole or not at all.
        adapter_options: of `ChatAdapter`.
    Raises InputError where demonstrations and inputs have more than 200,000 characters, or an option is wrong.
    """

    def __init__(
        self,
        compressor: Compresses,
        retention: float = 0.5,
        options: Mapping[str, Any] | None = None,
        **adapter_options: Any,
    ) -> None:
        super().__init__(**adapter_options)
        self.compressor, self.options = compressor, dict(options or {})
        self.retention = SamplerConfig(retention).retention

    def format(self, signature: Any, demos: Sequence[Example], inputs: Example) -> list[dict[str, Any]]:
        """The messages, with short demonstrations."""
        made: list[dict[str, Any]] = super().format(signature, self.shortened(signature, demos, inputs), inputs)
        return made

    def shortened(self, signature: Any, demos: Sequence[Example], inputs: Example) -> list[dict[str, Any]]:
        """What is left of demonstrations; those that were given are not changed."""
        outputs = list(signature.output_fields)
        names = [*signature.input_fields, *outputs]
        written = [_Written.of(demo, names) for demo in demos]
        asked = _Written.of(inputs, names).text
        check_length(sum(len(each.text) + len(JOINT) for each in written) + len(asked))
        prompts = [_with_role(each.text, "demonstration") for each in written]
        joined = Joined.of([*prompts, _with_role(asked, "question")]) if any(prompts) else None
        if joined is None or self.retention == 1:
            return [dict(demo.items()) for demo in demos]
        total = len(joined.prompt) - len(joined.prompt.joints)
        of_question = len(joined.tokens[-1])
        budget = max(math.floor(self.retention * (total - of_question) + 1e-6), 1) + of_question
        keep = self.compressor.compress(
            joined.prompt, min(budget / total, 1.0), **{"stretch": 1.0, **self.options}
        ).trace.keep
        kept = zip(demos, written, joined.prompts, joined.masks(keep), strict=False)
        return [
            each.left(demo, prompt, mask, outputs[-1])
            for demo, each, prompt, mask in kept
            if prompt is not None and any(mask)
        ]


class _Written:
    """A demonstration as text, and where in it each field's value stands."""

    def __init__(self, text: str, places: Mapping[str, tuple[int, int]]) -> None:
        self.text, self.places = text, places

    @classmethod
    def of(cls, demo: Example, names: Sequence[str]) -> _Written:
        text, places = "", {}
        for name in names:
            if demo.get(name) is not None:
                value = _as_text(demo[name])
                text += f"{name}: {value}\n"
                places[name] = (len(text) - 1 - len(value), len(text) - 1)
        return cls(text.rstrip("\n"), places)

    def left(self, demo: Example, prompt: Prompt, keep: Sequence[bool], last: str) -> dict[str, Any]:
        """The fields with what is left of them."""
        rendered, places = prompt.layout(keep)
        made = dict(demo.items())
        for name, (start, end) in self.places.items():
            inside = [(a, b) for token, a, b in places if start <= prompt.tokens[token].start < end]
            if not inside and _as_text(demo[name]).strip():
                del made[name]
            elif inside and isinstance(demo[name], str) and name != last:
                made[name] = rendered[inside[0][0] : inside[-1][1]]
        return made


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _with_role(text: str, role: str) -> Prompt | None:
    return parse(text, parts=[(0, len(text), role)]) if text.strip() else None
