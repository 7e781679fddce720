"""Masked-diffusion LLMs (LLaDA, Dream) as targets: read and scored like the causal ones of `model.llm.causal`.

They see in both directions, so a prompt is not read once for all queries: each query is run together with it.
Generation is in `model.llm.unmasking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..devices import fastest_dtype, pick_device
from ..errors import InputError
from .causal import Prefix, Target, cached, chunks_of
from .diffusion_weights import load_diffusion

SAMPLES = 32  # maskings of an answer that its log-likelihood is estimated from
_TURN_ENDS = ("<|eot_id|>", "<|im_end|>")  # what LLaDA's and Dream's instruct models end an answer with


class DiffusionTarget(Target):
    """A frozen masked-diffusion LLM.

    >>> target = DiffusionTarget.load("GSAI-ML/LLaDA-8B-Base")      # as load_target does
    >>> prefix = target.read(target.encode("Review: dull\\nAnswer: terrible\\n\\n"))
    >>> target.label_log_probs(prefix, [target.encode("Review: fun\\nAnswer:")], [1])   # [queries, labels]

    Attributes:
        mask: id of the mask token.
        shift: 1 = the state of one position earlier predicts a token (Dream); 0 = its own does (LLaDA).
        samples, seed: of the Monte-Carlo estimate in `answer_log_probs`.
        ends: ids that end an answer.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        mask: int,
        shift: bool = False,
        bos: bool = False,
        samples: int = SAMPLES,
        seed: int = 0,
    ):
        """bos: put a BOS in front even if the tokenizer writes none."""
        super().__init__(name, model, tokenizer)
        if samples < 1:
            raise InputError(f"samples {samples} must be at least 1")
        self.mask, self.shift, self.samples, self.seed = mask, int(shift), samples, seed
        if bos and tokenizer.bos_token_id is not None:
            self.bos = [tokenizer.bos_token_id]
        known = tokenizer.get_vocab()
        self.ends = {known[token] for token in (tokenizer.eos_token, *_TURN_ENDS) if token in known}

    @classmethod
    def load(cls, name: str, device: str | torch.device | None = None, fast: bool = False) -> DiffusionTarget:
        """`name`: a LLaDA or Dream model by hub name or folder.

        fast: bfloat16 where the device computes in it faster than in fp32; half the memory.
        """
        place = pick_device(device)
        dtype = fastest_dtype(place) if fast else torch.float32
        it = load_diffusion(name, place, dtype)
        return cls(name, it.model, it.tokenizer, it.mask, it.shift, it.bos)

    def prefix(self, ids: Sequence[int]) -> Prefix:
        """What stands in front of an answer: `ids` as they are, a BOS included where there shall be one."""
        return Prefix([], torch.zeros(len(ids), device=self.device), tuple(ids))

    def read(self, ids: Sequence[int], log_gates: Tensor | None = None) -> Prefix:
        """Remember the prompt; it is run with each query. Arguments: as in `Target.read`."""
        ids = [*self.bos, *ids]
        bias = torch.zeros(len(ids), device=self.device)
        if log_gates is not None:
            bias = torch.cat([bias[: len(self.bos)], log_gates.to(self.device)])
        return Prefix([], bias, tuple(ids))

    def label_log_probs(self, prefix: Prefix, queries: Sequence[Sequence[int]], labels: Sequence[int]) -> Tensor:
        """Log-probability of each label's first subword at a mask token right after each query: [queries, labels]."""
        wanted = torch.tensor(labels, device=self.device)
        masked, places = [[*q, self.mask] for q in queries], [[len(q)] for q in queries]
        rows: dict[int, Tensor] = {}
        for chunk, states in self._predicting(prefix, masked, places):
            rows.update(zip(chunk, self._log_softmax(states)[:, wanted], strict=True))
        return torch.stack([rows[i] for i in range(len(queries))])

    def answer_log_probs(
        self, prefix: Prefix, queries: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> Tensor:
        """Lower bound of the log-likelihood per subword of each gold answer after its query: [queries].

        Monte-Carlo estimate of LLaDA's conditional likelihood (arXiv 2502.09992, equation 6): a random l of the L
        subwords are masked, their log-probabilities weigh L / l; divided by L, a sample is the mean over those masked.
        The same masks are drawn for every prefix, so that two prompts differ by what they say alone.
        """
        generator = torch.Generator().manual_seed(self.seed)
        drawn = [(i, places) for i, a in enumerate(answers) for places in self._maskings(len(a), generator)]
        suffixes = [[*queries[i], *self._masked(answers[i], places)] for i, places in drawn]
        at = [[len(queries[i]) + place for place in places] for i, places in drawn]
        means: list[list[Tensor]] = [[] for _ in queries]
        for chunk, states in self._predicting(prefix, suffixes, at):
            gold = torch.tensor([answers[drawn[k][0]][p] for k in chunk for p in drawn[k][1]], device=self.device)
            each = self._gold_log_probs(states, gold).split([len(at[k]) for k in chunk])
            for k, log_probs in zip(chunk, each, strict=True):
                means[drawn[k][0]].append(log_probs.mean())
        return torch.stack([torch.stack(own).mean() for own in means])

    def _maskings(self, length: int, generator: torch.Generator) -> Iterator[list[int]]:
        """Which subwords of an answer each sample masks; how many is spread evenly over 1..length from a random
        start (LLaDA's evaluation does so, too), so that few samples vary little."""
        start = int(torch.randint(length, (), generator=generator))
        for k in range(self.samples if length > 1 else 1):
            count = (start + k * length // self.samples) % length + 1
            yield torch.randperm(length, generator=generator)[:count].tolist()

    def _masked(self, answer: Sequence[int], places: Sequence[int]) -> list[int]:
        hidden = set(places)
        return [self.mask if place in hidden else token for place, token in enumerate(answer)]

    def _predicting(
        self, prefix: Prefix, suffixes: Sequence[Sequence[int]], places: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """The hidden states that predict some places of each suffix, after the prefix: (indices of suffixes, [places
        of all of them, d]), chunk by chunk."""
        past, low = len(prefix.ids), torch.finfo(self.model.dtype).min
        for chunk in chunks_of([past + len(suffix) for suffix in suffixes]):
            rows = [[*prefix.ids, *suffixes[i]] for i in chunk]
            width = max(map(len, rows))
            tokens = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=self.device)
            bias = torch.cat([prefix.bias, torch.zeros(width - past, device=self.device)]).to(self.model.dtype)
            position = torch.arange(width, device=self.device)
            real = position < torch.tensor([[len(row)] for row in rows], device=self.device)
            hidden = self.see(tokens, position[None], torch.where(real, bias, low))
            at = [torch.tensor(places[i]) + past - self.shift for i in chunk]
            yield chunk, torch.cat([hidden[row, place.clamp_min(0)] for row, place in enumerate(at)])

    def see(self, tokens: Tensor, positions: Tensor, bias: Tensor, memory: Any = None) -> Tensor:
        """Last hidden states [batch, rows, d] of a pass in which all rows see all columns.

        Args:
            tokens: [batch, rows].
            positions: [1 or batch, rows] where they stand.
            bias: [batch, columns] added to every attention score towards a column; there are more columns than rows
                where `memory` knows the others' keys and values.
            memory: in place of a cache; see `model.layers.KeyValueMemory`.
        """
        # A mask of four dimensions is taken as it is: no causal one is made.
        mask = bias[:, None, None, :].expand(-1, 1, tokens.shape[1], -1)
        known = cached(self.model.model, memory)
        out = self.model.model(tokens, attention_mask=mask, position_ids=positions, use_cache=False, **known)
        hidden: Tensor = out.last_hidden_state
        return hidden
