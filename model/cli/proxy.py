"""`diffumask proxy`."""

from .tools import Commands


def add(commands: Commands) -> None: ...
