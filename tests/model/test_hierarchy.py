"""The unit level: what is read of a prompt, the unit head's place in a checkpoint, and the three levels together."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from model.compress import AUTO, PAPER, Compressor, CompressRequest
from model.denoiser.checkpoint import UNITS, load_checkpoint, save_checkpoint
from model.denoiser.hierarchy import TOPICS, HierarchicalPredict, along_turns, needs_tokens
from model.denoiser.priors import GUARD
from model.denoiser.unit_head import UnitHead, UnitHeadConfig
from model.diffusion.sampler import Prediction
from model.diffusion.schedule import DROP, KEEP, MASK
from model.errors import InputError
from model.prompt import parse
from model.prompt.pieces import PieceSet
from model.prompt.selection import fill, sure_share
from model.relevance.features import Relevance
from model.relevance.prompt_reading import UnitsOf
from tests.support.tiny import tiny_checkpoint
from tests.support.tiny_encoder import tiny_encoder

DOCUMENTS = (
    "Answer from the documents.\n\nDocument 1: The pump is quiet. It costs 44 euros.\n\n"
    "Document 2: The harbour opens at seven. Dogs stay on a lead.\n\nQuestion: When does the harbour open?\nAnswer:"
)
FEW_SHOT = "Q: 2+2?\nA: 4\n\nQ: 3-1?\nA: 2\n\nQ: 3+4?\nA:"


def head_of(width: int = 16) -> UnitHead:
    torch.manual_seed(0)
    return UnitHead(UnitHeadConfig(width=width)).eval()


def test_units_are_read_with_the_question_and_the_instruction() -> None:
    units = UnitsOf.of(parse(DOCUMENTS))
    assert units.texts == [
        *("The pump is quiet.", "It costs 44 euros."),
        *("The harbour opens at seven.", "Dogs stay on a lead."),
    ]
    assert units.part_of == [0, 0, 1, 1] and units.part_index == [1, 2]
    assert units.questions == ["When does the harbour open?"]
    assert units.instructions == ["Answer from the documents."]
    assert units.parts[1].startswith("Document 2: The harbour")


@pytest.mark.parametrize("join", ["\n", " ", "\n\n"])
def test_each_of_several_questions_is_read_alone(join: str) -> None:
    asked = ("When does the harbour open?", "What does the pump cost?")
    head = DOCUMENTS[: DOCUMENTS.index("Question:")]
    assert UnitsOf.of(parse(head + join.join(asked))).questions == list(asked)


def test_every_token_of_a_unit_points_to_it() -> None:
    prompt = parse(DOCUMENTS)
    units = UnitsOf.of(prompt)
    for i, u in enumerate(units.units):
        inside = range(prompt.units[u].first, prompt.units[u].last)
        assert {units.unit_of[token] for token in inside} == {i}
    assert sum(place >= 0 for place in units.unit_of) == sum(
        prompt.units[u].last - prompt.units[u].first for u in units.units
    )


def test_a_record_is_read_whole() -> None:
    units = UnitsOf.of(
        parse('Days:\n\n[{"day": "Monday", "min": 3}, {"day": "Tuesday", "min": -1}]\n\nWhen is it cold?')
    )
    assert units.texts == ['{"day": "Monday", "min": 3}', '{"day": "Tuesday", "min": -1}']


def test_of_a_prompt_that_only_tells_the_instruction_is_read() -> None:
    units = UnitsOf.of(parse("Translate the text to German. Do not translate product names. Keep line breaks."))
    assert len(units.texts) == 3 and units.questions == []


def predict_for(
    text: str, tokens: bool, budget: float = 0.5, granularity: str = "token"
) -> tuple[HierarchicalPredict, int]:
    prompt = parse(text)
    units = UnitsOf.of(prompt)
    encoder = tiny_encoder()
    relevance = Relevance.of(encoder, units.texts, units.part_of, units.parts, units.questions, units.instructions)
    base = (
        (lambda states: Prediction(torch.arange(len(states)).float(), torch.ones(len(prompt.parts))))
        if tokens
        else None
    )
    return HierarchicalPredict(PieceSet.of(prompt, granularity), units, relevance, head_of(), base, budget), len(prompt)


def test_a_unit_says_the_same_for_all_of_its_tokens_and_sees_what_is_decided() -> None:
    predict, n = predict_for(DOCUMENTS, tokens=False)
    open_ = predict(torch.full((n,), MASK))
    prompt, units = parse(DOCUMENTS), UnitsOf.of(parse(DOCUMENTS))
    for u in units.units:
        unit = prompt.units[u]
        assert len(set(open_.tokens[unit.first : unit.last].tolist())) == 1
        assert open_.units is not None and open_.units[u] == open_.tokens[unit.first]
    states = torch.full((n,), MASK)
    first = prompt.units[units.units[0]]
    for state in (KEEP, DROP):
        states[first.first : first.last] = state
        assert not torch.equal(predict(states).tokens, open_.tokens)
    assert open_.parts.shape == (len(prompt.parts),)


def test_demonstrations_are_the_token_denoisers_and_units_are_thinned_by_it() -> None:
    predict, n = predict_for(FEW_SHOT, tokens=True)
    assert torch.equal(predict(torch.full((n,), MASK)).tokens, torch.arange(n).float())
    predict, n = predict_for(DOCUMENTS, tokens=True)
    found, units = predict(torch.full((n,), MASK)), UnitsOf.of(parse(DOCUMENTS))
    for u in units.units:
        unit = parse(DOCUMENTS).units[u]
        inside = found.tokens[unit.first : unit.last]
        assert found.units is not None
        torch.testing.assert_close(inside.mean(), found.units[u])
        assert inside.tolist() == sorted(inside.tolist()) and len(set(inside.tolist())) == len(inside)


def test_the_token_denoiser_reads_only_what_it_has_to() -> None:
    assert needs_tokens(parse(FEW_SHOT), "unit") and needs_tokens(parse(DOCUMENTS), "token")
    assert not needs_tokens(parse(DOCUMENTS), "unit")


# --- checkpoints -------------------------------------------------------------------------------------------


def test_a_unit_head_is_saved_with_its_checkpoint_and_changes_its_id(tmp_path: Path) -> None:
    made, head = tiny_checkpoint(), head_of()
    plain = save_checkpoint(tmp_path / "plain", made.denoiser, made.collator.tokenizer, {})
    both = save_checkpoint(tmp_path / "both", made.denoiser, made.collator.tokenizer, {}, unit_head=head)
    back = load_checkpoint(tmp_path / "both")
    assert back.id == both != plain and load_checkpoint(tmp_path / "plain").unit_head is None
    assert back.unit_head is not None and back.unit_head.config == head.config
    for name, weight in head.state_dict().items():
        assert torch.equal(back.unit_head.state_dict()[name], weight)


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_unit_head_is_refused(tmp_path: Path, damage: str) -> None:
    made = tiny_checkpoint()
    save_checkpoint(tmp_path / "a", made.denoiser, made.collator.tokenizer, {}, unit_head=head_of())
    file = tmp_path / "a" / UNITS
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9] if damage == "cut" else b"x" * 99)
    with pytest.raises(InputError, match=f"damaged or incomplete: {UNITS}"):
        load_checkpoint(tmp_path / "a")


# --- the real flow -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Compressor:
    return Compressor.load(device="cpu")


def test_the_shipped_model_keeps_the_sentence_that_answers(shipped: Compressor) -> None:
    for question, answer, other in (
        ("When does the harbour open?", "opens at seven", "44 euros"),
        ("How many euros is the pump?", "44 euros", "opens at seven"),
        ("Wann öffnet der Hafen?", "opens at seven", "44 euros"),
    ):
        text = DOCUMENTS.replace("When does the harbour open?", question)
        result = shipped.compress(text, 0.65)
        assert answer in result.text and other not in result.text and question in result.text


def test_the_same_request_gives_the_same_trace(shipped: Compressor) -> None:
    runs = [shipped.run(CompressRequest(DOCUMENTS, 0.5)).trace for _ in range(2)]
    assert runs[0] == runs[1] and runs[0].steps[0].units


def test_the_papers_method_has_no_unit_level(shipped: Compressor) -> None:
    """It asks the token denoiser alone."""
    assert shipped.compress(DOCUMENTS, 0.5, **PAPER).trace.steps[0].units == ()


@pytest.mark.parametrize(("question", "ahead"), [("", GUARD), ("\n\nQuestion: How fast may it go?\nAnswer:", 0.0)])
def test_guards_come_first_where_nobody_asks(question: str, ahead: float) -> None:
    text = "Summarise the notes.\n\nThe lift is blue. It must not carry horses. It is in the tower." + question
    predict, n = predict_for(text, tokens=False)
    states = torch.full((n,), MASK)
    with_bonus = predict(states).units
    predict.bonus = torch.zeros_like(predict.bonus)
    without = predict(states).units
    assert with_bonus is not None and without is not None
    guards = [u for u, unit in enumerate(parse(text).units) if unit.guard]
    (guard,) = guards
    gained = {u: float(with_bonus[u] - without[u]) for u, unit in enumerate(parse(text).units) if unit.leaf}
    if not ahead:
        assert not any(gained.values())
    assert gained.pop(guard) >= max(gained.values()) + ahead / 4


def test_units_of_a_long_conversation_are_judged_with_their_neighbours() -> None:
    quiet = torch.full((10 * TOPICS,), -4.0)
    talk = quiet.clone()
    talk[100:140:2] = 1.0  # every other unit of a stretch
    judged = along_turns(talk)
    assert judged[101:139].min() > judged[200:].max() + 1
    needle = quiet.clone()
    needle[300] = 6.0
    assert along_turns(needle).argmax() == 300 and along_turns(needle)[300] == 5.0
    short = torch.randn(TOPICS - 1)
    assert torch.equal(along_turns(short), short)


# --- length ------------------------------------------------------------------------------------------------


def test_the_sure_share_is_the_least_that_holds_what_is_needed() -> None:
    pieces = PieceSet.of(parse("One two three. Four five. Six seven. Eight."))
    scores = [-3.0, 2.0, 0.5, -4.0]
    likely = [1 / (1 + math.exp(-score)) for score in scores]
    for sure in (0.1, 0.5, 0.9, 0.95, 0.99):
        share = sure_share(pieces, scores, sure)
        kept = fill(pieces, scores, round(share * sum(pieces.price)))
        assert sum(likely[p] for p in kept) >= sure * sum(likely)
        least = sum(likely[p] for p in kept) - min(likely[p] for p in kept)
        assert least < sure * sum(likely)


def test_a_sentence_too_long_for_the_budget_is_thinned_and_no_other() -> None:
    long = "The red pump in the old cellar of the north house stops after 40 minutes on most of the cold days."
    prompt = parse(f"{long} It rains.\n\nThe cat sleeps.\n\nWhen does the pump stop?")
    compressor = Compressor.load()
    short = compressor.compress(prompt, 0.7)
    assert short.request.pieces.thin and "40 minutes" in short.text and "It rains" not in short.text
    assert long not in short.text and not short.verdict.fragments
    assert not compressor.compress(prompt, 0.9).request.pieces.thin
    assert not compressor.compress(prompt, 0.7, least=0.0).request.pieces.thin


def test_auto_keeps_what_answers_and_little_else() -> None:
    documents = [
        "The harbour of Brevik has three cranes. They were built in 1962.",
        "Parcels to Norway take five days. Orders before noon leave the same day.",
        "The shop was founded by two sisters. It moved to the harbour later.",
        "Our cafe opens at eight. Its bread comes from the mill in Fossum.",
    ]
    text = "\n\n".join([*documents, "Question: How long does a parcel to Norway take?"])
    short = Compressor.load().compress(text, AUTO)
    assert "five days" in short.text and short.retention < 0.6
    assert short.retention <= (short.verdict.asked or 0) + 1e-9
    surer = Compressor.load().compress(text, AUTO, sure=0.9999)
    assert surer.retention > short.retention
    few = Compressor.load().compress("Q: 1+1?\nA: 2\n\nQ: 2+2?\nA: 4\n\nQ: 3+3?\nA: 6\n\nQ: 3+4?\nA:", AUTO)
    assert few.retention <= 0.5
    with pytest.raises(InputError, match="auto"):
        Compressor.load().compress(text, "half")


# --- code --------------------------------------------------------------------------------------------------

CODE = """Why can a deactivated user log in?

