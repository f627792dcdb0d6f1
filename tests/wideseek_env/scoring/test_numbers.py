"""Numbers: what must be equal and what must not, both ways round."""

from __future__ import annotations

from fractions import Fraction

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.records import Column
from wideseek_env.scoring.numbers import InHeader, Number, near, read_header, read_number
from wideseek_env.scoring.units import UNITS, Unit
from wideseek_env.scoring.values import read_value, same

EXACT = Column("v", "number_near", ("extract_number",), 0.0)


def equal(one: str, other: str, column: Column = EXACT) -> bool:
    forth, back = (
        same(read_value(a, column), read_value(b, column), column)
        for a, b in ((one, other), (other, one))
    )
    assert forth == back
    return forth


EQUAL = {
    "sign": "-5=−5 -5=(5) -1234=(1,234) -5=minus_5 -5=negative_5 -$5=($5) -5=－5 +5=5 -5=负5 "
    "-5_%=(5%) -$5=$-5",
    "digits": "5=٥ 5=５ 5=५ 1234=1,234 1234=1_234 1234=1'234 1234.5=1.234,5 1234567=1.234.567 "
    "1234567=12,34,567 "
    "0.5=.5 0.5=0,5 1.5=1½ 0.25=¼ 0.75=3/4 2.5=2_1/2 1e3=1000 1000000=10^6 5000000=5×10⁶ "
    "5e6=5*10^6 "
    "3.5=٣٫٥ 1234567.89=1_234_567,89 1000000=10⁶ 12=１２ 100=1.0e2",
    "scale": "5200000=5.2M 3000=3K 30000000=3_crore 300000=3_lakh 300000=3_hundred_thousand "
    "24=2_dozen 300000000=3億 "
    "190000000=1亿9千万 35000=3.5万 5.2M=5.2_million $5.2M=5200000_dollars 2e9=2bn "
    "5_bn=5_billion 0.1=10% 10%=10_percent "
    "1000000000000=1万亿 $5m=$5_million 0.005=5‰ 5million=5_million",
    "unit": "5_km=5000_m 1_mi=1.609344_km 5_ft_11_in=71_in 5'11\"=71_in 1_h_20_min=80_min "
    "8_lb_6_oz=134_oz 5_km²=5_km2 "
    "5_sq_mi=5_mi2 1_km²=100_ha 100_°C=212_°F 5_千米=5_km 120_km/h=120_kph 1_kWh=3.6_MJ "
    "5_kPa=5000_Pa 1_GB=1000_MB "
    "5_km=5 5_people=5_persons 1000=1e3_units 1_week=7_days 1h20m=80_min 5_metres=5m "
    "1_year=12_months 2_MW=2000_kW "
    "5_goals=5_goals 5_goal=5_goals 1_l=1000_ml 5th=5 $5=5_USD US$5=$5 €5=5_EUR £5=5_pounds "
    "¥5=5_JPY ¥5=5_CNY 5元=CNY_5 "
    "$5/kg=5_USD/kg ₹5_crore=50_million_INR 3千5百人=3500_people",
    "range": "10%-90%=10_%_to_90_% 1994-1996=1994_to_1996 5-7_km=5_km_-_7_km $5-$7=$5_to_$7 "
    "5–7=5_through_7 "
    "5_…_7=between_5_and_7 5.2–5.8_million=5200000-5800000 500_m_-_1_km=0.5-1_km "
    "from_5_to_7=5-7 5至7=5-7 10-20%=10%-20%",
    "bound": "<300=under_300 >300=more_than_300 ≥300=>=300 300+=300_or_more at_least_300=≥300 "
    "≤5=up_to_5 5以上=≥5 "
    "less_than_$5=<$5 5_or_fewer=<=5 over_5_km=>5000_m",
    "about": "300=~300 300=c._300 300=about_300 300=approx._300 300=300_(est.) 300=约300 "
    "300=≈300 300=circa_300 "
    "300=approximately_300 $300=~$300",
    "note": "300=300[1] 300=300* 300=300† 300=300[a][2] 300=300[note_1] 300=**300** "
    "300=300_[citation_needed] #5=5 No._5=5 "
    "300=300.",
}
DIFFERENT = {
    "sign": "5=-5 5=(5) 5=minus_5 5=−5 5=5_below_zero -5=~5 (5)=5 -5%=5% -$5=$5 负5=5 5=neg_5",
    "digits": "1234=1.234 12_3=123 11=1½ 510=5*10 106=10^6 10.2=102 1,5=15 3/4=34 1e3=13 "
    "1.2.3=123 1_000=10 5=৬ 1/3=13 "
    "5.97×10^24=5.97×10^20 12345678=12345679",
    "scale": "3=3億 3=3_crore 3_lakh=3_crore 5.2=$5.2B $5.2M=$5.2B 5_million=5 "
    "3=3_hundred_thousand 2=2_dozen 1亿=1亿9千万 "
    "10%=10 3K=3M 5万=5亿 5_m=5M 5_thousand=5_million 5%=5‰ 3千=3",
    "unit": "5_km=5_mm USD_5=EUR_5 $5=€5 HK$5=$5 A$5=$5 5_kPa=5_MPa 5_minutes=5_hours "
    "5_days=5_years 5_sq_mi=5_km2 5_W=5_kW "
    "5_ft_2_in=5_ft_11_in 8_lb=8_lb_6_oz 1_h=1_h_59_min 5_kg=5_lb 5_goals=5_medals 5_°C=5_°F "
    "5_km=5_kg 5_km=5_km/h 5_m=5_m² "
    "5_MW=5_mW 5_GB=5_MB $5=5_people 5%=5_km 5_people=5_km 5_months=5_days 5_$/kg=5_$/lb "
    "5_bananas=5_km",
    "range": "10%=10%-90% 5_km=5_km_-_900_km $5=$5_-_$900 5=5_through_7 5=5_…_7 "
    "5=between_5_and_7 5_kg=5_kg_or_9_kg 10=10,_20 "
    "1994=1994-1996 10=10-20 20=10-20 5-7=5-8 10=10_x_10 2020=2020-05-01 120=1:20",
    "bound": "300=<300 300=>=300 300=300+ <300=>300 <300=<=300 300=over_300 5=5_or_more "
    "5=at_most_5 5=not_5 5=under_5",
    "word": "15=iPhone_15 5=Channel_5_news 4=4_or_so 7=7UP_cola_7 5=5_if_lucky 3=three_of_3 "
    "5=x5y 20=v2.0 5=5_(6) 10=10_x_10",
}


