"""The other libraries' part of `statistics.py`, run by the Python of their environment.

    PYTHON benchmarks/statistics_others.py JUDGMENTS.npz ITERATIONS

prints seconds and values as JSON. crowd-kit is told not to stop early, so that both do the same iterations.
"""

import sys

sys.path.pop(0)  # or `statistics.py` beside this file would stand in for the standard library's

import json  # noqa: E402
import time  # noqa: E402

import krippendorff  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from crowdkit.aggregation import DawidSkene  # noqa: E402


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def dense(items, raters, labels):
    """Raters × items, NaN where nothing was said: what krippendorff wants."""
    table = np.full((raters.max() + 1, items.max() + 1), np.nan)
    table[raters, items] = labels
    return table


def main():
    columns = np.load(sys.argv[1])
    items, raters, labels = (columns[name] for name in ("items", "raters", "labels"))
    found = {}
    found["dense_matrix"], table = timed(lambda: dense(items, raters, labels))
    for level in ("nominal", "ordinal", "interval"):
        seconds, value = timed(lambda level=level: krippendorff.alpha(table, level_of_measurement=level))
        found[f"alpha_{level}"], found[f"value_{level}"] = seconds, value
    frame = pd.DataFrame({"task": items, "worker": raters, "label": labels})
    model = DawidSkene(n_iter=int(sys.argv[2]), tol=0.0)
    found["dawid_skene"], _ = timed(lambda: model.fit_predict(frame))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