```python
import time

class Store:
    def remove(self, name):
        user = self.users.get(name)
        user["active"] = False
        return True

    def login(self, name, password):
        user = self.users.get(name)
        if not user:
            return None
        return check(user, password)

def report(store):
    rows = sorted(store.users)
    return "\\n".join(rows)
```

Answer in two sentences."""


@pytest.mark.parametrize("retention", [0.6, 0.7, 0.8, 0.9])
def test_a_short_function_stays_or_goes_whole(retention: float) -> None:
    short = Compressor.load().compress(CODE, retention)
    functions = re.findall(r"( *)def (\w+).*\n((?:\1 .*\n)+)", CODE)
    assert len(functions) == 3
    for indent, name, body in functions:
        kept = [line for line in body.splitlines() if line in short.text]
        assert f"{indent}def {name}" not in short.text or len(kept) == len(body.splitlines())


def test_what_the_instruction_asks_is_the_question_where_the_last_paragraph_only_says_how_to_answer() -> None:
    assert UnitsOf.of(parse(CODE)).questions == ["Why can a deactivated user log in?"]
    asked = CODE.replace("Answer in two sentences.", "When was it written?")
    assert UnitsOf.of(parse(asked)).questions == ["When was it written?"]


def test_a_function_too_long_for_the_budget_is_read_and_decided_by_its_lines() -> None:
    code = "```python\ndef f(a):\n" + "".join(f"    b{i} = a + {i}\n" for i in range(30)) + "```\n\nWhat is b7?"
    short = Compressor.load().compress(code, 0.5)
    assert short.request.pieces.thin and 0.3 < short.retention <= 0.5
    assert set(short.text.splitlines()) <= set(code.splitlines())


# --- orders and wishes -------------------------------------------------------------------------------------

NEWS = """The town of Fossum voted on Tuesday to close its last open-air swimming pool after 62 years. The council \
said repairs would cost 4.1 million kroner, more than twice the yearly budget for sports. "Nobody wants this," said \
mayor Liv Dahl. About two hundred people stood outside of the town hall with towels and rubber ducks. Some sang. The \
pool was built in 1963 by volunteers of the paper mill. It lost 38,000 litres of water a day through cracks last \
summer. A group of parents has offered to raise a third of the money by spring. Another pool lies in Brevik."""


@pytest.mark.parametrize("text", [f"Summarise this.\n\n{NEWS}", f"{NEWS}\n\nTL;DR:", NEWS])
def test_of_a_text_as_a_whole_the_first_sentences_lead(text: str) -> None:
    short = Compressor.load().compress(text, 0.45)
    assert "voted on Tuesday" in short.text and "Some sang" not in short.text


def test_what_the_asker_has_said_counts_in_a_conversation() -> None:
    talk = """User: We plan a trip to Lisbon in May with two kids.
