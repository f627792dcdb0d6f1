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

from wideseek_env.scoring.scales import SCALES


class Unit(NamedTuple):
    """A unit: `size` of it is `size * factor + offset` of its dimension's first unit."""

    dimension: str
    """`length`; `mass / volume` for a rate; a currency's code; the word itself for things."""
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


_TABLE = {
    "length": """
        m metre metres meter meters 米 公尺 mètre mètres metro metros metri м метр метров
        メートル 미터 =1 | mm millimetre millimetres millimeter millimeters 毫米 =1/1000 |
        cm centimetre centimetres centimeter centimeters 厘米 公分 см センチ 센티미터 =1/100
        | dm decimetre decimeter =1/10 | km kms kilometre kilometres kilometer kilometers
        千米 公里 kilómetro kilómetros kilometri chilometri quilómetros quilômetros км
        километров キロメートル 킬로미터 =1000 | µm μm um micron microns micrometre
        micrometer micrometres micrometers 微米 =1/1000000 | nm nanometre nanometer
        nanometres nanometers 纳米 =1/1000000000 | in inch inches 英寸 =254/10000 | ft foot
        feet 英尺 =3048/10000 | yd yds yard yards 码 =9144/10000 | mi mile miles 英里
        =1609344/1000 | nmi NM nautical_mile nautical_miles 海里 =1852 | au =149597870700 |
        ly lightyear lightyears light_year light_years 光年 =9460730472580800 | pc parsec
        parsecs =30856775814913673""",
    "area": """
        ha hectare hectares hektar hectáreas га 公顷 ヘクタール =10000 | acre acres 英亩
        =40468564224/10000000 | are ares =100 | 亩 =2000/3 | sqm =1 | sqkm =1000000 | sqft
        =9290304/100000000""",
    "volume": """
        l litre litres liter liters 升 litro litros л リットル 리터 =1/1000 | ML megalitre
        megalitres =1000 | GL gigalitre gigalitres =1000000 | ml millilitre millilitres
        milliliter milliliters 毫升 =1/1000000 | cl =1/100000 | dl =1/10000 | hl =1/10 | gal
        gallon gallons =3785411784/1000000000000 | cc =1/1000000 | bbl barrel barrels 桶
        =158987294928/1000000000000""",
    "mass": """
        kg kgs kilogram kilograms kilogramme kilo kilos 千克 公斤 кг キロ 킬로그램 =1 | g
        gram grams gramme grammes 克 gramos Gramm г グラム 그램 =1/1000 | Mg megagram
        megagrams =1000 | mg milligram milligrams 毫克 =1/1000000 | µg μg ug mcg microgram
        micrograms 微克 =1/1000000000 | t tonne tonnes ton tons 吨 tonnen toneladas
        tonnellate тонн т トン 톤 =1000 | short_ton short_tons us_tons =90718474/100000 |
        long_ton long_tons =10160469088/10000000 | kt kiloton kilotons kilotonne kilotonnes
        =1000000 | lb lbs =45359237/100000000 | oz ounce ounces =45359237/1600000000 | st
        stone =635029318/100000000 | 斤 =1/2""",
    "time": """
        s sec secs second seconds 秒 秒钟 초 =1 | ms millisecond milliseconds 毫秒 =1/1000 |
        min mins minute minutes 分 分钟 分間 分鐘 minuten minutos минут 분 =60 | h hr hrs
        hour hours 小时 时 小時 時間 stunde stunden heure heures hora horas часов 시간 =3600
        | d day days 天 日 日間 tag tage jour jours día días dias дней 일 =86400 | wk week
        weeks 周 星期 週 週間 woche wochen semaine semaines semana semanas 주 주일 =604800 |
        µs μs us microsecond microseconds =1/1000000 | ns nanosecond nanoseconds
        =1/1000000000""",
    "months": """
        month months mo 个月 個月 ヶ月 か月 カ月 ヵ月 개월 monat monate monaten mois mes
        meses месяцев =1 | y yr yrs year years 年 年间 年間 岁 歳 歲 년 세 살 jahr jahre
        jahren an ans année années año años anni anno anos лет год года =12 | Ma Myr Mya
        =12000000 | Ga Gyr =12000000000 | decade decades =120 | century centuries =1200""",
    "frequency": """
        hz hertz 赫兹 =1 | khz =1000 | MHz mhz =1000000 | ghz =1000000000 | thz
        =1000000000000 | rpm =1/60""",
    "power": """
        w watt watts 瓦 =1 | kw kilowatt kilowatts 千瓦 =1000 | MW mw megawatt megawatts
        兆瓦 =1000000 | gw gigawatt gigawatts 吉瓦 =1000000000 | tw terawatt =1000000000000
        | mW milliwatt milliwatts =1/1000 | hp horsepower 马力
        =74569987158227022/100000000000000 | 万千瓦 =10000000""",
    "energy": """
        j joule joules 焦耳 =1 | kj =1000 | MJ mj =1000000 | gj =1000000000 | wh =3600 | kwh
        千瓦时 度电 =3600000 | MWh mwh =3600000000 | gwh =3600000000000 | twh
        =3600000000000000 | cal =4184/1000 | kcal kilocalorie kilocalories 千卡 大卡 =4184 |
        ev =1602176634/10000000000000000000000000000 | btu =105505585262/100000000""",
    "charge": "ah =1 | mah =1/1000",
    "voltage": "v volt volts 伏 =1 | kv =1000 | mV millivolt millivolts =1/1000 | MV =1000000",
    "current": "amp amps ampere amperes 安 =1 | mA milliamp milliamps milliamperes =1/1000",
    "force": "n newton newtons =1 | kN kilonewton kilonewtons =1000",
    "torque": "Nm newton_metre newton_metres newton_meters =1",
    "pressure": """
        pa pascal pascals =1 | hpa =100 | kpa 千帕 =1000 | MPa mpa 兆帕 =1000000 | gpa
        =1000000000 | bar bars =100000 | mbar millibar millibars =100 | atm =101325 | psi
        =689475729316836/100000000000 | mmhg =133322387415/1000000000""",
    "data": """
        byte bytes 字节 =1 | kb =1000 | MB mb =1000000 | gb =1000000000 | tb =1000000000000
        | pb =1000000000000000 | kib =1024 | mib =1048576 | gib =1073741824 | tib
        =1099511627776 | bit bits =1/8 | kbit =125 | Mbit mbit Mb =125000 | Gbit gbit Gb
        =125000000""",
    "angle": "° deg degree degrees 度 =1 | rad radian radians =1",
    "sound": "db decibel decibels =1",
    "USD": """
        $ usd us$ $us usd$ 美元 美金 dollar dollars us_dollar us_dollars american_dollars
        united_states_dollars dólares =1 | cent cents ¢ =1/100""",
    "EUR": "€ eur euro euros 欧元 евро ユーロ 유로 =1",
    "GBP": "£ gbp pound_sterling pounds_sterling british_pounds 英镑 ポンド =1",
    "pound": "pound pounds =1",
    "CNY": "cny rmb cn¥ 元 人民币 人民币元 yuan renminbi chinese_yuan 人民元 =1",
    "JPY": "jpy jp¥ 日元 日圆 円 圓 엔 yen japanese_yen =1",
    "¥": "¥ =1",
    "KRW": "₩ krw 韩元 원 ウォン won south_korean_won korean_won =1",
    "INR": "₹ inr rs 卢比 rupee rupees indian_rupee indian_rupees रुपये =1",
    "RUB": "₽ rub ruble rubles rouble roubles russian_rubles руб рубль рубля рублей 卢布 =1",
    "HKD": "hk$ hkd hong_kong_dollars 港元 港币 =1",
    "AUD": "a$ au$ aud australian_dollars 澳元 =1",
    "CAD": "c$ ca$ cad canadian_dollars 加元 =1",
    "NZD": "nz$ nzd new_zealand_dollars =1",
    "SGD": "s$ sg$ sgd singapore_dollars 新元 =1",
    "TWD": "nt$ twd new_taiwan_dollars taiwan_dollars 新台币 =1",
    "MXN": "mx$ mxn mexican_pesos =1",
    "BRL": "r$ brl real reais brazilian_reais =1",
    "CHF": "chf fr franc francs swiss_franc swiss_francs 瑞士法郎 =1",
    "SEK": "sek swedish_kronor swedish_krona =1",
    "NOK": "nok norwegian_kroner norwegian_krone =1",
    "DKK": "dkk danish_kroner danish_krone =1",
    "PLN": "pln zł zloty złoty złotych =1",
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
    "length / time": "kph kmh km/hr =5/18 | mph =1397/3125 | kn knot knots =463/900",
    "data / time": "kbps =125 | mbps =125000 | gbps =125000000",
    "people": """
        people persons person inhabitants inhabitant 人 名 位 명 personen personas personnes
        habitants habitantes einwohner =1""",
}
"""Dimension to names of its units, each with what one of it is of the first."""
ONE = Unit("1")
"""Of a percentage: a number without a unit is the same, one of kilometres is not."""
_WORDS = """
    a about above ad after ago almost an and approx around at bc bce before behind below between
    bil but by ce circa cubed debit decline decrease deficit down drop each every exactly except
    excluding fewer fold for from giga greater gross half halves hundredths higher if in
    including kk larger less longer loss lost lower many max maximum maybe mega mil millionths
    min minimum minus more most negative neither no none nor not of off older on only or other
    over per percentage plus possibly probably quarter quarters reduction several short shorter
    since smaller squared tenths than the then third thirds thousandths through till times to
    twice under unknown until up upto versus vs was with without x younger zero zillion zillions
    mehr weniger oder und unter über bis mindestens höchstens minimal maximal negativ null moins
    ou sous zéro au et négatif más menos o y bajo cero mínimo máximo como negativo più meno
    oltre sotto e piu mas mais abaixo ate até meer minder onder boven mer mindre eller över lub
    więcej mniej veya daha fazla az atau lebih kurang
"""
_NO_THINGS = frozenset(_WORDS.split())
"""Words that change what a number says; none of them counts things."""
_MILLI = frozenset(("mm", "ml", "mg", "ms", "mbar", "mcg", "mmhg", "ma"))
"""Symbols that mean something larger with a capital M, or nothing."""


