"""A diffusion LLM as a writer (`model.llm.writers`): its answer appears as far as nothing in front is masked, and how
it
was unmasked can be played afterwards."""

from __future__ import annotations

from ..errors import InputError
from .masked_diffusion import DiffusionTarget
from .unmasking import Unmasked, WritingConfig, as_trace, unmask, written
from .writers import LocalWriter, Pieces, Usage

WRITING_BLOCK = 32


class DiffusionWriter(LocalWriter):
    """LLaDA or Dream in this process, with kept keys and values (Window-Diffusion)."""

    target: DiffusionTarget

    def write(self, prompt: str, limit: int, system: str = "") -> Pieces:
        """See `Writer`; one subword a step. The usage holds the trace."""
        ids = self.encode(prompt, system)
        self._check(len(ids), limit)
        config = WritingConfig(length=limit, block=min(WRITING_BLOCK, limit))
        steps: list[Unmasked] = []
        sent = 0
        for step in unmask(self.target, self.target.prefix(ids), config=config):
            steps.append(step)
            text, done = self._decode(_leading(step))
            yield text[sent:]
            sent = max(sent, len(text))
            if done:
                break
        answer = written(self.target, steps)
        text, _ = self._decode(list(answer.ids), ended=True)
        yield text[sent:]
        try:
            trace = as_trace(self.target, answer, config)
        except InputError:  # it wrote no text, so there is nothing to play
            trace = None
        return Usage(len(ids), len(answer.ids), trace)


def _leading(step: Unmasked) -> list[int]:
    """The ids in front of the first masked position."""
    open_at = step.open.index(True) if True in step.open else len(step.ids)
    return list(step.ids[:open_at])
