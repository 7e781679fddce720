"""The tree of a prompt: what may go on its own, what is whole, what is a guard, what is frame."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from model.prompt import Prompt, parse
from model.prompt.languages import language_of
from model.prompt.units import FRAME_KIND
from tests.support.prompts import prompts


def leaves(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in parse(text).units if unit.leaf]


def kinds(prompt: Prompt, u: int) -> str:
    """The kinds of the units around a unit, from the outside in."""
    found = []
    while u >= 0:
        found.append(prompt.units[u].kind)
        u = prompt.units[u].parent
    return "/".join(reversed(found[:-1]))


@settings(max_examples=200, deadline=None)
@given(prompts)
def test_units_are_a_tree_over_all_tokens(text: str) -> None:
    prompt = parse(text)
    ends: dict[int, int] = {}
    for u, unit in enumerate(prompt.units):
        assert unit.parent < u and unit.first < unit.last
        if unit.parent < 0:
            assert (u, unit.first, unit.last) == (0, 0, len(prompt))
            continue
        parent = prompt.units[unit.parent]
        assert (
            max(parent.first, ends.get(unit.parent, 0)) <= unit.first and unit.last <= parent.last and not parent.leaf
        )
        ends[unit.parent] = unit.last
        if unit.part >= 0:
            part = prompt.parts[unit.part]
            assert part.first <= unit.first and unit.last <= part.last
    assert all(unit.leaf or u in ends for u, unit in enumerate(prompt.units))
    assert all(prompt.units[u].first <= i < prompt.units[u].last for i, u in enumerate(prompt.unit_of))


# --- sentences ---


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith (b. 1970) paid $3.50 at 9 a.m. on Jan. 5.", 'He said "Stop it." and left.', "Is it? ", "Yes!"],
        [
            "See e.g. Fig. 3 in U.S. v. Jones, No. 12-345.",
            "J. R. R. Tolkien wrote... something.",
            "Visit https://a.b/c?d=e.",
        ],
        [
            "Am 14. März 2024 kam z. B. Dr. Müller.",
            "Er sagte: „Nein.“",
            "Das kostet ca. 3,50 €.",
            "Die Wohnung liegt im 3. OG.",
        ],
        ["Mme. Curie et M. Dupont sont là.", "Il paie 3 €.", "C'est tout !"],
        ["El Sr. Pérez vive en la pág. 5.", "¿Vienes hoy?", "¡Claro que no!"],
        ["Он живёт на ул. Ленина, д. 5.", "Потом он ушёл домой."],
        ["他们说“不行。”然后走了。", "周一闭馆！", "为什么？", "因为3.5元。"],
        ["「行かない。」と彼は言った。", "変更しないでください。", "3.5円です。"],
        ["هل هذا صحيح؟", "نعم، هذا صحيح."],
        ["यह सही है।", "क्या आप आएंगे?", "नहीं, मैं नहीं आऊँगा।"],
        ["그는 갔다.", "왜요?", "3.5점입니다."],
        ["Use v1.2.3 only.", "Then run it... maybe.", '"Really?" she asked.'],
    ],
)
def test_sentences(sentences: list[str]) -> None:
    sentences = [sentence.strip() for sentence in sentences]
    unspaced = any("\u3040" <= c <= "\u9fff" for c in sentences[0])
    assert leaves(("" if unspaced else " ").join(sentences)) == sentences


def test_lines_that_all_begin_with_a_capital_or_a_number_are_entries() -> None:
    log = [
        "a81f2c0 Fix the crash when the folder is missing",
        "5d3e9b7 Bump lodash",
        "c90aa13 Add a retry to the uploader",
    ]
    log.append("e4c0f6d Remove the old endpoints that nobody calls")
    assert leaves("\n".join(log)) == log


def test_a_clause_of_a_contract_keeps_its_number_and_title() -> None:
    lease = "§ 5 Noise. Drums may not be played after 8 pm. Pianos are welcome.\n§ 6 Notice. Notice is three months."
    prompt = parse(lease)
    frames = [prompt.text[unit.start : unit.end] for unit in prompt.units if unit.frame]
    assert frames == ["Noise.", "Notice."] and sum(unit.kind == "item" for unit in prompt.units) == 2


def test_one_mark_among_other_lines_makes_no_list() -> None:
    build = "transforming...\n✓ 312 modules transformed.\nrendering chunks...\nerror during build:"
    assert leaves(build) == build.splitlines()


def test_the_question_of_a_demonstration_stays_with_it() -> None:
    shot = "Q: A train leaves at 9 and arrives at 11. It is red. How long is the trip?\nA: Two hours.\n\n"
    prompt = parse(shot * 2 + "Q: How far is it?\nA:")
    frames = {prompt.text[unit.start : unit.end] for unit in prompt.units if unit.frame}
    assert {"How long is the trip?", "A: Two hours."} <= frames


def test_wrapped_lines_are_one_sentence_and_short_ones_are_not() -> None:
    wrapped = (
        "The stone pier was built in 1871 after a storm had destroyed the wooden\none, and it was made wider in 1903."
    )
    assert leaves(wrapped) == [wrapped]
    assert leaves("Dear Ann,\nthank you for the letter.\nBen") == ["Dear Ann,", "thank you for the letter.", "Ben"]


# --- guards ---

GUARDS = """
Do not guess. | Never print it. | Only open it on Monday. | Refunds end after 30 days, unless it is broken.
You must sign it.
Keep it under 40 words, at most 45. | It isn't open. | You cannot stay. | Leave it without salt. | Wait until noon.
If you are unsure, ask. | All but the last, except for Ann. | Use no more than two.
Rate nicht. | Kein Zutritt ohne Ausweis. | Mindestens drei Zeichen. | Die Zahlung ist bis zum 5. Mai fällig.
Ne répondez pas. | Il n'y a que trois chambres. | Sans sucre ajouté. | Vous devez signer.
No se permite la entrada. | Solo los lunes. | Los gastos no deben superar 50 euros.
Non toccare la porta. | Solo il lunedì. | Não é permitido entrar. | Somente às segundas.
Niet aanraken. | Alleen op maandag. | Nie wolno wchodzić. | Tylko w poniedziałki.
Не трогать руками. | Только по понедельникам. | Нельзя входить без билета.
Lütfen dokunmayın. | Yalnızca pazartesi günü. | لا تلمس التمثال. | يجب أن توقع هنا.
कृपया न छुएं। | केवल सोमवार को। | ห้ามจับ | ต้องลงชื่อก่อน
만지지 마세요. | 반드시 서명하세요. | 음식물 반입은 허용되지 않습니다.
触らないでください。 | 必ず署名する。 | 月曜日のみ開館。 | 请勿触摸。 | 押金不退。 | 必须签字。 | 只限周一。
"""
PLAIN = """
It rains in Spain. | The pier was built in 1871. | Ann and Ben met on Friday. | The pump costs 22 euros.
Der Hund läuft durch den Park. | Das Museum öffnet um neun Uhr. | Le musée ouvre à neuf heures. | Il pleut à Paris.
La biblioteca abre los lunes. | Il museo si trova nel centro. | O museu fica no centro da cidade. | Het museum is open.
Muzeum jest otwarte w poniedziałki. | Музей открыт по понедельникам. | Müze pazartesi günü açıktır.
المتحف مفتوح يوم الاثنين. | संग्रहालय सोमवार को खुला है। | พิพิธภัณฑ์เปิดวันจันทร์ | 박물관은 월요일에 엽니다.
博物館は月曜日に開いています。 | 博物馆周一开放。 | 这个地方非常漂亮，特别是春天。
"""


def split(table: str) -> list[str]:
    return [cell.strip() for line in table.strip().split("\n") for cell in line.split("|")]


@pytest.mark.parametrize("text", split(GUARDS))
def test_guards(text: str) -> None:
    leaf = parse(text).units[-1]
    assert leaf.leaf and leaf.guard and leaf.whole


@pytest.mark.parametrize("text", split(PLAIN))
def test_no_guards(text: str) -> None:
    assert not parse(text).units[-1].guard, language_of(text)


def test_a_long_sentence_has_clauses() -> None:
    clause = "the owner of the pier has to pay for the repair of the wooden part of the quay every second year"
    text = f"In the year after the great storm {clause}; the town does not pay for it; {clause}."
    found = [(unit.kind, unit.guard) for unit in parse(text).units if unit.leaf]
    assert found == [("clause", False), ("clause", True), ("clause", False)]


# --- lists, sections, fields ---


def test_lists_nest_and_their_lead_in_is_frame() -> None:
    text = "You must never:\n- guess names\n- print:\n  1. keys\n  2. tokens\n- stop"
    prompt = parse(text)
    found = [(kinds(prompt, u), text[unit.start : unit.end]) for u, unit in enumerate(prompt.units) if unit.leaf]
    assert found == [
        ("instruction/list/item/sentence", "guess names"),
        ("instruction/list/item/list/item/sentence", "keys"),
        ("instruction/list/item/list/item/sentence", "tokens"),
        ("instruction/list/item/sentence", "stop"),
    ] or [leaf for _, leaf in found] == ["guess names", "print:", "keys", "tokens", "stop"]  # fmt: skip


def test_the_title_of_an_item_is_frame() -> None:
    prompt = parse("Sum up.\n\n1. Rent. It is paid on the first. It may rise.\n2. Dogs bark. They may not come in.")
    framed = [prompt.text[unit.start : unit.end] for unit in prompt.units if unit.kind == FRAME_KIND]
    assert framed == ["Rent.", "Dogs bark."]
    chinese = parse("概括。\n\n1. 用途。该房屋只能用于居住。不得饲养狗。\n2. 租金。每月一日支付。可以上涨。")
    framed = [chinese.text[unit.start : unit.end] for unit in chinese.units if unit.kind == FRAME_KIND]
    assert framed == ["用途。", "租金。"]


def test_a_demonstration_has_fields_and_its_answer_is_frame() -> None:
    text = "Q: One is here. Two is there.\nA: First this.\n#### 3\n\nQ: Four?\nA: yes\n\nQ: Six?\nA:"
    prompt = parse(text)
    frames = [text[unit.start : unit.end] for unit in prompt.units if unit.kind == FRAME_KIND and unit.frame]
    assert frames == ["A:", "#### 3", "A: yes", "A:"]
    assert [kinds(prompt, u) for u, unit in enumerate(prompt.units) if unit.leaf and not unit.frame][:3] == [
        "demonstration/field/paragraph/sentence",
        "demonstration/field/paragraph/sentence",
        "demonstration/sentence",
    ]


def test_code_and_data_have_whole_leaves() -> None:
    text = (
        'Look:\n\n```python\na = 1\nb = 2\n```\n\n{"x": 1, "y": [1, 2]}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |'
    )
    prompt = parse(text)
    assert all(unit.whole for unit in prompt.units if unit.leaf and prompt.parts[unit.part].role in ("code", "data"))
    assert {"a = 1", "b = 2", '"x": 1', "| 1 | 2 |", "| 3 | 4 |"} <= set(leaves(text))


def test_json_behind_a_label_is_not_a_sentence() -> None:
    inputs = ['{"a": 1, "b": 2}', '{"a": 3, "b": 4}', '{"a": 5, "b": 6}']
    text = "Extract.\n\n" + " x\n\n".join(f"Input: {value}\nOutput:" for value in inputs)
    assert {'"a": 1', '"b": 4', '"a": 5'} <= set(leaves(text))
