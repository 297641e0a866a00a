"""Where staff create studies, prompts, arms, guidelines, places and users, and look at the rest.

A researcher is staff: they see the rows of their own studies and may create raters, but neither touch other
people's accounts nor their own rights. What is judged or generated is read-only for everybody.
"""

import json

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.admin import UserAdmin
from django.db import IntegrityError, models
from django.db.models import QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from annotation import access, strict_json
from annotation.actions import events
from annotation.actions.arms import add_arm, holds_imported
from annotation.actions.enrolment import enrol, set_state
from annotation.actions.members import add_member
from annotation.actions.prompts import check_category, check_language, clean_messages, language_of
from annotation.actions.studies import add_guideline
from annotation.errors import DomainError
from annotation.models import (
    Arm,
    Assignment,
    Enrolment,
    Event,
    Grade,
    Grading,
    GuidelineVersion,
    Judgment,
    Pair,
    Prompt,
    Response,
    Run,
    Snapshot,
    Study,
    User,
)
from annotation.models.arm import SETTINGS, default_sampling
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.models.study import default_harm_categories
from annotation.text import refuse_hidden, spelt_out, storable
from annotation.vocabulary import StudyRole
from models_runtime.device import DTYPES
from models_runtime.errors import InvalidSampling, RuntimeFailure
from models_runtime.registry import BACKENDS, check_spec
from models_runtime.types import ModelSpec, Sampling

admin.site.site_header = admin.site.site_title = "Evenhand"
admin.site.index_title = "Studies and people"
admin.site.site_url = "/desk/"


def save_changed(obj: models.Model, form: forms.ModelForm) -> None:
    """Write only what the form changed: the object may be older than the rest of its row."""
    columns = {field.name for field in obj._meta.concrete_fields}
    obj.save(update_fields=columns & set(form.changed_data))


def check_visible(name: str) -> None:
    """A form's validator: nothing hidden stands in a name."""
    try:
        refuse_hidden("This", name)
    except DomainError as error:
        raise forms.ValidationError(str(error)) from error


