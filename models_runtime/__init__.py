"""Prompts in, completions out. Knows neither Django nor Celery; torch loads only when a model is loaded."""
