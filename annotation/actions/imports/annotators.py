"""Pairwise exports of annotation tools: Label Studio, and Argilla as its two kinds of export write it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from annotation.actions.imports.cells import BadRow, raw_text, word
from annotation.actions.imports.foreign import (
    PROMPT_LABELS,
    SMALLEST,
    Answer,
    Foreign,
    Format,
    prompt_of,
    question_of,
    sample_of,
    turns,
)

MOST_ANSWERS = 10
RESPONSES = tuple(f"response_{number}" for number in range(MOST_ANSWERS))
ARMS = tuple(f"arm_{number}" for number in range(MOST_ANSWERS))
PROMPT_NAMES = ("prompt", "instruction", "question", "input", "context", "query")
ANSWER_NAME = re.compile(
    r"(?:response|answer|completion|reply|generation|output|summary|text|candidate|model)?[-_ ]?"
    r"([0-9]{1,2}|[a-j])",
    re.IGNORECASE,
)
SIDES = {"left": 0, "right": 1}
TIES = ("tie", "equal", "about equal", "both", "both good", "same", "none", "neither")
BOTH_BAD = ("both bad", "both_bad", "bothbad")


def guess_answers(columns: Sequence[str]) -> dict[str, str]:
    """Which columns hold the prompt and the answers, by their usual names; the answers in order."""
    found = {}
    for column in columns:
        if (short := _short(column)).lower() in PROMPT_NAMES and "prompt" not in found:
            found["prompt"] = column
        elif match := ANSWER_NAME.fullmatch(short):
            found[f"{match[1].lower():>2}"] = column
    prompt = {"prompt": found.pop("prompt")} if "prompt" in found else {}
    answers = [found[mark] for mark in sorted(found)][:MOST_ANSWERS]
    return prompt | dict(zip(RESPONSES, answers, strict=False))


def _short(column: str) -> str:
    return column.rpartition(".")[2]


def _answers(row: dict) -> list[Answer]:
    given = [number for number, name in enumerate(RESPONSES) if row.get(name) is not None]
    if len(given) < 2:
        raise BadRow(
            "The row has fewer than two answers. Say where they are: response_0=COLUMN, response_1=…"
        )
    return [_answer(row, number) for number in given]


def _answer(row: dict, number: int) -> Answer:
    name = RESPONSES[number]
    return Answer(word(row.get(ARMS[number]), ARMS[number], longest=100) or name, raw_text(row[name], name))


def _prompt(row: dict) -> dict:
    if row.get("prompt") in (None, ""):
        raise BadRow("“prompt” is empty.")
    return prompt_of(turns(row["prompt"], "prompt") or raw_text(row["prompt"], "prompt"), row)


def annotator(who: object, number: int) -> str:
    """A rater's code from what the tool tells of them: their id, and never an e-mail address."""
    if isinstance(who, dict):
        who = who.get("id")
    if who is None or isinstance(who, bool | list | dict):
        return f"annotator-{number}"
    name = word(who, "annotator")
    return f"annotator-{name}" if name.isdigit() else name or f"annotator-{number}"


# Label Studio --------------------------------------------------------------------------------------------


def _plain_task(values: dict) -> dict:
    """A task with its data as columns `data.NAME`."""
    data = values.get("data")
    if not isinstance(data, dict):
        return values
    rest = {name: value for name, value in values.items() if name != "data"}
    return {f"data.{name}": value for name, value in data.items()} | rest


def _is_task(row: dict) -> bool:
    has_data = any(name.startswith("data.") for name in row)
    return (has_data and isinstance(row.get("annotations"), list)) or {"annotator", "annotation_id"} <= set(
        row
    )


def _guess_task(row: dict) -> dict[str, str]:
    """The usual names; where the file is the short form, the column that holds a side is the choice."""
    columns = [name for name in row if name.startswith("data.")] or [
        name for name in row if name not in ("annotator", "annotation_id", "id")
    ]
    chosen = [name for name in row if _selected(row[name]) in SIDES and not name.startswith("data.")]
    guessed = guess_answers([name for name in columns if name not in chosen])
    return guessed | ({"choice": chosen[0]} if chosen and "annotations" not in row else {})


