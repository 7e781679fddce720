"""The denoiser: a bidirectional encoder that reads a prompt with a half-decided mask and says what else to keep.

Input: the prompt's subwords, plus an embedding of the state (MASK, KEEP, DROP) of the prompt token each belongs to,
plus an embedding of the requested retention, plus one of the token's situation: where in its shot it stands, how large
the shot is against the budget, and how much of shot and prompt is decided. Output: one logit per prompt token and one
per shot; a token's keep probability is sigmoid(token + its shot), so the shot logit is the hierarchical part of the
decision. Shots attend to each other before they are judged, for which are kept is a choice among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.errors import InputError
from model.prompt import Prompt
from model.schedule import KEEP, MASK

SITUATION = 9  # numbers that describe a token's situation, see `_situation`


@dataclass(frozen=True)
class DenoiserConfig:
    """Shape of a denoiser.

    Attributes:
        encoder: configuration of the Hugging Face encoder (a dict, as `config.to_dict()` gives it).
        window: subwords the encoder reads at once, its two special tokens included.
        overlap: subwords that neighbouring windows share; longer prompts are read in overlapping windows.
    """

    encoder: dict[str, Any]
    window: int = 512
    overlap: int = 128

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.window - 2:
            raise InputError(f"overlap {self.overlap} must be from 0 to under the window {self.window} - 2")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Encoded:
    """A batch of prompts as windows of subwords.

    Attributes:
        ids: [windows, width] subword ids, special tokens at both ends, padded.
        attention: [windows, width] True on real subwords.
        token: [windows, width] the prompt token (row-wise index into the batch, prompt * n + token) of each
            subword; -1 on special tokens and padding.
        weight: [windows, width] how much a subword counts where windows overlap: more in the middle of a window.
        shot: [batch, n] shot of each prompt token (0 on padding).
        real: [batch, n] True where there is a prompt token.
        prompt: [windows] which prompt each window belongs to.
    """

    ids: Tensor
    attention: Tensor
    token: Tensor
    weight: Tensor
    shot: Tensor
    real: Tensor
    prompt: Tensor

    def to(self, device: torch.device) -> Encoded:
        return Encoded(**{k: v.to(device) for k, v in self.__dict__.items()})


class Encoder:
    """Prompts -> windows of subwords. Every prompt token is encoded by itself, so none is split between subwords of
    its neighbours, and tokens that the tokenizer has no subword for (line breaks) get a reserved id."""

    def __init__(self, tokenizer: Any, config: DenoiserConfig):
        self.tokenizer, self.config = tokenizer, config
        reserved = tokenizer.convert_tokens_to_ids("[unused1]")
        self.blank: int = tokenizer.unk_token_id if reserved in (None, tokenizer.unk_token_id) else reserved

    def __call__(self, prompts: Sequence[Prompt]) -> Encoded:
        longest = max(len(p) for p in prompts)
        windows: list[tuple[int, list[int], list[int]]] = []
        for i, prompt in enumerate(prompts):
            ids, owners = self._subwords(prompt)
            windows += [(i, ids[a:b], [i * longest + t for t in owners[a:b]]) for a, b in self._spans(len(ids))]
        width = max(len(ids) for _, ids, _ in windows) + 2
        t = self.tokenizer
        shape = (len(windows), width)
        ids_out = torch.full(shape, t.pad_token_id)
        token, weight = torch.full(shape, -1), torch.zeros(shape)
        for row, (_, ids, owners) in enumerate(windows):
            end = len(ids) + 1
            ids_out[row, : end + 1] = torch.tensor([t.cls_token_id, *ids, t.sep_token_id])
            token[row, 1:end] = torch.tensor(owners)
            place = torch.arange(len(ids))
            weight[row, 1:end] = torch.minimum(place + 1, len(ids) - place).float()
        shot = torch.zeros(len(prompts), longest, dtype=torch.long)
        real = torch.zeros(len(prompts), longest, dtype=torch.bool)
        for i, prompt in enumerate(prompts):
            shot[i, : len(prompt)] = torch.tensor(prompt.shot_of)
            real[i, : len(prompt)] = True
        owner = torch.tensor([i for i, _, _ in windows])
        lengths = torch.tensor([len(ids) + 2 for _, ids, _ in windows])
        return Encoded(ids_out, torch.arange(width) < lengths[:, None], token, weight, shot, real, owner)

    def _subwords(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        texts = [t.text for t in prompt.tokens]
        unique = list(dict.fromkeys(texts))
        pieces = self.tokenizer(unique, add_special_tokens=False, verbose=False).input_ids
        known = {text: piece or [self.blank] for text, piece in zip(unique, pieces, strict=True)}
        ids: list[int] = []
        owners: list[int] = []
        for i, text in enumerate(texts):
            ids += known[text]
            owners += [i] * len(known[text])
        return ids, owners

    def _spans(self, length: int) -> list[tuple[int, int]]:
        """Overlapping spans of equal length that cover 0..length."""
        width, overlap = self.config.window - 2, self.config.overlap
        if length <= width:
            return [(0, length)]
        count = -(-(length - overlap) // (width - overlap))
        width = -(-(length + (count - 1) * overlap) // count)  # no wider than needed: all about equal
        starts = [i * (length - width) // (count - 1) for i in range(count)]
        return [(a, a + width) for a in starts]


class Denoiser(nn.Module):
    """The network. `backbone` is any Hugging Face encoder that takes `inputs_embeds` (BERT, RoBERTa, ...)."""

    def __init__(self, config: DenoiserConfig, backbone: Any):
        super().__init__()
        width = config.encoder["hidden_size"]
        embedding = backbone.get_input_embeddings().embedding_dim  # differs from width in ALBERT and ELECTRA
        self.config = config
        self.backbone: Any = backbone
        self.state = nn.Embedding(3, embedding)
        self.retention = nn.Sequential(nn.Linear(8, embedding), nn.GELU(), nn.Linear(embedding, embedding))
        self.situation = nn.Sequential(nn.Linear(SITUATION, embedding), nn.GELU(), nn.Linear(embedding, embedding))
        self.token_head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.shot_attention = nn.MultiheadAttention(width, math.gcd(width, 4), batch_first=True)
        self.shot_head = nn.Sequential(nn.Linear(2 * width + embedding, width), nn.GELU(), nn.Linear(width, 1))
        nn.init.normal_(self.state.weight, std=0.02)
        for layers in (self.retention, self.situation, self.token_head, self.shot_head):
            last = layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.normal_(last.weight, std=0.02)  # start as the plain encoder, undecided
            nn.init.zeros_(last.bias)

    def forward(self, encoded: Encoded, states: Tensor, retention: Tensor) -> tuple[Tensor, Tensor]:
        """Logits to keep.

        Args:
            encoded: the prompts.
            states: [batch, n] MASK, KEEP or DROP of each prompt token.
            retention: [batch] requested share of tokens to keep.
        Returns token logits [batch, n] and shot logits [batch, shots]. The logit of a token in shot s is their sum
        (see `keep_logits`).
        """
        embeds, level = self.embed(encoded, states, retention)
        out = self.backbone(inputs_embeds=embeds, attention_mask=encoded.attention.long())
        return self.judge(out.last_hidden_state, encoded, level)

    def embed(self, encoded: Encoded, states: Tensor, retention: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder reads: [windows, width, d]; and the embedding of the retention: [batch, d]."""
        batch, n = states.shape
        level = self.retention(_fourier(retention))
        situation = self.situation(_situation(encoded, states, retention))  # [batch, n, d]
        given = self.state(states) + situation + level[:, None]
        embeds = self.backbone.get_input_embeddings()(encoded.ids)
        of_token = given.view(batch * n, -1)[encoded.token.clamp_min(0)] * (encoded.token >= 0)[..., None]
        return embeds + of_token, level

    def judge(self, hidden: Tensor, encoded: Encoded, level: Tensor) -> tuple[Tensor, Tensor]:
        """The heads, over the encoder's last hidden states [windows, width, d]: as `forward`."""
        batch, n = encoded.real.shape
        real = encoded.token >= 0
        owner = encoded.token[real]
        tokens = _weighted_mean(hidden[real], owner, encoded.weight[real], batch * n).view(batch, n, -1)
        return self.token_head(tokens).squeeze(-1), self._shot_logits(tokens, encoded, level)

    def _shot_logits(self, tokens: Tensor, encoded: Encoded, level: Tensor) -> Tensor:
        """A shot is judged by its mean token and by what it sees of the other shots': [batch, shots]."""
        batch, _, width = tokens.shape
        shots = int(encoded.shot.max()) + 1
        rows = (torch.arange(batch, device=tokens.device)[:, None] * shots + encoded.shot)[encoded.real]
        kept = tokens[encoded.real]
        each = _weighted_mean(kept, rows, kept.new_ones(len(kept)), batch * shots).view(batch, shots, width)
        absent = kept.new_ones(batch * shots, dtype=torch.bool).index_fill_(0, rows, False).view(batch, shots)
        others, _ = self.shot_attention(each, each, each, key_padding_mask=absent, need_weights=False)
        context = level[:, None].expand(-1, shots, -1)
        return self.shot_head(torch.cat([each, others, context], -1)).squeeze(-1)


