"""What the database holds of a review: decisions fit states, and what was given stays as it was."""

from django.db import migrations, models

from annotation.models import triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0005_model_settings"),
    ]

    # SQLite rebuilds the pairs, which triggers read, and refuses to while a trigger is there.
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="pair",
            name="scanner",
            field=models.CharField(blank=True, editable=False, max_length=20),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decision", ""), ("state", "held")),
                    models.Q(("decision__in", ["", "show", "mask"]), ("state", "open")),
                    models.Q(("decision", "drop"), ("state", "dropped")),
                    models.Q(("decision", "regenerate"), ("state", "replaced")),
                    _connector="OR",
                ),
                name="pair_state_fits_its_decision",
            ),
        ),
        migrations.AddConstraint(
            model_name="pair",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decision", "mask"),
                        models.Q(("shown_a__isnull", True), ("shown_b__isnull", True), _negated=True),
                    ),
                    models.Q(
                        models.Q(("decision", "mask"), _negated=True),
                        ("shown_a__isnull", True),
                        ("shown_b__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="pair_shows_other_texts_where_masked",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
