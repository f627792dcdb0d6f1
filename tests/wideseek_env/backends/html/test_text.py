import gzip
import json

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real_data

from wideseek_env.backends.html.text import (
    one_line,
    read_html,
    split_cells,
    split_parts,
    without_links,
)


def text(html: str, **options: bool) -> str:
    return read_html(html, **options).text


# --- blocks and inline text -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("plain", "plain"),
        ("<p>one\n   two</p><p>three</p>", "one two\nthree"),
        ("<p>a<b>b</b>c <i>d</i></p>", "abc d"),
        ("<p>one<br>two<br/><br/>three</p>", "one\ntwo\nthree"),
        (
            "<h1>Top</h1><p>x</p><h2>A <b>b</b></h2><p>y</p><h3>C</h3>",
            "# Top\nx\n\n## A b\ny\n\n### C",
        ),
        ("<h2><br></h2>x", "x"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ol><li><p>a</p><p>b</p></li><li><div>c</div></ol>", "- a\nb\n- c"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n- b\n- c"),
        ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<p>a &amp; b &lt;c&gt; &eacute; &#8212; &nosuch;</p>", "a & b <c> é — &nosuch;"),
        ("a\u00a0b\u200b c\u00ad\u3000d", "a b c d"),
        ("<p>x</p><hr><p>y</p>", "x\ny"),
        ("a<!-- comment -->b<?pi ?>c", "abc"),
        ("a <img src=x alt=picture> b", "a b"),
    ],
)
def test_read_html_blocks(html: str, expected: str) -> None:
    assert text(html) == expected


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<noscript>no</noscript>",
        "<template>no</template>",
        "<svg><text>no</text></svg>",
        '<span style="display:none">no</span>',
        '<span style="color: red; DISPLAY : None;">no</span>',
        '<span style="visibility:hidden">no</span>',
        "<b hidden>no</b>",
        '<span class="sortkey">no</span>',
        '<span class="x mw-editsection">[no]</span>',
        '<sup class="reference"><a href="#n">[1]</a></sup>',
        '<sup class="noprint Inline-Template">[no]</sup>',
    ],
)
def test_read_html_drops_what_is_not_shown_and_keeps_what_follows(hidden: str) -> None:
    assert text(f"<p>12{hidden}34</p>") == "1234"
    assert text(f"<table><tr><td>a{hidden}<td>b</table>") == "a | b"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        # units, ordinals and marks that no reader takes for digits stay as they are
        ("12 km<sup>2</sup>", "12 km2"),
        ("3 m<sup>3</sup>/s", "3 m3/s"),
        ("1<sup>st</sup> and 2<sup>nd</sup>", "1st and 2nd"),
        ("XIX<sup>e</sup> siècle, N<sup>o</sup> 5", "XIXe siècle, No 5"),
        ("<sup>14</sup>C", "14C"),
        ("H<sub>2</sub>O, Ca<sup>2+</sup>", "H2O, Ca2+"),
        ("Apps<sup>†</sup>", "Apps†"),
        ("see <sup>1</sup>", "see 1"),
        # exponents
        ("10<sup>6</sup>", "10^6"),
        ("2<sup>10</sup>", "2^10"),
        ("6.02 × 10<sup>23</sup> mol", "6.02 × 10^23 mol"),
        ("1.5×10<sup>−4</sup>", "1.5×10^−4"),
        ("10<sup><b>6</b></sup>", "10^6"),
        # note marks
        ("481,000<sup>1</sup>", "481,000[1]"),
        ("1988<sup>12</sup>", "1988[12]"),
        ("Bern<sup>a</sup>", "Bern[a]"),
        ("7<sup>b</sup>", "7[b]"),
        ("Unknown<sup>1</sup>", "Unknown[1]"),
        ('Bern<sup><a href="#n">1</a></sup>', "Bern[1]"),
        ("5,000<sup>a,b</sup>", "5,000[a,b]"),
        ("5,000<sup>1, 2</sup>", "5,000[1, 2]"),
        ("50%<sup>1</sup>", "50%[1]"),
        # indices
        ("10<sub>2</sub>", "10_2"),
        ("12<sub>16</sub>", "12_16"),
        ("x<sub>1</sub>, 5<sub>max</sub>", "x1, 5max"),
        # fractions
        ("5<sup>1</sup>/<sub>2</sub>", "5 1/2"),
        ("5<sup>1</sup>⁄<sub>2</sub>", "5 1⁄2"),
    ],
)
def test_read_html_runs_no_superscript_into_a_number_or_name(html: str, expected: str) -> None:
    assert text(f"<p>{html}</p>") == expected
    assert table(f"<td>k<td>{html}") == f"k | {expected}"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>A\n title</title><h1>B</h1>", "A title"),
        ("<title> </title><h1>B <i>c</i></h1>", "B c"),
        ("<p>x</p>", ""),
        ("", ""),
    ],
)
def test_read_html_title(html: str, title: str) -> None:
    assert read_html(html).title == title


