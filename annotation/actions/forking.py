"""A study begins as the copy of another: the way to change what judgments have fixed."""

from django.db import transaction

from annotation.actions import events
from annotation.actions.pairing import make_pairs
from annotation.actions.studies import create_study, free_slug
from annotation.models import Arm, Prompt, QualityRules, Response, Study, User
from annotation.models.arm import SETTINGS
from annotation.vocabulary import FinishReason

RULES = (
    *("question", "overlap", "allow_tie", "matched_sampling", "guideline_condition", "harm_categories"),
    *("lease_minutes", "overlap_max", "extra_budget", "cap_per_day", "cap_total", "gold_percent"),
    *("repeat_percent", "quiz_attempts", "dispute_spread", "blurred_categories", "exposure_per_day"),
    *("break_minutes", "resources", "pairing", "further_questions", "seed"),
)
"""Fields of a study that its copy has, too. What needs gold pairs is left out: it begins with none."""

LABELS = ("key", "messages", "intent", "harm_category", "subset", "family", "language")
AT_ONCE = 500


@transaction.atomic
def fork_study(study: Study, title: str, actor: User, slug: str = "") -> Study:
    """A draft with the study's rules, questions, guideline, consent, prompts and arms.

    Imported answers come along, with their pairs. What was generated is generated anew; judgments, places and
    links stay where they are. Raises DomainError.
    """
    rules = {name: getattr(study, name) for name in RULES}
    made = create_study(slug or free_slug(title), title, actor, **rules)
    Study.objects.filter(pk=made.pk).update(forked_from=study)
    _copy_texts(study, made, actor)
    _copy_rules(study, made)
    arms = _copy_arms(study, made)
    prompts = copy_prompts(study, made)
    answers = _copy_imported(study, made, arms, prompts)
    events.record(study, "fork_study", actor, into=made.slug)
    events.record(made, "forked_from", actor, source=study.slug, prompts=len(prompts), answers=answers)
    if answers:
        make_pairs(made, actor)
    return made


def _copy_texts(study: Study, made: Study, actor: User) -> None:
    """The newest guideline and consent, as the first versions of the copy."""
    if guideline := study.guidelines.first():
        made.guidelines.create(version=1, body=guideline.body)
    if consent := study.consent_versions.first():
        made.consent_versions.create(version=1, warning=consent.warning, body=consent.body)
        Study.objects.filter(pk=made.pk).update(consent_version=1)


def _copy_rules(study: Study, made: Study) -> None:
    if rules := QualityRules.objects.filter(study=study).first():
        rules.pk, rules.study, rules._state.adding = None, made, True
        rules.save()


def _copy_arms(study: Study, made: Study) -> dict[int, Arm]:
    """The arms by the key of the one that each was copied from."""
    return {
        arm.pk: made.arms.create(
            name=arm.name, position=arm.position, **{name: getattr(arm, name) for name in SETTINGS}
        )
        for arm in study.arms.all()
    }


def copy_prompts(source: Study, study: Study) -> dict[int, Prompt]:
    """Prompts of `source` whose keys the study lacks, by the key of the one that each was copied from."""
    known = set(study.prompts.values_list("key", flat=True))
    brought = [prompt for prompt in source.prompts.order_by("pk") if prompt.key not in known]
    rows = [Prompt(study=study, **{name: getattr(prompt, name) for name in LABELS}) for prompt in brought]
    Prompt.objects.bulk_create(rows, batch_size=AT_ONCE)
    return {prompt.pk: row for prompt, row in zip(brought, rows, strict=True)}


def _copy_imported(study: Study, made: Study, arms: dict[int, Arm], prompts: dict[int, Prompt]) -> int:
    last, count = 0, 0
    imported = Response.objects.current().filter(study=study, finish_reason=FinishReason.IMPORTED)
    imported = imported.filter(arm__backend="").order_by("pk")
    while rows := list(imported.filter(pk__gt=last)[:AT_ONCE]):
        last, count = rows[-1].pk, count + len(rows)
        Response.objects.bulk_create(
            Response(
                study=made,
                prompt=prompts[row.prompt_id],
                arm=arms[row.arm_id],
                sample=row.sample,
                text=row.text,
                finish_reason=FinishReason.IMPORTED,
                provenance=row.provenance,
            )
            for row in rows
        )
    return count


@transaction.atomic
def take_prompts(study: Study, source: Study, actor: User | None = None) -> int:
    """Prompts of another study that this one lacks; says how many. Harm categories come along."""
    row = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    brought = copy_prompts(source, row)
    used = {prompt.harm_category for prompt in brought.values() if prompt.harm_category}
    categories = [*row.harm_categories, *sorted(used - set(row.harm_categories))]
    Study.objects.filter(pk=row.pk).update(harm_categories=categories)
    if brought:
        events.record(study, "take_prompts", actor, source=source.slug, prompts=len(brought))
    return len(brought)
