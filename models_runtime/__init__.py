"""Prompts in, completions out. Knows neither Django nor Celery; torch loads only when a model is loaded."""

import os

# Before torch loads its OpenMP: by default an idle thread spins while it waits for the others. On a machine
# that is busy with anything else (a web server, a second worker) the one it waits for then gets no core, and
# a batch takes ten times as long: on 2 cores beside a test run, benchmarks/demo_generation.py fell from 1,481
# to 158 tokens/s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
