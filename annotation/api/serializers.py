"""Rows and reports as JSON."""

from dataclasses import asdict

from django.db.models import TextChoices
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.actions.runs import MOST_SAMPLES
from annotation.actions.studies import CHANGEABLE
from annotation.api.schema import shape_of
from annotation.models import (
    Arm,
    ConsentVersion,
    Delivery,
    Enrolment,
    Gold,
    GuidelineVersion,
    InvitationLink,
    Pair,
    Prompt,
    QualityRules,
    Response,
    Run,
    Snapshot,
    Study,
    Webhook,
)
from annotation.models.arm import SETTINGS
from annotation.models.joining import LONGEST_ID
from annotation.reports.outcomes import Cell, OutcomesReport
from annotation.reports.progress import RunProgress, run_progress
from annotation.reports.winrates import WinRateReport
from annotation.vocabulary import GoldUse, Intent, Qualification, ReviewDecision, StudyState, WebhookEvent

LONGEST_BODY = 50_000
LONGEST_MESSAGE = 200_000
PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]*$"


class OnlyKnownFields(serializers.Serializer):
    """A misspelt name is refused: the work would start with what it left at its default."""

    def to_internal_value(self, data: dict) -> dict:
        given = super().to_internal_value(data)
        known = {field.field_name for field in self._writable_fields} | {"csrfmiddlewaretoken"}
        if unknown := sorted(set(data) - known):
            taken = ", ".join(sorted(known - {"csrfmiddlewaretoken"}))
            raise serializers.ValidationError(
                {name: [f"No such field; there are: {taken}."] for name in unknown}
            )
        return given


def checked(kind: type[serializers.Serializer], data: object, **options) -> dict:
    """What was sent, as the serializer reads it. Raises ValidationError."""
    asked = kind(data=data, **options)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


class Word(serializers.CharField):
    def __init__(self, **options):
        super().__init__(**{"max_length": 64, **options})


def words(**options) -> serializers.ListField:
    """A list of words."""
    return serializers.ListField(child=Word(), max_length=100, **options)


def one_of_or_none(kind: type[TextChoices]) -> serializers.ChoiceField:
    """A word of the domain, or "" where there is none."""
    return serializers.ChoiceField([("", "None"), *kind.choices], read_only=True)


# Studies ---------------------------------------------------------------------------------------------


class StudySerializer(serializers.ModelSerializer):
    arms = serializers.SlugRelatedField("name", many=True, read_only=True)
    harm_categories = words()
    blurred_categories = words()

    class Meta:
        model = Study
        fields = [
            *("slug", "title", "question", "state", "overlap", "allow_tie", "guideline_condition"),
            *("harm_categories", "matched_sampling", "lease_minutes", "overlap_max", "extra_budget"),
            *("cap_per_day", "cap_total", "blurred_categories", "exposure_per_day", "break_minutes"),
            *("resources", "gold_percent", "repeat_percent", "practice_needed", "quiz_pass_percent"),
            *("quiz_attempts", "dispute_spread", "seed", "pair_count", "consent_version", "arms"),
            "created_at",
        ]
        read_only_fields = fields


class StudyChangesSerializer(OnlyKnownFields, serializers.ModelSerializer):
    """What an editor changes of a study; what is left out stays."""

    harm_categories = words(allow_empty=False, required=False)
    blurred_categories = words(required=False)
    question = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_BODY)
    resources = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_BODY)

    class Meta:
        model = Study
        fields = list(CHANGEABLE)


class NewStudySerializer(StudyChangesSerializer):
    class Meta:
        model = Study
        fields = ["slug", *CHANGEABLE, "seed"]


class StateSerializer(OnlyKnownFields):
    state = serializers.ChoiceField(choices=StudyState.choices)


class MixSerializer(OnlyKnownFields, serializers.ModelSerializer):
    """What is mixed in among the pairs, and what comes before the first one."""

    class Meta:
        model = Study
        fields = [
            *("gold_percent", "repeat_percent", "practice_needed", "quiz_pass_percent", "quiz_attempts"),
            "dispute_spread",
        ]


