"""The denoiser: a bidirectional encoder that reads a prompt with a half-decided mask and says what else to keep.

Input: the prompt's subwords, plus an embedding of the state (MASK, KEEP, DROP) of the prompt token each belongs to,
plus an embedding of the requested retention, plus one of the token's position features: where in its shot it stands,
how large
the shot is against the budget, and how much of shot and prompt is decided. Output: one logit per prompt token and one
per shot; a token's keep probability is sigmoid(token + its shot), so the shot logit is the hierarchical part of the
decision. Shots attend to each other before they are judged, for which are kept is a choice among them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..diffusion.schedule import KEEP, MASK
from .batching import PromptBatch
from .config import DenoiserConfig

POSITION_FEATURES = 9  # numbers for each token, see `_position_features`


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
        self.position = nn.Sequential(
            nn.Linear(POSITION_FEATURES, embedding), nn.GELU(), nn.Linear(embedding, embedding)
        )
        self.token_head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.shot_attention = nn.MultiheadAttention(width, math.gcd(width, 4), batch_first=True)
        self.shot_head = nn.Sequential(nn.Linear(2 * width + embedding, width), nn.GELU(), nn.Linear(width, 1))
        nn.init.normal_(self.state.weight, std=0.02)
        for layers in (self.retention, self.position, self.token_head, self.shot_head):
            last = layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.normal_(last.weight, std=0.02)  # start as the plain encoder, undecided
            nn.init.zeros_(last.bias)

    def forward(self, encoded: PromptBatch, states: Tensor, retention: Tensor) -> tuple[Tensor, Tensor]:
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

    def embed(self, encoded: PromptBatch, states: Tensor, retention: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder reads: [windows, width, d]; and the embedding of the retention: [batch, d]."""
        batch, n = states.shape
        level = self.retention(_fourier(retention))
        position = self.position(_position_features(encoded, states, retention))  # [batch, n, d]
        given = self.state(states) + position + level[:, None]
        embeds = self.backbone.get_input_embeddings()(encoded.ids)
        of_token = given.view(batch * n, -1)[encoded.token.clamp_min(0)] * (encoded.token >= 0)[..., None]
        return embeds + of_token, level

    def judge(self, hidden: Tensor, encoded: PromptBatch, level: Tensor) -> tuple[Tensor, Tensor]:
        """The heads, over the encoder's last hidden states [windows, width, d]: as `forward`."""
        batch, n = encoded.real.shape
        real = encoded.token >= 0
        owner = encoded.token[real]
        tokens = _weighted_mean(hidden[real], owner, encoded.weight[real], batch * n).view(batch, n, -1)
        return self.token_head(tokens).squeeze(-1), self._shot_logits(tokens, encoded, level)

    def _shot_logits(self, tokens: Tensor, encoded: PromptBatch, level: Tensor) -> Tensor:
        """A shot is judged by its mean token and by what it sees of the other shots': [batch, shots]."""
        batch, _, width = tokens.shape
        shots = int(encoded.shot.max()) + 1
        rows = (torch.arange(batch, device=tokens.device)[:, None] * shots + encoded.shot)[encoded.real]
        kept = tokens[encoded.real]
        each = _weighted_mean(kept, rows, kept.new_ones(len(kept)), batch * shots).view(batch, shots, width)
        absent = kept.new_ones(batch * shots, dtype=torch.bool).index_fill_(0, rows, False).view(batch, shots)
        others, _ = self.shot_attention(each, each, each, key_padding_mask=absent, need_weights=False)
        context = level[:, None].expand(-1, shots, -1)
        logits: Tensor = self.shot_head(torch.cat([each, others, context], -1)).squeeze(-1)
        return logits


def keep_logits(token: Tensor, shot: Tensor, shot_of: Tensor) -> Tensor:
    """[batch, n] logits of the keep probability: each token's own plus its shot's."""
    return token + shot.gather(1, shot_of)


def _position_features(encoded: PromptBatch, states: Tensor, retention: Tensor) -> Tensor:
    """What the budget and the decisions so far mean for each token: [batch, n, POSITION_FEATURES], each about -1 to 1.

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