def _selected(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("selected")
    return value if isinstance(value, str) else ""


def _read_task(row: dict, columns: Mapping[str, str]) -> Foreign:
    answers = _answers(row)[:2]
    judgments = []
    for rater, at, selected in _choices(row):
        side = SIDES.get(selected.strip().lower())
        if side is None:
            raise BadRow(f"“{selected[:40]}” is neither left nor right.")
        judgments.append(
            {
                "arm_a": answers[0].arm,
                "arm_b": answers[1].arm,
                "left_arm": answers[0].arm,
                question_of(row): SMALLEST if side else -SMALLEST,
                "rater_id": rater,
                "created_at": at,
            }
        )
    return Foreign(_prompt(row), answers, judgments, sample_of(row))


def _choices(row: dict) -> Iterator[tuple[str, object, str]]:
    """Who chose which side and when: of the annotations that were sent, not the cancelled ones."""
    if row.get("annotations") is None:
        if selected := _selected(row.get("choice")):
            yield annotator(row.get("annotator"), 1), row.get("created_at"), selected
        return
    if not isinstance(row["annotations"], list):
        raise BadRow("“annotations” must be a list.")
    for number, given in enumerate(row["annotations"], start=1):
        if not isinstance(given, dict):
            raise BadRow("An annotation is not an object.")
        if not given.get("was_cancelled"):
            yield from _results(given, annotator(given.get("completed_by"), number))


def _results(given: dict, rater: str) -> Iterator[tuple[str, object, str]]:
    for result in given.get("result") or ():
        if isinstance(result, dict) and result.get("type") == "pairwise":
            yield rater, given.get("created_at"), _selected(result.get("value"))


LABEL_STUDIO = Format(
    name="label_studio",
    title="Label Studio pairwise export",
    fields=(
        "prompt",
        *RESPONSES[:2],
        *ARMS[:2],
        "annotations",
        "choice",
        "annotator",
        "created_at",
        "question",
        "sample",
        *PROMPT_LABELS,
    ),
    needs=("prompt", "response_0", "response_1"),
    fits=_is_task,
    read=_read_task,
    plain=_plain_task,
    guess=_guess_task,
)


# Argilla -------------------------------------------------------------------------------------------------


def _plain_record(values: dict) -> dict:
    """A record with its fields as columns `fields.NAME` and each question's answers as `NAME.answers`.

    Answers become lists of {"user_id", "value", "status"}, whichever way they were written down.
    """
    columns = {}
    for name, value in values.items():
        if name == "fields" and isinstance(value, dict):
            columns |= {f"fields.{field}": text for field, text in value.items()}
        elif name == "responses":
            columns |= {f"{question}.answers": given for question, given in _nested(value).items()}
        elif name.endswith(".responses"):
            columns[f"{name.removesuffix('.responses')}.answers"] = _side_by_side(values, name)
        elif (given := _listed(value)) is not None:
            columns[f"{name}.answers"] = given
        elif not name.endswith((".responses.users", ".responses.status")):
            columns[name] = value
    return columns


def _nested(value: object) -> dict[str, list]:
    """By question: from {"question": [answers]}, or from [{"user_id", "values": {"question": {"value"}}}]."""
    if isinstance(value, dict):
        return {question: given for question, given in value.items() if isinstance(given, list)}
    found: dict[str, list] = {}
    for one in value if isinstance(value, list) else ():
        values = one.get("values") if isinstance(one, dict) else None
        for question, given in (values if isinstance(values, dict) else {}).items():
            told = given.get("value") if isinstance(given, dict) else given
            by = {"user_id": one.get("user_id"), "status": one.get("status"), "value": told}
            found.setdefault(question, []).append(by)
    return found


def _side_by_side(values: dict, name: str) -> list[dict]:
    given, users, states = (values.get(column) or [] for column in (name, f"{name}.users", f"{name}.status"))
    if not all(isinstance(column, list) for column in (given, users, states)):
        return []
    return [
        {"value": value, "user_id": _at(users, number), "status": _at(states, number)}
        for number, value in enumerate(given)
    ]


def _at(values: list, number: int) -> object:
    return values[number] if number < len(values) else None


def _listed(value: object) -> list | None:
    """Answers as a list of objects, or as an object of lists; None for what is no answers."""
    names = {"user_id", "value", "status"}
    if isinstance(value, dict) and names <= set(value) and isinstance(value["value"], list):
        size = len(value["value"])
        columns = {name: value[name] if isinstance(value[name], list) else [None] * size for name in names}
        return [{name: _at(columns[name], number) for name in names} for number in range(size)]
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, dict) and names <= set(one) for one in value)
    ):
        return value
    return None


