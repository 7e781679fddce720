"""An encoder's layers -> an ONNX file.

What is exported is what takes the time: the layers of the token denoiser, the sentence encoder and the question reader,
embeddings in and last hidden states out. Looking up embeddings, and the small heads, stay in torch.

Weights are int8 in blocks of 32, each with a scale (`MatMulNBits`); they are multiplied in fp32 (accuracy level 1).
With inputs of 8 bits, too, a pass takes 0.86 of the time, but masks agree less: in what comes out of a layer norm, a
few numbers are far larger than the others (Dettmers et al. 2022, arXiv 2208.07339).
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, needs
from ..layers import KNOWN_ENCODERS, Layers

BITS, BLOCK, INPUTS_IN_FP32 = 8, 32, 1
EMBEDS, REAL, HIDDEN = "embeds", "real", "hidden"
UNSEEN = -1e4  # score of what is not to be looked at


class _Exported(nn.Module):
    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.layers = Layers(backbone, torch.float32)

    def forward(self, embeds: Tensor, real: Tensor) -> Tensor:
        places = torch.arange(embeds.shape[1]).expand(embeds.shape[:2])
        layers = self.layers
        hidden: Tensor = layers.embeddings(inputs_embeds=embeds, position_ids=places + layers.first_place)
        unseen = UNSEEN * (~real[:, None, None]).float()
        for layer in layers.each():
            queries, keys, values = layer.three(hidden).permute(2, 0, 3, 1, 4)
            scores = queries * queries.shape[-1] ** -0.5 @ keys.transpose(-1, -2) + unseen
            seen = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)  # torch's own brings checks for NaN
            hidden = layer.after(seen, hidden)
        return hidden


def export_layers(backbone: Any, path: Path) -> None:
    """Write an encoder's layers; it takes embeds fp32 and real bool [windows, width], and gives hidden states.

    Raises InputError for an encoder whose layers are not known here, or where a package is missing.
    """
    if backbone.config.model_type not in KNOWN_ENCODERS:
        raise InputError(f"{backbone.config.model_type} encoders cannot be exported; use --backend torch")
    with needs("onnx"), _quietly(), tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        _export_plain(backbone, plain)
        _quantize(plain, path)


def _export_plain(backbone: Any, path: Path) -> None:
    import onnxscript  # noqa: F401  (torch's exporter asks for it)

    windows, width = torch.export.Dim("windows"), torch.export.Dim("width")
    shape = {0: windows, 1: width}
    example = torch.zeros(2, 24, backbone.config.hidden_size), torch.ones(2, 24, dtype=torch.bool)
    with torch.inference_mode(False), torch.no_grad():
        torch.onnx.export(
            _Exported(backbone).eval(),
            example,
            path,
            input_names=[EMBEDS, REAL],
            output_names=[HIDDEN],
            dynamic_shapes={EMBEDS: shape, REAL: shape},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _quantize(plain: Path, path: Path) -> None:
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    how = nbits.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=INPUTS_IN_FP32, bits=BITS
    )
    quantizer = nbits.MatMulNBitsQuantizer(onnx.load(str(plain)), algo_config=how)
    quantizer.process()
    quantizer.model.save_model_to_file(str(path), False)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporters' talk of every node."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
