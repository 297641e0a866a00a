"""Numbers for Prometheus: what this machine's web processes counted, and what database and queue hold now."""

import os
from collections.abc import Iterator

from django.db import Error as AnyDatabaseError
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from annotation.reports.workload import workload
from annotation.watch.health import messages_waiting


class WorkloadCollector(Collector):
    """Read when it is asked for, so all web processes tell the same."""

    def collect(self) -> Iterator[Metric]:
        waiting = messages_waiting()
        yield GaugeMetricFamily("evenhand_queue_up", "Whether the message queue answers.", int(bool(waiting)))
        yield _gauges("evenhand_queue_messages", "Hints that wait.", ["queue"], waiting)
        try:
            now = workload()
        except AnyDatabaseError:
            yield GaugeMetricFamily("evenhand_database_up", "Whether the database answers.", 0)
            return
        yield GaugeMetricFamily("evenhand_database_up", "Whether the database answers.", 1)
        yield _gauges("evenhand_batches", "Pieces of work by kind and state.", ["kind", "state"], now.batches)
        yield _gauges("evenhand_studies", "Studies by state.", ["state"], now.studies)
        yield _gauges("evenhand_workers", "Workers alive, by queue.", ["queue"], now.workers)
        yield CounterMetricFamily("evenhand_judgments", "Judgments that raters gave.", now.judged)
        yield GaugeMetricFamily("evenhand_pairs_held", "Pairs that raters hold now.", now.held)
        yield GaugeMetricFamily(
            "evenhand_unsealed_seconds", "How long the oldest event waits for its seal.", now.unsealed_seconds
        )


def _gauges(name: str, about: str, labels: list[str], values: dict) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family


def metrics_text() -> bytes:
    """Everything, in Prometheus's text format."""
    counted: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    asked = CollectorRegistry()
    asked.register(WorkloadCollector())
    return generate_latest(counted) + generate_latest(asked)