class GuidelineSerializer(OnlyKnownFields, serializers.ModelSerializer):
    body = serializers.CharField(max_length=LONGEST_BODY)

    class Meta:
        model = GuidelineVersion
        fields = ["version", "body", "created_at"]
        read_only_fields = ["version", "created_at"]


class ConsentSerializer(OnlyKnownFields, serializers.ModelSerializer):
    body = serializers.CharField(max_length=LONGEST_BODY)
    warning = serializers.CharField(max_length=10_000, default="", allow_blank=True)

    class Meta:
        model = ConsentVersion
        fields = ["version", "warning", "body", "created_at"]
        read_only_fields = ["version", "created_at"]


# Prompts and arms ------------------------------------------------------------------------------------


class MessageSerializer(OnlyKnownFields):
    role = serializers.ChoiceField(choices=["system", "user", "assistant"])
    content = serializers.CharField(max_length=LONGEST_MESSAGE, trim_whitespace=False)


class PromptSerializer(OnlyKnownFields, serializers.ModelSerializer):
    """A prompt. The last message is the user's."""

    id = serializers.IntegerField(source="pk", read_only=True)
    messages = MessageSerializer(many=True, allow_empty=False)
    intent = serializers.ChoiceField(choices=Intent.choices)
    subset = words(required=False)

    class Meta:
        model = Prompt
        fields = ["id", "key", "messages", "intent", "harm_category", "subset", "family", "language"]


class ManyPromptsSerializer(OnlyKnownFields):
    prompts = PromptSerializer(many=True, allow_empty=False, max_length=1_000)


class ArmSerializer(OnlyKnownFields, serializers.ModelSerializer):
    """An arm; `frozen_at` says since when its settings stay, because it has generated."""

    id = serializers.IntegerField(source="pk", read_only=True)
    sampling = serializers.DictField(required=False)
    system_prompt = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_MESSAGE, trim_whitespace=False
    )
    chat_template = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_MESSAGE, trim_whitespace=False
    )

    class Meta:
        model = Arm
        fields = ["id", "name", "position", *SETTINGS, "frozen_at"]
        read_only_fields = ["position", "frozen_at"]


class ResponseLineSerializer(serializers.ModelSerializer):
    """A response as a line of the list, without its text."""

    id = serializers.IntegerField(source="pk", read_only=True)
    prompt = serializers.CharField(source="prompt.key", read_only=True)
    arm = serializers.CharField(source="arm.name", read_only=True)

    class Meta:
        model = Response
        fields = [
            *("id", "prompt", "arm", "sample", "finish_reason", "prompt_tokens", "output_tokens"),
            *("seconds", "seed", "replaced_at", "created_at"),
        ]
        read_only_fields = fields


class ResponseSerializer(ResponseLineSerializer):
    provenance = serializers.DictField(read_only=True)

    class Meta:
        model = Response
        fields = [*ResponseLineSerializer.Meta.fields, "text", "reasoning", "provenance"]
        read_only_fields = fields


class PairLineSerializer(serializers.ModelSerializer):
    """A pair as a line of the list. `a` is the response of the arm that comes first in the study."""

    id = serializers.IntegerField(source="pk", read_only=True)
    prompt = serializers.CharField(source="prompt.key", read_only=True)
    a = serializers.IntegerField(source="response_a_id", read_only=True)
    b = serializers.IntegerField(source="response_b_id", read_only=True)
    arm_a = serializers.CharField(source="response_a.arm.name", read_only=True)
    arm_b = serializers.CharField(source="response_b.arm.name", read_only=True)
    sample = serializers.IntegerField(source="response_a.sample", read_only=True)
    decision = one_of_or_none(ReviewDecision)

    class Meta:
        model = Pair
        fields = [
            *("id", "prompt", "sample", "arm_a", "arm_b", "a", "b", "state", "decision", "overlap"),
            *("open_slots", "position", "created_at"),
        ]
        read_only_fields = fields


