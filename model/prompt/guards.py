"""Guards: sentences that may not lose a word, because they say not, only, unless, must, at most, if, until ...

Word lists in the sixteen languages that the studio is tried in. A word that is a guard in one language and an
everyday word in another counts in its own language alone.
"""

from __future__ import annotations

import regex

_WORDS = frozenset(
    """
    not never no none nobody nothing neither nor cannot without unless except excluding must only if until till
    otherwise forbidden prohibited solely exclusively avoid always instead maximum minimum max min shall nicht kein
    keine keinen keinem keiner keines nie niemals niemand nichts ohne nur außer ausser ausgenommen lediglich
    ausschließlich mindestens höchstens maximal minimal muss müssen musst darf dürfen darfst verboten untersagt sofern
    falls wenn bis spätestens weder pas jamais aucun aucune sans sauf excepté hormis uniquement seulement doit doivent
    devez interdit interdite interdits obligatoire obligatoirement moins nunca jamás ningún ninguna ninguno nada nadie
    sin salvo excepto sólo solo solamente únicamente debe deben deberá deberán prohibido prohibida obligatorio tampoco
    hasta non nessun nessuno nessuna niente nulla senza tranne eccetto soltanto solamente devi deve devono vietato
    vietata obbligatorio almeno finché né não nenhum nenhuma ninguém sem exceto somente apenas deverá devem proibido
    proibida obrigatório nem niet geen nooit niemand niets zonder alleen slechts uitsluitend tenzij behalve moet
    moeten mag mogen verboden indien minstens hoogstens mits enkel nie nigdy żaden żadna żadne żadnych nikt bez tylko
    wyłącznie oprócz musi muszą zabronione zabrania wolno jeśli jeżeli chyba najwyżej najmniej maksymalnie minimalnie
    dopóki ani не нет ни никогда никто ничего ничто никакой нельзя без кроме только лишь должен должна должно должны
    обязан обязаны запрещено запрещается запрещён если пока исключением değil yok asla hiç hiçbir sadece yalnızca
    hariç dışında olmadan gerekir gerekli zorunda zorunludur yasak yasaktır eğer fazla az önce
    """.split()
)
_ONLY_IN = {
    "no": ("en", "es", "it"),
    "si": ("es", "fr"),
    "se": ("it", "pt"),
    "ne": ("fr",),
    "mai": ("it",),
    "até": ("pt",),
    "sin": ("es",),
    "nada": ("es", "pt"),
    "solo": ("es", "it"),
    "non": ("it", "fr"),
    "min": (),
    "moins": ("fr",),
    "fazla": ("tr",),
    "az": ("tr",),
    "önce": ("tr",),
    "bis": ("de",),
    "bez": ("pl",),
    "alleen": ("nl",),
    "mag": ("nl",),
    "als": ("nl",),
    "tot": ("nl",),
    "pas": ("fr",),
    "hasta": ("es",),
    "hiç": ("tr",),
    "ani": ("pl",),
    "met": (),
}
_SPACED = regex.compile(
    r"""(?<!\w)(?:
      (?:at\ (?:most|least|maximum)|no\ more|(?:more|less|fewer|greater|higher|lower|later|earlier|longer|other
      |rather)\ than|up\ to
        |apart\ from|as\ long\ as|provided\ that|subject\ to|in\ case|not\ yet|(?:before|after|by|above|below|over
        |under|within|exceed\w*)
        \ (?:the\ )?\W?\d|before\ \w+ing|instead\ of|limited\ to|required|mandatory|prior\ to)
    | (?:es\ sei\ denn|solange|statt\ dessen|unter\ keinen|weniger\ als|mehr\ als|länger\ als|vor\ dem\ \d)
    | (?:à\ moins|au\ (?:moins|plus)|tant\ que|jusqu|plus\ de\ \d|qu['’]à|ne\ \p{L}+\ (?:que|rien|plus|point|guère)
    |s['’]ils?)
    | (?:a\ menos|al\ menos|como\ (?:máximo|mínimo)|a\ no\ ser|más\ de\ \d|menos\ de)
    | (?:a\ meno|al\ massimo|al\ minimo|più\ di\ \d|meno\ di|c['’]è\ bisogno)
    | (?:pelo\ menos|ao\ menos|no\ (?:máximo|mínimo)|a\ não\ ser|caso\ contrário|mais\ de\ \d|menos\ de)
    | (?:ten\ (?:minste|hoogste)|meer\ dan|minder\ dan|totdat)
    | (?:co\ (?:najmniej|najwyżej)|poza\ \p{L}+|więcej\ niż|mniej\ niż)
    | (?:по\ крайней\ мере|как\ минимум|как\ максимум|(?:более|менее|больше|меньше|свыше|позднее|ранее)\ \d
    |при\ условии|до\ тех\ пор)
    | [وفلب]{0,2}(?:لا|لم|لن|ليس|ليست|لست|غير|بدون|دون|إلا|الا|فقط|يجب|ينبغي|ممنوع|يمنع|يحظر|محظور|إذا|لو|سوى|عدا
    |باستثناء|الأقل|الأكثر
        |أقصى|حتى|لولا|ولا)
    | (?:नहीं|न|ना|मत|बिना|केवल|सिर्फ|सिर्फ़|मात्र|तक|अगर|यदि|चाहिए|अनिवार्य|सिवाय|अलावा|अधिकतम|न्यूनतम|निषिद्ध
    |वर्जित|मना|कम\ से\ कम|वरना)
    | \p{L}{2,}m[ae](?:y[ıi]n\p{L}*|z(?:l[ae]r|s[ıi]n\p{L}*|d[ıi]\p{L}*)?|m[ae]l[ıi]\p{L}*|y[ae]c[ae]\p{L}*|d[ae]n)
    | \p{L}{1,}m[ıiuü]yor\p{L}*|en\ (?:az|fazla|çok)
    )(?![\p{L}\p{M}\p{N}])|n['’]t\b|(?<!\w)n['’](?=[\p{L}])(?!n['’](?:roll|est-ce|drive))""",
    regex.V1 | regex.VERBOSE,
)
_UNSPACED = regex.compile(
    r"""不(?![仅僅断斷同])|没|沒|未(?!来|來)|[无無](?!线|線)|(?<![\p{Han}])非|非(?!常|洲|但)|勿|莫|禁止|只|仅|僅|必须|必須|务必|務必|不得|除非|除了|除外|以外|至少
    |至多|最多|最少|以内|以內|否则|否則|如果|若(?!干)|直到|[\d一二三四五六七八九十百千万]\S{0,2}(?:以上|以下|之前|以前)|别(?![人的处名称墅])(?<![特区性级类个分差识]别)|超过|超過
    |ない|なく|なけれ|なかっ|ません|ずに|禁じ|のみ|だけ|しか|必ず|未満|まで|限り|限る|除[くきい]|ただし|場合|もし|べき|厳禁|[\d一二三四五六七八九十]\S{0,3}(?:以上|以下|以内)
    |ไม่|ห้าม|อย่า|เท่านั้น|ยกเว้น|นอกจาก|เว้นแต่|ต้อง|หาก|ถ้า|จนกว่า|อย่างน้อย|อย่างมาก|เฉพาะ|ปราศจาก|เกิน
    |않|없|못|아니|아닌|말고|마세요|마십시오|지\s?마|금지|불가|반드시|(?:해|어|아)야|이상|이하|이내|미만|초과|제외|외에|한하여|(?<![하지])만(?=[\s,.])|까지|전에|경우
    """,
    regex.V1 | regex.VERBOSE,
)
_LETTERS = regex.compile(r"\p{L}[\p{L}\p{M}]*+")
_NO_SPACES = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Hangul}]")


def is_guard(sentence: str, language: str = "en") -> bool:
    """Whether a sentence, item or clause says something that it must not lose: a negation, limit, condition or
    exception.

    >>> is_guard("Do not guess."), is_guard("It rains."), is_guard("押金不退。"), is_guard("Vá no carro.", "pt")
    (True, False, True, False)
    """
    for word in _LETTERS.findall(sentence.lower()):
        if word in _WORDS and (word not in _ONLY_IN or language in _ONLY_IN[word]):
            return True
    if _SPACED.search(sentence.lower()):
        return True
    return bool(_NO_SPACES.search(sentence) and _UNSPACED.search(sentence))
