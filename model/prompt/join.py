"""Several texts as one prompt, so that they compete for one budget, and each mask cut back into texts.

>>> joined = Joined.of([parse("One. Two."), None, parse("Three.")])
>>> joined.prompt.text, len(joined.prompt), sorted(joined.prompt.joints)
('One. Two.\\n\\nThree.', 7, [4])
>>> joined.texts([False, False, True, True, False, True, True])
['Two.', None, 'Three.']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .parse import Part, Prompt, Token, Unit, parse

JOINT = "\n\n"


@dataclass(frozen=True)
class Joined:
    """Prompts laid end to end; blank lines, the joints, stand between them and cost nothing.

    Attributes:
        prompt: all of them as one, with their own parts and units.
        prompts: as they were given; None where there was no text.
        tokens: of each, its tokens in `prompt`.
    """

    prompt: Prompt
    prompts: tuple[Prompt | None, ...]
    tokens: tuple[range, ...]

    @classmethod
    def of(cls, prompts: Sequence[Prompt | None]) -> Joined:
        """Join prompts in time linear in all of them.

        Raises InputError when none of them has a text.
        """
        joiner = _Joiner()
        tokens = tuple(range(0) if each is None else joiner.add(each) for each in prompts)
        return cls(joiner.prompt() if any(prompts) else parse(""), tuple(prompts), tokens)

    def masks(self, keep: Sequence[bool]) -> list[list[bool]]:
        """The mask of each prompt."""
        return [[keep[i] for i in tokens] for tokens in self.tokens]

    def texts(self, keep: Sequence[bool]) -> list[str | None]:
        """What is left of each prompt; None where there was none."""
        masks = zip(self.prompts, self.masks(keep), strict=True)
        return [None if each is None else each.render(mask) for each, mask in masks]


def framed(prompt: Prompt, before: str, after: str) -> Prompt:
    """A prompt between two marks, a token each, that stay exactly when something of it does.

    >>> marked = framed(parse("One. Two."), "<#1#> ", " <#1#>")
    >>> marked.render([True, False, False, True, True, True])
    '<#1#> Two. <#1#>'
    """
    joiner = _Joiner("")
    joiner.mark(before)
    joiner.add(prompt)
    joiner.mark(after)
    return joiner.prompt()


def with_roles(prompt: Prompt, roles: Mapping[str, str], speaker: str = "") -> Prompt:
    """A prompt whose parts have other roles: {what a role is called: what it shall be}; and who says them."""
    parts = tuple(replace(part, role=roles.get(part.role, part.role), speaker=speaker) for part in prompt.parts)
    units = tuple(replace(unit, kind=roles.get(unit.kind, unit.kind)) for unit in prompt.units)
    return replace(prompt, parts=parts, units=units)


@dataclass
class _Joiner:
    """What has been joined so far."""

    joint: str = JOINT
    text: list[str] = field(default_factory=list)
    size: int = 0
    tokens: list[Token] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    joints: list[int] = field(default_factory=list)

    def add(self, prompt: Prompt) -> range:
        """Append a prompt, as a unit of its own; its tokens."""
        if self.parts and self.joint:
            self.joints.append(len(self.tokens))
            self.mark(self.joint)
        at, first, part, unit = self.size, len(self.tokens), len(self.parts), len(self.units) + 1
        self._write(prompt.text)
        self.tokens += [Token(t.text, t.start + at, t.end + at, t.part + part) for t in prompt.tokens]
        self.parts += [
            replace(p, start=p.start + at, end=p.end + at, first=p.first + first, last=p.last + first, head=p.head + at)
            for p in prompt.parts
        ]
        alone = part if len(prompt.parts) == 1 else -1
        self.units.append(Unit("text", at, self.size, first, len(self.tokens), alone, 0, leaf=False))
        self.units += [
            replace(
                u,
                start=u.start + at,
                end=u.end + at,
                first=u.first + first,
                last=u.last + first,
                part=u.part + part if u.part >= 0 else -1,
                parent=u.parent + unit,
            )
            for u in prompt.units[1:]
        ]
        if not part and first:  # what stood before the first part belongs to it
            self.parts[0] = replace(self.parts[0], start=0, first=0)
        return range(first, len(self.tokens))

    def mark(self, text: str) -> None:
        """Append a token of its own; it belongs to the part in front of it."""
        word = text if text.isspace() else text.strip()
        start = self.size + text.index(word)
        self._write(text)
        self.tokens.append(Token(word, start, start + len(word), max(len(self.parts) - 1, 0)))
        if self.parts:
            self.parts[-1] = replace(self.parts[-1], end=self.size, last=len(self.tokens))

    def prompt(self) -> Prompt:
        root = Unit("prompt", 0, self.size, 0, len(self.tokens), -1, -1, leaf=False)
        return Prompt(
            "".join(self.text),
            tuple(self.tokens),
            tuple(self.parts),
            (root, *self.units),
            frozenset(self.joints),
        )

    def _write(self, text: str) -> None:
        self.text.append(text)
        self.size += len(text)