class PairSerializer(PairLineSerializer):
    """A pair with its texts as raters read them."""

    messages = MessageSerializer(source="prompt.messages", many=True, read_only=True)
    text_a = serializers.SerializerMethodField()
    text_b = serializers.SerializerMethodField()

    class Meta:
        model = Pair
        fields = [*PairLineSerializer.Meta.fields, "messages", "text_a", "text_b"]
        read_only_fields = fields

    def get_text_a(self, pair: Pair) -> str:
        return pair.text_of(pair.response_a)

    def get_text_b(self, pair: Pair) -> str:
        return pair.text_of(pair.response_b)


class ExpectedSerializer(OnlyKnownFields):
    """What the answers to a gold pair should be; what is left out may be answered in any way."""

    safer = serializers.IntegerField(min_value=-3, max_value=3, required=False)
    more_helpful = serializers.IntegerField(min_value=-3, max_value=3, required=False)
    balance = serializers.IntegerField(min_value=-3, max_value=3, required=False)
    a_unsafe = serializers.BooleanField(required=False)
    b_unsafe = serializers.BooleanField(required=False)


class GoldSerializer(OnlyKnownFields, serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    pair = serializers.IntegerField(source="pair_id", min_value=1, max_value=2**63 - 1)
    prompt = serializers.CharField(source="pair.prompt.key", read_only=True)
    expected = ExpectedSerializer()
    use = serializers.ChoiceField(choices=GoldUse.choices, default=GoldUse.CHECK)
    tolerance = serializers.IntegerField(min_value=0, max_value=6, default=1)
    explanation = serializers.CharField(default="", allow_blank=True, max_length=10_000)

    class Meta:
        model = Gold
        fields = [
            *("id", "pair", "prompt", "use", "expected", "tolerance", "explanation", "retired_at"),
            "created_at",
        ]
        read_only_fields = ["retired_at", "created_at"]


# People ----------------------------------------------------------------------------------------------


class RaterSerializer(serializers.ModelSerializer):
    """A rater's place. `code` is their pseudonym in reports; `username` is null for one who was imported."""

    id = serializers.IntegerField(source="pk", read_only=True)
    username = serializers.CharField(source="user.username", default=None, read_only=True, allow_null=True)
    qualification = one_of_or_none(Qualification)

    class Meta:
        model = Enrolment
        fields = [
            *("id", "code", "username", "state", "role", "judged", "judged_on", "pause_reason"),
            *("qualification", "consent_version", "created_at"),
        ]
        read_only_fields = fields


class EnrolSerializer(OnlyKnownFields):
    username = serializers.CharField(max_length=150)


class MadeAccountSerializer(RaterSerializer):
    """A new rater with the address at which they choose a password, once; it is told this time alone."""

    address = serializers.CharField(read_only=True)

    class Meta:
        model = Enrolment
        fields = [*RaterSerializer.Meta.fields, "address"]
        read_only_fields = fields


class RaterControlSerializer(OnlyKnownFields):
    """`reason` for pausing and withdrawing, `exempt` for resuming."""

    reason = serializers.CharField(max_length=5_000, default="", allow_blank=True)
    exempt = serializers.BooleanField(default=False)


class LinkSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)

    class Meta:
        model = InvitationLink
        fields = [
            *("id", "label", "uses", "uses_max", "expires_at", "revoked_at", "person_parameter"),
            *("study_parameter", "session_parameter", "platform_study", "completion_code"),
            *("completion_url", "created_at"),
        ]
        read_only_fields = fields


class MadeLinkSerializer(LinkSerializer):
    """A new link with its address, which is told once."""

    address = serializers.CharField(read_only=True)

    class Meta:
        model = InvitationLink
        fields = [*LinkSerializer.Meta.fields, "address"]
        read_only_fields = fields


