"""What the desk says in sentences, and its numbers as people read them."""

from annotation.printing.numbers import (
    DASH,
    MINUS,
    SPACE,
    count,
    decimal,
    decimal_interval,
    percent,
    percent_interval,
)
from annotation.printing.sentences import headline
from annotation.reports.grades import GradingProgress
from annotation.reports.planning import WIDTH, Plan
from annotation.reports.progress import RunProgress

__all__ = [
    "DASH",
    "MINUS",
    "SPACE",
    "count",
    "decimal",
    "decimal_interval",
    "headline",
    "percent",
    "percent_interval",
]


def plan_goal(plan: Plan) -> str:
    """± 5 points, or 60 % against 50 %."""
    if plan.goal == WIDTH:
        return f"±{SPACE}{_points(plan.target)}"
    return f"{_percent(plan.target)} against 50{SPACE}%"


def plan_sentence(plan: Plan) -> str:
    """What the goal takes."""
    size = plan.size
    asked = (
        f"To know the win rate to {plan_goal(plan)}"
        if plan.goal == WIDTH
        else f"To tell a win rate of {_percent(plan.target)} from 50{SPACE}%"
    )
    return (
        f"{asked} takes {count(size.prompts, 'prompt')}: {count(size.pairs, 'pair')} and "
        f"{count(size.judgments, 'judgment')}, by at least {count(size.raters, 'rater')}."
    )


def plan_now(plan: Plan, prompts: int) -> str:
    """What the prompts that are there give, or ""."""
    if plan.here is None:
        return ""
    return f"The study’s {count(prompts, 'prompt')} would give ±{SPACE}{_points(round(plan.here, 3))}."


def _points(share: float) -> str:
    return f"{100 * share:.3g}{SPACE}points"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}{SPACE}%"


def duration(seconds: float) -> str:
    """About how long: 40 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))}{SPACE}s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes}{SPACE}min"
    return f"{minutes // 60}{SPACE}h {minutes % 60}{SPACE}min"


def run_sentence(progress: RunProgress, lacks_worker: bool = False) -> str:
    """Where a run stands, in one sentence."""
    made = f"{progress.done:,} of {count(progress.total, 'response')}"
    if progress.state == "done" and not progress.total:
        return "Finished: the answers that were there were made into pairs."
    if progress.state == "done":
        return f"Finished: {made}{_failures(progress)}."
    if progress.state == "failed":
        return f"Stopped with {made} made and kept{_failures(progress)}."
    if progress.state == "paused":
        return f"Paused with {made} made and kept{_failures(progress)}."
    if progress.state == "cancelled":
        kept = f"Cancelled with {made} made and kept{_failures(progress)}."
        return f"{kept} A new run makes the rest, and the pairs."
    if progress.state == "generated":
        return f"Making pairs: {made} are there{_failures(progress)}."
    if lacks_worker:
        return f"Waiting for a worker: {made} so far{_failures(progress)}."
    if progress.seconds_left is None:
        return f"Generating: {made} so far{_failures(progress)}."
    return f"Generating: {made}, about {duration(progress.seconds_left)} left{_failures(progress)}."


def _failures(progress: RunProgress) -> str:
    return f", {progress.failed:,} could not be answered" if progress.failed else ""


def grading_sentence(progress: GradingProgress, lacks_worker: bool = False) -> str:
    """Where a grading stands, in one sentence."""
    made = f"{progress.done:,} of {count(progress.total, 'grade')}"
    failed = f", {progress.failed:,} brought no verdict" if progress.failed else ""
    if progress.state == "done" and not progress.done:
        return f"Finished without a verdict: none of {count(progress.total, 'grade')} could be made."
    if progress.state == "done":
        return f"Finished: {made}{failed}."
    if progress.state == "failed":
        return f"Stopped with {made} made and kept{failed}."
    if progress.state == "paused":
        return f"Paused with {made} made and kept{failed}."
    if lacks_worker:
        return f"Waiting for a worker: {made} so far{failed}."
    return f"Grading: {made} so far{failed}."
