"""Prompts of the kinds that people compress, in many domains and languages, with what must survive."""

from __future__ import annotations

from pathlib import Path

from tests.support.case_rules import Case

GREENHOUSE = (
    "Bay 1: Tomatoes were planted on 3 March and need 18 degrees. They are watered twice a day. No spraying there.",
    "Bay 2: Peppers were planted on 9 March and need 22 degrees. They are watered once a day. No spraying there.",
    "Bay 3: Cucumbers were planted on 1 April and need 20 degrees. They are watered three times a day. No "
    "spraying there.",
    "Bay 4: Aubergines were planted on 5 April and need 24 degrees. They are watered every other day. No "
    "spraying there.",
    "Bay 5: Basil was planted on 12 April and needs 19 degrees. It is watered at noon. No spraying there.",
)

RULES = (
    Case(
        "system-library",
        "You are the front desk of a town library. Never tell anybody what another reader has borrowed. "
        "Fines above 20 crowns must not be waived. You can extend a loan twice. Greet in the reader's language.",
        retentions=(0.35, 0.5, 0.7),
        guards=(("borrowed", "Never"), ("waived", "not be waived"), ("waived", "20 crowns")),
    ),
    Case(
        "system-german",
        "Du bist der Assistent einer Tierarztpraxis. Stelle keine Diagnosen. Termine am Sonntag sind nicht möglich, "
        "außer bei Notfällen. Nenne Preise nur auf Nachfrage. Sei freundlich.",
        retentions=(0.35, 0.5, 0.7),
        guards=(
            ("Diagnosen", "keine Diagnosen"),
            ("möglich", "nicht möglich"),
            ("Sonntag", "außer"),
            ("Preise", "nur"),
        ),
    ),
    Case(
        "wish-menu",
        "Write a menu for a dinner of four courses in the style of a ship's log, but without pork and not in verse. "
        "Each course should have at most twelve words. The dessert must not contain nuts. Mention the captain once.",
        retentions=(0.5, 0.7),
        guards=(
            ("pork", "without pork"),
            ("verse", "not in verse"),
            ("twelve", "at most twelve"),
            ("nuts", "not contain"),
        ),
    ),
    Case(
        "rewrite-spanish",
        "Resume el siguiente aviso en una frase. No cambies las fechas.\n\n"
        "La piscina municipal abre el 14 de junio. No se permite la entrada a menores de seis años sin un adulto. "
        "El aforo es de 300 personas. Los vestuarios se han pintado de azul este año.\n\nResumen:",
        retentions=(0.5, 0.7),
        keep=("Resume el siguiente aviso en una frase.", "No cambies las fechas.", "Resumen:"),
        guards=(("menores", "No se permite"), ("menores", "sin un adulto")),
    ),
    Case(
        "agent-rules",
        "# Role\nYou keep the stock of a bakery.\n\n# Rules\n- Never order more than 40 kg of flour at once.\n"
        "- Count eggs by hand.\n- Do not contact suppliers after 18:00, unless the order is late.\n"
        "- Write quantities in metric units.\n\n# Output\nAnswer in JSON.\n\nUser: We have 12 kg of flour "
        "left. What now?",
        retentions=(0.5, 0.75),
        keep=("We have 12 kg of flour left. What now?",),
        guards=(("40 kg", "Never order more than 40 kg"), ("suppliers", "Do not contact"), ("18:00", "unless")),
    ),
    Case(
        "task-alone",
        "Compare the two attached leases for a shop.\nList rent, deposit, notice and repairs.\nSay which one "
        "is cheaper over "
        "five years.\n\nUse plain words.\nIf a figure is missing, do not invent one.",
        retentions=(0.5, 0.8),
        keep=("Compare the two attached leases",),
        guards=(("invent", "do not invent"),),
    ),
)