Assistant: How lovely! May is a great time to go there.
User: My wife does not eat fish, and our budget is 3,000 euros.
Assistant: Noted. Tram 28 is famous, but the 24 is quieter.
User: Please make a plan for three days."""
    short = Compressor.load().compress(talk, 0.7)
    assert "My wife does not eat fish" in short.text and "How lovely" not in short.text


def test_demonstrations_do_not_win_against_the_document_that_answers() -> None:
    text = "\n\n".join(
        ["Answer as the examples do.", "# Examples", "Q: When do you open?\nA: At 8.", "Q: Do you sell pumps?\nA: Yes."]
        + ["# Faults", "- Askoy: the fibre is cut, repaired at 15:00.", "- Voss: slow because of an upgrade."]
        + ["Q: When is Askoy repaired?\nA:"]
    )
    short = Compressor.load().compress(text, 0.75)
    assert "repaired at 15:00" in short.text


TALK = (
    "Customer: Hello, are you there?\nAgent: Sure, go ahead.\nCustomer: The boiler in Tromso broke on Friday.\n"
    "Agent: Oh no, what now?\nCustomer: The plumber wants 900 euros before Monday noon.\nAgent: Thanks a lot!\n"
)


def test_of_a_talk_what_tells_most_stays(shipped: Compressor) -> None:
    kept = shipped.compress(f"{TALK}\nSummarise the conversation.", 0.6).text
    assert "Tromso" in kept and "900 euros" in kept and "Thanks" not in kept


def test_short_names_of_data_stand_for_long_ones(shipped: Compressor) -> None:
    days = zip("Mon Tue Wed Thu Fri Sat Sun".split(), (3, 5, 9, 2, 7, 8, 4), strict=True)
    table = "day,high,rain\n" + "\n".join(f"{day},{high},{high * 2}" for day, high in days)
    assert "Thu,2,4" in shipped.compress(f"{table}\n\nHow warm does it get on Thursday?", 0.4).text


def test_a_question_needs_no_mark() -> None:
    assert UnitsOf.of(parse("Text: It rains.\n\nQuestion: where does it rain\nAnswer:")).has_question
    assert not UnitsOf.of(parse("It rains.\n\nSummarise the text.")).has_question


def test_rules_come_first_where_a_prompt_is_all_instruction(shipped: Compressor) -> None:
    told = "You work for an airline.\n- Never promise a refund.\n- Be kind.\n- Say hello.\n- Like planes."
    assert "Never promise a refund." in shipped.compress(f"{told}\n\nClient: Where is my bag?", 0.85).text


def test_an_answer_may_take_more_than_was_asked_and_the_verdict_says_so(shipped: Compressor) -> None:
    text = (
        "It rains. The old mill on the river Ouse was built by the miller John Hart in 1762. Hm.\n\nWho built the mill?"
    )
    short = shipped.compress(text, 0.6)
    assert "John Hart" in short.text and short.retention > 0.6 and "nothing that may answer" in short.warnings[0]
    assert shipped.compress(text, target_tokens=15).retention <= 15 / len(short.prompt)
