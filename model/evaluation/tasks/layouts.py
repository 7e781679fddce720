"""How documents stand in a prompt: the layouts that people and benchmarks use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .task import Document


@dataclass(frozen=True)
class DocumentLayout:
    """
    Attributes:
        titled, untitled: what stands before a document's text, with {n} and {title}.
        after: what stands behind it.
        join: between two documents.
    """

    titled: str
    untitled: str
    after: str = ""
    join: str = "\n\n"


LAYOUTS: Mapping[str, DocumentLayout] = {
    "lost-in-the-middle": DocumentLayout(
        "Document [{n}](Title: {title}) ", "Document [{n}] ", join="\n"
    ),  # arXiv 2307.03172
    "colon": DocumentLayout("Document {n}: {title}\n", "Document {n}:\n"),
    "bracket": DocumentLayout("[Document {n}] {title}\n", "[Document {n}]\n"),
    "numbered": DocumentLayout("[{n}] {title}\n", "[{n}] "),
    "xml": DocumentLayout('<document title="{title}">\n', "<document>\n", "\n</document>", "\n"),
    "markdown": DocumentLayout("## {title}\n\n", "## {n}\n\n"),
    "rule": DocumentLayout("{title}\n", "", join="\n\n---\n\n"),
    "chinese": DocumentLayout("资料{n}：{title}\n", "资料{n}：\n"),
    "section": DocumentLayout("{title}: ", ""),
    "plain": DocumentLayout("{title}\n", ""),
}


def arrange(documents: Sequence[tuple[str, str]], layout: str) -> tuple[str, tuple[Document, ...]]:
    """(title, text) of each document, a title may be "" -> the context, and where each stands in it.

    >>> arrange([("Rome", "A town."), ("", "Rain.")], "numbered")[0]
    '[1] Rome\\nA town.\\n\\n[2] Rain.'
    """
    form = LAYOUTS[layout]
    context, found = "", []
    for n, (title, text) in enumerate(documents, start=1):
        context += form.join if context else ""
        start, head = len(context), (form.titled if title else form.untitled).format(n=n, title=title)
        context += head + text + form.after
        body = start + len(head)
        found.append(Document(start, len(context), (body, body + len(text))))
    return context, tuple(found)