LANGUAGES = (
    Case(
        "korean-clinic",
        "아래 안내문을 읽고 질문에 답하세요.\n\n안내문: 치과는 수요일 오후에 쉽니다. 접수는 진료 10분 전에 마감됩니다. "
        "보호자 없이 어린이를 치료하지 않습니다. 대기실에는 그림책이 있습니다."
        "\n\n질문: 수요일 오후에 진료를 받을 수 있나요?",
        retentions=(0.6, 0.8),
        keep=("질문: 수요일 오후에 진료를 받을 수 있나요?", "아래 안내문을 읽고 질문에 답하세요."),
        guards=(("치료하지", "않습니다"),),
    ),
    Case(
        "chinese-train",
        "请根据以下资料回答问题。\n\n资料一：城东车站的售票处早上六点开门。站内不允许吸烟。候车室有热水。\n\n"
        "资料二：城西车站的售票处早上八点开门。宠物不得上车。站前有花园。\n\n问题：城西车站的售票处几点开门？",
        retentions=(0.6, 0.8),
        keep=("问题：城西车站的售票处几点开门？", "请根据以下资料回答问题。"),
        guards=(("吸烟", "不允许吸烟"), ("上车", "不得上车")),
    ),
    Case(
        "japanese-notice",
        "次のお知らせを読んで質問に答えてください。\n\n図書室は金曜日に閉まります。館内で食事をしないでください。"
        "本は二週間借りられます。入口に傘立てがあります。窓の近くに新しい机を置きました。\n\n質問：図書室はいつ閉まりますか？",
        retentions=(0.6, 0.8),
        keep=("次のお知らせを読んで質問に答えてください。", "質問：図書室はいつ閉まりますか？", "金曜日"),
        guards=(("食事", "しないで"),),
    ),
    Case(
        "arabic-hotel",
        "أجب عن السؤال من النص.\n\nيفتح المسبح في الساعة السابعة صباحا. لا يسمح بدخول الأطفال وحدهم. "
        "المطعم في الطابق الأول. الحديقة كبيرة وهادئة.\n\nالسؤال: متى يفتح المسبح؟",
        retentions=(0.6, 0.8),
        keep=("السؤال: متى يفتح المسبح؟",),
        guards=(("بدخول الأطفال", "لا يسمح"),),
    ),
    Case(
        "russian-lift",
        "Ответь на вопрос по инструкции.\n\nЛифт рассчитан на шесть человек. Нельзя перевозить грузы тяжелее 400 кг. "
        "Кнопка вызова светится синим. Ремонт был в мае.\n\nВопрос: На сколько человек рассчитан лифт?",
        retentions=(0.6, 0.8),
        keep=("Вопрос: На сколько человек рассчитан лифт?", "шесть человек"),
        guards=(("перевозить", "Нельзя"), ("400", "Нельзя")),
    ),
    Case(
        "french-letter",
        "Réponds à la question avec le courrier ci-dessous.\n\nMadame, votre colis est arrivé mardi. Il ne "
        "peut pas être "
        "remis sans pièce d'identité. Le guichet est au fond de la cour. Nous avons repeint la porte en vert.\n\n"
        "Question : Quand le colis est-il arrivé ?",
        retentions=(0.6, 0.8),
        keep=("Quand le colis est-il arrivé ?", "mardi"),
        guards=(("remis", "ne peut pas être remis sans"),),
    ),
)

ASKED = (
    Case(
        "bays-pepper",
        contexts=GREENHOUSE,
        question="How warm must it be for the peppers?",
        retentions=(0.4, 0.55),
        keep=("How warm must it be for the peppers?", "22 degrees"),
    ),
    Case(
        "bays-basil",
        contexts=GREENHOUSE,
        question="When is the basil watered?",
        retentions=(0.4, 0.55),
        keep=("When is the basil watered?", "at noon"),
    ),
    Case(
        "bays-cucumber",
        contexts=GREENHOUSE,
        question="When were the cucumbers planted?",
        retentions=(0.4, 0.55),
        keep=("When were the cucumbers planted?", "1 April"),
    ),
    Case(
        "sources-brackets",
        "You answer questions of guests. Use only the sources. Give the number of the source in brackets. "
        'If they do not say it, answer "unknown".\n\n'
        "[Source 1] Sauna\nThe sauna is heated from 15:00 to 21:00. Towels are at the desk. It seats eight.\n\n"
        "[Source 2] Breakfast\nBreakfast is served from 6:30 to 10:00 in the garden room. Eggs are cooked to "
        "order.\n\n"
        "[Source 3] Parking\nThe car park has 60 places. It costs 9 francs a night. Buses cannot turn there.\n\n"
        "Question: What does parking cost?",
        retentions=(0.55, 0.75),
        keep=("Question: What does parking cost?", "Use only the sources.", "9 francs", "[Source 3] Parking"),
        guards=(("turn there", "cannot turn"),),
    ),
    Case(
        "dialogue",
        "Answer the question about the call.\n\nMira: The concert is moved to the town hall, because of the rain.\n"
        "Jon: Good. I have tuned the piano.\nMira: Tickets stay valid, but children under six are not admitted.\n"
        "Jon: My sister brings cake.\nMira: The doors open at half past seven.\n\nQuestion: When do the doors open?",
        retentions=(0.55, 0.75),
        keep=("Question: When do the doors open?", "half past seven"),
        guards=(("admitted", "not admitted"),),
    ),
)

