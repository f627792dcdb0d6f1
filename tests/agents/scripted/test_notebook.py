from agents.scripted.notebook import Notebook
from wideseek_env.reading.pages import Link, LinkedText


def page(url, date, *facts, name="Alden", links=()):
    lines = [f"{name} (river in Varnia) | {url} | part 1 of 1", ""]
    lines += [f"{label} | {value}" for label, value in facts]
    lines += ["", f"{name} is a river in Varnia."]
    lines += [f"- [{link.text}]({link.url})" for link in links]
    lines += [f"Last updated: {date}."] if date else []
    return "\n".join(lines)


def test_value_on_two_pages_is_the_newest_whichever_was_read_first():
    old, new = (
        page("/a", "4 May 2020", ("Length", "3 km"), ("Regime", "tidal")),
        page("/b", "5 May 2020", ("Length", "4 km")),
    )
    for order in ((old, new), (new, old)):
        notebook = Notebook()
        for text in order:
            notebook.read(text)
        alden = notebook.things["Alden"]
        assert alden.value("Length") == LinkedText("4 km")
        assert alden.value("Regime") == LinkedText("tidal")
        assert alden.value("Discharge") is None


def test_value_on_pages_of_one_day_is_the_majority():
    notebook = Notebook()
    for url, length in (("/a", "3 km"), ("/b", "4 km"), ("/c", "4 km")):
        notebook.read(page(url, "4 May 2020", ("Length", length)))
    assert notebook.things["Alden"].value("Length") == LinkedText("4 km")


def test_value_of_a_page_without_a_date_counts_least():
    notebook = Notebook()
    notebook.read(page("/a", "", ("Length", "3 km")))
    notebook.read(page("/b", "1 May 1999", ("Length", "4 km")))
    assert notebook.things["Alden"].value("Length") == LinkedText("4 km")


def test_read_twice_counts_once():
    notebook = Notebook()
    for url, length in (("/a", "3 km"), ("/a", "3 km"), ("/b", "4 km"), ("/c", "4 km")):
        notebook.read(page(url, "4 May 2020", ("Length", length)))
    assert len(notebook.things["Alden"].facts["Length"]) == 3


def test_find_knows_a_thing_by_name_alias_and_url():
    notebook = Notebook()
    text = page("/a", "4 May 2020", ("Length", "3 km")) + "\nAlden is also known as Silver Run."
    notebook.read(text)
    alden = notebook.things["Alden"]
    for link in (
        Link("Alden", ""),
        Link("Silver Run", ""),
        Link("whatever", "/a"),
        LinkedText("Alden"),
    ):
        assert notebook.find(link) is alden
    assert notebook.find(Link("Brook", "/b")) is None


def test_second_pages_are_unread_until_they_are_read_and_archives_are_not_newer():
    links = (
        Link("Gazetteer of Varnia: Alden", "/a/gazetteer"),
        Link("Alden (river in Varnia), archived copy of 2010", "/a/archive"),
        Link("Varnia", "/varnia"),
    )
    notebook = Notebook()
    notebook.read(page("/a", "4 May 2020", ("Length", "3 km"), links=links))
    alden = notebook.things["Alden"]
    assert alden.newer_unread == ["/a/gazetteer"]
    assert set(alden.unread) == {"/a/gazetteer", "/a/archive"}
    notebook.read(page("/a/gazetteer", "5 May 2020", ("Length", "4 km")))
    assert alden.newer_unread == []


def test_read_of_an_error_adds_nothing():
    notebook = Notebook()
    assert notebook.read("no page at '/x'; open a URL that a search has shown") is None
    assert notebook.things == {}
