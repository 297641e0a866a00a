"""The record of a large study is found without looking at its judgments."""

from django.db import migrations, models

from annotation.migrations._operations import AddIndexQuietly


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("annotation", "0026_seals")]

    operations = [
        AddIndexQuietly(
            "event",
            models.Index(
                condition=models.Q(("verb__in", ("submit_judgment", "revise_judgment")), _negated=True),
                fields=["study", "created_at", "id"],
                name="event_without_judging",
            ),
        ),
    ]
