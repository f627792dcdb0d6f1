"""What a cell says as a date: year, month and day, as far as they are stated, or two of them.

Era, weekday, time of day, zone and note marks are read and, but for the era, do not count. What is
not understood to its end is no date; nor is `05/06/2020`, as nobody knows which.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import TypeAlias

from wideseek_env.scoring.numbers import MAX_CHARS
from wideseek_env.scoring.spelling import plain_spelling, without_about

MAX_DAYS_APART = 31
"""`date_near`: two full dates this far apart still match, as in WideSearch."""

Date: TypeAlias = tuple[int, ...]
"""(year, month, day), 0 for a part that is not stated; a year before Christ is below 0. Six numbers
are the two ends of a range."""

_NAMES = """
    january jan januar janvier janv enero gennaio janeiro januari jänner januarie января январь
    янв січня stycznia styczeń ocak ledna leden január ianuarie tammikuuta tammikuu ιανουαρίου
    ιανουάριος يناير जनवरी มกราคม ינואר |
    february feb februar février fevrier févr febrero febbraio fevereiro februari февраля февраль
    фев лютого lutego luty şubat února únor február februarie helmikuuta φεβρουαρίου فبراير फ़रवरी
    फरवरी กุมภาพันธ์ פברואר |
    march mar märz maerz mrz mars marzo março maart марта март мар березня marca marzec mart
    března březen marec március martie maaliskuuta μαρτίου مارس मार्च มีนาคม מרץ |
    april apr avril avr abril aprile апреля апрель апр квітня kwietnia kwiecień nisan dubna duben
    apríl április aprilie huhtikuuta απριλίου أبريل अप्रैल เมษายน אפריל |
    may mai mayo maggio maio mei мая май травня maja maj mayıs května květen máj május toukokuuta
    μαΐου مايو मई พฤษภาคม מאי |
    june jun juni juin junio giugno junho июня июнь июн червня czerwca czerwiec haziran června
    červen jún június iunie kesäkuuta ιουνίου يونيو जून มิถุนายน יוני |
    july jul juli juillet juil julio luglio julho июля июль июл липня lipca lipiec temmuz července
    červenec júl július iulie heinäkuuta ιουλίου يوليو जुलाई กรกฎาคม יולי |
    august aug août aout agosto augustus augusti августа август авг серпня sierpnia sierpień
    ağustos srpna srpen augusztus elokuuta αυγούστου أغسطس अगस्त สิงหาคม אוגוסט |
    september sep sept septembre septiembre settembre setembro сентября сентябрь сен вересня
    września wrzesień eylül září szeptember septembrie syyskuuta σεπτεμβρίου سبتمبر सितंबर กันยายน
    ספטמבר |
    october oct okt oktober octobre octubre ottobre outubro октября октябрь окт жовтня
    października październik ekim října říjen október octombrie lokakuuta οκτωβρίου أكتوبر अक्टूबर
    ตุลาคม אוקטובר |
    november nov novembre noviembre novembro ноября ноябрь ноя листопада listopada listopad kasım
    listopadu noiembrie marraskuuta νοεμβρίου نوفمبر नवंबर พฤศจิกายน נובמבר |
    december dec dez dezember décembre decembre déc diciembre dicembre dezembro декабря декабрь
    дек грудня grudnia grudzień aralık prosince prosinec decembrie joulukuuta δεκεμβρίου ديسمبر
    दिसंबर ธันวาคม דצמבר
