"""The further questions of a study and their answers, as values.

They are kept as JSON with the study, not in a table of their own: whoever is shown a pair has the study's row
already, so they cost a rater no query more (docs/decisions/further-questions.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotation.vocabulary import QuestionKind

MOST_QUESTIONS = 12
MOST_OPTIONS = 12
LONGEST_WORDING = 300
LONGEST_OPTION = 100
LONGEST_TEXT = 5_000
FEWEST_STEPS, MOST_STEPS = 2, 11

Answer = str | int


@dataclass(frozen=True)
class Question:
    """One question in a study's own words; `name` is its name in files, and stays.

    A choice has `options`; a scale has `steps` from 1, of which `options` may name the first and the last.
    """

    name: str
    kind: str
    wording: str
    options: tuple[str, ...] = ()
    steps: int = 0
    required: bool = False

    def as_json(self) -> dict:
        """As the study keeps it."""
        return {**vars(self), "options": list(self.options)}


def questions_of(kept: Iterable[Mapping]) -> tuple[Question, ...]:
    """The questions that a study keeps."""
    return tuple(Question(**{**one, "options": tuple(one["options"])}) for one in kept)


def question_problems(question: Question) -> list[str]:
    """What is wrong with a question, in sentences; empty when all is well."""
    problems = []
    if not question.wording.strip() or len(question.wording) > LONGEST_WORDING:
        problems.append(f"A question has 1 to {LONGEST_WORDING} characters.")
    if question.kind == QuestionKind.CHOICE:
        problems += _choice_problems(question.options)
    elif question.kind == QuestionKind.SCALE:
        problems += _scale_problems(question)
    elif question.kind != QuestionKind.TEXT:
        problems.append(f"A question is one of: {', '.join(QuestionKind.values)}.")
    if any(not one.strip() or len(one) > LONGEST_OPTION for one in question.options):
        problems.append(f"An answer to choose has 1 to {LONGEST_OPTION} characters.")
    return problems


def _choice_problems(options: Sequence[str]) -> list[str]:
    if not 2 <= len(options) <= MOST_OPTIONS:
        return [f"Give 2 to {MOST_OPTIONS} answers to choose from, one a line."]
    return ["Two of the answers are the same."] if len(set(options)) < len(options) else []


def _scale_problems(question: Question) -> list[str]:
    problems = []
    if not FEWEST_STEPS <= question.steps <= MOST_STEPS:
        problems.append(f"A scale has {FEWEST_STEPS} to {MOST_STEPS} steps.")
    if len(question.options) not in (0, 2):
        problems.append("Name both ends of the scale, the least first, one a line; or neither.")
    return problems


def answer_problems(questions: Sequence[Question], given: Mapping[str, object]) -> list[str]:
    """What is wrong with the answers to these questions, in sentences; empty when all is well."""
    problems = [
        f"There is no question “{name}”." for name in given if name not in {q.name for q in questions}
    ]
    for question in questions:
        answer = given.get(question.name)
        if answer in (None, ""):
            if question.required:
                problems.append(f"“{question.wording}” is not answered yet.")
        elif not _fits(question, answer):
            problems.append(f"“{question.wording}” has no such answer.")
    return problems


def _fits(question: Question, answer: object) -> bool:
    if question.kind == QuestionKind.CHOICE:
        return answer in question.options
    if question.kind == QuestionKind.SCALE:
        return type(answer) is int and 1 <= answer <= question.steps
    return isinstance(answer, str) and len(answer) <= LONGEST_TEXT
