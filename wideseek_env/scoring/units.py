"""Units, currencies and scales: a closed table, with exact factors.

`read_unit` reads what stands beside a number: `km`, `sq mi`, `km/h`, `people per km²`, `US$`. Two
units of one dimension convert exactly; two currencies never do. A word that is in no table counts
things: `5 goals` is not `5 medals`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: `size` of it is `size * factor + offset` of its dimension's first unit."""

    dimension: str
    """`length`; `mass / volume` for a rate; a currency's code; the word itself for things."""
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


_TABLE = {
    "length": """
        m metre metres meter meters 米 公尺 =1 | mm millimetre millimetres millimeter
        millimeters 毫米 =1/1000 | cm centimetre centimetres centimeter centimeters 厘米 公分
        =1/100 | dm decimetre decimeter =1/10 | km kms kilometre kilometres kilometer
        kilometers 千米 公里 =1000 | µm μm um micron microns micrometre micrometer
        micrometres micrometers 微米 =1/1000000 | nm nanometre nanometer nanometres
        nanometers 纳米 =1/1000000000 | in inch inches 英寸 =254/10000 | ft foot feet 英尺
        =3048/10000 | yd yds yard yards 码 =9144/10000 | mi mile miles 英里 =1609344/1000 |
        nmi =1852 | au =149597870700 | ly lightyear lightyears 光年 =9460730472580800 | pc
        parsec parsecs =30856775814913673""",
    "area": """
        ha hectare hectares 公顷 =10000 | acre acres 英亩 =40468564224/10000000 | are ares
        =100 | 亩 =2000/3 | sqm =1 | sqkm =1000000 | sqft =9290304/100000000""",
    "volume": """
        l litre litres liter liters 升 =1/1000 | ml millilitre millilitres milliliter
        milliliters 毫升 =1/1000000 | cl =1/100000 | dl =1/10000 | hl =1/10 | gal gallon
        gallons =3785411784/1000000000000 | cc =1/1000000 | bbl barrel barrels 桶
        =158987294928/1000000000000""",
    "mass": """
        kg kgs kilogram kilograms kilogramme kilo kilos 千克 公斤 =1 | g gram grams gramme
        grammes 克 =1/1000 | mg milligram milligrams 毫克 =1/1000000 | µg μg ug mcg
        microgram micrograms 微克 =1/1000000000 | t tonne tonnes ton tons 吨 =1000 | kt
        kiloton kilotons kilotonne kilotonnes =1000000 | lb lbs =45359237/100000000 | oz
        ounce ounces =45359237/1600000000 | st stone =635029318/100000000 | 斤 =1/2""",
    "time": """
        s sec secs second seconds 秒 秒钟 =1 | ms millisecond milliseconds 毫秒 =1/1000 | min
        mins minute minutes 分 分钟 =60 | h hr hrs hour hours 小时 时 =3600 | d day days 天 日
        =86400 | wk week weeks 周 星期 =604800 | µs μs us microsecond microseconds
        =1/1000000 | ns nanosecond nanoseconds =1/1000000000""",
    "months": """
        month months mo 个月 =1 | y yr yrs year years 年 岁 =12 | decade decades =120 |
        century centuries =1200""",
    "frequency": """
        hz hertz 赫兹 =1 | khz =1000 | MHz mhz =1000000 | ghz =1000000000 | thz
        =1000000000000 | rpm =1/60""",
    "power": """
        w watt watts 瓦 =1 | kw kilowatt kilowatts 千瓦 =1000 | MW mw megawatt megawatts 兆瓦
        =1000000 | gw gigawatt gigawatts 吉瓦 =1000000000 | tw terawatt =1000000000000 |
        mW milliwatt milliwatts =1/1000 | hp horsepower 马力
        =74569987158227022/100000000000000 | 万千瓦 =10000000""",
    "energy": """
        j joule joules 焦耳 =1 | kj =1000 | MJ mj =1000000 | gj =1000000000 | wh =3600 |
        kwh 千瓦时 度电 =3600000 | MWh mwh =3600000000 | gwh =3600000000000 | twh
        =3600000000000000 | cal =4184/1000 | kcal 千卡 大卡 =4184 | ev
        =1602176634/10000000000000000000000000000 | btu =105505585262/100000000""",
    "charge": "ah =1 | mah =1/1000",
    "voltage": "v volt volts 伏 =1 | kv =1000 | mV millivolt millivolts =1/1000 | MV =1000000",
    "current": "amp amps ampere amperes 安 =1 | ma =1/1000",
    "force": "n newton newtons =1 | kn =1000",
    "pressure": """
        pa pascal pascals =1 | hpa =100 | kpa 千帕 =1000 | MPa mpa 兆帕 =1000000 | gpa
        =1000000000 | bar bars =100000 | mbar millibar millibars =100 | atm =101325 |
        psi =689475729316836/100000000000 | mmhg =133322387415/1000000000""",
    "data": """
        byte bytes 字节 =1 | kb =1000 | MB mb =1000000 | gb =1000000000 | tb
        =1000000000000 | pb =1000000000000000 | kib =1024 | mib =1048576 | gib
        =1073741824 | tib =1099511627776 | bit bits =1/8 | kbit =125 | Mbit mbit Mb
        =125000 | Gbit gbit Gb =125000000""",
    "angle": "° deg degree degrees 度 =1 | rad radian radians =1",
    "sound": "db decibel decibels =1",
    "USD": "$ usd us$ $us usd$ 美元 美金 dollar dollars =1 | cent cents ¢ =1/100",
    "EUR": "€ eur euro euros 欧元 =1",
    "GBP": "£ gbp pound pounds 英镑 =1",
    "CNY": "cny rmb cn¥ 元 人民币 人民币元 yuan renminbi =1",
    "JPY": "jpy jp¥ 日元 日圆 yen =1",
    "¥": "¥ =1",
    "KRW": "₩ krw 韩元 won =1",
    "INR": "₹ inr rs 卢比 rupee rupees =1",
    "RUB": "₽ rub ruble rubles rouble roubles 卢布 =1",
    "HKD": "hk$ hkd 港元 港币 =1",
    "AUD": "a$ au$ aud 澳元 =1",
    "CAD": "c$ ca$ cad 加元 =1",
    "NZD": "nz$ nzd =1",
    "SGD": "s$ sg$ sgd 新元 =1",
    "TWD": "nt$ twd 新台币 =1",
    "MXN": "mx$ mxn =1",
    "BRL": "r$ brl real reais =1",
    "CHF": "chf fr franc francs 瑞士法郎 =1",
    "SEK": "sek =1",
    "NOK": "nok =1",
    "DKK": "dkk =1",
    "PLN": "pln zł zloty =1",
    "CZK": "czk kč =1",
    "HUF": "huf =1",
    "TRY": "₺ try lira liras =1",
    "ILS": "₪ ils shekel shekels =1",
    "THB": "฿ thb baht 泰铢 =1",
    "VND": "₫ vnd =1",
    "IDR": "idr rp =1",
    "MYR": "myr rm =1",
    "PHP": "₱ php =1",
    "ZAR": "zar rand =1",
    "NGN": "₦ ngn =1",
    "UAH": "₴ uah =1",
    "AED": "aed =1",
    "SAR": "sar =1",
    "BTC": "₿ btc =1",
    "temperature": "kelvin kelvins =1",
    "length / time": "kph kmh km/hr =5/18 | mph =1397/3125 | knot knots =463/900",
    "data / time": "kbps =125 | mbps =125000 | gbps =125000000",
    "people": "people persons person inhabitants inhabitant 人 名 位 =1",
}
"""Dimension to names of its units, each with what one of it is of the first."""
ONE = Unit("1")
"""Of a percentage: a number without a unit is the same, one of kilometres is not."""
SCALES = {
    "%": Fraction(1, 100),
    "％": Fraction(1, 100),
    "‰": Fraction(1, 1000),
    "percent": Fraction(1, 100),
    "per cent": Fraction(1, 100),
    "pct": Fraction(1, 100),
    "百分": Fraction(1, 100),
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "millions": Fraction(10**6),
    "mn": Fraction(10**6),
    "mln": Fraction(10**6),
    "mio": Fraction(10**6),
    "billion": Fraction(10**9),
    "billions": Fraction(10**9),
    "bn": Fraction(10**9),
    "bln": Fraction(10**9),
    "trillion": Fraction(10**12),
    "tn": Fraction(10**12),
    "trn": Fraction(10**12),
    "quadrillion": Fraction(10**15),
    "lakh": Fraction(10**5),
    "lakhs": Fraction(10**5),
    "lac": Fraction(10**5),
    "crore": Fraction(10**7),
    "crores": Fraction(10**7),
    "cr": Fraction(10**7),
    "十": Fraction(10),
    "百": Fraction(100),
    "千": Fraction(10**3),
    "仟": Fraction(10**3),
    "万": Fraction(10**4),
    "萬": Fraction(10**4),
    "亿": Fraction(10**8),
    "億": Fraction(10**8),
    "兆": Fraction(10**12),
    "만": Fraction(10**4),
    "억": Fraction(10**8),
    "조": Fraction(10**12),
    "लाख": Fraction(10**5),
    "करोड़": Fraction(10**7),
    "thousands": Fraction(10**3),
    "tausend": Fraction(10**3),
    "millionen": Fraction(10**6),
    "milliarde": Fraction(10**9),
    "milliarden": Fraction(10**9),
    "mrd": Fraction(10**9),
    "mil": Fraction(10**6),
}
"""Words after a number to what they multiply it by."""
_LETTER_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_MONEY_SCALES = {"m": 10**6, "b": 10**9, "t": 10**12, "mm": 10**6}
_PERCENTS = frozenset(("%", "％", "‰", "percent", "per cent", "pct"))
_NO_THINGS = frozenset((
    "a", "about", "above", "ad", "after", "ago", "almost", "an", "and", "approx", "around",
    "at", "bc", "bce", "before", "below", "between", "but", "by", "ce", "circa", "down",
    "each", "every", "exactly", "except", "excluding", "fewer", "for", "from", "half", "if",
    "in", "including", "less", "many", "max", "maximum", "maybe", "minimum", "minus", "more",
    "most", "negative", "neither", "no", "none", "nor", "not", "of", "off", "on", "only", "or",
    "other", "over", "per", "plus", "possibly", "probably", "quarter", "several", "since",
    "than", "the", "then", "through", "till", "times", "to", "twice", "under", "unknown",
    "until", "up", "upto", "versus", "vs", "was", "with", "without", "x", "zero",
))  # fmt: skip
"""Words that change what a number says; none of them counts things."""


