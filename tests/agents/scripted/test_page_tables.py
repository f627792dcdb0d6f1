import pytest

from agents.rollout import Job, run_episode
from agents.scripted import POLICIES
from agents.scripted.page_tables import TableQuestion, parse_table_question
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.records import Column, Task
from wideseek_env.scoring.tables import read_table

HEADER = "<tr><th>Year</th><th colspan=2>Club</th><th>%</th></tr>"
ROWS = [(str(1950 + i), f"Club {i}", str(i)) for i in range(40)]
LINES = [f"<tr><td>{year}</td><td></td><td>{club}</td><td>{n}</td></tr>" for year, club, n in ROWS]
OTHER = "<table><tr><th>Year</th><th>Club</th></tr><tr><td>1900</td><td>X</td></tr></table>"
PAGES = [
    RawPage(
        "wiki/A",
        "A. Player (born 1930)",
        f"<p>Intro</p>{OTHER}<p>Text</p><table>{HEADER}<tr><th colspan=4>First spell</th></tr>"
        f"{''.join(LINES)}</table>",
    ),
    RawPage("wiki/B", "A. Player", f"<table>{HEADER}<tr><td>1</td><td>2</td></tr></table>"),
]
COLUMNS = ("%", "Year", "Club")


@pytest.mark.parametrize(
    ("question", "title", "columns"),
    [
        (
            "List every row of the table with the columns Year, Peak position on the page “X (y)”.",
            "X (y)",
            ("Year", "Peak position"),
        ),
        (
            "The page “X” has a table with the columns A, b; C. Give the whole table, one line for "
            "each of its rows.",
            "X",
            ("A, b", "C"),
        ),
        (
            "What does the table on the page “X” say? It has the columns Lat., Lon. List all rows.",
            "X",
            ("Lat.", "Lon"),
        ),
        (
            "Find the page “X” and copy its table with the columns A, B. Leave out no row.",
            "X",
            ("A", "B"),
        ),
    ],
)
def test_parse_table_question_reads_title_and_columns(question, title, columns):
    assert parse_table_question(question) == TableQuestion(title, columns)


def test_parse_table_question_of_another_question_is_none():
    assert parse_table_question("List the rivers in Varnia. Columns: River.") is None


@pytest.mark.parametrize(("name", "n_subagents"), [("solo", 0), ("fanout", 2)])
async def test_table_is_copied_from_all_parts_of_the_page_named(name, n_subagents):
    gold = tuple((n, year, club) for year, club, n in ROWS)
    task = Task(
        "table",
        "Find the page “A. Player (born 1930)” and copy its table with the columns "
        f"{', '.join(COLUMNS)}. Leave out no row.",
        tuple(map(Column, COLUMNS)),
        ("Year",),
        gold,
    )
    backend = PagesBackend(PAGES, part_chars=300)
    assert (await backend.open("wiki/A")).num_parts > 2
    episode = await run_episode(Job(task, backend, n_subagents), POLICIES[name]([]))
    table = read_table(episode.answer)
    assert table is not None
    assert table.rows == gold
    assert episode.score.success == 1.0
