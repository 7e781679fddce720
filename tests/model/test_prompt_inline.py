"""Tasks and questions that share a paragraph with their text, and sections of agents' prompts."""

from __future__ import annotations

import pytest

from model.prompt import parse

# --- a task and a text in one paragraph --------------------------------------------------------------------

HARBOUR = (
    "The harbour of Brevik was built in 1862. It has three cranes, and two of them are still in use. "
    "Every summer a festival draws thousands of visitors. The old customs house is now a museum."
)
HAFEN = (
    "Der Hafen von Brevik wurde 1862 gebaut. Er hat drei Kräne, von denen zwei noch benutzt werden. "
    "Jeden Sommer zieht ein Fest Tausende an. Das alte Zollhaus ist heute ein Museum."
)
GANGKOU = "布雷维克港建于1862年。港口有三台起重机，其中两台仍在使用。每年夏天都有成千上万的游客来参加节日活动。" * 3


@pytest.mark.parametrize(
    ("text", "role", "said"),
    [
        (f"Summarise the text in one sentence. {HARBOUR}", "instruction", "Summarise the text in one sentence."),
        (f"Summarize: {HARBOUR}", "instruction", "Summarize:"),
        (f"Summarise the article:\n\n{HARBOUR}\n{HARBOUR}", "instruction", "Summarise the article:"),
        (f"Translate to German: {HARBOUR}", "instruction", "Translate to German:"),
        (f"Fasse zusammen: {HAFEN}", "instruction", "Fasse zusammen:"),
        (f"总结：{GANGKOU}", "instruction", "总结："),
        (f"{HARBOUR} When was the harbour built?", "question", "When was the harbour built?"),
        (f"{HAFEN} Wann wurde der Hafen gebaut?", "question", "Wann wurde der Hafen gebaut?"),
        (f"{GANGKOU}港口是哪一年建的？", "question", "港口是哪一年建的？"),
        (f"{HARBOUR} Please summarise this in one sentence.", "question", "Please summarise this in one sentence."),
        (f"What is wrong with this text? {HARBOUR}", "question", "What is wrong with this text?"),
    ],
)
def test_what_is_told_or_asked_in_the_paragraph_of_a_text_is_told_apart(text: str, role: str, said: str) -> None:
    parts = [(part.role, text[part.start : part.end].strip()) for part in parse(text).parts]
    assert (role, said) in parts
    assert [role for role, _ in parts if role != "text"] == [role]


@pytest.mark.parametrize("text", [HARBOUR, f"Review: {HARBOUR}\nSentiment:", f"{HARBOUR}\n\n{HARBOUR}\n\n{HARBOUR}"])
def test_a_text_that_tells_nobody_anything_has_no_instruction(text: str) -> None:
    assert all(part.role != "instruction" for part in parse(text).parts)


AGENT = """You are Kestrel, the support agent of a network.

# Background
The company sells fibre lines to homes in Vestland. It was founded in 2004 in Bergen and has 180 employees.

# Rules
- Never promise a refund. Offer to open a ticket instead.
- Answer in the language of the customer.

# Tools
- lookup_customer(phone): returns name and address
- check_line(customer_id): measures the line

# Examples
Customer: My internet is slow.
Kestrel: May I have your phone number?

Customer: When do you open?
Kestrel: At 8 on weekdays.

# Known faults today
- Askoy: fibre cut since 09:20.
- Voss: slow because of an upgrade.

Customer: My line is down. When is it up again?
Kestrel:"""


def test_sections_of_an_agents_prompt() -> None:
    roles = [part.role for part in parse(AGENT).parts]
    assert roles == [
        *("instruction", "document", "instruction", "instruction"),
        *("demonstration", "demonstration", "document", "question"),
    ]


def test_of_several_paragraphs_alike_the_first_is_no_instruction() -> None:
    text = "\n\n".join(
        ["The mill stands by the river.", "The cafe sells bread from it.", "The harbour lies west.", "Who?"]
    )
    assert [part.role for part in parse(text).parts] == ["text", "text", "text", "question"]
