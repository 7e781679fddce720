"""The shipped sentence encoder: it reads many languages, and finds the sentence that answers."""

from __future__ import annotations

import pytest

from model.relevance.encoder import SHIPPED, SentenceEncoder
from model.relevance.features import STATIC, Relevance
from model.relevance.storage import META, TOKENIZER, WEIGHTS

PARTS = [
    ["The Eiffel Tower was built for the World's Fair of 1889.", "It is 330 metres high.", "Many people visit it."],
    ["The Louvre is a museum in Paris.", "It shows the Mona Lisa."],
    ["Berlin is the capital of Germany.", "Its television tower was finished in 1969."],
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load(device="cpu")


def test_it_is_small_enough_for_a_repository() -> None:
    assert (SHIPPED / WEIGHTS).stat().st_size < 48e6
    assert (SHIPPED / TOKENIZER).stat().st_size < 8e6
    assert (SHIPPED / META).is_file() and (SHIPPED / "LICENSE").is_file()


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("Wie hoch ist der Eiffelturm?", "La tour Eiffel mesure 330 mètres.", "Le Louvre est un musée."),
        ("埃菲尔铁塔有多高？", "The Eiffel Tower is 330 metres high.", "Cats sleep for most of the day."),
        ("ما هي عاصمة ألمانيا؟", "برلين هي عاصمة ألمانيا.", "القطط تنام معظم اليوم."),
        ("กรุงเทพอยู่ที่ไหน", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "แมวนอนเกือบทั้งวัน"),
    ],
)
def test_it_finds_the_answer_across_languages(encoder: SentenceEncoder, question: str, answer: str, other: str) -> None:
    asked = encoder.embed([question], "query")[0]
    likely, unlikely = encoder.embed([answer, other]) @ asked
    assert likely > unlikely + 0.03


@pytest.mark.parametrize(
    ("question", "unit"),
    [("When was the Eiffel Tower built?", 0), ("Wo hängt die Mona Lisa?", 4), ("德国的首都是哪里？", 5)],
)
def test_the_unit_that_answers_comes_first(encoder: SentenceEncoder, question: str, unit: int) -> None:
    units = [sentence for part in PARTS for sentence in part]
    part_of = [i for i, part in enumerate(PARTS) for _ in part]
    found = Relevance.of(encoder, units, part_of, [" ".join(part) for part in PARTS], [question])
    rank = found.static[:, STATIC.index("likeness of unit and part, rank")]
    assert int(rank.argmin()) == unit
