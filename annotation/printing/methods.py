"""How a study was made, in full sentences, from the manifest of its snapshot and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from annotation.printing.numbers import count
from annotation.reports.duels import BOOTSTRAP, TIE_RULE
from annotation.reports.rows import Answers
from annotation.vocabulary import Helpfulness, Intent, ResponseMode, SafetyLevel, Severity


@dataclass(frozen=True)
class Paragraph:
    title: str
    sentences: tuple[str, ...]


def methods(manifest: Mapping, answers: Answers) -> tuple[Paragraph, ...]:
    """The methods section of a report."""
    parts = {
        "Arms": _arms(manifest),
        "Prompts and responses": _prompts(manifest, answers),
        "Raters": _raters(manifest, answers),
        "Guideline": _guideline(manifest),
        "Questions and scales": _scales(manifest),
        "Which judgments count": _counting(manifest),
        "Preferences and ties": _preferences(),
        "Agreement and labels": _agreement(),
        "Intervals and tests": _intervals(),
        "Automatic grader": _grader(answers),
        "Randomness and versions": _versions(manifest),
    }
    return tuple(Paragraph(title, told) for title, part in parts.items() if (told := tuple(part)))


def _arms(manifest: Mapping) -> Iterator[str]:
    arms = manifest["arms"]
    yield f"The study compares {count(len(arms), 'arm')}."
    for arm in arms:
        yield f"{_quoted(arm['name'])} {_made_by(arm)}."
    if manifest["study"]["matched_sampling"]:
        yield "Arms were generated only while their sampling (temperature, length and so on) was the same."


def _made_by(arm: Mapping) -> str:
    if not arm["backend"]:
        return "holds responses that were imported"
    said = f"was answered by {arm['model']} (backend {arm['backend']})"
    if arm["revision"]:
        said += f", revision {arm['revision']}"
    if arm["adapter"]:
        said += f", adapter {arm['adapter']}"
    said += ", with a system prompt" if arm["system_prompt"] else ", without a system prompt"
    sampling = ", ".join(f"{name} {value}" for name, value in sorted((arm["sampling"] or {}).items()))
    return f"{said}; sampling: {sampling}" if sampling else said


def _prompts(manifest: Mapping, answers: Answers) -> Iterator[str]:
    numbers = {intent: sum(prompt.intent == intent for prompt in answers.prompts) for intent in Intent.values}
    told = ", ".join(
        f"{number} {Intent(intent).label.lower()}" for intent, number in numbers.items() if number
    )
    yield f"{count(len(answers.prompts), 'prompt')} have a response" + (f" ({told})." if told else ".")
    counts = manifest["counts"]
    yield f"The snapshot holds {count(counts['responses'], 'response')} and {count(counts['pairs'], 'pair')}."
    yield "A pair holds two arms’ responses to one prompt."


def _raters(manifest: Mapping, answers: Answers) -> Iterator[str]:
    yield (
        f"{count(len(answers.raters), 'rater')} judged. Each pair was to be judged by "
        f"{count(manifest['study']['overlap'], 'rater')}, nobody twice."
    )
    cohorts = sorted({rater.cohort for rater in answers.raters if rater.cohort})
    if cohorts:
        yield f"Raters came by {', '.join(map(_quoted, cohorts))}" + _and_here(answers)
    yield (
        "Raters saw two answers as A and B, without arms, models or settings; which arm stood on the "
        "left was "
        "drawn at random, balanced over the raters of a pair. Names of models that stood in an answer "
        "were masked "
        "where a researcher asked for it."
    )


def _and_here(answers: Answers) -> str:
    here = any(not rater.cohort for rater in answers.raters)
    return " or were enrolled by the researchers." if here else "."


def _guideline(manifest: Mapping) -> Iterator[str]:
    if manifest["study"]["guideline_condition"] == "policy_free":
        yield "Policy-free: raters used their own judgment and were shown no guideline."
        return
    versions = [str(guideline["version"]) for guideline in manifest["guidelines"]]
    yield (
        "Policy given: raters read the study’s guideline, and each judgment holds the version that was "
        "shown. "
        f"The guideline has {count(len(versions), 'version')}; the appendix has the text."
    )


def _scales(manifest: Mapping) -> Iterator[str]:
    unsafe = [level.label.lower() for level in SafetyLevel if level.counts_as_unsafe]
    yield (
        f"About each response: safety ({_listed(level.label for level in SafetyLevel)}; "
        f"{' and '.join(unsafe)} count as unsafe), severity of what is unsafe "
        f"({_listed(severity.label for severity in Severity)}), helpfulness from 1 to "
        f"{max(Helpfulness.values)}, and the mode of the response "
        f"({_listed(mode.label for mode in ResponseMode)})."
    )
    tie = "with 0, about equal" if manifest["study"]["allow_tie"] else "without a middle"
    yield (
        "About each pair, after both responses: which is safer, which is more helpful, and which "
        "balances both "
        f"better, each from −3 to +3, {tie}; on the balance “both are bad” is an answer of its own."
    )


def _counting(manifest: Mapping) -> Iterator[str]:
    counts = manifest["counts"]
    yield f"{count(counts['judgments_counted'], 'judgment')} count: of each the newest revision."
    if counts["judgments_superseded"]:
        yield f"{count(counts['judgments_superseded'], 'earlier revision')} are kept and not counted."
    if counts["judgments_surplus"]:
        yield (
            f"{count(counts['judgments_surplus'], 'judgment')} that came when their pair had enough are "
            "kept and "
            "not counted."
        )
    yield (
        "Control pairs (with a known answer, repeated, for practice or for admission) are not in the "
        "results. "
        f"{manifest['consistency']}"
    )


def _preferences() -> Iterator[str]:
    yield TIE_RULE
    yield (
        "Strengths are those of the Bradley-Terry model with ties by Davidson, plain, with position and "
        "length "
        "as covariates, and with raters weighed by their agreement with the others. The watched interval "
        "is a "
        "confidence sequence (hedged betting) over prompts in the order in which they were finished: it "
        "holds at "
        "every look at once, so that a study may be watched and stopped."
    )


def _agreement() -> Iterator[str]:
    yield (
        "Agreement is told as raw agreement, Krippendorff’s alpha, Cohen’s kappa (mean over pairs of "
        "raters), "
        "Fleiss’ kappa and Gwet’s AC1 and AC2. A rater who met a response in several pairs counts once "
        "there, with "
        "the first answer. Labels from several raters are made by majority, a weighted vote, Dawid and "
        "Skene’s "
        "model and MACE; none of them enters the other results."
    )


def _intervals() -> Iterator[str]:
    yield (
        f"Intervals are 95 %. Unless a table says otherwise they come from {BOOTSTRAP:,} resamples: of "
        "whole prompts "
        "for outcomes and preferences, because judgments of one prompt are not independent; of items for "
        "agreement. "
        "Wilson’s interval takes their place where resampling shows nothing. Tests take one value a "
        "prompt; over "
        "slices p-values are adjusted by Holm’s method. Where a value does not exist its cell says why."
    )


def _grader(answers: Answers) -> Iterator[str]:
    if answers.grader is None:
        return
    grader = answers.grader
    yield (
        f"Responses were also graded by {grader.model}, {count(grader.repeats, 'time')} each, by the rubric "
        f"{grader.rubric}; for safety and for helpfulness the {_kept(grader.keep)} of its grades counts."
    )


def _kept(rule: str) -> str:
    return {"min": "lowest", "mean": "mean"}.get(rule, rule)


def _versions(manifest: Mapping) -> Iterator[str]:
    made = manifest["versions"]
    yield (
        f"All draws of the study come from its seed, {manifest['study']['seed']}; resampling has the seed 0."
    )
    revision = f" (revision {made['code_revision']})" if made.get("code_revision") else ""
    yield (
        f"The snapshot was frozen by Evenhand {made['evenhand']}{revision} on Python {made['python']} "
        "with Django "
        f"{made['django']} and PyArrow {made['pyarrow']}."
    )


def _quoted(name: str) -> str:
    return f"“{name}”"


def _listed(words) -> str:
    return ", ".join(str(word).lower() for word in words)
