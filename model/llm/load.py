"""Target LLMs by name, folder or Hugging Face hub: causal ones and masked-diffusion ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..devices import fastest_dtype, pick_device
from ..errors import InputError
from ..pretrained import WHEELS, fetch
from .causal import Target
from .diffusion_weights import is_diffusion
from .diffusion_writer import DiffusionWriter
from .masked_diffusion import DiffusionTarget
from .writers import LocalWriter

KEPT_TARGETS = 2  # models that `LoadedTargets` keeps


def load_target(name: str, device: str | torch.device | None = None, fast: bool = False) -> Target:
    """A target LLM.

    Args:
        name: "smollm2", "gemma3", or any Hugging Face causal LM, LLaDA or Dream by hub name or folder.
        device: None = the best there is.
        fast: bfloat16 where the device computes in it faster than in fp32 (s(z) hardly differs).
    Raises InputError when it cannot be loaded.
    """
    source = fetch(name) if name in WHEELS else name
    try:
        if name not in WHEELS and is_diffusion(name):
            return DiffusionTarget.load(name, device, fast)
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    except InputError:
        raise
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"cannot load the target LLM {name!r} ({reason}); give 'smollm2', 'gemma3', a Hugging Face name "
            "or a folder with safetensors weights"
        ) from error
    place = pick_device(device)
    dtype = fastest_dtype(place) if fast else torch.float32
    return Target(name, model.to(device=place, dtype=dtype), tokenizer)


def local_writer(target: Target, chat: bool = True) -> LocalWriter:
    """The writer that suits a target."""
    return (DiffusionWriter if isinstance(target, DiffusionTarget) else LocalWriter)(target, chat)


class LoadedTargets:
    """Target LLMs by name, each loaded once, the last few of them kept. Safe to share between threads."""

    def __init__(self, load: Callable[[str], Target]):
        self._load, self._lock = load, threading.Lock()
        self._kept: OrderedDict[str, Target] = OrderedDict()

    def get(self, name: str) -> Target:
        """The model, ready: loaded and run once, so that the first answer is as fast as the next. Raises InputError."""
        with self._lock:
            if name not in self._kept:
                target = self._load(name)
                list(local_writer(target, chat=False).write("Hello", 2))
                self._kept[name] = target
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT_TARGETS:
                self._kept.popitem(last=False)
            return self._kept[name]
