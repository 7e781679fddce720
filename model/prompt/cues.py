"""What a stretch of text does in a prompt: does it tell what to do, does it ask, does it wait for an answer?

Marks come first (a question mark of any script, a colon at the end); words and endings stand in where a language asks
or tells without one. Those of languages in Latin letters count in their own language only: "sea" tells in Spanish.
"""

from __future__ import annotations

import regex

_V = regex.V1 | regex.VERBOSE | regex.IGNORECASE

QUESTION_MARKS = ("?", "？", "؟")
QUESTION_NAMES = regex.compile(  # labels and headings of what is asked, by parts of words
    r"question|query|\bfrage|pregunta|domanda|pergunta|vraag|pytanie|вопрос|soru|سؤال|प्रश्न|คำถาม|问题|問題|質問|질문|^q\b",
    _V,
)
_CLOSERS = "\"'”’»」』)）]*_`"
_ASKS_MARK = regex.compile(rf"[?？؟⁇⁈;՞፧][{regex.escape(_CLOSERS)}.!\s]*$")
_OPEN_MARK = regex.compile(r"(?:[:：]|[=\-]>|→|=|_{2,}|…|\.\.\.|\[[ _…]*\])[*_`\s]*$")


def _starts(words: str) -> regex.Pattern[str]:
    return regex.compile(rf"(?:{words})(?![\p{{L}}\p{{M}}'’])", _V)


_ASKS_START = {
    "en": _starts(
        r"""(?:and|so|but|then|now|also|now,)?\s*(?:who|whom|whose|what|when|where|why|which|how|is|are|was|were
        |does|do|did|can|could
        |would|should|will|has|have)"""
    ),
    "de": _starts(
        r"wer|wen|wem|was|wann|wo|wohin|woher|warum|wieso|weshalb|welche[rsmn]?|wie|wozu|ist|sind|kann|können|gibt"
    ),
    "fr": _starts(r"qui|quel(?:le)?s?|quand|où|pourquoi|comment|combien|que|qu['’]est-ce|est-ce"),
    "es": _starts(r"qué|quién|quiénes|cuál|cuáles|cuándo|cuánto|cuántos|cuántas|dónde|por\ qué|cómo"),
    "it": _starts(r"chi|che\ cosa|cosa|quando|dove|perché|quale|quali|quanto|quanti|quante|come"),
    "pt": _starts(r"quem|qual|quais|quando|onde|por\ que|o\ que|como|quanto|quantos|quantas"),
    "nl": _starts(r"wie|wat|wanneer|waar|waarom|welke?|hoe|hoeveel"),
    "pl": _starts(r"kto|co|kiedy|gdzie|dlaczego|jak|jaki|jaka|jakie|który|która|które|ile|czy"),
    "tr": _starts(r"kim|ne|nerede|neden|niçin|hangi|nasıl|kaç"),
    "": _starts(
        r"""кто|что|когда|где|куда|откуда|почему|зачем|какой|какая|какое|какие|сколько|как|чем|кого
        |هل|ما|ماذا|من|متى|أين|كيف|لماذا|كم|أي|क्या|कौन|कब|कहाँ|कहां|कैसे|क्यों|कितन[ाेी]|किस"""
    ),
}
_ASKS_END = regex.compile(
    r"""(?:
      (?:까요|나요|가요|니까|는지요?|은지요?|인가|는가|은가|느냐|죠|지요|무엇|누구|어디|언제)
    | (?:です|ます|ません|でした|ました|だろう|の|る|い|た)か|何|誰|いつ|どこ
    | [吗嗎呢吧么]|什么|什麼|多少|哪里|哪裡|谁|誰
    | (?:ไหม|หรือไม่|หรือเปล่า|อะไร|เท่าไร|เท่าไหร่|ที่ไหน|เมื่อไร|เมื่อไหร่|อย่างไร|ยังไง|ใคร|ทำไม)(?:ครับ|ค่ะ|คะ)?
    )[。．.!！\s]*$""",
    _V,
)
_ASKS_END_TURKISH = regex.compile(r"(?<!\w)m[ıiuü](?:d[ıiuü]r|s[ıiuü]n\w*)?[.!\s]*$", _V)
_ASKS_ANYWHERE = regex.compile(r"什么|什麼|谁是|哪[个些里]|为什么|為什麼|如何|怎么|怎麼|是否|何时|多少")

