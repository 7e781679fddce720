"""Closed word classes that belong to a number: units, currencies and the names of months.

They are regular expressions (of the `regex` module, verbose) without groups; `model.prompt.tokens` puts numbers
beside them.
"""

from __future__ import annotations


def _words(text: str) -> str:
    """Any of the words, the longest first."""
    return "|".join(sorted(set(text.split()), key=lambda word: (-len(word), word)))


_LENGTH = r"[kcdmnµμ]?m[²³23]?"
_METRIC = rf"(?:{_LENGTH}|[kmµμ]?g|[mcdh]?[lL]|[kKMGT]i?[Bb](?:ps|it)?|[kMGT]?(?:Wh?|Hz|Pa|J|eV)|[mkM]?(?:V|Ω))"
_OTHER = _words(
    "hPa mA mAh Ah kcal cal s ms h min t ha bar psi dB mol ppm mph kph knots rpm fps px pt em rem mi ft lb lbs oz yd "
    "bps dpi lx K"
)
_TIMES = r"(?:s|h|min|d|[cdm]?[lL]|k?m[²³23]?|[mk]?g)"
_MONEY = _words(
    "euro euros dollar dollars pound pounds cent cents yen yuan rupees rupee franc francs franken kronor kroner "
    "koruna zł złotych "
    "złoty Kč Ft kr kr. lei TL lira руб руб. рублей рубля рубль грн ₽ ريال درهم دينار جنيه रुपये บาท won"
)
_SPAN = _words(
    "second seconds sec secs minute minutes mins hour hours hrs day days week weeks month months year years percent "
    "Sekunde Sekunden Minute Minuten Stunde Stunden Tag Tage Tagen Woche Wochen Monat Monate Monaten Jahr Jahre "
    "Jahren Prozent Uhr "
    "seconde secondes heure heures jour jours semaine semaines mois an ans année années "
    "segundo segundos minuto minutos hora horas día días dia dias semana semanas mes meses año años ano anos mês "
    "secondo secondi minuti ora ore giorno giorni settimana settimane mese mesi anno anni "
    "seconden minuten uur uren dag dagen weken maand maanden jaar jaren procent "
    "sekund sekundy minut minuty godzin godziny godzina dni dzień tygodni tygodnie miesiąc miesiące miesięcy rok "
    "lata lat "
    "секунд секунды минут минуты час часа часов день дня дней неделя недели недель месяц месяца месяцев год года лет "
    "saniye dakika saat gün hafta ay yıl "
    "ثانية دقيقة ساعة ساعات يوم يوما أيام أسبوع أسابيع شهر أشهر سنة سنوات "
    "सेकंड मिनट घंटे घंटा दिन सप्ताह महीने साल वर्ष "
    "초 분 시간 일 주 개월 년 원 นาที ชั่วโมง วัน สัปดาห์ เดือน ปี"
)
_AMOUNT = _words(
    "metre metres meter meters kilometre kilometres kilometer kilometers mile miles foot feet inch inches gram "
    "grams kilo "
    "kilos kilogram kilograms litre litres liter liters degree degrees knot tonnes tons "
    "Meter Metern Kilometer Kilometern Gramm Kilo Kilogramm Liter Grad mètre mètres kilomètres grammes litre degrés "
    "metros kilómetros quilômetros gramos gramas litros grados graus metri chilometri grammi litri gradi "
    "км м см мм кг г мг л метров километров градусов كم كغ متر किलो मीटर"
)
CODE = _words(
    "EUR USD GBP JPY CHF CNY RMB INR KRW SGD AUD CAD NZD SEK NOK DKK PLN CZK HUF TRY RUB UAH BRL MXN ARS ZAR HKD "
    "TWD THB IDR "
    "MYR PHP VND AED SAR ILS EGP BTC ETH"
)
_NAMED = rf"(?:(?:{_METRIC}|{_OTHER})(?:/{_TIMES})?|{CODE}|{_MONEY}|{_SPAN}|{_AMOUNT})"
_NO_LETTER = r"(?![\p{Latin}\p{Cyrillic}\p{Arabic}\p{Devanagari}\p{N}_])"
UNIT = rf"(?:[%‰٪％](?![A-Za-z(])|°\x20?[CFKС]?|[º′″]|\p{{Sc}}(?![\p{{L}}\p{{N}}.+\-])|{_NAMED}{_NO_LETTER})"
# 3万円, 2024年3月
COUNTER = r"[年月日号號时時点點分秒岁歳才天週周元円圓块塊个個回名人件台本枚度倍万萬亿億千百割楼階层階%％‰]"

MONTH = _words(
    "January February March April May June July August September October November December "
    "Januar Jänner Februar März Mai Juni Juli Oktober Dezember "
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre "
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre "
    "gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre "
    "janeiro fevereiro março maio junho julho setembro outubro novembro dezembro "
    "januari februari maart april mei juni juli augustus september oktober december "
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia "
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря "
    "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık "
    "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر "
    "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर "
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม"
)
MONTH_ABBREVIATION = _words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Okt Nov Dec Dez")