class GuardedAdmin(admin.ModelAdmin):
    """Whatever is typed as one line can be seen, and no address is an error of ours."""

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **options):
        field = super().formfield_for_dbfield(db_field, request, **options)
        if isinstance(field, forms.CharField) and isinstance(db_field, models.CharField):
            field.validators.append(check_visible)
        return field

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """A filter by numbers that SQLite cannot hold is answered as any other wrong filter."""
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError:
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset)
        except (ValueError, OverflowError):  # a row was chosen by a number that is none
            self.message_user(request, "Nothing was done: no such row was chosen.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class StudyRows(GuardedAdmin):
    """Rows that belong to a study, given by `study_path`; whoever is staff may look at those of their own."""

    study_path = "study"
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(**self._of_own_studies(request))

    def _of_own_studies(self, request: HttpRequest) -> dict:
        if request.user.is_superuser:
            return {}
        return {f"{self.study_path}__in": access.studies_for(request.user)}

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.has_module_permission(request) and (obj is None or self._may_change(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def _may_change(self, request: HttpRequest, obj: models.Model) -> bool:
        study = obj.pk if self.study_path == "pk" else obj.study_id
        return access.studies_to_change(request.user).filter(pk=study).exists()

    def formfield_for_foreignkey(self, field: models.ForeignKey, request: HttpRequest, **options):
        if field.remote_field.model is Study:
            options["queryset"] = access.studies_to_change(request.user)
        return super().formfield_for_foreignkey(field, request, **options)

    def save_model(
        self, request: HttpRequest, obj: models.Model, form: forms.ModelForm, change: bool
    ) -> None:
        save_changed(obj, form) if change else obj.save()

    def get_list_filter(self, request: HttpRequest) -> list:
        return [("study", admin.RelatedOnlyFieldListFilter), *self.list_filter]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[str]:
        """A row stays in its study."""
        return [*super().get_readonly_fields(request, obj), *(["study"] if obj else [])]

    def changeform_view(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        """What the database refuses becomes a message; the form's own transaction is undone by then."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (IntegrityError, DomainError) as error:
            reason = str(error).replace("_", " ")  # the database's constraints are named as sentences
            self.message_user(request, f"Nothing was saved. The reason: {reason}", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyRows(StudyRows):
    """Rows that only actions write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


# Studies ---------------------------------------------------------------------------------------------


class PlainJSONField(forms.JSONField):
    """JSON as a person writes it: a form error, too, for what only an attacker would nest or number so."""

    def to_python(self, value: object) -> object:
        try:
            return strict_json.read(value) if isinstance(value, str) and value else super().to_python(value)
        except strict_json.NotJSON as error:
            raise forms.ValidationError(str(error), code="invalid") from error

    def bound_data(self, data: object, initial: object) -> object:
        try:
            return super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)

    def prepare_value(self, value: object) -> object:
        return storable(super().prepare_value(value))  # half a character cannot be sent back to the browser


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value) and spelt_out(value) == value


class StudyForm(forms.ModelForm):
    harm_categories = PlainJSONField(initial=default_harm_categories, help_text="A list of words.")
    blurred_categories = PlainJSONField(
        initial=list,
        required=False,
        help_text="Harm categories whose prompts and answers are blurred until the rater reveals them.",
    )

    class Meta:
        model = Study
        fields = "__all__"  # noqa: DJ007 — the admin names them

    def clean_question(self) -> str:
        check_visible(self.cleaned_data["question"])
        return self.cleaned_data["question"]

    def clean_blurred_categories(self) -> list[str]:
        return self._clean_words("blurred_categories")

    def clean_harm_categories(self) -> list[str]:
        return self._clean_words("harm_categories")

    def _clean_words(self, name: str) -> list[str]:
        words = self.cleaned_data[name] or []
        if not isinstance(words, list) or not all(map(_is_word, words)):
            raise forms.ValidationError('Harm categories are a list of words, such as ["one", "two"].')
        return words


@admin.register(Study)
class StudyAdmin(StudyRows):
    form = StudyForm
    study_path = "pk"
    list_display = ["title", "slug", "state", "overlap", "pair_count"]
    prepopulated_fields = {"slug": ["title"]}
    fields = [
        "title",
        "slug",
        "question",
        "state",
        "overlap",
        "allow_tie",
        "matched_sampling",
        "guideline_condition",
        "harm_categories",
        "lease_minutes",
        "blurred_categories",
        "exposure_per_day",
        "break_minutes",
        "resources",
        "seed",
    ]

    def get_list_filter(self, request: HttpRequest) -> list:
        return ["state"]

    def get_readonly_fields(self, request: HttpRequest, obj: Study | None = None) -> list[str]:
        """Opened and closed on the desk; the seed has drawn orders and sides as soon as there is a study."""
        return ["state", "seed"] if obj else ["state"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Study | None = None) -> dict:
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Study, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        events.record(obj, "change_study" if change else "create_study", request.user)
        if not change:
            add_member(obj, request.user, StudyRole.OWNER, request.user)


@admin.register(GuidelineVersion)
class GuidelineVersionAdmin(StudyRows):
    """Versions are added, never edited."""

    list_display = ["study", "version", "created_at"]
    fields = ["study", "body"]

    def has_change_permission(self, request: HttpRequest, obj: GuidelineVersion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: GuidelineVersion | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: GuidelineVersion, form, change: bool) -> None:
        made = add_guideline(obj.study, obj.body, request.user)
        obj.pk, obj.version = made.pk, made.version


# Prompts and arms ------------------------------------------------------------------------------------


class MessagesField(forms.CharField):
    """A prompt as plain text, one user turn, or as a JSON list of messages."""

    widget = forms.Textarea(attrs={"rows": 8, "cols": 90})

    def prepare_value(self, value: object) -> object:
        if isinstance(value, list) and len(value) == 1 and value[0].get("role") == "user":
            return value[0]["content"]
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, list) else value

    def clean(self, value: str) -> list[dict]:
        try:
            return clean_messages(self._read(super().clean(value)))
        except DomainError as error:
            raise forms.ValidationError(str(error)) from error

    def _read(self, text: str) -> object:
        """JSON where the text is a list of objects, else the text itself."""
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return text
        is_list_of_objects = isinstance(parsed, list) and any(isinstance(part, dict) for part in parsed)
        try:
            return strict_json.read(text) if is_list_of_objects else text
        except strict_json.NotJSON as error:
            raise forms.ValidationError(str(error)) from error

    def has_changed(self, initial: object, data: object) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class WordsField(forms.CharField):
    """A list of words, written with commas between them."""

    def prepare_value(self, value: object) -> object:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: str) -> list[str]:
        words = super().clean(value)
        check_visible(words)
        return [word for part in words.split(",") if (word := part.strip())]

    def has_changed(self, initial: object, data: object) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PromptForm(forms.ModelForm):
    messages = MessagesField(
        help_text='The user\'s text — or a JSON list of {"role": …, "content": …}, the last one the user\'s.'
    )

    class Meta:
        model = Prompt
        fields = ["study", "key", "messages", "intent", "harm_category", "subset", "family", "language"]

    subset = WordsField(required=False, help_text="Tags, separated by commas.")

    def clean(self) -> dict:
        cleaned = super().clean()
        study = cleaned.get("study") or getattr(self.instance, "study", None)
        try:
            if study:
                check_category(study, cleaned.get("harm_category", ""))
        except DomainError as error:
            self.add_error("harm_category", str(error))
        self._settle_language(cleaned)
        return cleaned

    def _settle_language(self, cleaned: dict) -> None:
        """As it was written; found out where a new prompt says nothing."""
        if not self.instance.pk and not cleaned.get("language") and cleaned.get("messages"):
            cleaned["language"] = language_of(cleaned["messages"])
        try:
            check_language(cleaned.get("language", ""))
        except DomainError as error:
            self.add_error("language", str(error))