_TELLS_START = {
    "en": regex.compile(
        r"""(?:(?:and|also|then|now|first|finally|always|never|only|just|please|kindly|next|if\ [^,.]{3,80},
        |when\ [^,.]{3,80},)[,\s]+)*(?:
        (?:you\ (?:are|will|must|should|can|may|have|need|cannot|can['’]t|act|work|operate|receive)|your|let['’]s
        |do\ not|don['’]t
          |never|always|i\ (?:want|need|would\ like)|i['’]d\ like|can\ you|could\ you|if\ (?:you|the|it|there|a|an
          |they|no|any)
          |make\ sure|be\ (?!\w+ing\ )\w+)
      | (?:answer|summari[sz]e|sum\ up|translate|write|extract|classify|use|return|reply|list|give|explain|provide
      |ensure|avoid|include
          |follow|respond|output|cite|keep|act|focus|think|consider|read|review|analy[sz]e|generate|create|identify
          |rewrite|compare|find
          |describe|remember|tell|say|ask|solve|sort|choose|pick|select|convert|complete|continue|correct|fix|edit
          |proofread|paraphrase
          |shorten|expand|compose|imagine|pretend|assume|determine|decide|detect|count|calculate|compute|evaluate
          |assess|verify|predict
          |fill|highlight|present|discuss|outline|suggest|propose|recommend|implement|debug|refactor|given
          |based\ on|using
          |here\ (?:is|are)\ (?:a|the|some)|below\ (?:is|are)|note\ that|stop|quote|refer|perform|carry|remove
          |delete|insert|replace
          |reformat|parse|annotate|mask|prepare)(?!\p{L}|\s+(?:is|was|are|were|has|had|by|of|from)\b)
      | (?:test|work|report|document|point|show|plan|design|map|tag|mark|name|page|rank|group|match|limit|end|start
      |begin|search|look
          |label|rate|draft|judge|check|order|merge|combine|split|break|wrap|help|speak|talk|take|turn|call|open
          |run|add|reason|format
          |sum|maintain)\s+(?:the|an?|this|that|these|those|each|every|all|any|it|them|its|your|their|me|us|out|up
          |as|only|for|on|at|in
          |with|to|through|whether)\b)""",
        _V,
    ),
    "de": _starts(
        r"""bitte|du\ (?:bist|sollst|darfst|musst)|sie\ (?:sind|sollen|dürfen)|beantworte\w*|fass(?:e|en)?
        |übersetz\w*|schreib\w*
        |erstell\w*|nenne?n?|erklär\w*|gib|geben|verwende\w*|nutze\w*|antworte\w*|lies|lesen|prüf\w*|vergleich\w*
        |beschreib\w*
        |klassifizier\w*|ordne\w*|analysier\w*|extrahier\w*|formulier\w*|achte\w*|halte\w*|zitiere\w*"""
    ),
    "fr": _starts(
        r"""vous\ (?:êtes|devez|pouvez)|tu\ es|votre|veuillez|réponds|répondez|résume[zr]?|traduis\w*|écri[svt]\w*
        |rédige[zr]?|utilise[zr]?
        |donne[zr]?|explique[zr]?|indique[zr]?|ne\s\p{L}+|n['’]\p{L}+|cite[zr]?|lis|lisez|analyse[zr]?|classe[zr]?
        |extrais|extrayez|soyez
        |sois|liste[zr]?|corrige[zr]?|à\ partir"""
    ),
    "es": _starts(
        r"""eres|usted\ es|tu|responde\w*|resum[aei]\w*|traduc\w+|traduzca|escrib[ae]\w*|redact[ae]\w*|us[ae]
        |utilic[ei]\w*|utiliza|explica
        |explique|enumera|lee|lea|analiza|analice|clasifica|clasifique|extrae|extraiga|no\ \p{L}+|cita|cite|sé|sea
        |da|dé|indica|indique
        |por\ favor|basándo\w+"""
    ),
    "it": _starts(
        r"""sei|tu\ sei|lei\ è|rispond\w+|riassum\w+|traduc\w+|scriv\w+|usa|usi|utilizza|spiega|elenca|leggi|legga
        |analizza|classifica|estrai
        |non\ \p{L}+|cita|sii|per\ favore|indica"""
    ),
    "pt": _starts(
        r"""você\ é|responda|resuma|traduza|escreva|use|utilize|explique|liste|leia|analise|classifique|extraia
        |não\ \p{L}+|seja|cite
        |por\ favor|redija|considere"""
    ),
    "nl": _starts(
        r"""je\ bent|u\ bent|beantwoord|vat|vertaal|schrijf|gebruik|geef|leg|noem|lees|analyseer|classificeer
        |antwoord|wees|citeer|maak
        |alsjeblieft"""
    ),
    "pl": _starts(
        r"""jesteś|odpowiedz|streść|podsumuj|przetłumacz|napisz|użyj|wyjaśnij|wymień|przeczytaj|przeanalizuj
        |sklasyfikuj|nie\ \p{L}+|bądź
        |podaj|proszę|odpowiadaj"""
    ),
    "tr": _starts(r"sen|siz|lütfen|aşağıdaki"),
    "": regex.compile(
        r"""(?:ты|вы|пожалуйста|не\ \p{L}+|кратко)(?!\p{L})
      | (?:ответь|отвечай|резюмируй|переведи|напиши|используй|объясни|перечисли|прочитай|прочти|проанализируй
      |классифицируй|извлеки|назови
          |составь|опиши|сравни|укажи|дай)(?:те)?(?!\p{L})
      | (?:أنت|أجب|أجيب|لخص|لخّص|ترجم|اكتب|استخدم|اشرح|اذكر|اقرأ|حلل|صنف|استخرج|لا\ ت\p{L}+|من\ فضلك|يرجى|قم
      |قارن)(?!\p{L})
      | (?:आप|तुम|कृपया|निम्नलिखित|नीचे|दिए\ गए)(?![\p{L}\p{M}])
      | 你是|您是|你|请|請|根据|根據|阅读|閱讀|翻译|翻譯|总结|總結|概括|回答
      |写|寫|列出|提取|分类|分類|分析|解释|解釋|使用|不要|不得|禁止|将|把|用|给|給|以下
      | 始终|务必|必须|あなたは|以下|次の|下記|당신은|너는|다음|아래|주어진
      | คุณคือ|คุณเป็น|กรุณา|โปรด|จง|ตอบ|สรุป|แปล|เขียน|อ่าน|อธิบาย|ใช้|ห้าม|อย่า""",
        _V,
    ),
}
_TELLS_END = regex.compile(
    r"""(?: ください|下さい|なさい|せよ|すること|こと|答えよ|願います|しろ|ましょう|してほしい|たい
    | 세요|시오|십시오|해라|하라|할\ 것|해\ 줘|해줘|주세요|바랍니다|마라|말\ 것
    | करें|कीजिए|दीजिए|दें|लिखें|बताएं|बताइए|करो )[。．.!！।\s]*$""",
    _V,
)
_TELLS_END_TURKISH = regex.compile(
    r"\p{L}{2,}(?:[ıiuü]n|[ıiuü]n[ıiuü]z|ma|me|\bet|\byaz|ver|kullan|sın|sin)[.!\s]*$", _V
)


