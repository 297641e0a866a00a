"""Rows and reports as JSON."""

from dataclasses import asdict

from rest_framework import serializers

from annotation.actions.runs import MOST_SAMPLES
from annotation.models import Run, Study
from annotation.reports.outcomes import Cell, OutcomesReport
from annotation.reports.progress import run_progress
from annotation.reports.winrates import WinRateReport


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


class StudySerializer(serializers.ModelSerializer):
    arms = serializers.SlugRelatedField("name", many=True, read_only=True)

    class Meta:
        model = Study
        fields = [
            "slug",
            "title",
            "question",
            "state",
            "overlap",
            "allow_tie",
            "guideline_condition",
            "harm_categories",
            "pair_count",
            "arms",
            "created_at",
        ]
        read_only_fields = fields


class RunLineSerializer(serializers.ModelSerializer):
    """A run as a line of the list: without its progress, which costs queries of its own."""

    id = serializers.IntegerField(source="pk", read_only=True)

    class Meta:
        model = Run
        fields = ["id", "state", "samples", "seed", "error", "created_at", "finished_at"]
        read_only_fields = fields


class RunSerializer(OnlyKnownFields, RunLineSerializer):
    """A run with where it stands; for writing, only `samples`."""

    samples = serializers.IntegerField(min_value=1, max_value=MOST_SAMPLES, default=1)
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = [*RunLineSerializer.Meta.fields, "progress"]
        read_only_fields = [name for name in RunLineSerializer.Meta.fields if name != "samples"]

    def get_progress(self, run: Run) -> dict:
        return asdict(run_progress(run))


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
