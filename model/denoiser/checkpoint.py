"""Checkpoints: a folder with weights, tokenizer and meta.json; written whole or not at all, never overwritten.

    model.safetensors      state dict of the token denoiser, fp16
    units.safetensors      state dict of the unit head, fp32; a checkpoint may have none
    tokenizer.json         and tokenizer_config.json, as `PreTrainedTokenizerFast` reads them
    meta.json              format, config, sha256 of the files above, lineage

Only safetensors are read, and no code from a checkpoint is ever run.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from ..diffusion.sampler import Predict, Prediction
from ..errors import InputError, program
from ..pretrained import ENCODERS, fetch_encoder
from ..prompt import Prompt
from .batching import PromptCollator
from .config import DenoiserConfig
from .network import Denoiser, keep_logits
from .unit_head import UnitHead, UnitHeadConfig

FORMAT = 2
SHIPPED = Path(__file__).parents[1] / "checkpoints" / "diffumask-minilm"
WEIGHTS, UNITS, TOKENIZER, META = "model.safetensors", "units.safetensors", "tokenizer.json", "meta.json"
UNTRAINED = "untrained"
WINDOW = 512  # subwords read at once, where the encoder has positions for as many
# Entries of an encoder's config that name code, files or kernels rather than a shape.
_NOT_SHAPE = ("auto_map", "quantization_config", "attn_implementation", "experts_implementation")


@dataclass(frozen=True)
class Checkpoint:
    """A denoiser with all that is needed to run it.

    Attributes:
        id: first 12 hex digits of the sha256 of its weights files; "untrained" for a new one.
        denoiser: in fp32, in eval mode; nobody changes it (training works on a copy).
        collator: prompts -> subwords, with the checkpoint's own tokenizer.
        unit_head: the level above tokens, on the CPU in eval mode; None: this checkpoint knows tokens and parts alone.
        meta: what meta.json says: config, parent, data, metrics, base, licence, created_at.
    """

    id: str
    denoiser: Denoiser
    collator: PromptCollator
    meta: dict[str, Any]
    unit_head: UnitHead | None = None

    @property
    def device(self) -> torch.device:
        """Where the denoiser is."""
        device: torch.device = next(self.denoiser.parameters()).device
        return device

    def predictor(self, prompt: Prompt, retention: float) -> Predict:
        """What the sampler asks about one prompt.

        Everything is computed, each time; `model.denoiser.cached` computes less.
        """
        encoded = self.collator([prompt]).to(self.device)
        asked = torch.tensor([retention], device=self.device)

        def predict(states: Tensor) -> Prediction:
            token, shot = self.denoiser(encoded, states[None].to(self.device), asked)
            keep = keep_logits(token, shot, encoded.shot)[0]
            return Prediction(keep.float().cpu(), shot[0].float().cpu())

        return predict


def load_checkpoint(folder: str | Path | None = None, device: torch.device | None = None) -> Checkpoint:
    """The checkpoint in a folder (None: the shipped one), on a device (None: the CPU).

    Raises InputError when the folder or a file is missing, truncated, damaged or of another format.
    """
    folder = SHIPPED if folder is None else Path(folder)
    meta = _read_meta(folder)
    weights = _read_checked(folder, WEIGHTS, meta)
    _read_checked(folder, TOKENIZER, meta)
    try:
        denoiser = new_denoiser(DenoiserConfig(**meta["config"]))
        denoiser.load_state_dict(_weights(load(weights)))
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        collator = PromptCollator(_prepared(tokenizer, folder), denoiser.config)
        units, head = _read_units(folder, meta)
        _check_finite(denoiser, head)
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise _damaged(folder, f"weights, tokenizer and config do not fit together ({_line(error)})") from error
    return Checkpoint(_id(weights, units), denoiser.to(device).eval(), collator, meta, head)


def _check_finite(*networks: nn.Module | None) -> None:
    """Raise ValueError when a weight is NaN or infinite: such a model keeps and drops by no reason at all."""
    for network in networks:
        for name, weight in network.state_dict().items() if network is not None else ():
            if weight.is_floating_point() and not torch.isfinite(weight).all():
                raise ValueError(f"{name} holds what is not a number")


def _read_units(folder: Path, meta: Mapping[str, Any]) -> tuple[bytes, UnitHead | None]:
    if meta.get("units") is None:
        return b"", None
    data = _read_checked(folder, UNITS, meta)
    head = UnitHead(UnitHeadConfig(**meta["units"]))
    head.load_state_dict({"reading": head.reading} | load(data))  # heads from before there was a reader have none
    return data, head.eval()


def _id(*weights: bytes) -> str:
    return hashlib.sha256(b"".join(weights)).hexdigest()[:12]


def save_checkpoint(
    folder: str | Path,
    denoiser: Denoiser,
    tokenizer: Any,
    meta: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
    unit_head: UnitHead | None = None,
) -> str:
    """Write a new checkpoint and return its id.

    Args:
        meta: its lineage, for meta.json: `parent` (id or None), `data` (sha256 of the training data), `metrics`,
            `base`, `licence`; what is left out is null, and more may be added.
        dtype: of the denoiser's weights in the file.
    Raises InputError when the folder exists already or cannot be written; nothing is left behind then.
    """
    folder = Path(folder)
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} exists already, and a checkpoint is never overwritten: choose a new folder")
    state = {k: v.detach().to("cpu", dtype).contiguous() for k, v in denoiser.state_dict().items()}
    weights = save(state, metadata={"format": "pt"})
    units = b"" if unit_head is None else save({k: v.cpu() for k, v in unit_head.state_dict().items()})
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            ready = Path(scratch) / "ready"
            ready.mkdir()
            (ready / WEIGHTS).write_bytes(weights)
            if unit_head is not None:
                (ready / UNITS).write_bytes(units)
            _without_limits(tokenizer).save_pretrained(ready)
            hashes = {
                name: file_sha256(ready / name) for name in (WEIGHTS, UNITS, TOKENIZER) if (ready / name).exists()
            }
            record = _meta(denoiser.config, unit_head, meta, hashes)
            (ready / META).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            for path in (*ready.iterdir(), ready):
                _fsync(path)
            ready.rename(folder)
        _fsync(folder.parent)
    except OSError as error:
        raise InputError(f"cannot write the checkpoint {folder}: {error.strerror or error}") from error
    return _id(weights, units)


def from_encoder(source: str | Path, device: torch.device | None = None) -> Checkpoint:
    """A new denoiser on a pretrained encoder, with heads that know nothing yet (torch's global seed decides them).

    source: "minilm" (all-MiniLM-L6-v2, fetched on first use), or the folder or hub name of any Hugging Face encoder
        that takes `inputs_embeds` and has safetensors weights.
    Raises InputError when it cannot be loaded or is no such encoder.
    """
    base, licence = (ENCODERS[str(source)].base, "Apache-2.0") if str(source) in ENCODERS else (str(source), None)
    place = fetch_encoder(str(source)) if str(source) in ENCODERS else source
    try:
        backbone = AutoModel.from_pretrained(place, use_safetensors=True, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot load the encoder {str(source)!r} ({_line(error)}); give 'minilm', or a Hugging Face name or "
            "folder with safetensors weights"
        ) from error
    if backbone.config.is_encoder_decoder or not hasattr(backbone.config, "hidden_size"):
        raise InputError(f"{str(source)!r} is not a bidirectional encoder; choose one like BERT or RoBERTa")
    config = _config(_without_pooler(backbone))
    denoiser = Denoiser(config, backbone).to(device).eval()
    collator = PromptCollator(_prepared(tokenizer, source), config)
    return Checkpoint(UNTRAINED, denoiser, collator, {"base": base, "licence": licence})


def _config(backbone: nn.Module) -> DenoiserConfig:
    """The shape of a denoiser on this backbone."""
    config: Any = backbone.config
    shape = json.loads(config.to_json_string(use_diff=False)) | {"hidden_size": config.hidden_size}
    window = min(WINDOW, _positions(backbone))
    return DenoiserConfig(_clean(shape), window, overlap=min(128, window // 4))


def _positions(backbone: nn.Module) -> int:
    """How many subwords the encoder has positions for. RoBERTa counts from its padding index + 1."""
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)
    most = getattr(backbone.config, "max_position_embeddings", None) or WINDOW
    return most if offset is None else most - offset - 1


def new_denoiser(config: DenoiserConfig) -> Denoiser:
    """A denoiser of this shape, before it gets its weights."""
    shape = _clean(config.encoder)
    kind = shape.pop("model_type")
    encoder = AutoConfig.for_model(kind, **shape)
    return Denoiser(config, _without_pooler(AutoModel.from_config(encoder, dtype=torch.float32)))


def _without_pooler(backbone: Any) -> Any:
    """The encoder without the layer over its first token, which nothing reads."""
    if getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None
    return backbone


def _clean(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in shape.items() if not k.startswith("_") and k not in _NOT_SHAPE}


def _weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In fp32, by the names of today: weights that were saved before call `position` by the name of `situation`."""
    return {k.replace("situation.", "position."): v.float() if v.is_floating_point() else v for k, v in state.items()}


def _without_limits(tokenizer: Any) -> Any:
    """The tokenizer with no truncation or padding left from its file: all-MiniLM's cuts and pads to 128."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.model_max_length = int(1e9)
    return tokenizer


def _prepared(tokenizer: Any, source: str | Path) -> Any:
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(f"{str(source)!r} has no fast tokenizer (tokenizer.json); choose another encoder")
    for name in ("cls", "sep", "pad", "unk"):
        if getattr(tokenizer, f"{name}_token_id") is None:
            raise InputError(f"the tokenizer of {str(source)!r} has no {name} token; choose another encoder")
    return _without_limits(tokenizer)


# --- files -------------------------------------------------------------------------------------------------


def _meta(
    config: DenoiserConfig, units: UnitHead | None, lineage: Mapping[str, Any], sha256: Mapping[str, str]
) -> dict[str, Any]:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    blank = dict.fromkeys(("parent", "data", "metrics", "base", "licence"))
    own = {
        "format": FORMAT,
        "sha256": dict(sha256),
        "config": config.to_json(),
        "units": units.config.to_json() if units else None,
    }
    return {"created_at": now} | blank | dict(lineage) | own


def _read_meta(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        shipped = "; this copy of the program came without its weights" if folder == SHIPPED else ""
        raise InputError(
            f"there is no checkpoint {folder}{shipped}: give the folder of one, or make one with `{program()} train`"
        )
    try:
        meta: dict[str, Any] = json.loads(_read(folder, META))
        known = meta["format"] == FORMAT and isinstance(meta["sha256"], dict) and isinstance(meta["config"], dict)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(folder, f"{META} is not a checkpoint's") from None
    if not known:
        raise _damaged(folder, f"{META} has format {str(meta['format'])[:20]!r} instead of {FORMAT}")
    return meta


def _read_checked(folder: Path, name: str, meta: Mapping[str, Any]) -> bytes:
    data = _read(folder, name)
    if hashlib.sha256(data).hexdigest() != meta["sha256"].get(name):
        raise _damaged(folder, f"{name} is not what {META} names by its sha256")
    return data


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise _damaged(folder, f"{name} is missing") from None
    except OSError as error:
        raise InputError(f"cannot read {folder / name}: {error.strerror or error}") from error


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"the checkpoint {folder} is damaged or incomplete: {what}; copy it again or give another")


def _line(error: Exception) -> str:
    """The first line of an error's message that says something (torch's first line only announces the others)."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    says = [line for line in lines if not line.startswith("Error(s) in loading")]
    return (says or [type(error).__name__])[0][:200]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fsync(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return  # only POSIX lets a folder be synced
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
