"""An exported encoder in the place of a Hugging Face one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, needs
from .export import EMBEDS, HIDDEN, REAL

KIND = "onnx"  # its model_type: nobody knows its layers, so it is only run whole


class ExportedEncoder(nn.Module):
    """Takes and gives what an encoder of transformers does; its layers are run by onnxruntime on the CPU.

    Args:
        path: of a file of `export_layers`.
        words: the embeddings of the encoder that was exported.
    Raises InputError when the file is none.
    """

    def __init__(self, path: Path, words: nn.Module, config: Any) -> None:
        super().__init__()
        self.words = words
        self.config = SimpleNamespace(
            model_type=KIND, hidden_size=config.hidden_size, max_position_embeddings=config.max_position_embeddings
        )
        self._session = _session(path)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device("cpu")

    def get_input_embeddings(self) -> nn.Module:
        """What looks up embeddings."""
        return self.words

    def set_input_embeddings(self, words: nn.Module) -> None:
        """Look up embeddings there from now on."""
        self.words = words

    def forward(
        self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> Any:
        """An object with `last_hidden_state` fp32 [windows, width, d]."""
        embeds: Tensor = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        real = torch.ones(embeds.shape[:2]) if attention_mask is None else attention_mask
        feed = {EMBEDS: embeds.detach().float().numpy(), REAL: real.bool().numpy()}
        return SimpleNamespace(last_hidden_state=torch.from_numpy(self._session.run([HIDDEN], feed)[0]))


def _session(path: Path) -> Any:
    with needs("onnx"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which say no more
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(f"cannot run {path} ({reason}): delete its folder, and it is made anew") from None
