"""The only way to fetch something for a person.

What is not there and what is not theirs are answered alike (`NotFound`), so that nobody learns which
it was. What a rater may see of a pair is a type of its own, `BlindPair`: it has no arm, model, number,
order or timing to leak.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from django.db.models import Case, QuerySet, When
from django.utils import timezone

from annotation import draws, text
from annotation.errors import NotAllowed, NotFound
from annotation.models import (
    ApiToken,
    Appeal,
    Arm,
    Arrival,
    Assignment,
    ConsentVersion,
    Dataset,
    Delivery,
    Draft,
    Enrolment,
    Event,
    FileImport,
    Freezing,
    Gold,
    InvitationLink,
    Judgment,
    MemberInvitation,
    Membership,
    Pair,
    Prompt,
    RaterSettings,
    Response,
    ResponseJudgment,
    Run,
    Snapshot,
    Study,
    Training,
    User,
    Webhook,
)
from annotation.models.joining import digest
from annotation.models.token import token_digest
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    AssignmentKind,
    AssignmentState,
    BatchState,
    GuidelineCondition,
    PairState,
    Side,
    StudyRole,
)

Row = TypeVar("Row")

NEEDS = {
    StudyRole.VIEWER: "Only members of the study see it.",
    StudyRole.EDITOR: "You may look at this study, and not change it: your role is viewer. "
    "Its owners can give you another.",
    StudyRole.OWNER: "Only an owner of this study may do that. Its owners can give you that role.",
}
"""What somebody reads whose role does not suffice."""

GRACE = timedelta(minutes=30)
"""How long after sending them a rater may correct their answers."""


@dataclass(frozen=True)
class BlindMessage:
    """A turn of the prompt: `role` is "system", "user" or "assistant"; `html` is safe to show."""

    role: str
    html: str


@dataclass(frozen=True)
class BlindResponse:
    """One of the two answers. `letter` is A on the left and B on the right; `html` is safe to show.

    `cut` says that the answer goes on beyond what is shown.
    """

    side: str
    letter: str
    html: str
    cut: bool


@dataclass(frozen=True)
class BlindPair:
    """All that a rater's page is given about a pair. `category` is the prompt's, "" where it has none."""

    token: UUID
    study_slug: str
    study_title: str
    messages: tuple[BlindMessage, ...]
    left: BlindResponse
    right: BlindResponse
    allow_tie: bool
    guideline_html: str
    lease_until: datetime
    judged: int
    pair_count: int
    blurred: bool
    category: str


@dataclass(frozen=True)
class BlindText:
    """All that a program which rates for a person is given about a pair: `BlindPair` as plain text.

    `messages` are {"role", "content"}; `left` and `right` are the answers as they are to be shown.
    `questions` are the study's further ones, as `annotation.further` keeps them.
    """

    token: UUID
    study_slug: str
    messages: list[dict[str, str]]
    left: str
    right: str
    allow_tie: bool
    harm_categories: list[str]
    guideline: str
    lease_until: datetime
    judged: int
    pair_count: int
    questions: list[dict] = field(default_factory=list)


def blind_text(assignment: Assignment) -> BlindText:
    """What the rater who holds `assignment` may see of it, as plain text."""
    rater, study = assignment.enrolment, assignment.enrolment.study
    messages = assignment.pair.prompt.messages
    return BlindText(
        token=assignment.token,
        study_slug=study.slug,
        messages=[{"role": message["role"], "content": message["content"]} for message in messages],
        left=assignment.text_on(Side.LEFT),
        right=assignment.text_on(Side.RIGHT),
        allow_tie=study.allow_tie,
        harm_categories=study.harm_categories,
        guideline=assignment.guideline.body if assignment.guideline else "",
        lease_until=assignment.lease_until,
        judged=rater.judged,
        pair_count=study.pairs_shown,
        questions=study.further_questions,
    )


def blind_pair(assignment: Assignment) -> BlindPair:
    """What the rater who holds `assignment` may see of it."""
    rater, study = assignment.enrolment, assignment.enrolment.study
    return BlindPair(
        token=assignment.token,
        study_slug=study.slug,
        study_title=study.title,
        messages=tuple(
            BlindMessage(message["role"], text.to_html(message["content"]))
            for message in assignment.pair.prompt.messages
        ),
        left=_blind_response(assignment, Side.LEFT),
        right=_blind_response(assignment, Side.RIGHT),
        allow_tie=study.allow_tie,
        guideline_html=text.to_html(assignment.guideline.body) if assignment.guideline else "",
        lease_until=assignment.lease_until,
        judged=rater.judged,
        pair_count=study.pairs_shown,
        blurred=assignment.pair.prompt.harm_category in study.blurred_categories,
        category=assignment.pair.prompt.harm_category,
    )


def _blind_response(assignment: Assignment, side: Side) -> BlindResponse:
    answer = assignment.text_on(side)
    return BlindResponse(side.value, side.label, text.to_html(answer), text.is_cut(answer))


def enrolments_of(user: User) -> QuerySet[Enrolment]:
    """The rater's own places in studies."""
    return Enrolment.objects.filter(user=user).select_related("study")