def keep_logits(token: Tensor, shot: Tensor, shot_of: Tensor) -> Tensor:
    """[batch, n] logits of the keep probability: each token's own plus its shot's."""
    return token + shot.gather(1, shot_of)


def loss(
    token: Tensor, shot: Tensor, encoded: Encoded, goal: Tensor, states: Tensor, times: Tensor,
    weight: Tensor | None = None, shot_weight: float = 0.1, anti_mask: float = 1.0,
) -> Tensor:  # fmt: skip
    """Training loss, averaged over prompts.

    Args:
        token, shot: logits of `Denoiser.forward`.
        goal: [batch, n] the wanted mask: 1 = keep, 0 = drop, or the probability of keeping a token.
        states: [batch, n] what the network saw; the loss is on its MASK positions only.
        times: [batch] the noise level t.
        weight: [batch, n] how much each token counts (human edits count more); None = 1.
    """
    goal = goal.float()
    hidden = ((states == MASK) & encoded.real).float()
    logits = keep_logits(token, shot, encoded.shot)
    # 1. absorbing diffusion: 1/t-weighted cross-entropy on the hidden positions (MDLM, arXiv 2406.07524, eq. 10)
    each = F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * hidden
    if weight is not None:
        each = each * weight
    length = encoded.real.sum(1).float()
    diffusion = (each.sum(1) / (times * length)).mean()
    # 2. shots: the share of each shot that is kept (less its entropy, so that 0 is perfect)
    shots = shot.shape[1]
    share, count = _shot_share(goal, encoded, shots)
    by_shot = F.binary_cross_entropy_with_logits(shot, share, reduction="none") - _entropy(share)
    by_shot = (by_shot * (count > 0)).sum() / (count > 0).sum()
    # 3. anti-mask penalty: dropping more of the hidden tokens than asked, which would prune everything
    kept = (torch.sigmoid(logits) * hidden).sum(1)
    asked = (goal * hidden).sum(1)
    too_few = (F.relu(asked - kept) / hidden.sum(1).clamp_min(1)).mean()
    return diffusion + shot_weight * by_shot + anti_mask * too_few