"""
"""Of each month, in the languages that pages are written in."""
_MONTHS = {
    unicodedata.normalize("NFKC", name).casefold(): number
    for number, names in enumerate(_NAMES.split("|"), 1)
    for name in names.split()
}
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|[ºªo]|\.)?"
_MONTH = r"(?P<M>[^\W\d_][^\d\s,./-]{1,12})\.?"
_GAP = r"(?: (?:of|del?)(?= ))?[-, ./]*(?:(?:of|del?) )?"
_YEAR = r"(?P<y>\d{4})"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:-, ?)?(?P<y>\d{3,4})",
        rf"{_YEAR}[-/.](?P<m>\d{{1,2}})",
        rf"{_YEAR}(?P<m>\d\d)(?P<d>\d\d)",
        rf"{_YEAR}([-/.]) ?(?P<m>\d{{1,2}})\2 ?(?P<d>\d{{1,2}})\.?",
        rf"{_YEAR} ?[年년](?: ?(?P<m>\d{{1,2}}) ?[月월](?: ?(?P<d>\d{{1,2}}) ?[日号號일])?)?",
        rf"{_MONTH}{_GAP}{_YEAR}",
        rf"(?P<m>\d{{1,2}})[-/.]{_YEAR}",
        rf"(?:ngày )?(?P<d>\d{{1,2}}) tháng (?P<m>\d{{1,2}})(?: năm|,)? {_YEAR}",
        rf"{_MONTH}{_GAP}(?:the )?{_DAY}(?:,|[-, ./]) ?{_YEAR}",
        rf"(?:the )?{_DAY}{_GAP}{_MONTH}{_GAP}{_YEAR}",
        rf"{_YEAR}[-, ./]*{_MONTH}(?:[-, ./]*{_DAY})?",
    )
)
_USUAL = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d))?", re.ASCII)
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_ERA_YEAR = re.compile(r"\d{1,4}")
_SHORT_YEAR = re.compile(r"(?:(?<=[^\W\d] )|(?<=\d, ))\d{1,3}$")
_BEFORE = re.compile(
    r"(?:(?P<first>公元前|西元前|[纪紀]元前|기원전|前(?=\d)|b\.? ?c\.?(?: ?e\.?)?(?=\s*\d)"
    r"|m\.ö\.|-(?=\d))\s*)?"
    r"(?P<rest>.*?)"
    r"\s*(?P<last>b\.? ?c\.?(?: ?e\.?)?|v\. ?chr\.?|a(?:v|vant)?\.? ?j\.?-?c\.?"
    r"|a\. ?c\.?(?: ?n\.)?"
    r"|до н\. ?э\.?|до нашей эры|до н\. ?е\.?"
    r"|p\. ?n\. ?e\.?|př\. ?n\. ?l\.?|f\. ?kr\.?|π\. ?χ\.?)?"
)
_AFTER = re.compile(
    r"(?:(?:公元|西元|서기|a\.? ?d\.?|c\.? ?e\.?)\s*(?=\d))"
    r"|(?<=\d)\s*(?:a\.? ?d\.?|c\.? ?e\.?|n\. ?chr\.?|ap(?:r|rès)?\.? j\.?-?c\.?|d\. ?c\.?"
    r"|n\. ?e\.?|н\. ?[эе]\.?|e\. ?kr\.?|μ\. ?χ\.?)$"
)
_LEADING = re.compile(r"(?:on|le|el|il|am|den|em|dated?)\s+(?=\S*\s*\S*\d)")
_YEAR_WORD = re.compile(r"(?<=\d)\s?(?:г\.?|года?|року|рік|р\.|roku|yılı?|년)$")
_WEEKDAYS = (
    "mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?"
    "|sun(?:day)?|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    "|lunes|martes|miércoles|jueves|viernes|sábado|domingo|domenica|lunedì|martedì|mercoledì|giovedì"
    "|venerdì|sabato|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|[월화수목금토일]요일"
    "|(?:星期|周|週|礼拜)[一二三四五六日天]|[月火水木金土日]曜日?"
)
_WEEKDAY = re.compile(
    rf"^(?:{_WEEKDAYS})\.?,? (?=.*\d)|[, ]*\(?\b(?:{_WEEKDAYS})\)?$"
    r"|[, ]*\([月火水木金土日一二三四五六]\)"
)
_ZONE = (
    r"(?:z|utc|gmt|[a-z]{2,4}t|msk)?"
    r"(?: ?[-+] ?\d{1,2}(?::?\d\d)?(?: utc)?)?"
    r"(?: ?\[[a-z_/]{1,30}\]| ?\((?:[a-z]{1,5}|[a-z ]{1,30} time)\)| [a-z]{2,20}/[a-z_]{2,30}"
    r"|(?: [a-z]{1,20}){0,2} time)?"
)
_CLOCK = (
    r"(?:(?:上午|下午|午前|午後|오전|오후) ?)?(?:[01]?\d|2[0-4])"
    r"(?::[0-5]\d(?::[0-6]\d(?:[.,]\d{1,9})?)?(?: ?[ap]\.?m\.?)?"
    r"|(?:\.[0-5]\d)? ?[ap]\.?m\.?"
    r"|[时時点點시](?: ?\d{1,2}[分분])?| ?h ?(?:[0-5]\d)?(?: min)?| ?uhr|(?<=t\d\d)\d{4})"
)
_TIME = re.compile(
    rf"(?:(?<=\d)t|,? (?:at|à|um|a las?|alle|kl\.?|om|в|o|-) |,? |(?<=[日号號일]))"
    rf"{_CLOCK} ?(?:{_ZONE}|uhr|hrs?|h)?$"
    rf"|,? ?\({_CLOCK}\)$|,? (?:noon|midday|midnight)$"
    rf"|^{_CLOCK}(?: ?{_ZONE})?,? (?:on )?(?=\S)"
)
_WITHIN = re.compile(rf" {_CLOCK}(?: {_ZONE})? (?=\d{{4}}$)")
"""As C's `ctime` writes it: Sun Jan 5 10:00:00 2020."""
_TO = re.compile(
    r"\s+(?:to|through|until|till)\s+|\s*(?:至|到|~|…)\s*|\s+-\s+|(?<=^\d{4})-(?=\d{4}$)"
    r"|(?<=^\d{3})-(?=\d{3})"
)