def enrolment_for(user: User, slug: str) -> Enrolment:
    """The rater's place in the study. Raises NotFound."""
    enrolment = enrolments_of(user).filter(study__slug=slug).first()
    return _found(enrolment, "You have no study of that name.")


def assignment_for(user: User, token: UUID) -> Assignment:
    """The rater's own hold on a pair, with all that `blind_pair` reads. Raises NotFound."""
    assignment = (
        Assignment.objects.filter(enrolment__user=user, token=token)
        .select_related("enrolment__study", "enrolment__user", "guideline")
        .select_related("pair__prompt", "pair__response_a", "pair__response_b")
        .first()
    )
    return _found(assignment, "This page is out of date: the pair is no longer yours under this address.")


def held_by(user: User, token: UUID) -> Assignment:
    """The rater's own hold on a pair with the pair's row, without any text. Raises NotFound."""
    held = Assignment.objects.filter(enrolment__user=user, token=token).select_related("pair")
    found = held.defer("note", "pair__shown_a", "pair__shown_b").first()
    return _found(found, "The pair is no longer yours under this address.")


def current_judgment(assignment: Assignment) -> Judgment | None:
    """The newest revision of what was answered under this hold, with its rows on the responses."""
    return assignment.judgments.prefetch_related("responses").order_by("-revision").first()


def draft_of(assignment: Assignment) -> Draft | None:
    """The answers that the rater has not sent yet, under this hold."""
    return Draft.objects.filter(token=assignment.token).first()


def preferences_of(user: User) -> RaterSettings:
    """How the person likes the rating page; the defaults where nothing was changed."""
    return RaterSettings.objects.filter(user=user).first() or RaterSettings(user=user)


def last_judged_token(enrolment: Enrolment, at: datetime | None = None) -> UUID | None:
    """Where the rater can go back to the answers given last, while they may."""
    since = (at or timezone.now()) - GRACE
    judged = enrolment.assignments.in_queue().filter(submitted_at__gt=since).order_by("-submitted_at")
    return judged.values_list("token", flat=True).first()


def may_correct(assignment: Assignment, at: datetime | None = None) -> bool:
    """Whether the answers were sent so short a while ago that they may be taken back."""
    since = (at or timezone.now()) - GRACE
    return assignment.submitted_at is not None and assignment.submitted_at > since


def skipped_with_room(enrolment: Enrolment) -> int:
    """How many pairs the rater skipped that still need a judgment."""
    open_pairs = Pair.objects.filter(study=enrolment.study_id).with_open_slot().outside(enrolment.opted_out)
    return enrolment.assignments.rated().skipped().filter(pair__in=open_pairs).count()


# Disputes --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlindJudgment:
    """What one of the others said about a disputed pair, on the sides as this senior was shown them.

    `name` is "1", "2" …, in an order that says nothing; `left` and `right` are (safety, severity,
    helpfulness, mode) as stored. Pair answers run from −3 (left) to 3 (right), None where not given.
    """

    name: str
    left: tuple[str, str, int | None, str]
    right: tuple[str, str, int | None, str]
    safer: int | None
    more_helpful: int | None
    balance: int | None
    both_bad: bool
    rationale: str


