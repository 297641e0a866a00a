"""Raters are paused with a reason, appeal, go on; their work may be withdrawn."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from annotation.actions import adaptive, claims, events
from annotation.actions.enrolment import lock_account, set_state
from annotation.errors import QualityRefused
from annotation.models import Appeal, Assignment, Enrolment, Pair, QualityRules, Study, User
from annotation.models.pair import end_of_queue
from annotation.reports.quality import BY_RULES, TOLD, broken_rules, quality_report, told_about
from annotation.reports.reading import reading_all
from annotation.vocabulary import AppealState, AssignmentState, EnrolmentState, GoldUse, StudyState

LONGEST_APPEAL = 5_000


# Pausing ---------------------------------------------------------------------------------------------


@transaction.atomic
def pause_rater(
    enrolment: Enrolment, reason: str, actor: User | None = None, rules: Sequence[dict] = ()
) -> bool:
    """Give the rater no more pairs and tell them why; False when they are paused already.

    `rules`: see `Enrolment.pause_rules`, where rules did it; `reason` says them in English.

    Raises QualityRefused without a reason.
    """
    if not reason.strip():
        raise QualityRefused("The rater is told why: write a reason.")
    if not set_state(enrolment, EnrolmentState.PAUSED, actor):
        return False
    told = {"pause_reason": reason.strip(), "pause_rules": list(rules)}
    Enrolment.objects.filter(pk=enrolment.pk).update(**told)
    enrolment.pause_reason, enrolment.pause_rules = reason.strip(), list(rules)
    events.record(enrolment.study, "pause_rater", actor, rater=enrolment.code, reason=reason.strip())
    return True


@transaction.atomic
def resume_rater(enrolment: Enrolment, actor: User | None = None, exempt: bool = False) -> bool:
    """Let a paused rater go on; with `exempt` no rule pauses them again. False when they were active."""
    resumed = set_state(enrolment, EnrolmentState.ACTIVE, actor)
    Enrolment.objects.filter(pk=enrolment.pk).update(pause_reason="", pause_rules=[], is_exempt=exempt)
    enrolment.pause_reason, enrolment.pause_rules, enrolment.is_exempt = "", [], exempt
    return resumed


def apply_rules(study: Study) -> list[str]:
    """Pause every active rater who breaks one of the study's rules beyond doubt; says their codes.

    Run by the beat and not by a submission: a pause that follows on a gold pair would give it away.
    """
    rules = QualityRules.objects.filter(study=study).first()
    if rules is None or not any(getattr(rules, name) is not None for name in TOLD):
        return []
    may_break = study.enrolments.filter(state=EnrolmentState.ACTIVE, is_exempt=False, user__isnull=False)
    keys = list(may_break.order_by("pk").values_list("pk", flat=True))
    with reading_all():
        report = quality_report(study, keys)
    return [rater.code for rater in report if _pause_by_rule(study, rater, rules)]


def _pause_by_rule(study: Study, rater, rules: QualityRules) -> bool:
    if rater.state != EnrolmentState.ACTIVE or rater.is_exempt:
        return False
    broken = broken_rules(rater, rules)
    if not broken:
        return False
    told = told_about(rater, rules, broken)
    reason = " ".join([BY_RULES, *(TOLD[rule["rule"]] % rule for rule in told)])
    enrolment = Enrolment.objects.select_related("study").get(pk=rater.pk)
    with transaction.atomic():
        paused = pause_rater(enrolment, reason, rules=told)
        if paused:
            events.record(study, "apply_rules", rater=rater.code, rules=broken, figures=told)
    return paused


def apply_all_rules() -> int:
    """`apply_rules` in every open study that has any; says how many raters it paused."""
    studies = Study.objects.filter(state=StudyState.OPEN, quality_rules__isnull=False)
    return sum(len(apply_rules(study)) for study in studies)


# Appeals ---------------------------------------------------------------------------------------------


@transaction.atomic
def appeal(enrolment: Enrolment, text: str) -> Appeal:
    """A paused rater's words to the researcher. Raises QualityRefused when there is nothing to appeal
    against, no text, or an appeal that waits for its answer."""
    if enrolment.state != EnrolmentState.PAUSED:
        raise QualityRefused("Your place is not paused, so there is nothing to appeal against.")
    if not 0 < len(text.strip()) <= LONGEST_APPEAL:
        raise QualityRefused("Write what the researcher should know, up to 5,000 characters.")
    try:
        with transaction.atomic():
            made = enrolment.appeals.create(text=text.strip(), pause_reason=enrolment.pause_reason)
    except IntegrityError as error:
        raise QualityRefused("Your earlier words wait for an answer.") from error
    events.record_by_rater(enrolment, "appeal")
    return made


@transaction.atomic
def decide_appeal(waiting: Appeal, granted: bool, answer: str, actor: User | None = None) -> None:
    """Answer an appeal. Granted, the rater goes on and no rule pauses them again. Raises QualityRefused when
    it was decided already."""
    state = AppealState.GRANTED if granted else AppealState.REFUSED
    if granted and waiting.enrolment.user:
        lock_account(waiting.enrolment.user)  # before the appeal, as whoever forgets the person does
    still_open = Appeal.objects.filter(pk=waiting.pk, state=AppealState.OPEN)
    decided = {"state": state, "answer": answer.strip(), "decided_by": actor, "decided_at": timezone.now()}
    if not still_open.update(**decided):
        raise QualityRefused("Somebody has decided this appeal already.")
    enrolment = waiting.enrolment
    events.record(enrolment.study, "decide_appeal", actor, rater=enrolment.code, state=state)
    if granted:
        resume_rater(enrolment, actor, exempt=True)


# Work ------------------------------------------------------------------------------------------------


@transaction.atomic
def withdraw_work(enrolment: Enrolment, reason: str, actor: User | None = None) -> int:
    """Take what a rater judged out of the count; others get the pairs. Says how many judgments that were.

    Nothing is deleted: the rows stay, their assignments say `withdrawn`. The rater is paused with the reason,
    and never gets the same pairs again. Raises QualityRefused without a reason.
    """
    pause_rater(enrolment, reason, actor)
    rater = claims.lock_rater(enrolment.pk)
    # Before the pairs, as everybody does; what others take off these pairs meanwhile is seen below.
    live = rater.assignments.rated().filter(slot__isnull=False).order_by("pk")
    list(live.select_for_update(of=("self",), no_key=True).values("pk"))
    # Always in this order, the held one too, so that two who withdraw at once do not wait for each other.
    touched = Pair.objects.filter(pk__in=live.values("pair"))
    list(touched.select_for_update(no_key=True).order_by("pk").values("pk"))
    for held in rater.assignments.leased():
        claims.free_slot(held, AssignmentState.EXPIRED)
    counted = rater.assignments.rated().filter(state=AssignmentState.SUBMITTED)
    pairs = list(counted.values_list("pair_id", flat=True))
    counted.update(state=AssignmentState.WITHDRAWN, slot=None)
    Pair.objects.filter(pk__in=pairs).update(open_slots=F("open_slots") + 1)
    _ask_again(rater.study, pairs)
    # Last, because a place is a moment, and raters look back for so long only as `claims.UNSETTLED` says.
    Pair.objects.filter(pk__in=pairs).update(place=end_of_queue())
    events.record(
        rater.study, "withdraw_work", actor, rater=rater.code, reason=reason.strip(), judgments=len(pairs)
    )
    return len(pairs)


def _ask_again(study: Study, pairs: list[int]) -> None:
    """Close extra slots of pairs that only the withdrawn answers had left open. The pairs are locked."""
    grown = Pair.objects.filter(pk__in=pairs, overlap__gt=study.overlap).order_by("pk")
    if study.overlap_max is None or not grown.exists():
        return
    priors = adaptive.priors_of(study)
    for pk in grown.values_list("pk", flat=True):
        adaptive.reconsider(pk, study, priors)


def set_rules(study: Study, actor: User | None = None, **rules) -> QualityRules:
    """The study's rules from now on: the fields of QualityRules."""
    with transaction.atomic():
        kept, _ = QualityRules.objects.update_or_create(study=study, defaults=rules)
        events.record(study, "set_rules", actor, **rules)
    return kept


def set_mix(study: Study, actor: User | None = None, **settings) -> None:
    """How much is mixed in, and what comes before the first pair: fields of Study.

    Raises QualityRefused for a quiz or a practice that has no pairs.
    """
    for name, use in (("practice_needed", GoldUse.PRACTICE), ("quiz_pass_percent", GoldUse.QUIZ)):
        if settings.get(name) and not study.gold.filter(use=use, retired_at__isnull=True).exists():
            raise QualityRefused(f"First make gold pairs for this use: {use.label.lower()}.")
    with transaction.atomic():
        Study.objects.filter(pk=study.pk).update(**settings)
        events.record(study, "set_mix", actor, **settings)


def withdrawn_of(enrolment: Enrolment) -> int:
    """How many of the rater's judgments were taken out of the count."""
    told = enrolment.study.events.without_judging().filter(verb="withdraw_work", detail__rater=enrolment.code)
    if not told.exists():  # which an index tells, where counting looks at all that the rater did
        return 0
    return Assignment.objects.filter(enrolment=enrolment, state=AssignmentState.WITHDRAWN).count()