def read_date(cell: str) -> Date | None:
    """Returns the date that a cell says, or the two ends of a range; None when it says none."""
    if len(cell) > MAX_CHARS:
        return None
    if usual := _USUAL.fullmatch(cell):  # most cells, and the rest takes ten times as long
        return _checked(*(int(part or 0) for part in usual.groups()))
    text = without_about(plain_spelling(cell)).casefold()
    if not any(map(str.isdigit, text)):
        return None
    one = _one(text)
    if one is not None:
        return one
    ends = _TO.split(
        text.removeprefix("from ").removesuffix("年") if "年" not in text[:-1] else text
    )
    if len(ends) != 2:
        return None
    era = _BEFORE.fullmatch(ends[1])
    if era and era["last"] and ends[0].isdigit():
        ends[0] += " bc"  # 490–480 BC
    first, last = map(_one, ends)
    return first + last if first and last and first <= last else None


def same_date(answer: Date, gold: Date, *, near: bool) -> bool:
    """Compares at the precision of the gold date; a vaguer answer is wrong, a finer one is not.

    Args:
        answer: what the answer says.
        gold: what the gold table says.
        near: whether full dates match within `MAX_DAYS_APART`, and parts alone may agree.
    """
    if answer == gold or not near or len(answer) != len(gold):
        return answer == gold
    if len(gold) == 6:
        ends = zip((answer[:3], answer[3:]), (gold[:3], gold[3:]), strict=True)
        return all(same_date(mine, wanted, near=True) for mine, wanted in ends)
    if all(answer) and all(gold) and answer[0] > 0 < gold[0]:
        return abs((date(*answer) - date(*gold)).days) <= MAX_DAYS_APART
    return all(a == g for a, g in zip(answer, gold, strict=True) if g)


def _one(text: str) -> Date | None:
    """Reads one date; what has a time of day is one only with year, month and day."""
    written = text.strip(" ,")
    bare = _WITHIN.sub(" ", _TIME.sub("", written))
    has_time = bare != written
    bare = _LEADING.sub("", _WEEKDAY.sub("", bare).strip(" ,"))
    timeless = _TIME.sub("", bare)
    has_time = has_time or timeless != bare
    found = _dated(_YEAR_WORD.sub("", _WEEKDAY.sub("", timeless).strip(" ,")))
    return None if found and has_time and not found[2] else found


def _dated(text: str) -> Date | None:
    era = _BEFORE.fullmatch(text)
    if era is not None and (era["first"] or era["last"]):
        rest = era["rest"].removesuffix("年")
        years = _ERA_YEAR.fullmatch(rest)
        if years:
            return (-int(rest), 0, 0) if int(rest) else None
        later = _after_christ(_SHORT_YEAR.sub(_four_digits, rest))
        return (-later[0], *later[1:]) if later else None
    plain = _AFTER.sub("", text)
    if plain != text:
        if years := _ERA_YEAR.fullmatch(plain.removesuffix("年")):
            return int(years.group()), 0, 0
        plain = _SHORT_YEAR.sub(_four_digits, plain)
    return _after_christ(plain)


def _four_digits(year: re.Match[str]) -> str:
    return year.group().zfill(4)


def _after_christ(text: str) -> Date | None:
    for pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found:
            part = found.groupdict()
            month = _MONTHS.get(part["M"], 13) if part.get("M") else int(part.get("m") or 0)
            checked = _checked(int(part["y"]), month, int(part.get("d") or 0))
            if checked is not None:
                return checked
    found = _DAY_OR_MONTH_FIRST.fullmatch(text)
    if found:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first > 12 >= second:
            return _checked(year, second, first)
        if second > 12 >= first or first == second:
            return _checked(year, first, second)
    return None


def _checked(year: int, month: int, day: int) -> Date | None:
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    return year, month, day