def test_read_html_links() -> None:
    html = (
        '<p><a href="/a b">A <b>x</b></a> <a href="#note">note</a> <a>none</a> '
        '<a href="javascript:f()">js</a> <a href="/img"><img src=i></a></p>'
        '<table><tr><td><a href="/c">C</a><td>1</table>'
    )
    assert text(html) == "A x note none js\n\nC | 1"
    assert text(html, links=True) == "[A x](/a%20b) note none js\n\n[C](/c) | 1"


def test_without_links_gives_the_text_read_without_them() -> None:
    html = (
        '<p>A <a href="/wiki/Heroes_(album)">Heroes</a> (1977) [note] x](y '
        '<a href="//w.example/b c|d?e=[f]">B</a></p>'
        '<table><tr><td><a href="/x">a|b</a><td>1</table>'
    )
    linked = text(html, links=True)
    assert "[Heroes](/wiki/Heroes_%28album%29)" in linked
    assert without_links(linked) == text(html)
    assert without_links("[not] (a link)") == "[not] (a link)"


# --- tables ---------------------------------------------------------------------------------------


def table(*rows: str) -> str:
    return text("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")


def test_table_stands_between_empty_lines_with_its_caption() -> None:
    html = "<p>before</p><table><caption>Cap</caption><tr><th>A<th>B<tr><td>1<td>2</table>after"
    assert text(html) == "before\n\nCap\nA | B\n1 | 2\n\nafter"


def test_table_cells_are_one_line_each() -> None:
    assert table("<td>a<br>b<p>c</p><td><ul><li>x<li>y</ul>") == "a b c | x y"
    assert table("<td>a|b<td>c") == r"a\|b | c"
    assert split_cells(r"a\|b |  | c") == ["a|b", "", "c"]
    assert table("<td>a<td><td>c").split(" | ") == ["a", "", "c"]
    assert table("<td></td><td>b") == " | b"


def test_table_expands_column_spans() -> None:
    assert table("<td colspan=2>a<td>b") == "a | a | b"


def test_table_expands_row_spans() -> None:
    rows = ("<td rowspan=3>a<td>1<td rowspan=2>z", "<td>2", "<td>3<td>y", "<td>b<td>4<td>x")
    assert table(*rows) == "a | 1 | z\na | 2 | z\na | 3 | y\nb | 4 | x"


def test_table_expands_spans_both_ways() -> None:
    assert table("<td rowspan=2 colspan=2>a<td>1", "<td>2") == "a | a | 1\na | a | 2"


def test_table_row_span_at_the_end_of_a_row_reaches_past_a_gap() -> None:
    assert table("<td>a<td>b<td rowspan=2>c", "<td>d") == "a | b | c\nd |  | c"


def test_table_row_span_ends_with_the_table_and_zero_means_all_rows() -> None:
    assert table("<td rowspan=99>a<td>1", "<td>2") == "a | 1\na | 2"
    assert table("<td rowspan=0>a<td>1", "<td>2", "<td>3") == "a | 1\na | 2\na | 3"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<thead><tr><th rowspan=2>Team<th>W</thead><tbody><tr><td>Ajax<td>3</tbody>",
            "Team | W\nAjax | 3",
        ),
        (
            "<tbody><tr><td rowspan=9>a<td>1</tbody><tfoot><tr><td>Total<td>3</tfoot>",
            "a | 1\nTotal | 3",
        ),
        (
            "<tbody><tr><td rowspan=3>Jan<td>1<tr><td>2</tbody><tbody><tr><td>Feb<td>5</tbody>",
            "Jan | 1\nJan | 2\nFeb | 5",
        ),
        (
            "<tbody><tr><td rowspan=0>a<td>1<tr><td>2</tbody><tbody><tr><td>b<td>3</tbody>",
            "a | 1\na | 2\nb | 3",
        ),
        ("<tr><td rowspan=9>a<td>1<tbody><tr><td>b<td>2</tbody>", "a | 1\nb | 2"),
        ("<tbody><tr><td rowspan=9>a<td>1</tbody><tr><td>b<td>2", "a | 1\nb | 2"),
        (  # feet are shown last, wherever they stand
            "<tfoot><tr><td>Total<td>3</tfoot><tbody><tr><td>a<td>3</tbody>",
            "a | 3\nTotal | 3",
        ),
    ],
)
def test_table_row_spans_end_with_their_row_group(html: str, expected: str) -> None:
    assert text(f"<table>{html}</table>") == expected