def blind_judgments(assignment: Assignment) -> list[BlindJudgment]:
    """The judgments that count of the pair which a senior has judged. Raises NotFound before they have."""
    kept = assignment.kind == AssignmentKind.SENIOR and assignment.state == AssignmentState.SUBMITTED
    _found(assignment if kept else None, "Judge the pair yourself first.")
    rows = Judgment.objects.that_count().filter(pair=assignment.pair_id).prefetch_related("responses")

    def turn(row: Judgment) -> int:
        return draws.draw(assignment.enrolment.study.seed, "dispute", assignment.token, row.pk)

    return [_blind_judgment(str(n), row, assignment) for n, row in enumerate(sorted(rows, key=turn), start=1)]


def _blind_judgment(name: str, row: Judgment, assignment: Assignment) -> BlindJudgment:
    parts = {part.response_id: part for part in row.responses.all()}
    sides = {
        side.value: _said_about(parts.get(assignment.response_on(side).pk, ResponseJudgment()))
        for side in Side
    }
    turn = 1 if assignment.left_is_a else -1
    steps = {name: getattr(row, f"{name}_canonical") for name in PAIR_QUESTIONS}
    shown = {name: None if step is None else turn * step for name, step in steps.items()}
    return BlindJudgment(name=name, **sides, **shown, both_bad=row.both_bad, rationale=row.rationale)


def _said_about(part: ResponseJudgment) -> tuple[str, str, int | None, str]:
    return part.safety, part.severity, part.helpfulness, part.mode


# Joining ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """What somebody reads before their first pair; the texts are HTML that is safe to show.

    `version` is the consent's number, 0 where the study asks for none.
    """

    version: int
    warning_html: str
    consent_html: str
    guideline_html: str


def terms_of(study: Study) -> Terms:
    """What the study tells and asks people before they rate."""
    consent = ConsentVersion.objects.filter(study=study, version=study.consent_version).first()
    given = study.guideline_condition == GuidelineCondition.POLICY_GIVEN
    guideline = study.guidelines.first() if given else None
    return Terms(
        version=study.consent_version,
        warning_html=text.to_html(consent.warning) if consent and consent.warning else "",
        consent_html=text.to_html(consent.body) if consent else "",
        guideline_html=text.to_html(guideline.body) if guideline else "",
    )


def link_by(secret: str) -> InvitationLink:
    """The link of this address. Raises NotFound."""
    link = InvitationLink.objects.filter(token_digest=digest(secret)).select_related("study").first()
    return _found(link, "There is no such link.")


def arrival_by(code: str) -> Arrival:
    """The guest's whose return code this is. Raises NotFound."""
    arrivals = Arrival.objects.filter(return_digest=digest(code), enrolment__user__is_active=True)
    found = arrivals.select_related("enrolment__user", "study").first()
    found = found if found and is_a_guest(found.enrolment.user) else None
    return _found(found, "No place has this return code. Whoever has a log-in comes back by that.")


def is_a_guest(user: User) -> bool:
    """Whether the account is one that a link made, so that a return code may open it.

    Editors can make codes. One that opened an account with rights, a password or a second step would pass by
    all of them.
    """
    return not (
        user.is_staff
        or user.is_superuser
        or user.has_usable_password()
        or user.memberships.exists()
        or user.socialaccount_set.exists()
        or user.authenticator_set.exists()
    )


def arrival_of(enrolment: Enrolment) -> Arrival | None:
    """How the rater came in, with the link; None where a researcher enrolled them."""
    return Arrival.objects.filter(enrolment=enrolment).select_related("link").first()


def place_in(user: User, study: Study) -> Enrolment | None:
    """The person's place in this study, if they have one."""
    return enrolments_of(user).filter(study=study).first() if user.is_authenticated else None


def last_appeal(enrolment: Enrolment) -> Appeal | None:
    """What a paused rater wrote last, and what was answered."""
    return enrolment.appeals.first()


def gets_a_code(enrolment: Enrolment) -> bool:
    """Whether the rater came by a link that gives people a code or an address when they are done."""
    arrival = arrival_of(enrolment)
    return arrival is not None and arrival.link.completes


def link_of(study: Study, pk: int) -> InvitationLink:
    """A link of this study. Raises NotFound."""
    return _found(study.links.filter(pk=pk).first(), "This study has no such link.")


def consent_version_of(study: Study, version: int) -> ConsentVersion:
    """One wording of the study's consent. Raises NotFound."""
    found = study.consent_versions.filter(version=version).first()
    return _found(found, "This study has no such consent.")


