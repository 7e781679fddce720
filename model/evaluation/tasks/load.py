"""Which evaluation tasks there are. A new one is a `Loader` in a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import InputError
from . import bbh, few_shot, hotpotqa, longbench, meetingbank, needle, nq, own, pubmedqa, qmsum, xquad, zeroscrolls
from .kinds import FEW_SHOT
from .request import Loader, TaskOptions, TaskRequest
from .sources import Data
from .task import Task

TASKS: Mapping[str, Loader] = {
    **dict.fromkeys(FEW_SHOT, few_shot.load),
    "jsonl": own.load,
    "nq": nq.load,
    "xquad": xquad.load,
    "qmsum": qmsum.load,
    "qmsum-general": qmsum.load,
    "pubmedqa": pubmedqa.load,
    "bbh": bbh.load,
    "hotpotqa": hotpotqa.load,
    "needle": needle.load,
    "longbench": longbench.load,
    "zeroscrolls": zeroscrolls.load,
    "meetingbank": meetingbank.load,
}
WITHOUT_DATA = {"needle"}  # tasks that are made on the spot


def load_task(
    name: str,
    data: Data | None,
    prompts: int,
    queries: int,
    shots: int | None = None,
    seed: int = 0,
    options: TaskOptions | None = None,
) -> Task:
    """Read a task; see `TaskRequest` for the arguments. The same ones give the same prompts and queries.

    Raises InputError when a file is missing, holds too little, or a row is not one.
    """
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name](TaskRequest(name, data, prompts, queries, shots, seed, options or TaskOptions()))