def test_table_column_span_over_a_cell_from_above_uses_it_up() -> None:
    first, last = "<td>a<td>b<td rowspan=2>c", "<td>d<td>e<td>f"
    assert table(first, "<td>x<td colspan=2>y", last) == "a | b | c\nx | y | y\nd | e | f"
    assert table(first, "<td colspan=3>note", last) == "a | b | c\nnote\nd | e | f"
    assert table(first, "<td>x<td>y", last) == "a | b | c\nx | y | c\nd | e | f"
    longer = "<td>a<td>b<td rowspan=3>c"
    assert table(longer, "<td>x<td colspan=2>y", "<td>d<td>e") == (
        "a | b | c\nx | y | y\nd | e | c"
    )


def test_table_column_spans_are_those_of_browsers() -> None:
    assert table("<td colspan=70>H<td>Z") == " | ".join(["H"] * 70 + ["Z"])
    assert table("<td colspan=5000>H<td>Z").count("H") == 1000
    assert table("<td colspan=+2>H<td>Z") == "H | H | Z"


@pytest.mark.parametrize("span", ["x", "-1", "0", "", "1.5", "2;", "99999999999"])
def test_table_with_a_strange_span_is_read(span: str) -> None:
    assert table(f'<td colspan="{span}">a<td>b').endswith("a | b")


def test_table_banner_is_one_cell() -> None:
    rows = ("<th>A<th>B<th>C", "<th colspan=3>Season 1", "<td>1<td>2<td>3")
    assert table(*rows) == "A | B | C\nSeason 1\n1 | 2 | 3"


def test_table_merges_header_rows_that_spans_join() -> None:
    rows = (
        "<th rowspan=2>Year<th colspan=2>Peak<th rowspan=2>Album",
        "<th>US<th>UK",
        "<td>1999<td>1<td>2<td>X",
    )
    assert table(*rows) == "Year | Peak US | Peak UK | Album\n1999 | 1 | 2 | X"


def test_table_keeps_header_rows_without_spans_apart() -> None:
    assert table("<th>A<th>B", "<th>C<th>D", "<td>1<td>2") == "A | B\nC | D\n1 | 2"
    assert table("<th>A<th>B", "<td>1<td>2", "<th>A<th>B") == "A | B\n1 | 2\nA | B"


def test_table_hidden_rows_and_cells_and_empty_rows_are_left_out() -> None:
    rows = ("<td>a<td style='display:none'>x<td>b", "<td><td>", "<td>c<td>d")
    assert table(*rows) == "a | b\nc | d"
    assert text("<table><tr hidden><td>x<tr><td>a<td>b</table>") == "a | b"


def test_table_cell_with_only_a_picture_says_what_it_shows() -> None:
    assert table('<td><img alt="Yes"><td>a<img alt="flag">') == "Yes | a"
    assert table('<td><img alt="Photo 1.JPG"><td>a') == " | a"


def test_table_inside_a_table_is_read_as_a_table_of_its_own() -> None:
    inner = "<table><tr><th>A<th>B<tr><td>1<td>2</table>"
    assert table("<td>left<td>right", f"<td>{inner}<td>text") == (
        "left | right\n\nA | B\n1 | 2\n\ntext"
    )


def test_table_sections_and_stray_content() -> None:
    html = (
        "<table><colgroup><col></colgroup><thead><tr><th>A<th>B</thead>"
        "<tbody><tr><td>1<td>2</tbody><tfoot><tr><td>sum<td>3</tfoot></table>"
    )
    assert text(html) == "A | B\n1 | 2\nsum | 3"
    assert "stray" in text("<table><p>stray</p><tr><td>a<td>b</table>")


