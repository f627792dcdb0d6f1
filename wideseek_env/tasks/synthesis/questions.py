"""Puts programs into words by templates, in English and Chinese.

Every question says where the rows stand, which of them are wanted, the columns with their units,
and how cells are written, so that its gold table is the only right answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, TypeAlias

from wideseek_env.tasks.synthesis.programs import Comparison, Program, Top
from wideseek_env.tasks.synthesis.relations import Kind, Relation

Language: TypeAlias = Literal["en", "zh"]


class JoinedWith(NamedTuple):
    """The second relation of a join, and the field of the first that equals its key."""

    relation: Relation
    on: str
    key: str
    columns: tuple[str, ...]
    """Of the program, those that the second relation brings."""


class _Words(NamedTuple):
    table: str
    only_table: str
    openings: tuple[str, ...]
    things: tuple[str, ...]
    that: str
    tests: Mapping[tuple[str, bool], str]
    dated: Mapping[str, str]
    either: str
    either_end: str
    any_of: str
    and_: str
    top: Mapping[tuple[bool, bool], str]
    joined: str
    joined_things: str
    closings: tuple[str, ...]
    notes: Mapping[Kind, str]
    verbatim: str
    newest: str
    comma: str
    blank: str


ENGLISH = _Words(
    table="the table “{part}” on the page “{place}”",
    only_table="the table with the column “{first}” on the page “{place}”",
    openings=(
        "From {table}, list all rows{that}.",
        "Go through {table} and find every row{that}.",
        "I need all rows of {table}{that}.",
        "Which rows does {table} have{that}? List all of them.",
    ),
    things=(
        "List all {place}{that}.",
        "Find every one of the {place}{that}.",
        "I need a complete list of the {place}{that}.",
    ),
    that=" for which {tests}",
    tests={
        ("is", False): "“{column}” is {value}",
        ("is", True): "“{column}” is not {value}",
        ("more", False): "“{column}” is more than {value}",
        ("less", False): "“{column}” is less than {value}",
        ("more", True): "“{column}” is at most {value}",
        ("less", True): "“{column}” is at least {value}",
    },
    dated={"more": "“{column}” is after {value}", "less": "“{column}” is before {value}"},
    either="({tests})",
    either_end=" or ",
    any_of=" or ",
    and_=" and ",
    top={
        (False, True): "Of these, take only the {k} with the greatest “{column}”.",
        (False, False): "Of these, take only the {k} with the smallest “{column}”.",
        (True, True): "Of these, take only the {k} with the latest “{column}”.",
        (True, False): "Of these, take only the {k} with the earliest “{column}”.",
    },
    joined="Look up “{on}” in {table} under “{key}”: the column {columns} is from there, and rows "
    "that it does not have are left out.",
    joined_things="“{on}” is one of the {place}: the column {columns} is about that one.",
    closings=(
        "Give a table with the columns: {columns}.",
        "Answer with a table of one line for each, with these columns in this order: {columns}.",
        "The answer is a table with the columns {columns}.",
    ),
    notes={
        "date": "Write dates as YYYY-MM-DD.",
        "number": "Write numbers as digits.",
        "year": "Write years with four digits.",
        "url": "Write links as whole URLs.",
    },
    verbatim="Copy names and other texts as the page has them; where it leaves a cell blank, leave "
    "it blank, too.",
    newest="Leave what is unknown blank; where pages disagree, the one updated last is right.",
    comma=", ",
    blank=" ",
)
_ZH = _Words(
    table="页面“{place}”上的表格“{part}”",
    only_table="页面“{place}”上含有“{first}”一列的表格",
    openings=(
        "请从{table}中列出{that}所有行。",
        "查看{table}，找出{that}每一行。",
        "我需要{table}中{that}全部行。",
    ),
    things=("请列出{that}所有“{place}”。", "找出{that}全部“{place}”。"),
    that="满足{tests}的",
    tests={
        ("is", False): "“{column}”为{value}",
        ("is", True): "“{column}”不为{value}",
        ("more", False): "“{column}”大于{value}",
        ("less", False): "“{column}”小于{value}",
        ("more", True): "“{column}”不大于{value}",
        ("less", True): "“{column}”不小于{value}",
    },
    dated={"more": "“{column}”晚于{value}", "less": "“{column}”早于{value}"},
    either="（{tests}）",
    either_end="或",
    any_of="或",
    and_="且",
    top={
        (False, True): "其中只取“{column}”最大的{k}个。",
        (False, False): "其中只取“{column}”最小的{k}个。",
        (True, True): "其中只取“{column}”最晚的{k}个。",
        (True, False): "其中只取“{column}”最早的{k}个。",
    },
    joined="再用“{on}”在{table}的“{key}”一列中查找：{columns}取自该表，该表中没有的行略去。",
    joined_things="“{on}”是“{place}”之一：{columns}说的是它。",
    closings=("请给出一个表格，列为：{columns}。", "请用表格回答，按此顺序列出各列：{columns}。"),
    notes={
        "date": "日期写作 YYYY-MM-DD。",
        "number": "数值用阿拉伯数字书写。",
        "year": "年份用四位数字书写。",
        "url": "链接写完整的 URL。",
    },
    verbatim="名称和其他文字照页面原样抄写；页面上空白的单元格也留空。",
    newest="未知的内容留空；各页面说法不一时，以最近更新的页面为准。",
    comma="、",
    blank="",
)
_WORDS: dict[Language, _Words] = {"en": ENGLISH, "zh": _ZH}


def question_of(
    program: Program,
    relation: Relation,
    rng: Random,
    *,
    language: Language = "en",
    joined: JoinedWith | None = None,
) -> str:
    """Words a program.

    Args:
        program: to word.
        relation: that it is executed on; of a join, the joined one.
        rng: picks among phrases.
        language: of the question; names of columns and values stay as the pages have them.
        joined: what the second half of a join is.
    """
    request = request_of(program, relation, rng, language=language, joined=joined)
    return with_form(request, program, relation, rng, language=language)


def request_of(
    program: Program,
    relation: Relation,
    rng: Random,
    *,
    language: Language,
    joined: JoinedWith | None,
) -> str:
    """Words which rows a program asks for; arguments as `question_of`."""
    words = _WORDS[language]
    tests = words.and_.join(_clause(clause, relation, words) for clause in program.where)
    that = words.that.format(tests=tests) if tests else ""
    if relation.of_things:
        opening = rng.choice(words.things).format(place=relation.place, that=that)
    else:
        opening = rng.choice(words.openings).format(table=_table(relation, words), that=that)
    said = [opening]
    if joined is not None:
        said.append(_joined(joined, words))
    if program.top is not None:
        said.append(_top(program.top, relation, words))
    return words.blank.join(said)


def with_form(
    request: str, program: Program, relation: Relation, rng: Random, *, language: Language
) -> str:
    """Adds to a request the columns with their units, and how cells are written."""
    words = _WORDS[language]
    said = [request, rng.choice(words.closings).format(columns=_list(program.columns, words))]
    kinds = {relation.fields[relation.index(label)].kind for label in program.columns}
    said += [note for kind, note in words.notes.items() if kind in kinds]
    said.append(words.newest if relation.of_things else words.verbatim)
    return words.blank.join(said)


def _table(relation: Relation, words: _Words) -> str:
    template = words.table if relation.part else words.only_table
    first = relation.fields[relation.keys[0]].name
    return template.format(part=relation.part, place=relation.place, first=first)


def _joined(joined: JoinedWith, words: _Words) -> str:
    columns = _list([f"“{label}”" for label in joined.columns], words)
    template = words.joined_things if joined.relation.of_things else words.joined
    said = template.format(
        on=joined.on,
        key=joined.key,
        columns=columns,
        place=joined.relation.place,
        table=_table(joined.relation, words),
    )
    if len(joined.columns) > 1:
        said = said.replace("the column “", "the columns “", 1)
        said = said.replace(" is from there", " are from there", 1)
        said = said.replace(" is about that", " are about that", 1)
    return said


def _top(top: Top, relation: Relation, words: _Words) -> str:
    dated = relation.fields[relation.index(top.column)].kind in ("date", "year")
    return words.top[dated, top.greatest].format(k=top.k, column=top.column)


def _clause(clause: Sequence[Comparison], relation: Relation, words: _Words) -> str:
    first, *others = clause
    if all(test.op == "is" and test.column == first.column for test in clause):
        values = [f"“{test.value}”" for test in clause]
        if not others or not first.negated:
            template = words.tests["is", first.negated]
            return template.format(column=first.column, value=words.any_of.join(values))
    said = [_test(test, relation, words) for test in clause]
    return words.either.format(tests=words.either_end.join(said)) if others else said[0]


def _test(test: Comparison, relation: Relation, words: _Words) -> str:
    kind = relation.fields[relation.index(test.column)].kind
    template = words.tests[test.op, test.negated]
    if kind in ("date", "year") and test.op != "is" and not test.negated:
        template = words.dated[test.op]
    value = test.value if kind in ("number", "year", "date") else f"“{test.value}”"
    return template.format(column=test.column, value=value)


def _list(labels: Sequence[str], words: _Words) -> str:
    comma = "; " if any("," in label for label in labels) else words.comma
    return comma.join(labels)
