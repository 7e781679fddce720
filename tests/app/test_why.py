"""Why a unit may be worth keeping: near to the question, or said already by another one."""

from __future__ import annotations

from app.explore.why import why_units
from model.prompt import parse
from model.relevance.encoder import SentenceEncoder

NOTES = (
    "Answer from the notes.\n\nNotes: The office opens at nine o'clock. Boats are registered in Lund. "
    "The harbour is four metres deep. The office is open from nine o'clock.\n\nQuestion: When does the office open?"
)


def test_the_nearest_and_the_repeated_sentence_are_named() -> None:
    prompt = parse(NOTES)
    why = why_units(SentenceEncoder.load(), prompt)
    texts = {u: prompt.text[unit.start : unit.end] for u, unit in enumerate(prompt.units)}
    nearest = max(why["asked"], key=why["asked"].get)
    assert "nine o'clock" in texts[nearest] and why["asked"][nearest] == 100 and why["to"] == "question"
    assert {texts[u] for u in why["like"]} == {texts[v] for others in why["like"].values() for v in others}
    assert all("nine o'clock" in texts[u] for u in why["like"]) and len(why["like"]) == 2


def test_nothing_is_said_without_an_encoder_or_of_demonstrations() -> None:
    assert why_units(None, parse(NOTES)) == {}
    shots = "Q: 1+1?\nA: 2\n\nQ: 2+2?\nA: 4\n\nQ: 3+3?\nA: 6\n\nQ: 4+4?\nA:"
    assert why_units(SentenceEncoder.load(), parse(shots)) == {}