# --- broken markup and encodings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>a<div>b</p>c", ["a", "b", "c"]),
        ("<table><tr><td>a<td>b<tr><td>c", ["a", "b", "c"]),
        ("<td>a<td>b", ["a", "b"]),
        ("in</body></html> <p>after</p>", ["in", "after"]),
        ("<p>a<b attr='", ["a"]),
        ("a\x00b \ud800 \x01 &#0; c", ["c"]),
        ("<<<a>>> b", ["b"]),
        ("<?xml version='1.0' encoding='latin-1'?><html><p>a</p></html>", ["a"]),
        ("<div>" * 1500 + "deep" + "</div>" * 1500 + "<p>after", ["deep", "after"]),
        ("<div>" * 5000 + "deep" + "</div>" * 5000 + "<p>after", ["deep", "after"]),
        ("<table><tr><td>" * 700 + "deep", ["deep"]),
        ("<a href=x><b>" * 800 + "deep", ["deep"]),
    ],
)
@pytest.mark.parametrize("links", [False, True])
def test_read_html_gets_the_words_out_of_broken_markup(
    html: str, words: list[str], links: bool
) -> None:
    found = text(html, links=links)
    assert all(word in found for word in words)
    assert found.encode()


@given(st.text(alphabet="<>/abtdrhulip ='\"!-&;#x1\x00\ud800\n", max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_read_html_never_raises(html: str) -> None:
    assert isinstance(text(html, links=True), str)
    assert isinstance(read_html(html.encode("utf-8", "replace")).text, str)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>naïve 长城</p>".encode(), "naïve 长城"),
        (b"\xef\xbb\xbf" + "<p>ü</p>".encode(), "ü"),
        (b"\xff\xfe" + "<p>ü</p>".encode("utf-16-le"), "ü"),
        (b"\xfe\xff" + "<p>ü</p>".encode("utf-16-be"), "ü"),
        (b'<meta charset="iso-8859-1"><p>\xfc \x93q\x94</p>', "ü “q”"),
        (
            b'<meta http-equiv="Content-Type" content="text/html; charset=gb2312"><p>'
            + "长城".encode("gbk")
            + b"</p>",
            "长城",
        ),
        (b'<meta charset="no-such-charset"><p>\xc3\xbc</p>', "ü"),
        (b'<meta charset="utf-8"><p>caf\xe9 is French</p>', "café is French"),
        (b"<p>caf\xe9 is French</p>", "café is French"),
        # labels mean what they mean in browsers
        (b"<meta charset=iso-8859-9><p>\xddzmir \x93x\x94", "İzmir “x”"),
        (b"<meta charset=latin1><p>\x80 5", "€ 5"),
        (b"<meta charset=us-ascii><p>caf\xe9", "café"),
        (b"<meta charset=gb2312><p>" + "朱镕基 €".encode("gb18030"), "朱镕基 €"),
        (b"<meta charset=ks_c_5601-1987><p>" + "서울 펲시".encode("cp949"), "서울 펲시"),
        (b"<meta charset=x-sjis><p>" + "東京①㈱".encode("cp932"), "東京①㈱"),
        (b"<meta charset=big5><p>" + "香港噉".encode("big5hkscs"), "香港噉"),
        (b"<meta charset=euc-jp><p>\xc5\xec\xb5\xfe\xad\xa1", "東京①"),
        (b"<meta charset=cp1251><p>" + "Москва".encode("cp1251"), "Москва"),
        (b"<meta charset=windows-874><p>" + "ไทย".encode("cp874"), "ไทย"),
        (b"<meta charset=utf-16><p>\xc3\xbc", "ü"),
        # what is no label of the web is no declaration, whatever codec Python has of this name
        *(
            (f'<meta charset="{label}"><p>Zürich'.encode(), "Zürich")
            for label in (
                *("undefined", "unicode_escape", "charmap", "punycode", "idna", "utf-7", "rot13"),
                *("hex", "zlib", "mbcs", "replacement", "hz-gb-2312", "x-user-defined"),
                *("\x00", "utf-8\x00", "é"),
            )
        ),
        ('<?xml version="1.0" encoding="undefined"?><p>Zürich</p>'.encode(), "Zürich"),
        ('<?xml version="1.0" encoding="windows-1252"?><p>Zürich</p>'.encode("cp1252"), "Zürich"),
        # one bad byte costs one character
        ("<meta charset=utf-8><p>Zürich Łódź 東京".encode() + b"\xff", "Zürich Łódź 東京\ufffd"),
        ("<p>Zürich Łódź 東京".encode() + b"\xff", "Zürich Łódź 東京\ufffd"),
        (b"<meta charset=big5><p>\xff" + "香港".encode("big5"), "\ufffd香港"),
        (b"<meta charset=windows-1252><p>caf\xe9 \x81", "café \ufffd"),
    ],
)
def test_read_html_decodes_bytes(source: bytes, expected: str) -> None:
    assert text(source) == expected