def _shot_share(goal: Tensor, encoded: Encoded, shots: int) -> tuple[Tensor, Tensor]:
    """Share of tokens kept in each shot and number of tokens in it: both [batch, shots]."""
    zeros = goal.new_zeros(len(goal), shots)
    real = encoded.real.float()
    count = zeros.scatter_add(1, encoded.shot, real)
    return zeros.scatter_add(1, encoded.shot, goal * real) / count.clamp_min(1), count


def _entropy(share: Tensor) -> Tensor:
    """Of a coin that shows 1 with this probability, in nats."""
    return -(torch.xlogy(share, share) + torch.xlogy(1 - share, 1 - share))


def _situation(encoded: Encoded, states: Tensor, retention: Tensor) -> Tensor:
    """What the budget and the decisions so far mean for each token: [batch, n, SITUATION], each about -1 to 1.

    A bidirectional encoder has it all before it, but counts badly.
    """
    shots = int(encoded.shot.max()) + 1
    real = encoded.real.float()
    zeros = real.new_zeros(len(real), shots)

    def of_shot(what: Tensor) -> Tensor:
        """[batch, n] summed over each token's shot: [batch, n]"""
        return zeros.scatter_add(1, encoded.shot, what * real).gather(1, encoded.shot)

    size = of_shot(torch.ones_like(real)).clamp_min(1)
    index = torch.arange(real.shape[1], device=real.device).float().expand_as(real)
    place = index - of_shot(index) / size + (size - 1) / 2  # shots are contiguous: 0 ... size - 1
    kept, hidden = of_shot((states == KEEP).float()), of_shot((states == MASK).float())
    length = real.sum(1, keepdim=True)
    budget = (retention[:, None] * length).clamp_min(1)
    left = (budget - ((states == KEEP) * real).sum(1, keepdim=True)).clamp_min(0)
    undecided = ((states == MASK) * real).sum(1, keepdim=True).clamp_min(1)
    features = [
        place / size,
        torch.log1p(place.clamp_min(0)) / 5,
        torch.log1p((size - 1 - place).clamp_min(0)) / 5,
        (torch.log(size / budget) / 3).clamp(-1, 1),
        (torch.log((hidden + 1) / (left + 1)) / 3).clamp(-1, 1),
        kept / size,
        hidden / size,
        (left / undecided).clamp_max(1).expand_as(real),
        torch.log(length / size) / 5,
    ]
    return torch.stack(features, -1) * encoded.real[..., None]


def _weighted_mean(values: Tensor, index: Tensor, weight: Tensor, size: int) -> Tensor:
    """Mean of the values [m, d] that share an index, as [size, d]; zeros where there is none."""
    weight = weight.to(values.dtype)[:, None]
    total = values.new_zeros(size, values.shape[-1]).index_add_(0, index, values * weight)
    return total / values.new_zeros(size, 1).index_add_(0, index, weight).clamp_min(1e-9)


def _fourier(retention: Tensor) -> Tensor:
    """[batch] in [0, 1] -> [batch, 8] smooth features, finer at small retentions."""
    level = torch.log(retention.clamp_min(0.01))[:, None] / 2
    scale = torch.tensor([1.0, 2.0, 4.0, 8.0], device=retention.device)
    return torch.cat([torch.sin(level * scale), torch.cos(level * scale)], -1)