def cases(table: dict[str, str]) -> list[tuple[str, str]]:
    pairs = (pair.partition("=") for text in table.values() for pair in text.split())
    return [(one.replace("_", " "), other.replace("_", " ")) for one, _, other in pairs]


@pytest.mark.parametrize(("one", "other"), cases(EQUAL))
def test_numbers_that_are_equal(one: str, other: str) -> None:
    assert equal(one, other)


@pytest.mark.parametrize(("one", "other"), cases(DIFFERENT))
def test_numbers_that_are_not(one: str, other: str) -> None:
    assert not equal(one, other)
    assert equal(one, one)
    assert equal(other, other)


@pytest.mark.parametrize(
    "cell",
    ["iPhone 15", "1_000", "2020-05-01", "5 or 9", "5, 7", "v1.2.3", "12 3",
    "not 5", "1:20",
     "1e999", "one hundred", "5 and a half", "10 x 10", "9" * 101, "", "-", "5 (6)", "3/17",
     "10 of 12"],
)  # fmt: skip
def test_what_is_not_understood_to_its_end_is_no_number(cell: str) -> None:
    assert read_number(cell, InHeader()) is None


def test_header_gives_scale_and_unit_to_bare_numbers() -> None:
    million = Fraction(10**6)
    assert read_header("Sales (million)") == InHeader(million)
    assert read_header("Sales (in US$ million)") == InHeader(million, UNITS["$"])
    assert read_header("Sales (USD, million)") == InHeader(million, UNITS["$"])
    assert read_header("Share (%)") == InHeader(Fraction(1, 100))
    assert read_header("Length (km)") == InHeader(None, UNITS["km"])
    assert read_header("Area in km²").unit == Unit("area", Fraction(10**6))
    for header in ("Born (year)", "Population", "Rank (FIFA)", "Name (in Chinese)", "", "x" * 9000):
        assert read_header(header) == InHeader()