DATA = (
    Case(
        "json-animals",
        '[{"tag": "A-07", "kind": "goat", "kg": 41.5, "sold": false}, {"tag": "A-08", "kind": "sheep", "kg": '
        '63.0, "sold": '
        'true}, {"tag": "A-09", "kind": "goat", "kg": 38.25, "sold": true}, {"tag": "A-10", "kind": "cow", '
        '"kg": 590, '
        '"sold": false}]',
        retentions=(0.3, 0.5, 0.7, 0.9),
        records=True,
    ),
    Case(
        "json-reading",
        '{\n  "station": {"name": "Ridge", "height_m": 1840},\n  "hours": [\n    {"at": "06:00", "wind": 4, '
        '"snow_cm": 12},\n'
        '    {"at": "12:00", "wind": 9, "snow_cm": 15},\n    {"at": "18:00", "wind": 2, "snow_cm": 21}\n  ]\n}\n\n'
        "Question: How much snow lay at 18:00?\nAnswer:",
        retentions=(0.6, 0.8),
        keep=("Question: How much snow lay at 18:00?\nAnswer:", "21"),
        records=True,
    ),
    Case(
        "jsonl-events",
        '{"t": 1, "door": "north", "open": true}\n{"t": 2, "door": "south", "open": true}\n'
        '{"t": 3, "door": "north", "open": false}\n{"t": 4, "door": "gate", "open": true}\n',
        retentions=(0.3, 0.6),
        records=True,
    ),
    Case(
        "log",
        "2025-02-11 04:10:07 INFO  pump started\n2025-02-11 04:10:09 WARN  pressure 7.9 bar is not stable\n"
        "2025-02-11 04:11:30 INFO  valve 3 opened\n2025-02-11 04:12:02 ERROR valve 3 did not close\n"
        "2025-02-11 04:12:05 INFO  pump stopped\n",
        retentions=(0.3, 0.6),
        lines=True,
    ),
    Case(
        "csv",
        "name,grams,price\nrye,500,3.20\nspelt,750,4.90\nbaguette,250,1.10\nciabatta,300,2.40\n",
        retentions=(0.4, 0.7),
        lines=True,
    ),
    Case(
        "ini",
        "[server]\nhost = 10.0.4.17\nport = 8443\ntls = on\n\n[cache]\nsize_mb = 512\nttl = 90s\nverbose = off\n",
        retentions=(0.4, 0.7),
        lines=True,
    ),
    Case(
        "table-ferries",
        "Which ferry takes no lorries?\n\n| Ferry | Leaves | Cars | Lorries |\n|---|---|---:|---|\n| Alma | "
        "07:15 | 40 | yes |\n"
        "| Brand | 09:40 | 22 | no |\n| Cora | 13:05 | 60 | yes |\n| Dagny | 18:30 | 35 | yes |\n",
        retentions=(0.5, 0.7),
        keep=("Which ferry takes no lorries?",),
        rows=True,
    ),
)

CODE = (
    Case(
        "python",
        'Explain what this does.\n\ndef discount(price, member=False):\n    """Ten per cent off for members."""\n'
        '    if price < 0:\n        raise ValueError("no negative price")\n    if not member:\n        return price\n'
        "    return round(price * 0.9, 2)\n",
        retentions=(0.5, 0.7),
        keep=("Explain what this does.",),
        lines=True,
    ),
    Case(
        "javascript-fence",
        "What is wrong here?\n\n```js\nfunction last(list) {\n  // never call this with an empty list\n"
        "  return list[list.length];\n}\n\nmodule.exports = { last };\n```\n",
        retentions=(0.5, 0.8),
        keep=("What is wrong here?",),
        lines=True,
    ),
    Case(
        "diff",
        "Review the patch.\n\ndiff --git a/bake.py b/bake.py\n--- a/bake.py\n+++ b/bake.py\n@@ -3,5 +3,6 @@ "
        "def bake(loaf):\n"
        "     oven.heat(230)\n-    if loaf.is_risen:\n-        oven.put(loaf)\n+    if not loaf.is_risen:\n"
        "+        raise TooSoon(loaf)\n+    oven.put(loaf)\n     return oven.wait()\n",
        retentions=(0.5, 0.75),
        keep=("Review the patch.",),
        lines=True,
    ),
    Case(
        "listing",
        "total 40\ndrwxr-xr-x  4 ida ida  4096 Mar  2 08:11 .\ndrwxr-xr-x 19 ida ida  4096 Feb 27 17:02 ..\n"
        "-rw-r--r--  1 ida ida   219 Mar  2 08:10 Makefile\n-rw-r--r--  1 ida ida  8123 Mar  1 22:47 notes.txt\n"
        "drwxr-xr-x  2 ida ida  4096 Mar  2 08:11 scans\n",
        retentions=(0.4, 0.7),
        lines=True,
    ),
    Case(
        "commands",
        "# Kiln\n\nHow to fire the kiln program. Read it before the first use. It was written for the workshop.\n\n"
        "```sh\nkiln check --door     # look\nkiln fire --cone 6    # start\n```\n\n## More\n\nThe kiln is "
        "next to the sink. "
        "Bowls are sorted by size. Glazes stand on the upper shelf. The window may be open. Ask Ida on Fridays.\n",
        retentions=(0.35, 0.6),
        guards=(("cone 6", r"kiln fire --cone 6"), ("--door", r"kiln check --door")),
    ),
)

