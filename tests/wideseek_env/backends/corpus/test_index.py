import math
import random
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.backends.corpus.index import PASSAGE_CHARS, PassageIndex, passages


def index_of(texts: list[str], titles: list[str] | None = None) -> PassageIndex:
    index = PassageIndex()
    with index.writing() as writer:
        for number, text in enumerate(texts):
            writer.add(number, titles[number] if titles else "", text)
    return index


def pages_for(index: PassageIndex, query: str, num_pages: int = 10) -> list[int]:
    return [match.page for match in index.search(query, num_pages)]


def bm25(texts: list[str], query: str) -> list[float]:
    """Okapi BM25 with Lucene's idf, k1 = 1.2, b = 0.75, by the book."""
    documents = [Counter(text.split()) for text in texts]
    lengths = [document.total() for document in documents]
    mean = sum(lengths) / len(lengths)
    scores = [0.0] * len(texts)
    for word in set(query.split()):
        holding = sum(word in document for document in documents)
        idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for number, document in enumerate(documents):
            count = document[word]
            bound = count + 1.2 * (0.25 + 0.75 * lengths[number] / mean)
            scores[number] += idf * count * 2.2 / bound
    return scores


def test_search_agrees_with_bm25() -> None:
    rng = random.Random(3)
    words = [f"w{i}" for i in range(60)]
    weights = [1 / (i + 1) for i in range(60)]
    # At most 40 words: tantivy stores longer lengths rounded.
    texts = [" ".join(rng.choices(words, weights, k=rng.randint(1, 40))) for _ in range(300)]
    index = index_of(texts)
    for _ in range(100):
        query = " ".join(rng.sample(words, 3))
        expected = bm25(texts, query)
        matches = index.search(query, 300)
        assert {match.page for match in matches} == {i for i in range(300) if expected[i] > 0}
        in_order = [expected[match.page] for match in matches]
        assert [match.score for match in matches] == pytest.approx(in_order, rel=1e-4)
        assert in_order == pytest.approx(sorted(in_order, reverse=True), rel=1e-4)


def test_search_gives_a_page_by_its_best_passage() -> None:
    filler = "\n".join(f"line {i} of nothing much at all" for i in range(60))
    text = f"{filler}\nthe needle is here\n{filler}"
    index = index_of([text, "other"])
    [match] = index.search("needle", 3)
    assert match.page == 0
    assert "the needle is here" in text[match.start : match.end]


def test_search_counts_the_title_for_every_passage() -> None:
    text = "\n".join(f"row {i} | value" for i in range(200))
    index = index_of([text, text], ["Alpha", "Beta"])
    matches = index.search("Beta row 150", 1)
    assert matches[0].page == 1
    assert "row 150" in text[matches[0].start : matches[0].end]


def test_search_gives_all_ties_of_the_last_page_wanted() -> None:
    index = index_of(["same words"] * 500 + ["same words but longer"])
    assert sorted(pages_for(index, "same", 3)) == list(range(500))


def test_search_is_not_filled_up_by_one_long_page() -> None:
    long = "\n".join(f"river number {i} is a river" for i in range(3000))
    index = index_of([long, *(f"river {name}" + " words" * 50 for name in "abc")])
    assert len(pages_for(index, "river", 4)) == 4


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cities", "The city of Marlow"),
        ("JORGENSEN", "Krag-Jørgensen"),
        ("o'brien", "O’Brien"),
        ("长城", "中国的长城很长"),
        ("城", "长城"),
        ("東京タワー", "東京タワーは高い"),
        ("서울", "서울특별시"),
        ("москва", "Москва"),
        ("3.14", "pi is 3.14"),
        ("Bézier", "Be\u0301zier"),
        ("Be\u0301zier", "Bézier"),
        ("Bezier", "Be\u0301zier"),
        ("カタカナ", "ｶﾀｶﾅ"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("ＴＯＫＹＯ　２０２０", "Tokyo 2020"),
        ("Izmir", "İzmir"),
        ("İZMİR", "izmir"),
        ("ﬁnal", "final"),
        ("שלום", "שָׁלוֹם"),
        ("שָׁלוֹם", "שלום"),
        ("محمد", "مُحَمَّد"),
        ("مـحـمـد", "محمد"),
        ("αθηνα", "Αθήνα"),
        ("Lodz", "Łódź"),
        ("한국", unicodedata.normalize("NFD", "한국어")),
        ("Достопримечательности", "Все Достопримечательности"),
        ("высококвалифицированный", "Высококвалифицированный труд"),
        (
            "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
            "Das Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
        ),
        ("Ηλεκτροεγκεφαλογράφημα", "ένα ηλεκτροεγκεφαλογράφημα"),
        ("அருங்காட்சியகங்களிலிருந்து", "அருங்காட்சியகங்களிலிருந்து"),
        ("x" * 130, "x" * 130),
    ],
)
def test_search_matches_words_as_people_mean_them(query: str, text: str) -> None:
    assert pages_for(index_of(["nothing", text]), query) == [1]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Bezier", "Brazier"),
        ("ガイド", "カイト"),  # the voicing of kana is no accent
        ("कमल", "कोमल"),  # nor are vowel signs of Indian scripts
        ("한국", "하늘"),
        ("שלום", "שלם"),
        ("высоко", "высококвалифицированный"),
        ("x" * 130, "x" * 131),
    ],
)
def test_search_keeps_different_words_apart(query: str, text: str) -> None:
    index = index_of([text, query])
    assert pages_for(index, query)[0] == 1
    assert index.search(query, 1)[0].score > 0
    scores = {match.page: match.score for match in index.search(query, 5)}
    assert scores.get(0, 0.0) < scores[1]


def test_search_prefers_chinese_words_to_their_characters() -> None:
    index = index_of(["城长", "万里长城在北方"])
    assert pages_for(index, "长城")[0] == 1


def test_search_ignores_words_after_the_64th_and_repeated_ones() -> None:
    index = index_of(["target", "other"])
    assert pages_for(index, " ".join(f"x{i}" for i in range(64)) + " target") == []
    assert pages_for(index, "x " * 200 + "target") == [0]


def test_empty_page_is_found_by_its_title() -> None:
    assert pages_for(index_of([""], ["Lonely"]), "lonely") == [0]


@given(st.text(alphabet="ab \n长", max_size=3000), st.integers(1, 4))
@settings(max_examples=examples(100), deadline=None)
def test_passages_cover_the_text_in_order(text: str, times: int) -> None:
    text *= times
    spans = list(passages(text))
    assert all(0 <= end - start <= PASSAGE_CHARS for start, end in spans)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    for (_, end), (start, _) in pairwise(spans):
        assert start == end or (start == end + 1 and text[end] in "\n ")


def test_passages_end_at_line_ends() -> None:
    text = "\n".join("x" * 90 for _ in range(30))
    assert all(end == len(text) or text[end] == "\n" for _, end in passages(text))