def _build() -> dict[str, Unit]:
    table = {
        name: Unit(dimension, Fraction(factor))
        for dimension, text in _TABLE.items()
        for names, factor in re.findall(r"([^=|]+)=([\d/]+)", text)
        for name in (name.replace("_", " ") for name in names.split())
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
_PER = re.compile(r" ?/ ?|(?:^| )per | ?每 ?")
_THING = re.compile("[a-z\u00df-\u024f]+(?:[- ][a-z\u00df-\u024f]+){0,2}")
"""One to three words of Latin letters; of other words nobody knows whether they multiply."""


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """Returns the unit that a text names; None when it names none.

    Args:
        text: what stands beside a number, in its own case, without blanks around it.
    """
    parts = _PER.split(text)
    if len(parts) == 2 and text not in UNITS and text.lower() not in UNITS:
        above = _single(parts[0]) if parts[0] else Unit("1")  # /km²
        below = _single(parts[1])
        if above is None or below is None:
            return None
        return Unit(f"{above.dimension} / {below.dimension}", above.factor / below.factor)
    return _single(text)


def _single(text: str) -> Unit | None:
    folded = text.lower()
    unit = UNITS.get(text)
    if unit is None and not (text[:1] == "M" and folded in _MILLI):
        unit = UNITS.get(folded) or UNITS.get(folded.rstrip("."))
    if unit is None and (found := _POWERED.fullmatch(folded)):
        length = _LENGTHS.get(found["name"] or found["of"])
        if length is not None:
            square = found["power"] == "2" or (found["before"] or "").startswith(("s", "平"))
            return Unit("area" if square else "volume", length.factor ** (2 if square else 3))
    if unit is None and folded.startswith(("degrees ", "degree ", "deg ", "° ")):
        unit = UNITS.get("°" + folded.split(" ", 1)[1])
    if unit is None and (" " in text or "-" in text):
        unit = UNITS.get(folded.removesuffix(" old").replace("-", " "))
    if unit is None and len(text) > 1 and _THING.fullmatch(folded):
        words = re.split("[- ]", folded)
        if _NO_THINGS.isdisjoint(words) and SCALES.keys().isdisjoint(words):
            return Unit(" ".join(_singular(word) for word in words))
    return unit


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def comparable(one: Unit, other: Unit) -> tuple[Unit, Unit] | None:
    """Returns two units that measure the same as units of one dimension; None for others.

    `¥` is yen or yuan and `pounds` are money or a mass, as the other side has it; `/km²` says what
    `people per km²` does.
    """
    if one.dimension == other.dimension:
        return one, other
    for mine, wanted in ((one, other), (other, one)):
        meant = _MEANT.get(mine.dimension, {}).get(wanted.dimension)
        if mine.dimension.startswith("1 / ") and wanted.dimension.endswith(mine.dimension[1:]):
            meant = Unit(wanted.dimension, mine.factor)
        if meant is not None:
            return (meant, other) if mine is one else (one, meant)
    return None


_MEANT = {
    "¥": {"JPY": UNITS["jpy"], "CNY": UNITS["cny"]},
    "pound": {"GBP": UNITS["gbp"], "mass": UNITS["lb"]},
}
"""What a unit with two meanings is beside one of another dimension."""
