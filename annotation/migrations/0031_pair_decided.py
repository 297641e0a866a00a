"""The pairs that somebody decided about are found without looking at all pairs."""

from django.db import migrations, models

from annotation.migrations._operations import AddIndexQuietly


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("annotation", "0030_revised")]

    operations = [
        AddIndexQuietly(
            "pair",
            models.Index(
                condition=models.Q(("decision", ""), _negated=True),
                fields=["study", "position"],
                name="pair_decided_by_position",
            ),
        ),
    ]