class NewLinkSerializer(OnlyKnownFields):
    """A new link. `…_parameter` are the names that a crowd platform adds to the address."""

    label = serializers.CharField(max_length=100)
    uses_max = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    person_parameter = serializers.RegexField(PARAMETER, max_length=50, required=False, allow_blank=True)
    study_parameter = serializers.RegexField(PARAMETER, max_length=50, required=False, allow_blank=True)
    session_parameter = serializers.RegexField(PARAMETER, max_length=50, required=False, allow_blank=True)
    platform_study = serializers.CharField(max_length=LONGEST_ID, required=False, allow_blank=True)
    completion_code = serializers.CharField(max_length=100, required=False, allow_blank=True)
    completion_url = serializers.URLField(max_length=1000, required=False, allow_blank=True)

    def validate_completion_url(self, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise serializers.ValidationError("An address of the web: https://…")
        return url

    def validate(self, given: dict) -> dict:
        if given.get("platform_study") and not given.get("study_parameter"):
            raise serializers.ValidationError(
                {"study_parameter": "Say which parameter has the study's name."}
            )
        return given


class RulesSerializer(OnlyKnownFields, serializers.ModelSerializer):
    """When raters are paused; a rule that is null is off."""

    class Meta:
        model = QualityRules
        exclude = ["id", "study"]


# Runs ------------------------------------------------------------------------------------------------


class RunLineSerializer(serializers.ModelSerializer):
    """A run as a line of the list: without its progress, which costs queries of its own.

    People know it by its `number` within the study; addresses go by `id`.
    """

    id = serializers.IntegerField(source="pk", read_only=True)
    number = serializers.IntegerField(read_only=True)

    class Meta:
        model = Run
        fields = ["id", "number", "state", "samples", "seed", "error", "created_at", "finished_at"]
        read_only_fields = fields


class NewRunSerializer(OnlyKnownFields):
    """How often each arm answers each prompt."""

    samples = serializers.IntegerField(min_value=1, max_value=MOST_SAMPLES, default=1)


class RunSerializer(RunLineSerializer):
    """A run with where it stands."""

    progress = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = [*RunLineSerializer.Meta.fields, "progress"]
        read_only_fields = fields

    @extend_schema_field(shape_of(RunProgress))
    def get_progress(self, run: Run) -> dict:
        return asdict(run_progress(run))


# Snapshots and webhooks ------------------------------------------------------------------------------


class SnapshotSerializer(serializers.ModelSerializer):
    """A snapshot; its `manifest` names the files with their sizes and digests."""

    created_by = serializers.CharField(
        source="created_by.username", default=None, read_only=True, allow_null=True
    )
    manifest = serializers.DictField(read_only=True)

    class Meta:
        model = Snapshot
        fields = ["number", "created_at", "created_by", "manifest"]
        read_only_fields = fields


class WebhookSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices))
    on = serializers.BooleanField(source="is_on", read_only=True)

    class Meta:
        model = Webhook
        fields = ["id", "url", "events", "on", "off_reason", "failures", "created_at"]
        read_only_fields = fields


class MadeWebhookSerializer(WebhookSerializer):
    """A new webhook with the secret that signs, which is told once."""

    class Meta:
        model = Webhook
        fields = [*WebhookSerializer.Meta.fields, "secret"]
        read_only_fields = fields


def some_events(**options) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(choices=WebhookEvent.choices), allow_empty=False, **options
    )


class NewWebhookSerializer(OnlyKnownFields):
    url = serializers.CharField(max_length=1000)
    events = some_events()


class WebhookChangesSerializer(OnlyKnownFields):
    events = some_events(required=False)
    on = serializers.BooleanField(required=False)


class DeliverySerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    body = serializers.DictField(read_only=True)

    class Meta:
        model = Delivery
        fields = [
            *("id", "message", "event", "body", "state", "attempts", "next_at", "last_status"),
            *("last_error", "created_at", "finished_at"),
        ]
        read_only_fields = fields


# Reports ---------------------------------------------------------------------------------------------


def win_rates(report: WinRateReport) -> dict:
    """The report with its headlines."""
    return {**asdict(report), "headlines": [asdict(line) for line in report.headlines]}


def outcomes(report: OutcomesReport) -> dict:
    """The report, each cell with whether it has too few judgments; `intent` "" is the whole arm."""
    rows = [
        {"arm": row.arm, "intent": row.intent, "safe": _cell(row.safe), "helpful": _cell(row.helpful)}
        for row in report.rows
    ]
    return {"rows": rows, "caption": report.caption}


def _cell(cell: Cell) -> dict:
    return {**asdict(cell), "few": cell.few}
