"""Words after a number that multiply it, in many languages: a closed table.

A word that multiplies and is not known here would be taken for a thing that is counted, so that
`5 millones` were 5. Where a word means two sizes (`mil`: thousand in Spanish, million in English)
the number cannot be read.
"""

from __future__ import annotations

import re
from fractions import Fraction

_TABLE = """
    10 十 십 | 12 dozen dozens | 20 score | 100 hundred hundreds 百 佰 백 honderd
    | 1000 thousand thousands thou grand 千 仟 천 tausend mille mila mille_lire duizend tusen tusind
      tuhat tuhatta tys tysiąc tysiące tysięcy tisíc tisíce ezer mii bin ribu nghìn ngàn พัน elfu
      тыс тысяча тысячи тысяч тисяч χιλιάδες χιλ ألف آلاف هزار אלף हज़ार हजार হাজার
    | 10000 万 萬 만 หมื่น | 100000 lakh lakhs lac lacs लाख লাখ লক্ষ แสน
    | 1000000 million millions mn mln mio mill millionen millón millones milhão milhões milhoes
      milione milioni miljoen miljoner miljon millioner miljoona miljoonaa milion miliony milionów
      milionů millió milioane milyon juta triệu ล้าน млн миллион миллиона миллионов мільйонів
      εκατομμύρια εκατ مليون ملايين میلیون מיליון
    | 10000000 crore crores cr करोड़ কোটি
    | 100000000 亿 億 억
    | 1000000000 billion billions bn bln milliard milliards milliarde milliarden mrd miliardo
      miliardi mld miljard miljarder miljardi miljardia milliarder miliard miliardy miliardów
      miliardă miliarde milyar miliar tỷ tỉ bilhão bilhões bilhoes mil_millones mil_milhões
      млрд миллиард миллиарда миллиардов мільярдів δισεκατομμύρια δισ مليار مليارات
      میلیارد מיליארד
    | 1000000000000 trillion trillions tn trn trln 兆 조 billón billones bilión biliones
      billionen trilyon trilhão trilhões trilione трлн триллион триллиона триллионов
      τρισεκατομμύρια تريليون
    | 1000000000000000 quadrillion quadrillions
    | 1/100 % percent percents per_cent pct 百分 prozent procent procenten procentów procenta
      por_ciento por_cento pour_cent per_cento prosent prosenttia százalék yüzde percento persen
      процент процента процентов відсотків パーセント 퍼센트 درصد
    | 1/1000 ‰ per_mille per_mil promille permille | 1/10000 ‱ bps basis_points basis_point
    | 1/1000000 ppm | 1/1000000000 ppb
"""
SCALES: dict[str, Fraction] = {
    name.replace("_", " "): Fraction(size)
    for size, *names in (group.split() for group in _TABLE.split("|"))
    for name in names
}
"""Words after a number, in lower case, to what they multiply it by."""
_LETTERS = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_OF_MONEY = {"m": 10**6, "b": 10**9, "t": 10**12, "mm": 10**6, "mil": 10**6, "bil": 10**9}
_SHARES = frozenset(name for name, size in SCALES.items() if size < 1)
_WORD = re.compile(
    "(?:" + "|".join(re.escape(name) for name in SCALES if " " in name) + r")(?!\w)"
    r"|[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0900-\u0963\u0980-\u09e3\u0e31-\u0e4e])*\.?|[%‰‱]",
    re.IGNORECASE,
)
"""One scale; the marks are vowels of scripts that write them beside the letters."""


def read_scale(word: str, *, money: bool) -> Fraction | None:
    """Returns what a word after a number multiplies it by; None for other words.

    Args:
        word: in its own case, as `m` is metres and `M` millions.
        money: whether a currency stands before the number, where `m` is millions.
    """
    scale = SCALES.get(word) or SCALES.get(word.lower().rstrip("."))
    if scale is None:
        size = _LETTERS.get(word) or (_OF_MONEY.get(word.lower()) if money else None)
        scale = None if size is None else Fraction(size)
    return scale


def read_scales(text: str, *, money: bool) -> tuple[Fraction | None, str]:
    """Returns the product of the scales that a text begins with, and what follows them."""
    scale: Fraction | None = None
    while text:
        found = _WORD.match(text)
        one = read_scale(found.group(), money=money) if found else None
        if found is None or one is None:
            break
        scale = one if scale is None else scale * one
        text = text[found.end() :].strip()
    return scale, text


def is_share(text: str) -> bool:
    """Returns whether scales end in one that makes a share of the number, which has no unit."""
    return text.lower().rstrip(".") in _SHARES