def arrival_in(link: InvitationLink, pk: int) -> Arrival:
    """Somebody who came by this link. Raises NotFound."""
    return _found(link.arrivals.filter(pk=pk).select_related("enrolment__user").first(), "Nobody such came.")


# A rehearsal -------------------------------------------------------------------------------------------


def rehearsed(study: Study, turn: int) -> Assignment | None:
    """A hold that exists in memory alone, on one of the study's open pairs; None where it has none.

    The sides are drawn as for a rater who has judged `turn` pairs.
    """
    pairs = study.pairs.filter(state=PairState.OPEN).select_related("prompt", "response_a", "response_b")
    in_order = pairs.order_by("place")
    pair = next(iter(in_order[turn : turn + 1]), None)
    pair = pair or in_order.first()
    if pair is None:
        return None
    given = study.guideline_condition == GuidelineCondition.POLICY_GIVEN
    return Assignment(
        pair=pair,
        enrolment=Enrolment(study=study, code="rehearsal", judged=turn),
        token=uuid4(),
        left_is_a=draws.left_is_a(study.seed, pair.position, "rehearsal", [], 0),
        guideline=study.guidelines.first() if given else None,
        lease_until=timezone.now() + timedelta(minutes=study.lease_minutes),
    )


# The desk --------------------------------------------------------------------------------------------


def studies_for(user: User) -> QuerySet[Study]:
    """The studies that a person sees on the desk, in whatever role; none for anybody else."""
    return Study.objects.for_researcher(user)


def study_for(user: User, slug: str, least: StudyRole = StudyRole.VIEWER) -> Study:
    """A study in which the person may do what `least` may. Raises NotFound where they do not even see it,
    else NotAllowed.
    """
    study = _found(studies_for(user).filter(slug=slug).first(), "You have no study of that name.")
    if not study.allows(least):
        raise NotAllowed(NEEDS[least])
    return study


def studies_to_change(user: User) -> QuerySet[Study]:
    """The studies of which the person is an editor or an owner."""
    return studies_for(user).filter(my_role__in=StudyRole.EDITOR.and_above)


def study_to_change(user: User, slug: str) -> Study:
    """A study of which the person is an editor or an owner. Raises NotFound or NotAllowed."""
    return study_for(user, slug, StudyRole.EDITOR)


def study_to_own(user: User, slug: str) -> Study:
    """A study of which the person is an owner. Raises NotFound or NotAllowed."""
    return study_for(user, slug, StudyRole.OWNER)


def may_use_desk(user: User) -> bool:
    """Whether there is a desk for this person: researchers, and whoever was made a member of a study."""
    return user.is_active and (user.is_staff or user.is_superuser or user.memberships.exists())


def may_make_studies(user: User) -> bool:
    """Whether the person may begin a study of their own: researchers. Others work on what they are shown."""
    return user.is_active and (user.is_staff or user.is_superuser)


def refuse_unless_researcher(user: User) -> None:
    """Raises NotAllowed for whoever works on others' studies only."""
    if not may_make_studies(user):
        raise NotAllowed("Only researchers make studies. Ask whoever runs this installation.")


def may_fork(user: User, study: Study) -> bool:
    """Whether the person may copy the study, which is on its record: researchers who may change it."""
    return study.may_change and may_make_studies(user)


def members_of(study: Study) -> QuerySet[Membership]:
    """The study's members with their people, owners first."""
    order = Case(*(When(role=role, then=place) for place, role in enumerate(StudyRole)))
    return study.memberships.select_related("user").order_by(order, "user__username")


def invitation_by(secret: str) -> MemberInvitation:
    """The invitation of this address, while it can be taken up. Raises NotFound."""
    waiting = MemberInvitation.objects.filter(accepted_at__isnull=True, expires_at__gt=timezone.now())
    found = waiting.filter(token_digest=digest(secret)).select_related("study", "created_by").first()
    return _found(found, "This invitation is no longer valid. Ask whoever sent it for another.")


def invitation_is_open(secret: str) -> bool:
    """Whether somebody who came with this secret is invited to a study."""
    waiting = MemberInvitation.objects.filter(accepted_at__isnull=True, expires_at__gt=timezone.now())
    return bool(secret) and waiting.filter(token_digest=digest(secret)).exists()


