"""Hugging Face's ZeroGPU: a GPU is there only inside a function that has asked for one, in a process of its own.

Where the package `spaces` is installed, as on every Space, the one function that computes is wrapped by `spaces.GPU`;
off ZeroGPU that changes nothing, and elsewhere nothing is wrapped. Everything else of the studio stays on the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from gradio.context import LocalContext

from model.compress import Compressor, CompressRequest
from model.diffusion.trace import Step
from model.errors import InputError

STARTING, CHARACTERS, LONGEST = 10.0, 20_000, 120.0  # seconds; characters a second, at the least; seconds
_KEPT = 4  # models that are held for workers
Load = Callable[..., Compressor]


def gpu_seconds(id: str, folder: Path | None, request: CompressRequest) -> int:
    """How long a GPU is asked for: whoever asks for less waits less, whoever takes longer is stopped."""
    passes = request.steps if request.exact else 1
    length = len(request.text) if isinstance(request.text, str) else len(request.prompt.text)
    return round(min(LONGEST, STARTING + passes * length / CHARACTERS))


def on_gpu(load: Load) -> Load:
    """The same `load`, whose models compute on ZeroGPU; without the package `spaces`, just the same."""
    try:
        import spaces  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        return load
    workers = _Workers(spaces.GPU)

    def loaded(folder: Path | None = None) -> Compressor:
        return GpuCompressor(load(folder), folder, workers)

    return loaded


class GpuCompressor(Compressor):
    """A model whose steps are computed by a worker with a GPU, for visitors; for the program itself here."""

    def __init__(self, here: Compressor, folder: Path | None, workers: _Workers):
        self.__dict__.update(vars(here))  # its checkpoint, cache and layers
        self.here, self._folder, self._workers = here, folder, workers
        workers.hold(here)

    def steps(self, request: CompressRequest) -> Iterator[Step]:
        """As `Compressor.steps`."""
        if LocalContext.request.get(None) is None:  # nobody whose share of GPU time this could be
            yield from self.here.steps(request)
            return
        _ = request.pieces  # what is wrong with the request is found here
        for step in self._workers.compute(self.checkpoint.id, self._folder, replace(request)):
            if isinstance(step, InputError):
                raise step
            yield step


class _Workers:
    """What runs in workers. Each is a fork of this process, and has the models that were held here by then."""

    def __init__(self, gpu: Callable[..., Any]):
        self._held: dict[str, Compressor] = {}
        self._moved: dict[str, Compressor] = {}
        self.compute = gpu(duration=gpu_seconds)(self._compute)

    def hold(self, model: Compressor) -> None:
        self._held[model.checkpoint.id] = model
        while len(self._held) > _KEPT:
            self._held.pop(next(iter(self._held)))

    def _compute(self, id: str, folder: Path | None, request: CompressRequest) -> Iterator[Step | InputError]:
        try:
            yield from self._model(id, folder).steps(request)
        except InputError as error:  # anything that is raised would lose its message on the way
            yield error

    def _model(self, id: str, folder: Path | None) -> Compressor:
        if id not in self._moved:
            held = self._held.get(id)
            self._moved = {id: _moved(held) if held is not None else Compressor.load(folder, _device())}
        return self._moved[id]


def _moved(model: Compressor) -> Compressor:
    """A copy of the model where this process can compute fastest; the model itself where that is here already."""
    device = torch.device(_device())
    if device.type == "cpu":
        return model
    checkpoint = replace(model.checkpoint, denoiser=copy.deepcopy(model.checkpoint.denoiser).to(device))
    return Compressor(checkpoint, model.cache)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