@admin.register(Prompt)
class PromptAdmin(StudyRows):
    form = PromptForm
    list_display = ["key", "study", "intent", "harm_category", "family", "language"]
    list_filter = ["intent", "harm_category", "language"]
    search_fields = ["key", "family"]

    def save_model(self, request: HttpRequest, obj: Prompt, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Results that were kept must see that labels changed.
        events.record(obj.study, "change_prompt" if change else "add_prompt", request.user, key=obj.key)

    def get_readonly_fields(self, request: HttpRequest, obj: Prompt | None = None) -> list[str]:
        """What has been asked keeps its wording and its name."""
        fixed = super().get_readonly_fields(request, obj)
        return [*fixed, "key", "messages"] if obj and _is_asked(obj) else fixed


def _is_asked(prompt: Prompt) -> bool:
    """Whether a run or a response refers to the prompt; the database then refuses other words."""
    return prompt.responses.exists() or prompt.items.exists()


def _names(*names: str) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


class ArmForm(forms.ModelForm):
    backend = forms.ChoiceField(
        choices=[("", "none: responses are imported"), *_names(*BACKENDS)],
        required=False,
        help_text="transformers_local runs a folder or a hub name in the worker; openai_http asks a server "
        "such as vLLM; scripted is for trying things out.",
    )
    sampling = PlainJSONField(initial=default_sampling, required=False)
    dtype = forms.ChoiceField(choices=_names("auto", *DTYPES), initial="auto")
    device = forms.RegexField(
        r"^(auto|cpu|cuda(:\d+)?|balanced)$",
        initial="auto",
        error_messages={"invalid": "Use auto, cpu, cuda, cuda:NUMBER or balanced."},
        help_text="auto, cpu, cuda, cuda:NUMBER, or balanced: over all GPUs of the worker",
    )

    class Meta:
        model = Arm
        fields = ["study", "name", *SETTINGS]

    def clean(self) -> dict:
        cleaned = super().clean()
        if self.errors or "backend" not in cleaned:  # the settings of a frozen arm are only shown
            return cleaned
        backend, model = cleaned["backend"], cleaned["model"]
        if bool(backend) != bool(model):
            lacking = "backend" if model else "model"
            self.add_error(
                lacking, "An arm that generates names a backend and a model; an imported one neither."
            )
        elif backend:
            self._check_spec(cleaned)
        if backend and self.instance.pk and holds_imported(self.instance):
            self.add_error("backend", "This arm holds imported responses. Add another arm to generate.")
        return cleaned

    def _check_spec(self, cleaned: dict) -> None:
        try:
            check_spec(ModelSpec(**{name: cleaned[name] for name in MODEL_SETTINGS}))
        except RuntimeFailure as error:
            self.add_error(None, storable(str(error)))

    def clean_sampling(self) -> dict:
        sampling = self.cleaned_data["sampling"]
        if not isinstance(sampling, dict):
            raise forms.ValidationError('Sampling is an object, such as {"temperature": 0.7}.')
        try:
            Sampling.from_dict(sampling)
        except InvalidSampling as error:
            raise forms.ValidationError(storable(str(error))) from error
        return sampling


@admin.register(Arm)
class ArmAdmin(StudyRows):
    form = ArmForm
    fieldsets = [
        (None, {"fields": ["study", "name", "backend", "model", "system_prompt", "sampling"]}),
        (
            "How the model is loaded (transformers_local)",
            {"fields": ["revision", "dtype", "device", "adapter", "quantization", "chat_template"]},
        ),
        ("Where its server is (openai_http)", {"fields": ["base_url", "api_key_variable"]}),
    ]
    list_display = ["name", "study", "position", "backend", "model", "frozen_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Arm | None = None) -> list[str]:
        fixed = super().get_readonly_fields(request, obj)
        return [*fixed, *SETTINGS] if obj and obj.frozen_at else fixed

    def save_model(self, request: HttpRequest, obj: Arm, form: forms.ModelForm, change: bool) -> None:
        if change:
            save_changed(obj, form)
        else:
            made = add_arm(obj.study, **{k: v for k, v in form.cleaned_data.items() if k != "study"})
            obj.pk, obj.position = made.pk, made.position


# People ----------------------------------------------------------------------------------------------


@admin.register(Enrolment)
class EnrolmentAdmin(StudyRows):
    list_display = ["code", "user", "study", "state", "judged"]
    list_filter = ["state"]
    fields = ["study", "user", "state"]

    def get_readonly_fields(self, request: HttpRequest, obj: Enrolment | None = None) -> list[str]:
        return ["study", "user"] if obj else ["state"]

    def formfield_for_foreignkey(self, field: models.ForeignKey, request: HttpRequest, **options):
        if field.name == "user":
            options["queryset"] = User.objects.filter(is_active=True)
        formfield = super().formfield_for_foreignkey(field, request, **options)
        if field.name == "user":
            formfield.required = True  # a rater without a user comes from an imported file
        return formfield

    def save_model(self, request: HttpRequest, obj: Enrolment, form, change: bool) -> None:
        if change:
            set_state(obj, obj.state, request.user)
        else:
            obj.pk = enrol(obj.study, obj.user, request.user).pk


@admin.register(User)
class PeopleAdmin(GuardedAdmin, UserAdmin):
    """Researchers see raters and create them; accounts and rights are a superuser's."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super().get_queryset(request)
        return people if request.user.is_superuser else people.filter(is_staff=False, is_superuser=False)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None):
        if request.user.is_superuser or obj is None:
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["username", "is_active", "date_joined"]})]

    def get_list_display(self, request: HttpRequest):
        return super().get_list_display(request) if request.user.is_superuser else ["username", "is_active"]

    def get_list_filter(self, request: HttpRequest):
        return super().get_list_filter(request) if request.user.is_superuser else ["is_active"]

    def get_search_fields(self, request: HttpRequest):
        return super().get_search_fields(request) if request.user.is_superuser else ["username"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Asked about nobody in particular, yes: Django demands it of whoever adds a user."""
        return super().has_change_permission(request, obj) or (
            obj is None and self.has_add_permission(request)
        )


# What only actions write -----------------------------------------------------------------------------


@admin.register(Response)
class ResponseAdmin(ReadOnlyRows):
    list_display = ["pk", "study", "prompt", "arm", "sample", "finish_reason"]
    list_select_related = ["study", "prompt", "arm"]


@admin.register(Pair)
class PairAdmin(ReadOnlyRows):
    list_display = ["pk", "study", "prompt", "overlap", "open_slots"]
    list_select_related = ["study", "prompt"]


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyRows):
    study_path = "enrolment__study"
    list_display = ["pk", "pair", "enrolment", "state", "claimed_at", "submitted_at"]
    list_select_related = ["pair__prompt", "enrolment"]

    def get_list_filter(self, request: HttpRequest) -> list:
        return ["state"]

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> list[str]:
        return []


@admin.register(Judgment)
class JudgmentAdmin(ReadOnlyRows):
    list_display = ["pk", "study", "enrolment", "pair", "revision", "source", "created_at"]
    list_select_related = ["study", "enrolment", "pair__prompt"]
    list_filter = ["source"]


@admin.register(Run)
class RunAdmin(ReadOnlyRows):
    list_display = ["pk", "study", "state", "samples", "created_at", "finished_at"]
    list_select_related = ["study"]
    list_filter = ["state"]


@admin.register(Grading)
class GradingAdmin(ReadOnlyRows):
    list_display = ["pk", "study", "state", "model", "repeats", "created_at", "finished_at"]
    list_select_related = ["study"]
    list_filter = ["state"]
    exclude = ["secret"]


@admin.register(Grade)
class GradeAdmin(ReadOnlyRows):
    study_path = "grading__study"
    list_display = ["pk", "grading", "response_id", "repeat", "safety", "helpfulness", "failure"]
    list_select_related = ["grading__study"]

    def get_list_filter(self, request: HttpRequest) -> list:
        return ["severity", "mode"]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[str]:
        return []


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyRows):
    exclude = ["secret"]
    list_display = ["study", "number", "created_by", "created_at"]
    list_select_related = ["study", "created_by"]


@admin.register(Event)
class EventAdmin(ReadOnlyRows):
    list_display = ["created_at", "study", "actor", "verb"]
    list_select_related = ["study", "actor"]
    list_filter = ["verb"]