EXACT = (
    Case(
        "identifiers",
        "Summarise the report for the insurer.\n\nOn 2 May 2024 at 17:20 the van with plate WX-441-K left "
        "road B 27. The policy is "
        "HX/2022-5519-D. Repairs cost 1.870,40 €. Write to office@garage-ostermann.example or call +49 711 "
        "555 0142. The photos are at "
        "https://photos.example.org/c/7781?sig=aZ9_q#p3. The load was not above 900 kg. The router was "
        "192.168.7.40, build 9c1f0ab.",
        retentions=(0.5, 0.7, 0.85),
        keep=("Summarise the report for the insurer.",),
        whole=(
            "WX-441-K",
            "HX/2022-5519-D",
            "office@garage-ostermann.example",
            "+49 711 555 0142",
            "https://photos.example.org/c/7781?sig=aZ9_q#p3",
            "192.168.7.40",
        ),
        guards=(("900", "not above 900 kg"),),
    ),
    Case(
        "template",
        "Write a reply to the letter, using only what it says. Do not promise a date.\n\nLetter: {letter}\n\n"
        "Earlier replies: {{ replies }}\n\nReply to {name} in at most {lines} lines.",
        retentions=(0.5, 0.8),
        keep=("{letter}", "{{ replies }}", "{name}", "{lines}", "Do not promise a date."),
    ),
    Case(
        "chatml",
        "<|im_start|>system\nYou help gardeners. Never recommend poison.<|im_end|>\n<|im_start|>user\nMy "
        "roses have lice since May. "
        "I tried soap. The roses stand by a wall. It is sunny there.<|im_end|>\n<|im_start|>assistant\nUse "
        "water first, "
        "please. Repeat it after three days.<|im_end|>\n<|im_start|>user\nHow often should I repeat it?<|im_end|>\n"
        "<|im_start|>assistant\n",
        retentions=(0.6, 0.8),
        keep=("Never recommend poison.", "How often should I repeat it?", "<|im_start|>system", "<|im_end|>"),
    ),
    Case(
        "llama",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a tour guide. Do not mention "
        "prices.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWe saw the old bridge today. It was windy. Lunch was "
        "good.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nThe bridge is from 1712. It has five arches.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHow many arches has it?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        retentions=(0.6, 0.8),
        keep=("Do not mention prices.", "How many arches has it?"),
    ),
    Case(
        "shots",
        "Name the feeling.\n\nText: The train was late again and nobody told us.\nFeeling: anger\n\n"
        "Text: Grandmother sent me her old violin.\nFeeling: joy\n\nText: I do not dare to open the "
        "letter.\nFeeling: fear\n\n"
        "Text: The shop was closed for good.\nFeeling: sadness\n\nText: We won by a single point!\nFeeling:",
        retentions=(0.45, 0.65),
        keep=("Name the feeling.", "Text: We won by a single point!\nFeeling:"),
        guards=(
            ("dare", "not dare"),
            ("violin", "joy"),
            ("letter", "fear"),
            ("closed", "sadness"),
            ("late again", "anger"),
        ),
    ),
    Case(
        "byte-order-mark",
        "\ufeffSort the mail.\n\nMail: the bill is not paid\nBox: money\n\nMail: see you on Sunday\nBox: "
        "friends\n\nMail: your rent\nBox:",
        retentions=(0.6, 0.8),
        keep=("Mail: your rent\nBox:",),
        guards=(("paid", "not paid"), ("\ufeff", "a^")),
    ),
)

LOOKUPS = tuple(map(Case.of, Path(__file__).with_name("lookups.jsonl").read_text(encoding="utf-8").splitlines()))
CASES = (*RULES, *LANGUAGES, *ASKED, *DATA, *CODE, *EXACT, *LOOKUPS)
