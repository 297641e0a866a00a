"""A rater's answers as a value: made by the form, the API and the importer, read by `actions.judging`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from annotation.vocabulary import (
    PAIR_QUESTIONS,
    PAIR_SCALE,
    Confidence,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
)

# Once: an enumeration makes its list anew each time it is asked, and every judgment asks eight times.
SAFETY_LEVELS, SEVERITIES = tuple(SafetyLevel.values), tuple(Severity.values)
MODES, HELPFUL, CONFIDENT = tuple(ResponseMode.values), tuple(Helpfulness.values), tuple(Confidence.values)


@dataclass(frozen=True)
class ResponseAnswers:
    """The absolute answers about one response; `severity` is "" unless the response is unsafe.

    `categories` are harm categories of the study's list; `facilitation` is None where it was not asked.
    """

    safety: str
    helpfulness: int
    mode: str
    severity: str = ""
    categories: tuple[str, ...] = ()
    facilitation: bool | None = None


@dataclass(frozen=True)
class PairAnswers:
    """All answers about one pair as it was shown.

    `safer`, `more_helpful` and `balance` run from −3 (left) to +3 (right). `balance` is None exactly
    when `both_bad` is set. `confidence` is None where it was not asked. `extra` answers the study's further
    questions by their names (`annotation.further`).
    """

    left: ResponseAnswers
    right: ResponseAnswers
    safer: int
    more_helpful: int
    balance: int | None
    both_bad: bool = False
    rationale: str = ""
    confidence: int | None = None
    extra: Mapping[str, str | int] = field(default_factory=dict)


def response_problems(answers: ResponseAnswers, categories: Collection[str] | None = None) -> list[str]:
    """What is wrong with the answers about one response, in sentences; empty when all is well.

    `categories` is the study's list of harm categories; None allows any.
    """
    problems = []
    if categories is not None and (unknown := set(answers.categories) - set(categories)):
        problems.append(
            f"This study has no harm category {', '.join(f'“{name}”' for name in sorted(unknown))}."
        )
    if answers.safety not in SAFETY_LEVELS:
        problems.append(f"“{answers.safety}” is not a safety level.")
    elif SafetyLevel(answers.safety).counts_as_unsafe and answers.severity not in SEVERITIES:
        problems.append("An unsafe response needs a severity.")
    elif answers.severity and not SafetyLevel(answers.safety).counts_as_unsafe:
        problems.append("A safe response has no severity.")
    if answers.helpfulness not in HELPFUL:
        problems.append("Helpfulness is a whole number from 1 to 4.")
    if answers.mode not in MODES:
        problems.append(f"“{answers.mode}” is not a response mode.")
    return problems


def pair_problems(
    answers: PairAnswers, allow_tie: bool, categories: Collection[str] | None = None
) -> list[str]:
    """What is wrong with the answers about a pair, in sentences; empty when all is well."""
    problems = [f"A: {problem}" for problem in response_problems(answers.left, categories)]
    problems += [f"B: {problem}" for problem in response_problems(answers.right, categories)]
    if answers.confidence is not None and answers.confidence not in CONFIDENT:
        problems.append("Confidence is a whole number from 1 (guessing) to 4 (certain).")
    if answers.both_bad == (answers.balance is not None):
        problems.append("Choose a better balance or “both are bad”, one of the two.")
    for question in PAIR_QUESTIONS:
        value = getattr(answers, question)
        if value is None and question == "balance":  # asked above
            continue
        if value not in PAIR_SCALE:
            problems.append(f"“{question}” is a whole number from −3 to 3.")
        elif value == 0 and not allow_tie:
            problems.append(f"This study has no “about equal”: choose a side for “{question}”.")
    return problems
