"""What each handler of the page, each endpoint and each MCP tool asks for: the role that a person needs at least.

`app.hosting.guard` enforces it, in one place; a handler that is not here is for admins. A lambda of a layout only moves
values about on the visitor's own page.
"""

from __future__ import annotations

from app.hosting.people import Role

_OF: dict[Role, tuple[str, ...]] = {
    Role.VISITOR: (
        "ExploreEvents.run ExploreEvents.find_length ExploreEvents.resample ExploreEvents.fix ExploreEvents.name_part",
        "ExploreEvents.stop",
        "ExploreEvents.open_file ExploreEvents.recall ExploreEvents.open_link",
        "ExploreEvents.count ExploreEvents.draw_charts",
        "ResultsEvents.show CorrectEvents.greet CorrectEvents.count CompareEvents.show_votes",
        "LearnEvents.refresh AccountEvents.show",
        "Endpoints.compress Endpoints.checkpoints",
    ),
    Role.ANNOTATOR: (
        "CorrectEvents.open CorrectEvents.open_next CorrectEvents.redenoise CorrectEvents.offer CorrectEvents.restore",
        "CorrectEvents.discard CorrectEvents.keep_draft CorrectEvents.submit CorrectEvents.take CorrectEvents.skip",
        "QueueEvents.show QueueEvents.paste QueueEvents.upload QueueEvents.add_corrected",
        "CorrectionsEvents.refresh CorrectionsEvents.first_page CorrectionsEvents.turn CorrectionsEvents.search_for",
        "CorrectionsEvents.pick CorrectionsEvents.open_again CorrectionsEvents.settle ExportEvents.export",
        "CheckEvents.ask CheckEvents.stop",
        "CompareEvents.shorten CompareEvents.write CompareEvents.finish CompareEvents.cancel CompareEvents.vote",
        "CompareEvents.play CompareEvents.export",
        "LearnEvents.poll LearnEvents.count",
        "AccountEvents.contribute AccountEvents.withdraw AccountEvents.erase AccountEvents.erase_all",
        "Endpoints.correct Endpoints.corrections",
    ),
    Role.REVIEWER: ("CorrectionsEvents.accept CorrectionsEvents.reject",),
    Role.ADMIN: (
        "CorrectionsEvents.import_from",
        "LearnEvents.start LearnEvents.cancel LearnEvents.keep LearnEvents.serve LearnEvents.back",
    ),
}
ROLES: dict[str, Role] = {name: role for role, lines in _OF.items() for line in lines for name in line.split()}


def role_of(handler: str) -> Role | None:
    """The role that a handler with this qualified name asks for; None: nobody has said, so it is for admins."""
    if handler.endswith("<lambda>"):
        return Role.VISITOR
    return ROLES.get(handler)
