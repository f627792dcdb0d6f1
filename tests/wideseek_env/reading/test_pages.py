import pytest

from wideseek_env.reading.pages import (
    CUT,
    Link,
    LinkedText,
    SearchHit,
    read_links,
    read_open,
    read_search,
)

RIVER = """Alden (river in Varnia) | /varnia/alden | part 1 of 1
[Varnia](/varnia) › [Rivers](/varnia/rivers/1)

# Alden (river in Varnia)

Length | 204 km
Mouth city | [Dorn](/varnia/dorn)
Catchment | 1,204 km²

Alden is a river in [Varnia](/varnia).
The bakery opposite has been run by the same family for generations.

## Facts
Alden is also known as Silver Run. Alden has a karstic regime. Its discharge is 9,000 l/s. It was \
first surveyed on 27 February 1887. It is in the province of Diarol.

## Other pages
- [Gazetteer of Varnia: Alden](/varnia/alden/gazetteer)
Last updated: 21 February 2024."""

COMPACT = """Bifan | /vubu/bifan | part 1 of 1
Bifan: airport in Vubu
Annual traffic: 28910
City served: Rosi
Opened (year): 1950"""


def test_read_open_of_an_entity_page_gives_what_it_is_about():
    notes = read_open(RIVER)
    assert notes is not None
    assert (notes.name, notes.noun, notes.alias) == ("Alden", "river", "Silver Run")
    assert (notes.url, notes.part, notes.num_parts) == ("/varnia/alden", 1, 1)
    assert notes.date == "2024-02-21"
    assert Link("Gazetteer of Varnia: Alden", "/varnia/alden/gazetteer") in notes.links


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Length", LinkedText("204 km")),
        ("Mouth city", LinkedText("Dorn", "/varnia/dorn")),
        ("Basin area", LinkedText("1,204 km²")),  # the page calls it "Catchment"
        ("Regime", LinkedText("karstic")),
        ("Discharge", LinkedText("9,000 l/s")),
        ("First survey", LinkedText("27 February 1887")),
        ("Province", LinkedText("Diarol")),
    ],
)
def test_read_open_finds_facts_in_info_box_and_sentences(label, value):
    notes = read_open(RIVER)
    assert notes is not None
    assert dict(notes.facts)[label] == value


def test_read_open_of_a_sentence_keeps_the_link_of_its_value():
    said = RIVER.replace("Its discharge", "It reaches the sea at the city [Esk](/e). Its discharge")
    notes = read_open(said)
    assert notes is not None
    assert ("Mouth city", LinkedText("Esk", "/e")) in notes.facts


def test_read_open_of_a_compact_page_reads_its_lines():
    notes = read_open(COMPACT)
    assert notes is not None
    assert (notes.name, notes.noun, notes.date) == ("Bifan", "airport", "")
    assert dict(notes.facts) == {
        "Annual traffic": LinkedText("28910"),
        "City served": LinkedText("Rosi"),
        "Opened": LinkedText("1950"),
    }


def test_read_open_of_a_list_page_is_a_table_with_links_and_about_nothing():
    notes = read_open(
        "List of rivers in Varnia, page 1 of 2 | /r/1 | part 1 of 1\n\n"
        "River | Province\n[Alden](/a) | Diarol\n[Brook](/b) | Vosar\n\n[Next page](/r/2)"
    )
    assert notes is not None
    assert notes.noun == ""
    assert notes.facts == ()
    assert notes.tables[0][1] == (LinkedText("Alden", "/a"), LinkedText("Diarol"))
    assert [link.url for link in notes.links] == ["/a", "/b", "/r/2"]


def test_read_open_keeps_a_heading_inside_a_table_and_ends_it_at_an_empty_line():
    notes = read_open(
        "T | /t | part 2 of 3\nYear | Club | Goals\nFirst spell\n1990 | A\\|B | 3\n\nx | y"
    )
    assert notes is not None
    table, rest = notes.tables
    assert [[cell.text for cell in row] for row in table] == [
        ["Year", "Club", "Goals"],
        ["First spell"],
        ["1990", "A|B", "3"],
    ]
    assert len(rest) == 1
    assert (notes.part, notes.num_parts) == (2, 3)


@pytest.mark.parametrize(
    "text",
    ["no page at '/x'", "", "search: rivers\nno results", f"{RIVER[:200]} {CUT}"],
)
def test_read_open_of_anything_but_a_whole_page_is_none(text):
    assert read_open(text) is None


def test_read_search_gives_titles_and_urls_in_order_and_no_snippets():
    text = "search: a | b\n1. Alden (river) | /a\nAlden | 3 km / 2. not a hit\n2. B | C | /b"
    assert read_search(text) == (SearchHit("Alden (river)", "/a"), SearchHit("B | C", "/b"))


def test_read_search_without_results_is_empty():
    assert read_search("search: nothing\nno results") == ()


def test_read_links_takes_urls_with_brackets():
    assert read_links("see [A (b)](/a_(b)), [C](/c)") == [Link("A (b)", "/a_(b)"), Link("C", "/c")]