# --- parts ----------------------------------------------------------------------------------------


def test_split_parts_short_text_is_one_part() -> None:
    assert split_parts("", 10) == [""]
    assert split_parts("abc\ndef", 7) == ["abc\ndef"]
    with pytest.raises(ValueError, match="max_chars"):
        split_parts("abc", 0)


def test_split_parts_cuts_at_line_ends_and_long_lines_between_words() -> None:
    assert split_parts("abc\ndef\nghi", 7) == ["abc\ndef", "ghi"]
    assert split_parts("aa bb cc dd", 5) == ["aa bb", "cc dd"]
    assert split_parts("abcdefgh", 3) == ["abc", "def", "gh"]


def test_split_parts_repeats_the_header_inside_a_table_only() -> None:
    rows = [f"{i} | name{i}" for i in range(6)]
    page = "\n".join(
        ["intro", "", "Caption", "No | Name", *rows[:3], "Banner", *rows[3:], "", "end"]
    )
    assert split_parts(page, 40) == [
        "intro\n\nCaption\nNo | Name\n0 | name0",
        "No | Name\n1 | name1\n2 | name2\nBanner",
        "No | Name\n3 | name3\n4 | name4\n5 | name5",
        "end",
    ]


def test_split_parts_does_not_take_a_menu_for_a_header() -> None:
    assert split_parts("Home | About\nsome prose\nmore prose", 22) == [
        "Home | About",
        "some prose\nmore prose",
    ]


def test_split_parts_repeats_the_header_above_a_banner() -> None:
    assert split_parts("A | B\n11 | 22\nBanner\n3 | 4", 18) == [
        "A | B\n11 | 22",
        "A | B\nBanner\n3 | 4",
    ]


def test_split_parts_leaves_out_a_header_that_does_not_fit() -> None:
    assert split_parts("A long header | B\n123456 | 1\n234567 | 2", 20) == [
        "A long header | B",
        "123456 | 1",
        "234567 | 2",
    ]


LINES = st.lists(st.text(alphabet="ab é长", max_size=30).map(one_line), max_size=40)


@given(LINES, st.integers(1, 60))
@settings(max_examples=examples(100), deadline=None)
def test_split_parts_loses_nothing_and_honours_the_bound(lines: list[str], most: int) -> None:
    parts = split_parts("\n".join(lines), most)
    assert all(len(part) <= most for part in parts)
    assert "".join("".join(parts).split()) == "".join("".join(lines).split())


@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 2), max_size=40), st.integers(30, 200))
@settings(max_examples=examples(100), deadline=None)
def test_split_parts_keeps_each_row_once_under_its_header(
    cells: list[tuple[int, int]], most: int
) -> None:
    rows = [f"{a} | {b}" for a, b in cells]
    parts = split_parts("\n".join(["Key | Value", *rows]), most)
    assert all(len(part) <= most for part in parts)
    assert all(part.split("\n")[0] == "Key | Value" for part in parts)
    assert [line for part in parts for line in part.split("\n")[1:]] == rows


# --- real pages -----------------------------------------------------------------------------------


def test_read_html_keeps_rows_of_a_real_page() -> None:
    folder = real_data("wikipages")
    with gzip.open(folder / "tables.jsonl.gz") as file:
        tables = {table["url"]: table for table in map(json.loads, file)}
    kept = num_rows = 0
    with gzip.open(folder / "pages.jsonl.gz") as file:
        for line, _ in zip(file, range(25), strict=False):
            page = json.loads(line)
            lines = [split_cells(row) for row in text(page["html"]).split("\n")]
            for row in tables[page["url"]]["rows"]:
                cells = {"".join(one_line(cell).split()) for cell in row} - {""}
                num_rows += 1
                kept += any(cells <= {"".join(c.split()) for c in line} for line in lines)
    assert kept / num_rows >= 0.97
