"""What is counted of requests while they are answered, for Prometheus.

Several processes add up in the folder of PROMETHEUS_MULTIPROC_DIR, which `annotation.wsgi` names before this
is imported.
"""

from prometheus_client import Histogram

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Histogram(
    "evenhand_request_seconds",
    "Requests answered, and how long that took, by route and class of status.",
    ["method", "route", "status"],
    buckets=BUCKETS,
)


def note_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer. `route` is a pattern of the address map, never an address: those are without end."""
    method = method if method in METHODS else "other"
    REQUESTS.labels(method, route, f"{status // 100}xx").observe(seconds)
