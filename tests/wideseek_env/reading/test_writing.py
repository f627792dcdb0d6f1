import pytest

from wideseek_env.reading.writing import convert_number, read_date, read_number, write_number


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("204 km", 204, "km"),
        ("1,204.5 km²", 1204.5, "km²"),
        ("some 3.1 million people", 3_100_000, "people"),
        ("12 300 m³/s", 12300, "m³/s"),
        ("-4 m", -4, "m"),
        ("about 80 square kilometres", 80, "sqkilometres"),
        ("in 1984", 1984, ""),
    ],
)
def test_read_number_gives_value_and_the_word_behind_it(text, number, unit):
    assert read_number(text) == (number, unit)


def test_read_number_of_words_alone_is_none():
    assert read_number("unknown") is None


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        ("204,000 m", "km", 204),
        ("10 miles", "km", 16.09344),
        ("300 ha", "km²", 3),
        ("12,000 l/s", "m³/s", 12),
        ("5,400 s", "min", 90),
        ("3,000,000 crowns", "million crowns", 3),
        ("3 million crowns", "million crowns", 3),
        ("3 million crowns", "crowns", 3_000_000),
        ("12.5 thousand people", "people", 12_500),
        ("4.1 hundred papers", "papers", 410),
        ("17", "km", 17),
        ("17", "million crowns", 17),
        ("no figure", "km", None),
    ],
)
def test_convert_number_gives_the_wanted_unit(text, unit, wanted):
    assert convert_number(text, unit) == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1987-03-12", "1987-03-12"),
        ("opened on 12 March 1987", "1987-03-12"),
        ("March 12, 1987", "1987-03-12"),
        ("12 Mar 1987", "1987-03-12"),
        ("the 12th of March 1987", "1987-03-12"),
        ("12/03/1987", "1987-03-12"),
        ("12.03.1987", "1987-03-12"),
        ("03/25/1987", "1987-03-25"),
        ("March 1987", "1987-03-01"),
        ("in 1987", "1987-01-01"),
    ],
)
def test_read_date_knows_the_usual_forms(text, wanted):
    found = read_date(text)
    assert found is not None
    assert found.isoformat() == wanted


@pytest.mark.parametrize("text", ["unknown", "31 February", "204 km"])
def test_read_date_without_a_date_is_none(text):
    assert read_date(text) is None


def test_write_number_has_no_exponent_and_no_tail_of_zeros():
    assert [write_number(x) for x in (3.0, 0.125, 1_234_567.0, 100.0)] == [
        "3",
        "0.125",
        "1234567",
        "100",
    ]