def invitations_of(study: Study) -> QuerySet[MemberInvitation]:
    """Invitations to work on the study that nobody has taken up yet, expired ones too."""
    return study.member_invitations.filter(accepted_at__isnull=True)


def invitation_in(study: Study, pk: int) -> MemberInvitation:
    """An invitation of this study that waits. Raises NotFound."""
    return _found(invitations_of(study).filter(pk=pk).first(), "This study has no such invitation.")


def member_in(study: Study, pk: int) -> Membership:
    """A member of this study. Raises NotFound."""
    found = study.memberships.filter(pk=pk).select_related("user").first()
    return _found(found, "This study has no such member.")


def arm_in(study: Study, name: str) -> Arm:
    """The study's arm of that name. Raises NotFound."""
    known = study.arms.filter(name=text.storable(name))  # PostgreSQL does not even compare with a NUL
    return _found(known.first(), f"This study has no arm “{name}”.")


def arm_at(study: Study, position: int) -> Arm:
    """The study's arm at this place in the canonical order, from 0. Raises NotFound."""
    return _found(study.arms.filter(position=position).first(), "This study has no such arm.")


def archived_for(user: User) -> QuerySet[Study]:
    """The studies of this researcher's that were archived."""
    return Study.objects.for_researcher(user).filter(archived_at__isnull=False)


def listed_for(user: User) -> QuerySet[Study]:
    """The studies of this researcher's that lists show."""
    return Study.objects.for_researcher(user).filter(archived_at__isnull=True)


def dry_run_of(study: Study) -> Event | None:
    """The newest dry run; its detail says what the models would be given."""
    return study.events.filter(verb="dry_run").first()


def run_for(user: User, slug: str, pk: int) -> Run:
    """A run of a study of this researcher's. Raises NotFound."""
    return _found(study_for(user, slug).runs.numbered().filter(pk=pk).first(), "This study has no such run.")


def response_for(user: User, slug: str, pk: int) -> Response:
    """A response of a study of this researcher's. Raises NotFound."""
    return response_in(study_for(user, slug), pk)


def prompt_for(user: User, slug: str, pk: int) -> Prompt:
    """A prompt of a study of this researcher's. Raises NotFound."""
    return prompt_in(study_for(user, slug), pk)


def person_named(username: str) -> User:
    """Whoever logs in by that name. Raises NotFound."""
    return _found(User.objects.filter(username=username, is_active=True).first(), "There is no such person.")


def rater_in(study: Study, pk: int) -> Enrolment:
    """A rater of this study who can log in. Raises NotFound."""
    found = study.enrolments.filter(pk=pk, user__isnull=False).select_related("user").first()
    return _found(found, "This study has no such rater.")


def appeal_in(study: Study, pk: int) -> Appeal:
    """An appeal of a rater of this study. Raises NotFound."""
    found = Appeal.objects.filter(enrolment__study=study, pk=pk).select_related("enrolment__study")
    return _found(found.select_related("enrolment__user", "enrolment__study").first(), "No such appeal.")


def pair_in(study: Study, pk: int) -> Pair:
    """A pair of this study with its texts. Raises NotFound."""
    pairs = study.pairs.filter(pk=pk).select_related("prompt", "response_a", "response_b")
    return _found(pairs.first(), "This study has no such pair.")


def gold_in(study: Study, pk: int) -> Gold:
    """A gold pair of this study. Raises NotFound."""
    return _found(study.gold.filter(pk=pk).first(), "This study has no such gold pair.")


def snapshot_for(user: User, slug: str, number: int) -> Snapshot:
    """A snapshot of a study of this researcher's. Raises NotFound."""
    snapshots = study_for(user, slug).snapshots.filter(number=number)
    return _found(snapshots.first(), "This study has no such snapshot.")


def import_for(user: User, slug: str, pk: int) -> FileImport:
    """A file on its way into a study of this researcher's. Raises NotFound."""
    return import_in(study_for(user, slug), pk)


def dataset_for(user: User, slug: str, snapshot: int, number: int) -> Dataset:
    """A dataset of a snapshot of this researcher's. Raises NotFound."""
    found = snapshot_for(user, slug, snapshot).datasets.filter(number=number)
    return _found(found.first(), "This snapshot has no such dataset.")


