"""What is left of a text when some leaves of its tree are kept: the rules of `model.prompt.tree`, on characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import strategies as st

from model.prompt.tree import Node


def leaves(node: Node) -> Iterator[Node]:
    """The leaves of a tree from left to right."""
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def settle(text: str, node: Node, keep: Callable[[Node], bool]) -> str:
    """The text of the tree when only the leaves stay that `keep` names."""
    kept = bytearray(len(text))
    _mark(node, keep, kept)
    return _render(text, kept)


def _mark(node: Node, keep: Callable[[Node], bool], kept: bytearray) -> bool:
    """Mark the characters that stay; whether any do."""
    if not node.children:
        if keep(node):
            _fill(kept, node.start, node.end)
        return keep(node)
    stays = False
    for before, child in zip((None, *node.children), node.children, strict=False):
        if _mark(child, keep, kept):
            if before and stays:
                _fill(kept, before.end, child.start)
            stays = True
    for start, end in node.frame if stays else ():
        _fill(kept, start, end)
    return stays


def _fill(kept: bytearray, start: int, end: int) -> None:
    kept[start:end] = b"\1" * (end - start)


def _render(text: str, kept: bytearray) -> str:
    """White space is decided by what it stands in front of; a line that stays keeps its own indentation."""
    out: list[str] = []
    before, gap = -1, 0  # the character before this one that is no white space, and where it ends
    for at, character in enumerate(text):
        is_token = not character.isspace() or character in "\r\n"
        if not is_token:
            continue
        if kept[at]:
            after_break = bool(out) and out[-1] in ("\r", "\n")
            if before < 0 or kept[before] or after_break:
                out += text[gap:at]
            elif out and gap < at:
                out.append(" ")
            out.append(character)
        before, gap = at, at + 1
    return "".join(out)


@st.composite
def subsets(draw: st.DrawFn, node: Node) -> set[tuple[int, int]]:
    """Some of the leaves of a tree, by their spans."""
    spans = [(leaf.start, leaf.end) for leaf in leaves(node)]
    share = draw(st.sampled_from((0.1, 0.5, 0.9)))
    random = draw(st.randoms(use_true_random=False))
    return {span for span in spans if random.random() < share}


def check_tree(text: str, start: int, end: int, node: Node) -> None:
    """Children lie in their parent, in order and apart; no leaf begins or ends with white space."""
    assert start <= node.start < node.end <= end
    at = node.start
    for child in node.children:
        assert at <= child.start < child.end <= node.end
        at = child.end
        check_tree(text, start, end, child)
    if not node.children:
        content = text[node.start : node.end]
        assert content == content.strip()


def part_of(small: object, large: object) -> bool:
    """Whether a value is what is left of another one: objects with fewer members, lists with fewer elements."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(key in large and part_of(value, large[key]) for key, value in small.items())
    if isinstance(small, list) and isinstance(large, list):
        rest = iter(large)
        return all(any(part_of(one, other) for other in rest) for one in small)
    return small == large


def lines_are_lines(text: str, left: str) -> bool:
    """Whether every line that is left is a line of the text, in the same order."""
    rest = iter([line.strip() for line in text.splitlines()])
    return all(any(line.strip() == other for other in rest) for line in left.splitlines())
