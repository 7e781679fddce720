"""A compressor whose encoders run in onnxruntime.

>>> compressor = OnnxCompressor.load()  # the first time, a minute is spent on the export
"""

from __future__ import annotations

import copy
import os
import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch

from ..compress import CACHE, SHIPPED_ENCODER, Compressor
from ..denoiser.cached import CacheConfig
from ..denoiser.checkpoint import Checkpoint
from ..errors import InputError
from ..memory import bound_caches
from ..pretrained import cache_dir
from ..relevance.encoder import Prefixes, SentenceEncoder
from ..relevance.question_reader import QuestionReader, load_layers
from ..relevance.storage import SHIPPED, load_stored
from .export import export_layers
from .runtime import KIND, ExportedEncoder

DENOISER, ENCODER, READER = "denoiser.onnx", "encoder.onnx", "reader.onnx"
FORMAT = 2  # of the exported files; those of another are left alone


class OnnxCompressor(Compressor):
    """As `Compressor`, on the CPU.

    The denoiser computes a whole pass each time that it is asked, for onnxruntime remembers no keys and values.

    Args:
        checkpoint: in torch.
        folder: of `export_checkpoint`.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, cache: CacheConfig = CACHE) -> None:
        self.folder = folder
        super().__init__(_with_exported(checkpoint, folder / DENOISER), cache)

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | torch.device | None = None) -> OnnxCompressor:
        """The checkpoint in a folder (None: the one that is shipped); its export is made once and remembered.

        Raises InputError as `Compressor.load` does, for a device other than the CPU, a checkpoint that cannot be
        exported, and where the extra is not installed.
        """
        if device is not None and torch.device(device).type != "cpu":
            raise InputError(f"the backend onnx runs on the CPU, not on {device}; leave out the device")
        bound_caches()
        loaded = Compressor.load(checkpoint, "cpu").checkpoint
        folder = cache_dir() / "onnx" / f"{loaded.id}-{FORMAT}"
        if not folder.exists():
            export_checkpoint(loaded, folder)
        return cls(loaded, folder)

    @cached_property
    def encoder(self) -> SentenceEncoder | None:
        """Reads units and questions; None where the checkpoint has no unit head."""
        if self.checkpoint.unit_head is None:
            return None
        stored = load_stored(SHIPPED)
        exported = ExportedEncoder(self.folder / ENCODER, stored.model.embeddings.word_embeddings, stored.model.config)
        prefixes = Prefixes(**stored.meta.get("prefixes", {}))
        return SentenceEncoder(exported, stored.tokenizer, prefixes, dtype=torch.float32)

    @cached_property
    def reader(self) -> QuestionReader | None:
        """Reads units together with what is asked; None where the unit head was made without one."""
        head = self.checkpoint.unit_head
        if not (head and head.config.reader and self.encoder):
            return None
        bert, span_head = load_layers()
        exported = ExportedEncoder(self.folder / READER, bert.get_input_embeddings(), bert.config)
        return QuestionReader(self.encoder.with_layers(exported, torch.float32), span_head)


def export_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the layers of a checkpoint's encoders as ONNX files into a new folder, all of them or none.

    Raises InputError where an encoder cannot be exported.
    """
    head = checkpoint.unit_head
    if head is not None and head.config.encoder != SHIPPED_ENCODER:
        raise InputError(f"the sentence encoder {head.config.encoder} cannot be exported; use --backend torch")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        made = Path(beside) / folder.name
        made.mkdir()
        export_layers(checkpoint.denoiser.backbone, made / DENOISER)
        if head is not None:
            export_layers(load_stored(SHIPPED).model, made / ENCODER)
        if head is not None and head.config.reader:
            export_layers(load_layers()[0], made / READER)
        try:
            os.rename(made, folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster
                raise


def _with_exported(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """The checkpoint with the exported layers in place of its own."""
    own = checkpoint.denoiser
    exported = ExportedEncoder(path, own.backbone.get_input_embeddings(), own.backbone.config)
    denoiser = copy.deepcopy(own, {id(own.backbone): exported})
    denoiser.config = replace(own.config, encoder={**own.config.encoder, "model_type": KIND})
    return replace(checkpoint, denoiser=denoiser.eval())
