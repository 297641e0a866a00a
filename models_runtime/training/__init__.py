"""From judgments to a reward model and a tuned model: reads frozen snapshots, writes checkpoints.

Knows neither Django nor Celery. torch, transformers, peft, datasets and trl load only when
something is trained.
"""