def _build() -> dict[str, Unit]:
    table = {
        name: Unit(dimension, Fraction(factor))
        for dimension, text in _TABLE.items()
        for names, factor in re.findall(r"([^=|]+)=([\d/]+)", text)
        for name in names.split()
    }
    celsius = Unit("temperature", Fraction(1), Fraction("273.15"))
    fahrenheit = Unit("temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9))
    table |= dict.fromkeys(("°c", "celsius", "centigrade", "°celsius", "摄氏度"), celsius)
    table |= dict.fromkeys(("°f", "fahrenheit", "°fahrenheit", "华氏度"), fahrenheit)
    return table


UNITS = _build()
"""Spelling, as it stands or in lower case, to unit."""
_LENGTHS = {name: unit for name, unit in UNITS.items() if unit.dimension == "length"}
_POWERED = re.compile(
    r"(?P<name>[^\W\d_]+)\^?(?P<power>[23])"
    r"|(?P<before>square|sq\.?|cubic|cu\.?|平方|立方) ?(?P<of>.+)"
)
_PER = re.compile(r" ?/ ?| per | ?每 ?")
_THING = re.compile(r"[^\W\d_]+(?:[- ][^\W\d_]+){0,2}")


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """Returns the unit that a text names; None when it names none.

    Args:
        text: what stands beside a number, in its own case, without blanks around it.
    """
    parts = _PER.split(text)
    if len(parts) == 2 and text not in UNITS and text.lower() not in UNITS:
        above, below = (_single(part) for part in parts)
        if above is None or below is None:
            return None
        return Unit(f"{above.dimension} / {below.dimension}", above.factor / below.factor)
    return _single(text)


def _single(text: str) -> Unit | None:
    folded = text.lower()
    unit = UNITS.get(text) or UNITS.get(folded) or UNITS.get(folded.rstrip("."))
    if unit is None and (found := _POWERED.fullmatch(folded)):
        length = _LENGTHS.get(found["name"] or found["of"])
        if length is not None:
            square = found["power"] == "2" or (found["before"] or "").startswith(("s", "平"))
            return Unit("area" if square else "volume", length.factor ** (2 if square else 3))
    if unit is None and folded.startswith(("degrees ", "degree ", "deg ", "° ")):
        unit = UNITS.get("°" + folded.split(" ", 1)[1])
    if unit is None and len(text) > 1 and _THING.fullmatch(folded):
        words = re.split("[- ]", folded)
        if _NO_THINGS.isdisjoint(words) and SCALES.keys().isdisjoint(words):
            return Unit(" ".join(_singular(word) for word in words))
    return unit


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def read_scale(word: str, *, money: bool) -> Fraction | None:
    """Returns what a word after a number multiplies it by; None for other words.

    Args:
        word: in its own case, as `m` is metres and `M` millions.
        money: whether a currency stands before the number, where `m` is millions.
    """
    scale = SCALES.get(word) or SCALES.get(word.lower().rstrip("."))
    if scale is None:
        size = _LETTER_SCALES.get(word) or (_MONEY_SCALES.get(word) if money else None)
        scale = None if size is None else Fraction(size)
    return scale


def is_percent(word: str) -> bool:
    """Returns whether a scale makes a share of the number, which has no unit."""
    return word.lower() in _PERCENTS


def comparable(one: Unit, other: Unit) -> bool:
    """Returns whether two units measure the same; ¥ is yen and yuan alike."""
    if one.dimension == other.dimension:
        return True
    pair = {one.dimension, other.dimension}
    return "¥" in pair and bool(pair & {"JPY", "CNY"})
