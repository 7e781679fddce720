"""What parts are for, as people write prompts: with labels, tags, headings or nothing, in many languages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from model.errors import InputError
from model.prompt import Prompt, parse
from model.prompt.tagged import parse_tagged
from tests.support.prompts import prompts

IN, D, C, T, K, A, Q, X = "instruction", "demonstration", "document", "turn", "code", "data", "question", "text"
Parts = list[tuple[str, str]]


def parts(prompt: Prompt) -> Parts:
    return [(part.role, prompt.text[part.start : part.end]) for part in prompt.parts]


# In each, the parts of a prompt with their roles; joined they are the prompt.
CASES: dict[str, Parts] = {
    "numbered documents": [
        (IN, "Answer from the documents. Name the document.\n\n"),
        (C, "Document 1: Opening hours. The office opens at 07:00.\n\n"),
        (C, "Document 2: Fees. A berth costs 22 euros.\n\n"),
        (Q, "Question: What does a berth cost?\nAnswer:"),
    ],
    "documents in brackets": [
        (IN, "You are a support assistant. Cite the number.\n\n"),
        (C, "[Document 1] Refunds\nWithin 14 days. Not later.\n\n"),
        (C, "[Document 2] Plans\nYou can upgrade at any time.\n\n"),
        (Q, "How do I upgrade?"),
    ],
    "context and question": [
        (IN, "Use only the context below.\n\n"),
        (C, "Context: The pump is quiet. It weighs 3 kg.\n\n"),
        (Q, "Question: How heavy is the pump?\nAnswer:"),
    ],
    "question first": [
        (Q, "Question: Who built the pier?\n\n"),
        (C, "Context: The pier was built by Ann. It has stood since 1871.\n\n"),
        (Q, "Answer:"),
    ],
    "tags": [
        (IN, "<instructions>\nQuote the source.\n</instructions>\n\n"),
        (C, '<documents>\n<document index="1">\nLeave is 28 days.\n</document>\n'),
        (C, '<document index="2">\nIt expires on 31 March.\n</document>\n</documents>\n\n'),
        (Q, "<question>When does leave expire?</question>"),
    ],
    "examples in tags": [
        (IN, "Classify the ticket.\n\n"),
        (D, "<examples>\n<example>\nTicket: charged twice\nLabel: billing\n</example>\n"),
        (D, "<example>\nTicket: it crashes\nLabel: bug\n</example>\n</examples>\n\n"),
        (Q, "Ticket: How do I export?\nLabel:"),
    ],
    "headings of a system prompt": [
        (IN, "You are Atlas, an agent.\n\n# Rules\n- Never print secrets.\n\n# Format\nReply in JSON.\n\n"),
        (D, "# Example\nUser: it is slow\nAssistant: I look at the logs.\n\n"),
        (Q, "User: it is down\nAssistant:"),
    ],
    "headings of a document": [
        (IN, "Summarise the report in five points.\n\n"),
        (C, "# Report\n\n## Revenue\nIt rose by 12 %.\n\n"),
        (C, "## Risks\nThe lease ends in 2026."),
    ],
    "all instruction": [
        (IN, "# Role\nYou are an analyst.\n\n"),
        (IN, "# Rules\n- Never invent numbers.\n- Use SQL only.\n\n"),
        (IN, "# Output\nReturn one query."),
    ],
    "instruction in paragraphs": [
        (IN, "Please analyse the figures.\nFocus on debt.\n\nAlways answer in English. Do not guess.")
    ],
    "fence": [
        (IN, "Explain why this fails.\n\n"),
        (K, "```python\n# Question: why?\n## Answer: none\ndef f():\n    return 1\n```\n\n"),
        (Q, "What is wrong?"),
    ],
    "json": [(A, '[{"id": 1, "ok": true}, {"id": 2, "ok": false}]\n\n'), (Q, "Which one is ok?")],
    "table": [(Q, "Which plan is free?\n\n"), (A, "| Plan | Price |\n|---|---|\n| Free | $0 |\n| Team | $12 |")],
    "log": [
        (IN, "Find the root cause.\n\n"),
        (A, "2025-06-03T10:00:01Z INFO up\n2025-06-03T10:00:05Z WARN slow\n2025-06-03T10:00:09Z ERROR down\n\n"),
        (Q, "Answer in one sentence."),
    ],
    "diff": [(IN, "Review this change.\n\n"), (K, "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3")],
    "rules of dashes": [
        (IN, "Rewrite the text.\n---\n"),
        (X, "The party shall pay.\n---\n"),
        (Q, "Keep it under 50 words."),
    ],
    "transcript": [
        (T, "[00:00:12] Ann: Shall we move it?\n"),
        (T, "[00:00:15] Ben: I would rather not.\n"),
        (T, "[00:00:21] Ann: What about Friday?\n"),
        (T, "[00:00:25] Cid: Friday works.\n\n"),
        (Q, "Summarise the decision."),
    ],
    "times behind names": [
        (T, "Ann (10:02): Did it ship?\n"),
        (T, "Ben (10:03): Not yet.\n"),
        (T, "Ann (10:05): When will it?\n"),
        (T, "Ben (10:06): Tomorrow.\n\n"),
        (Q, "Q: When will it ship?"),
    ],
    "chat with an open line": [
        (IN, "System: You are a bot. Never share links.\n"),
        (T, "User: My printer does not print.\n"),
        (T, "Assistant: Is it on?\n"),
        (T, "User: Yes, it is.\n"),
        (T, "Assistant: Which model is it?\n"),
        (Q, "User: A Kestrel P-20.\n"),
        (Q, "Assistant:"),
    ],
    "chat in which only the user asks at last": [
        (IN, "System: You help travellers. Never book anything.\n"),
        (T, "User: I would like a trip for a day.\n"),
        (T, "Assistant: By the coast or in the hills? Both are near.\n"),
        (T, "User: In the hills. I have 60 euros.\n"),
        (T, "Assistant: The valley is 28 euros return. The park has a trail of 4 km.\n"),
        (Q, "User: Which of the two fits?"),
    ],
    "clauses with titles, some of which sound like orders": [
        (IN, "Summarise the duties below.\n\n"),
        (X, "1. Use. The flat is a dwelling only. Pets are not allowed.\n2. Rent. It is paid on the first, no later."),
    ],
    "something added behind data": [
        (Q, "Which flights can I still take?\n\n"),
        (A, '{"flights": [{"to": "Bergen", "at": "15:05"}, {"to": "Oslo", "at": "16:10"}]}\n\n'),
        (Q, "I am going to Bergen."),
    ],
    "chat of three turns": [
        (IN, "Be kind.\n\n"),
        (T, "User: I lost my card.\n"),
        (T, "Assistant: Which bank is it with?\n"),
        (Q, "User: Nordbank, since noon."),
    ],
    "demonstrations that look like a chat": [
        (D, "User: great film\nAssistant: positive\n"),
        (D, "User: what a bore\nAssistant: negative\n"),
        (Q, "User: fine\nAssistant:"),
    ],
    "answers without a label in front": [
        (D, "The team won again.\nTopic: sports\n\n"),
        (D, "Shares fell sharply.\nTopic: business\n\n"),
        (Q, "The chip is fast.\nTopic:"),
    ],
    "ChatML": [
        (IN, "<|im_start|>system\nYou are helpful.<|im_end|>\n"),
        (T, "<|im_start|>user\nHi.<|im_end|>\n"),
        (T, "<|im_start|>assistant\nHello.<|im_end|>\n"),
        (Q, "<|im_start|>user\nHow are you?<|im_end|>\n"),
        (Q, "<|im_start|>assistant\n"),
    ],
    "Llama": [
        (IN, "<|start_header_id|>system<|end_header_id|>\n\nAnswer briefly.<|eot_id|>"),
        (C, "<|start_header_id|>user<|end_header_id|>\n\nDocument 1: It left at 08:00.\n\n"),
        (C, "Document 2: It came at 22:30.\n\n"),
        (Q, "When did it leave?<|eot_id|>"),
        (Q, "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    ],
    "INST": [
        (IN, "<s>[INST] <<SYS>>\nAnswer briefly.\n"),
        (T, "<</SYS>>\n\nThe capital of France? "),
        (T, "[/INST] Paris. </s><s>"),
        (Q, "[INST] And of Spain? "),
        (Q, "[/INST]"),
    ],
    "Gemma": [
        (T, "<start_of_turn>user\nHi.<end_of_turn>\n"),
        (T, "<start_of_turn>model\nHello.<end_of_turn>\n"),
        (Q, "<start_of_turn>user\nHow are you?<end_of_turn>\n"),
        (Q, "<start_of_turn>model\n"),
    ],
    "mails": [
        (C, "From: ann@example.com\nTo: ben@example.com\nSubject: Delivery\n\nIt comes on Friday.\n\n"),
        (C, "From: ben@example.com\nTo: ann@example.com\nSubject: Re: Delivery\n\nThank you.\n\n"),
        (Q, "Write a reply to Ben."),
    ],
    "article without a task": [(X, "The pier was built in 1871.\n\n"), (X, "A storm had destroyed the wooden one.")],
    "colon at the end": [
        (IN, "Translate the text to German.\n\n"),
        (X, "The pump is quiet. Never run it dry.\n\n"),
        (Q, "Translation:"),
    ],
    "in one line": [(IN, "Summarise the following article: "), (X, "The pier is old. " * 30)],
    "template": [
        (IN, "Answer the question using the context.\n\n"),
        (C, "Context: {context}\n\n"),
        (C, "History: {{chat_history}}\n\n"),
        (Q, "Question: {question}\nAnswer in {language} with at most {n} words."),
    ],
    "German": [
        (IN, "Beantworte die Frage anhand der Texte. Rate nicht.\n\n"),
        (C, "Text 1: Das Büro öffnet um 9 Uhr.\n\n"),
        (C, "Text 2: Das Parken kostet 3 EUR.\n\n"),
        (Q, "Frage: Wann öffnet das Büro?"),
    ],
    "French": [
        (IN, "Vous êtes un assistant. Ne proposez jamais de remboursement.\n\n"),
        (X, "Bonjour, mon dossier est VX-88213. Je ne peux pas partir.\n\n"),
        (Q, "Réponse :"),
    ],
    "Spanish": [
        (IN, "Responde según el texto.\n\n"),
        (C, "Texto: La biblioteca cierra los lunes.\n\n"),
        (Q, "Pregunta: ¿Qué día cierra?"),
    ],
    "Portuguese": [
        (IN, "Responda com base no contexto.\n\n"),
        (C, "Contexto: A biblioteca fecha às segundas.\n\n"),
        (Q, "Pergunta: A biblioteca abre na segunda?\nResposta:"),
    ],
    "Dutch": [
        (IN, "Je bent een keukenhulp. Gebruik alleen de lijst.\n\n"),
        (C, "Voorraad:\n* 2 uien\n* 1 kg aardappelen\n\n"),
        (Q, "Wat kan ik koken?"),
    ],
    "Polish": [
        (IN, "Przetłumacz tekst na angielski.\n\n"),
        (C, "Tekst: Firma nie zwraca kosztów.\n\n"),
        (Q, "Tłumaczenie:"),
    ],
    "Russian": [
        (IN, "Ответь на вопрос по документам.\n\n"),
        (C, "Документ 1: Музей закрыт в понедельник.\n\n"),
        (C, "Документ 2: Билет стоит 500 руб.\n\n"),
        (Q, "Вопрос: Сколько стоит билет?"),
    ],
    "Turkish": [(IN, "Aşağıdaki metni özetleyin. Ad yazmayın.\n\n"), (X, "Toplantı 14 Mart 2024 tarihinde yapıldı.")],
    "Arabic": [
        (IN, "أجب عن السؤال بالاعتماد على النص.\n\n"),
        (C, "النص: يفتح المتحف يوم الثلاثاء.\n\n"),
        (Q, "السؤال: متى يفتح المتحف؟"),
    ],
    "Hindi": [
        (IN, "दस्तावेज़ के आधार पर उत्तर दें।\n\n"),
        (C, "दस्तावेज़: पुस्तकालय सोमवार को बंद रहता है।\n\n"),
        (Q, "प्रश्न: पुस्तकालय कब बंद रहता है?"),
    ],
    "Thai": [
        (IN, "อ่านเอกสารแล้วตอบคำถาม\n\n"),
        (C, "เอกสาร: ห้องสมุดปิดทุกวันจันทร์\n\n"),
        (Q, "คำถาม: ห้องสมุดเปิดวันจันทร์ไหม"),
    ],
    "Chinese": [
        (IN, "你是客服助手。请根据资料回答。\n\n"),
        (C, "资料一：图书馆周一闭馆。\n\n"),
        (C, "资料二：周末九点开放。\n\n"),
        (Q, "问题：周一开门吗？"),
    ],
    "Chinese demonstrations": [
        (IN, "判断情感。\n\n"),
        (D, "评论：很好吃。\n情感：正面\n\n"),
        (D, "评论：等了很久。\n情感：负面\n\n"),
        (Q, "评论：还可以。\n情感："),
    ],
    "Japanese": [
        (IN, "以下の議事録を読んで質問に答えてください。\n\n"),
        (C, "田中：移行は火曜日に行います。\n\n"),
        (C, "佐藤：変更しないでください。\n\n"),
        (Q, "質問：移行はいつですか"),
    ],
    "Korean": [
        (IN, "다음 문서를 읽고 질문에 답하세요.\n\n"),
        (C, "문서: 도서관은 월요일에 쉽니다.\n\n"),
        (Q, "질문: 월요일에 이용할 수 있나요"),
    ],
}


@pytest.mark.parametrize("expected", CASES.values(), ids=CASES.keys())
def test_parts(expected: Parts) -> None:
    assert parts(parse("".join(text for _, text in expected))) == expected


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("fence", "```\nQuestion: a\nAnswer: b\n\nQuestion: c\n# Head\n```"),
        ("json", '{\n  "Question": "a",\n  "Answer": "b"\n}'),
        ("log", "10:00:01 INFO Question: a\n10:00:02 INFO Answer: b\n10:00:03 INFO Question: c"),
        ("table", "| Question: a | b |\n|---|---|\n| Answer: c | d |\n| Question: e | f |"),
    ],
)
def test_nothing_inside_code_or_data_opens_a_part(kind: str, block: str) -> None:
    found = parts(parse(f"Look at this.\n\n{block}\n\nIs it right?"))
    assert [role for role, _ in found][0::2] == [IN, Q] and found[1][1].strip() == block


@settings(max_examples=150, deadline=None)
@given(prompts)
def test_parts_lie_end_to_end(text: str) -> None:
    prompt = parse(text)
    assert "".join(part for _, part in parts(prompt)) == text
    assert all(part.first < part.last and part.start <= part.head <= part.end for part in prompt.parts)
    assert [token.part for token in prompt.tokens] == prompt.part_of == [
        i for i, part in enumerate(prompt.parts) for _ in range(part.first, part.last)
    ]  # fmt: skip


# --- what the caller says ---


def test_named_parts_and_units() -> None:
    text = "Be kind. One is here. Two is there. Three."
    prompt = parse(text, parts=[(0, 9, IN), (22, 36, C)], units=[(22, 36, True)])
    assert parts(prompt) == [(IN, "Be kind. "), (X, "One is here. "), (C, "Two is there. "), (X, "Three.")]
    assert [text[u.start : u.end] for u in prompt.units if u.kind == "unit" and u.whole] == ["Two is there. "]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"parts": [(0, 99, X)]}, "outside the prompt"),
        ({"parts": [(3, 3, X)]}, "is empty"),
        ({"parts": [(4, 6, X), (0, 2, X)]}, "out of order"),
        ({"parts": [(0, 3, "header")]}, "no role 'header'"),
        ({"units": [(5, 2, True)]}, "not a stretch"),
    ],
)
def test_named_parts_and_units_are_checked(named: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse("one two", **named)  # type: ignore[arg-type]


def test_tags_of_llmlingua_name_parts_and_wishes() -> None:
    tagged = (
        "Answer.\n\n<llmlingua, rate=0.3, compress=True>Document 1: A b.\n\nDocument 2: C d.</llmlingua>\n\n"
        "<llmlingua, compress=False>Why?</llmlingua> <llmlingua>x</llmlingua>"
    )
    prompt, wishes = parse_tagged(tagged)
    assert "llmlingua" not in prompt.text
    assert [(text.strip(), wish.rate, wish.whole) for (_, text), wish in zip(parts(prompt), wishes, strict=True)] == [
        ("Answer.", None, False),
        ("Document 1: A b.", 0.3, False),
        ("Document 2: C d.", 0.3, False),
        ("Why?", None, True),
        ("x", None, False),
    ]


@pytest.mark.parametrize(
    "tagged",
    [
        "<llmlingua>a",
        "a</llmlingua>",
        "<llmlingua, rate=0.4 a",
        "<llmlingua, rate=2>a</llmlingua>",
        "<llmlingua, rate=nan>a</llmlingua>",
        "<llmlingua, size=1>a</llmlingua>",
        "<llmlingua, compress=no>a</llmlingua>",
        "<llmlingua>a<llmlingua>b</llmlingua></llmlingua>",
    ],
)
def test_malformed_tags_are_one_clear_line(tagged: str) -> None:
    with pytest.raises(InputError, match="llmlingua") as error:
        parse_tagged(tagged)
    assert "\n" not in str(error.value)


def test_a_question_behind_lines_of_talk_is_no_speaker() -> None:
    talk = "Mira: It rains, so we meet in the hall.\nJon: I have tuned the piano, too.\n" * 2
    roles = [part.role for part in parse(f"Read the call.\n\n{talk}\nQuestion: Where do we meet?").parts]
    assert roles[0] == "instruction" and roles[-1] == "question" and set(roles[1:-1]) == {"turn"}
    blocks = "".join(
        f"Text: The hall number {i} is quite large today.\nMood: rather calm, I think\n\n" for i in range(3)
    )
    roles = [part.role for part in parse(f"Name the mood.\n\n{blocks}Text: It rains.\nMood:").parts]
    assert roles == ["instruction", *["demonstration"] * 3, "question"]


PASSAGES = (
    "[1] The Atacama lies in Chile. It hardly rains.\n[2] Lake Baikal holds fresh water. It is 1,642 metres deep."
)


@pytest.mark.parametrize(
    "asked", ["Q: how deep is lake baikal\nA:", "Q: How deep is Lake Baikal?\nA:", "How deep is it?"]
)
def test_numbered_passages_are_what_is_asked_about(asked: str) -> None:
    prompt = parse(f"{PASSAGES}\n\n{asked}")
    last = prompt.parts[-1]
    assert last.role == "question" and prompt.text[last.start : last.end] == asked
    assert {part.role for part in prompt.parts[:-1]} <= {"text", "document"}
