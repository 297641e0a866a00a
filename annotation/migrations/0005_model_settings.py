"""Adapter, quantisation, chat template and server of arms and judges; reasoning apart from answers."""

from django.db import migrations, models

from annotation.models import triggers


def remove(apps, schema_editor) -> None:
    triggers.remove(schema_editor.connection)


def install(apps, schema_editor) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0004_grading"),
    ]

    # The trigger on arms names the new columns, and SQLite rebuilds tables that triggers read.
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="arm",
            name="adapter",
            field=models.CharField(
                blank=True,
                help_text="A folder or hub name of a LoRA adapter made for this model.",
                max_length=500,
            ),
        ),
        migrations.AddField(
            model_name="arm",
            name="api_key_variable",
            field=models.CharField(
                blank=True,
                help_text="The name of the environment variable that holds the server's key where the worker runs: MODEL_KEY or MODEL_KEY_…. The key itself is not stored.",
                max_length=100,
                verbose_name="API key variable",
            ),
        ),
        migrations.AddField(
            model_name="arm",
            name="base_url",
            field=models.CharField(
                blank=True,
                help_text="Of a server, such as http://host:8000/v1.",
                max_length=500,
                verbose_name="base URL",
            ),
        ),
        migrations.AddField(
            model_name="arm",
            name="chat_template",
            field=models.TextField(
                blank=True,
                help_text="Replaces the model's own. Empty: the model's, as it should be nearly always.",
            ),
        ),
        migrations.AddField(
            model_name="arm",
            name="quantization",
            field=models.CharField(
                blank=True, choices=[("8bit", "8 bits"), ("4bit", "4 bits")], max_length=10
            ),
        ),
        migrations.AddField(
            model_name="grade",
            name="reasoning",
            field=models.TextField(blank=True, help_text="What the judge wrote to itself before."),
        ),
        migrations.AddField(
            model_name="grading",
            name="adapter",
            field=models.CharField(
                blank=True,
                help_text="A folder or hub name of a LoRA adapter made for this model.",
                max_length=500,
            ),
        ),
        migrations.AddField(
            model_name="grading",
            name="api_key_variable",
            field=models.CharField(
                blank=True,
                help_text="The name of the environment variable that holds the server's key where the worker runs: MODEL_KEY or MODEL_KEY_…. The key itself is not stored.",
                max_length=100,
                verbose_name="API key variable",
            ),
        ),
        migrations.AddField(
            model_name="grading",
            name="base_url",
            field=models.CharField(
                blank=True,
                help_text="Of a server, such as http://host:8000/v1.",
                max_length=500,
                verbose_name="base URL",
            ),
        ),
        migrations.AddField(
            model_name="grading",
            name="chat_template",
            field=models.TextField(
                blank=True,
                help_text="Replaces the model's own. Empty: the model's, as it should be nearly always.",
            ),
        ),
        migrations.AddField(
            model_name="grading",
            name="quantization",
            field=models.CharField(
                blank=True, choices=[("8bit", "8 bits"), ("4bit", "4 bits")], max_length=10
            ),
        ),
        migrations.AddField(
            model_name="response",
            name="reasoning",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="arm",
            name="backend",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AlterField(
            model_name="arm",
            name="device",
            field=models.CharField(default="auto", max_length=50),
        ),
        migrations.AlterField(
            model_name="arm",
            name="model",
            field=models.CharField(
                blank=True,
                help_text="A folder, a hub name, or the name that a server knows it by.",
                max_length=500,
            ),
        ),
        migrations.AlterField(
            model_name="arm",
            name="revision",
            field=models.CharField(
                blank=True, help_text="A commit, branch or tag of the hub.", max_length=200
            ),
        ),
        migrations.AlterField(
            model_name="grading",
            name="backend",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AlterField(
            model_name="grading",
            name="model",
            field=models.CharField(
                blank=True,
                help_text="A folder, a hub name, or the name that a server knows it by.",
                max_length=500,
            ),
        ),
        migrations.AlterField(
            model_name="grading",
            name="revision",
            field=models.CharField(
                blank=True, help_text="A commit, branch or tag of the hub.", max_length=200
            ),
        ),
        migrations.AddConstraint(
            model_name="arm",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantization__in", ["", "8bit", "4bit"])),
                name="arm_quantization_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="grading",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantization__in", ["", "8bit", "4bit"])),
                name="grading_quantization_is_known",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