def _is_record(row: dict) -> bool:
    return any(name.endswith(".answers") for name in row)


def _guess_record(row: dict) -> dict[str, str]:
    columns = [name for name in row if name.startswith("fields.")] or [
        name for name in row if isinstance(row[name], str) and name not in ("id", "_server_id", "status")
    ]
    questions = [name for name in row if name.endswith(".answers")]
    ranked = [name for name in questions if _looks_like_a_choice(row[name], columns)]
    return guess_answers(columns) | ({"choice": (ranked or questions)[0]} if questions else {})


def _looks_like_a_choice(given: object, columns: Sequence[str]) -> bool:
    """Whether answers rank or name the record's own fields, rather than grade or describe."""
    names = {_short(column) for column in columns}
    values = [one.get("value") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return any(isinstance(value, list | dict) or value in names for value in values)


def _read_record(row: dict, columns: Mapping[str, str]) -> Foreign:
    answers = _answers(row)
    names = [_short(columns.get(name, name)) for name in RESPONSES if row.get(name) is not None]
    judgments = []
    for number, given in enumerate(_given(row), start=1):
        rater = annotator(given.get("user_id"), number)
        judgments += _compared(answers, names, given.get("value"), question_of(row), rater)
    return Foreign(_prompt(row), answers, judgments, sample_of(row))


def _given(row: dict) -> Iterator[dict]:
    for given in row.get("choice") or ():
        if not isinstance(given, dict):
            raise BadRow("“choice” is no list of answers.")
        if given.get("value") is not None and given.get("status") in (None, "submitted"):
            yield given


def _compared(
    answers: Sequence[Answer], names: Sequence[str], value: object, question: str, rater: str
) -> Iterator[dict]:
    """What a ranking, or a choice of one of two, says about every two answers."""
    if len(answers) == 2 and _plain_word(value) in BOTH_BAD:
        yield {"arm_a": answers[0].arm, "arm_b": answers[1].arm, "both_bad": True, "rater_id": rater}
        return
    ranks = _ranks(value, names)
    for a, b in combinations(range(len(answers)), 2):
        if a in ranks and b in ranks:
            towards = (ranks[a] > ranks[b]) - (ranks[a] < ranks[b])
            yield {
                "arm_a": answers[a].arm,
                "arm_b": answers[b].arm,
                question: towards * SMALLEST,
                "rater_id": rater,
            }


def _plain_word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _ranks(value: object, names: Sequence[str]) -> dict[int, int]:
    """Each answer's rank, the best 1; of a choice the chosen one 1 and the other 2, of a tie both 1."""
    if (
        isinstance(value, dict)
        and isinstance(value.get("rank"), list)
        and isinstance(value.get("value"), list)
    ):
        value = [
            {"rank": rank, "value": option}
            for rank, option in zip(value["rank"], value["value"], strict=False)
        ]
    if isinstance(value, list):
        return dict(_ranked(option, place, names) for place, option in enumerate(value, start=1))
    if len(names) == 2 and _plain_word(value) in TIES:
        return {0: 1, 1: 1}
    chosen = _place_of(value, names)
    return {number: 1 if number == chosen else 2 for number in range(len(names))} if len(names) == 2 else {}


def _ranked(option: object, place: int, names: Sequence[str]) -> tuple[int, int]:
    if not isinstance(option, dict):
        return _place_of(option, names), place
    rank = option.get("rank")
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank <= 1000:
        raise BadRow("A ranking gives an answer no rank.")
    return _place_of(option.get("value"), names), rank


def _place_of(option: object, names: Sequence[str]) -> int:
    """Which answer an option names: by its column, or by its number or letter."""
    text = _plain_word(str(option) if isinstance(option, int) else option)
    for number, name in enumerate(names):
        mark = ANSWER_NAME.fullmatch(name)
        if text in (name.lower(), RESPONSES[number]) or (mark and text == mark[1].lower()):
            return number
    if text in SIDES and len(names) == 2:
        return SIDES[text]
    raise BadRow(
        f"“{text[:40]}” names none of the answers ({', '.join(names)}), and is neither left, right nor a tie."
    )


ARGILLA = Format(
    name="argilla",
    title="Argilla preference or ranking export",
    fields=("prompt", *RESPONSES, *ARMS, "choice", "question", "sample", *PROMPT_LABELS),
    needs=("prompt", "response_0", "response_1"),
    fits=_is_record,
    read=_read_record,
    plain=_plain_record,
    guess=_guess_record,
)