def asks(sentence: str, language: str = "en") -> bool:
    """Whether a sentence is a question.

    >>> [asks(s) for s in ("Is it?", "どこですか。", "지금 갈 수 있나요", "It is.", "what is the capital of France")]
    [True, True, True, False, True]
    """
    sentence = sentence.strip()
    if _ASKS_MARK.search(sentence[-12:]) or sentence.startswith("¿"):
        return True
    if _ASKS_END.search(sentence[-24:]) or (language == "tr" and _ASKS_END_TURKISH.search(sentence[-24:])):
        return True
    if sentence[-1:] in ".!。！,;:…" or len(sentence) >= 300:
        return False
    return any(_ASKS_START[name].match(sentence) for name in ("", language) if name in _ASKS_START) or (
        language == "zh" and bool(_ASKS_ANYWHERE.search(sentence))
    )


def waits(text: str) -> bool:
    """Whether a text ends where an answer is to be written: "Answer:", "Translation =>".

    >>> waits("Question: Why?\\nAnswer:"), waits("Because.")
    (True, False)
    """
    return bool(_OPEN_MARK.search(text[-40:].rstrip()))


def tells(sentence: str, language: str = "en") -> bool:
    """Whether a sentence tells somebody what to do, or who to be.

    >>> [tells(s) for s in ("You are a poet.", "Summarise it.", "質問に答えてください。", "The pump is quiet.")]
    [True, True, True, False]
    """
    sentence = sentence.strip().lstrip("-*•\"'“([#>/0123456789.) ")[:200]
    if any(_TELLS_START[name].match(sentence) for name in {"", "en", language} & set(_TELLS_START)):
        return True
    end = sentence[-24:]
    return bool(_TELLS_END.search(end) or (language == "tr" and _TELLS_END_TURKISH.search(end)))
