"""Which corrected prompts are measured on and never learnt from: the same ones in every run. No torch."""

from __future__ import annotations

from collections.abc import Iterable


def is_held_out(sha256: str, share: float) -> bool:
    """Whether a prompt with this SHA-256 (hexadecimal) is one of the share that is only measured on.

    The prompt's own text decides, so that neither a seed nor other people's corrections move it; what a smaller share
    holds out, a larger one does, too.

    >>> is_held_out("00ff" + 60 * "0", 0.2), is_held_out("ff00" + 60 * "0", 0.2)
    (True, False)
    """
    return int(sha256[:16], 16) < share * 16**16


def held_out_prompts(prompts: Iterable[str], share: float) -> set[str]:
    """Of some prompts, by their SHA-256, those that are held out: at least one, and never all where there are two.

    So few that this has to move one are too few to tell anything.
    """
    ordered = sorted(set(prompts))
    held = [sha256 for sha256 in ordered if is_held_out(sha256, share)]
    return set(held or ordered[:1]) - set(ordered[-1:] if len(held) == len(ordered) > 1 else ())
