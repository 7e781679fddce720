"""Which language a stretch of text is in: by its script, and among Latin ones by their most frequent small words."""

from __future__ import annotations

from collections import Counter

import regex

_SMALL_WORDS = {
    "en": "the of and to is in that for it with was on are be this you your from not have an by or as at",
    "de": "ihr wir ich sich der die das und ist nicht ein eine zu den mit auf für sie wird von dem im es auch sind bei",
    "fr": "le la les ne un il faut si avant des est et une dans pour que qui pas vous du au sur ce avec il elle sont",
    "es": "el la un los las es y una en que por para con del al se su no está son como más lo",
    "it": "il la un gli di che è e una per non con del della sono si nel alla dei le più come anche",
    "pt": "o a um os as é e uma em que não para com do da no na se por dos das são mais ao você",
    "nl": "de het een van en is niet dat op te voor met zijn aan er ook door als bij wordt deze",
    "pl": "i w nie na się jest z do to że od po jak oraz przez dla ale czy są",
    "tr": "ve bir bu için ile da de olarak daha çok en olan değil ne gibi kadar mı mi",
}
_OF_WORD: dict[str, list[str]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in set(_words.split()):
        _OF_WORD.setdefault(_word, []).append(_language)
_LETTERS = {
    **dict.fromkeys("ğışİ", "tr"),
    **dict.fromkeys("ąęłńśźż", "pl"),
    **dict.fromkeys("ãõ", "pt"),
    **dict.fromkeys("ñ¿¡", "es"),
    **dict.fromkeys("ßäöü", "de"),
    **dict.fromkeys("œêèû", "fr"),
    **dict.fromkeys("ìò", "it"),
}
_SCRIPTS = regex.compile(
    r"(?P<ja>[\p{Hiragana}\p{Katakana}])|(?P<zh>\p{Han})|(?P<ko>\p{Hangul})|(?P<th>\p{Thai})|(?P<ar>\p{Arabic})"
    r"|(?P<hi>\p{Devanagari})|(?P<ru>\p{Cyrillic})|(?P<el>\p{Greek})|(?P<he>\p{Hebrew})|(?P<my>\p{Myanmar})"
    r"|(?P<km>\p{Khmer})|(?P<la>\p{Latin})"
)
_WORD = regex.compile(r"\p{Latin}{1,12}+")
_SAMPLE = 1500  # characters that are looked at


def language_of(text: str, default: str = "en") -> str:
    """The language's code, as sentence rules and guards know it; `default` where nothing tells.

    >>> [language_of(t) for t in ("Der Hund ist im Haus.", "¿Dónde está el perro?", "周一闭馆", "犬はいます", "12")]
    ['de', 'es', 'zh', 'ja', 'en']
    """
    text = text[:_SAMPLE]
    if text.isascii():
        return _latin(text, default)  # nearly all of it, and quick
    scripts = Counter(match.lastgroup or "" for match in _SCRIPTS.finditer(text))
    if not scripts:
        return default
    if scripts["ja"] * 10 > scripts["zh"] and scripts["ja"]:
        scripts["ja"] += scripts["zh"]
    name = max(scripts, key=lambda script: scripts[script] * (4 if script in ("ja", "zh", "ko") else 1))
    return _latin(text, default) if name == "la" else name


def _latin(text: str, default: str) -> str:
    counts: Counter[str] = Counter()
    for word in _WORD.findall(text.lower()):
        counts.update(_OF_WORD.get(word, ()))
    counts.update(_LETTERS[letter] for letter in text if letter in _LETTERS)
    if not counts:
        return default
    best = max(counts.values())
    return default if counts[default] == best else max(counts, key=lambda name: counts[name])