@pytest.mark.parametrize(
    ("header", "one", "other", "right"),
    [
        ("Length (km)", "5", "5,000 m", True), ("Length (km)", "5", "5 m", False),
        ("Length (km)", "5", "5 km", True), ("Length", "5", "5 km", True),
        ("Length", "5000", "5 km", False),
        ("Sales (million)", "5", "5,000,000", False), ("Sales (million)", "5", "5 million", True),
        ("Sales (US$ million)", "5", "$5 million", True),
        ("Sales (US$ million)", "5", "€5 million", False),
        ("Share (%)", "12.5", "12.5%", True), ("Share (%)", "12.5", "0.125", False),
    ],
)  # fmt: skip
def test_cells_under_a_header_with_a_unit(header: str, one: str, other: str, right: bool) -> None:
    assert equal(one, other, Column(header, "number_near", ("extract_number",), 0.0)) is right


def test_tolerance_is_a_share_of_the_gold_number_in_its_own_unit() -> None:
    km, m = Number(1, UNITS["km"]), Number(1050, UNITS["m"])
    assert near(m, km, Fraction(5, 100))
    assert not near(m, km, Fraction(4, 100))
    warm, gold = Number(22, UNITS["°c"]), Number(20, UNITS["°c"])
    assert not near(warm, gold, Fraction(5, 100))  # of 20 degrees, not of 293 kelvins
    wide, narrow = Number(1, None, 100), Number(1, None, 104)
    assert near(narrow, wide, Fraction(5, 100))
    assert not near(narrow, wide, Fraction(3, 100))


def test_sizes_are_exact() -> None:
    long = "1" * 29
    assert not equal(f"{long}1", f"{long}2")
    assert not equal("0.1", "0.10000000000000001")
    assert equal("1 mi", "5280 ft")
    assert equal("1 acre", "43560 sq ft")


@given(st.text(alphabet="0123456789.,-+ ()%$€kmKMB/^×½五万亿千~<>[]*e'\"至to", max_size=24))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_is_equal_to_itself_and_raises_nothing(text: str) -> None:
    assert equal(text, text)
    assert equal(text, f" {text} ")


@given(
    number=st.decimals(-(10**9), 10**9, places=3),
    unit=st.sampled_from(["km", "kg", "h", "°C", "MB", "$", "people", "%", ""]),
)
@settings(max_examples=examples(100), deadline=None)
def test_a_number_in_any_form_of_digits_is_itself(number: object, unit: str) -> None:
    plain = f"{number} {unit}".strip()
    assert equal(plain, f"{number:,} {unit}".strip())
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    assert equal(plain, plain.translate(wide))
    assert equal(plain, f"~{plain}")
    assert not equal(plain, f"<{plain}")


@given(
    st.from_regex(r"-?[0-9]{1,3}((,[0-9]{3}){0,3}|[0-9]{0,6})(\.[0-9]{1,4})?%?", fullmatch=True),
    st.booleans(),
    st.sampled_from(["Sales", "Sales (US$ million)", "Share (%)", "Length (km)"]),
)
@settings(max_examples=examples(100), deadline=None)
def test_usual_cells_are_read_at_once_as_any_other_way(text: str, bold: bool, name: str) -> None:
    """A blank before it sends a cell the long way round."""
    cell, header = f"**{text}**" if bold else text, read_header(name)
    assert read_number(cell, header) == read_number(f" {cell}", header)