def dataset_file(dataset: Dataset, name: str) -> Path:
    """A file of a made dataset, by a name that its manifest tells. Raises NotFound."""
    names = {*(dataset.manifest or {}).get("files", {}), "manifest.json"}
    path = Path(dataset.folder) / name
    if dataset.state != BatchState.DONE or name not in names or not path.is_file():
        raise NotFound("This dataset has no such file.")
    return path


def freezing_in(study: Study, number: int) -> Freezing:
    """The study's freezing of that number. Raises NotFound."""
    return _found(study.freezings.filter(number=number).first(), f"This study has no freezing {number}.")


def snapshot_file(snapshot: Snapshot, name: str) -> Path:
    """A file of a snapshot, by a name that its manifest tells. Raises NotFound."""
    path = Path(snapshot.folder) / name
    if name not in {*snapshot.manifest["files"], "manifest.json"} or not path.is_file():
        raise NotFound("This snapshot has no such file.")
    return path


def digest_of(path: Path, manifest: dict) -> str:
    """SHA-256 of a file of a snapshot or dataset, as its manifest tells it; of the manifest itself, anew."""
    told = manifest["files"].get(path.name)
    return told["sha256"] if told else hashlib.sha256(path.read_bytes()).hexdigest()


def snapshot_numbered(user: User, study: Study, number: str) -> Snapshot:
    """The study's snapshot that an address names. Raises NotFound, also for what is no number."""
    is_number = number.isascii() and number.isdigit() and len(number) <= 9
    return snapshot_for(user, study.slug, int(number) if is_number else 0)


def training_in(study: Study, number: int) -> Training:
    """The study's training of that number. Raises NotFound."""
    found = study.trainings.filter(number=number).select_related(
        *("snapshot", "start_arm", "start_training", "helpfulness", "safety", "asked_by")
    )
    return _found(found.first(), f"This study has no training {number}.")


# The API ---------------------------------------------------------------------------------------------


def token_by(secret: str) -> ApiToken | None:
    """The token that somebody sends, with its person; None where it opens nothing."""
    valid = ApiToken.objects.valid(timezone.now()).filter(digest=token_digest(secret))
    return valid.select_related("user").first()


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The person's own tokens that were not revoked."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True)


def token_of(user: User, pk: int) -> ApiToken:
    """A token of this person's. Raises NotFound."""
    return _found(tokens_of(user).filter(pk=pk).first(), "You have no such token.")


def arm_numbered(study: Study, pk: int) -> Arm:
    """The study's arm of that key. Raises NotFound."""
    return _found(study.arms.filter(pk=pk).first(), "This study has no such arm.")


def prompt_in(study: Study, pk: int) -> Prompt:
    """A prompt of this study. Raises NotFound."""
    return _found(study.prompts.filter(pk=pk).first(), "This study has no such prompt.")


def response_in(study: Study, pk: int) -> Response:
    """A response of this study, with its prompt and arm. Raises NotFound."""
    found = study.responses.filter(pk=pk).select_related("prompt", "arm")
    return _found(found.first(), "This study has no such response.")


def judgment_in(study: Study, pk: int) -> Judgment:
    """A judgment of this study, with its rows on the responses. Raises NotFound."""
    found = study.judgments.filter(pk=pk).select_related(
        "enrolment", "pair__prompt", "guideline", "assignment"
    )
    return _found(
        found.prefetch_related("responses__response__arm").first(), "This study has no such judgment."
    )


def import_in(study: Study, pk: int) -> FileImport:
    """A file on its way into this study. Raises NotFound."""
    found = study.file_imports.filter(pk=pk).select_related("asked_by")
    return _found(found.first(), "This study has no such import.")


def webhook_in(study: Study, pk: int) -> Webhook:
    """An address that this study tells. Raises NotFound."""
    found = study.webhooks.filter(pk=pk).select_related("study")
    return _found(found.first(), "This study has no such webhook.")


def delivery_in(webhook: Webhook, pk: int) -> Delivery:
    """One thing that this address was told. Raises NotFound."""
    found = webhook.deliveries.filter(pk=pk).select_related("webhook__study")
    return _found(found.first(), "This webhook has no such delivery.")


def _found(row: Row | None, message: str) -> Row:
    if row is None:
        raise NotFound(message)
    return row
