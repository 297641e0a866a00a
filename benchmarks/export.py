"""How fast a study of a million judgments is frozen, and how much memory that takes.

    .venv/bin/python benchmarks/export.py [--judgments 1000000] [--times 3] [--no-import]

builds a throwaway installation on its own PostgreSQL with a study of so many judgments and one of a tenth,
and prints a JSON object as its last line, each number from the middle one of so many times:

- `parquet_rows_per_s`: judgments a second from the database to the finished Parquet file, every revision with
  its fifty columns; `jsonl_rows_per_s`: to JSON Lines, from the database and through Parquet.
- `added_rss_mb`: how far the largest of all these grew its process, a whole freeze of the larger study among
  them; `added_rss_mb_tenth` the same with the small study.
- `django_rows_per_s` is the floor: the same judgments with the columns a page would show, by
  `.values().iterator()` into CSV. `ratio_to_django` compares times, `ratio_to_django_cpu` processor time,
  each with the database server's, so it holds on a busy machine, too.
- `freeze_seconds`: the whole snapshot, all tables, card and manifest.
- `dataset_rows_per_s`, `dataset_added_rss_mb` (and `…_tenth`): preferences for TRL made from the snapshot, as
  JSON Lines and Parquet.
- `import_pairs_per_s` (rows of the file) and `import_rows_per_s` (rows of tables, five for each pair) of
  100,000 pairs, and what else `import_pairs.py` tells of the way back.
"""

import argparse
import csv
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

from import_pairs import import_pairs
from judged_study import a_judged_study
from rating_site import Site, site

from tests.postgres import throwaway_postgres

FLOOR_ROWS = 100_000
TICKS = os.sysconf("SC_CLK_TCK")


def added_memory() -> Callable[[], float]:
    """Call the answer later: by how many megabytes the process has grown at most since now."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak until now, which a parent may have left
    start = _kilobytes("VmRSS")
    return lambda: (_kilobytes("VmHWM") - start) / 1024


def _kilobytes(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds and processor seconds of this process."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - busy}


def parquet(study, folder: Path) -> None:
    from annotation.export.reading import one_moment
    from annotation.export.tables import write_judgments

    with one_moment():
        write_judgments(study, folder, "secret", Counter())


def json_lines(study, folder: Path) -> None:
    from annotation.export.formats import write_json_lines

    write_json_lines(folder / "judgments.parquet", folder / "judgments.jsonl")


def freeze(study, folder: Path) -> None:
    from annotation.actions.snapshots import freeze_snapshot

    freeze_snapshot(study, out=folder / "snapshot")


FLOOR_FIELDS = (
    *("pk", "enrolment__code", "source", "revision", "pair__prompt__key", "pair__response_a__arm__name"),
    *("pair__response_b__arm__name", "left_is_a", "safer_canonical", "more_helpful_canonical"),
    *("balance_canonical", "both_bad", "confidence", "rationale", "assignment__claimed_at"),
    *("assignment__submitted_at", "created_at"),
)


def dataset(study, folder: Path) -> None:
    from annotation.datasets.making import make_dataset
    from annotation.datasets.recipe import Recipe

    out = folder / "dataset"
    out.mkdir()
    manifest = make_dataset(folder / "snapshot", Recipe("trl_preference"), out)
    (folder / "rows").write_text(str(manifest["counts"]["rows"]))


def floor(study, folder: Path) -> None:
    """As a view would do it that streams a table to somebody's spreadsheet."""
    from annotation.models import Judgment

    rows = Judgment.objects.filter(study=study).order_by("pk").values(*FLOOR_FIELDS)[:FLOOR_ROWS]
    with (folder / "floor.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FLOOR_FIELDS)
        writer.writerows(rows.iterator(chunk_size=2000))


PRODUCTS = {"freeze": ["snapshot"], "dataset": ["dataset"]}
"""Folders that must not be there yet."""
WORK = {"parquet": parquet, "json_lines": json_lines, "freeze": freeze, "dataset": dataset, "floor": floor}


def work_apart(name: str, study_id: int, folder: str) -> dict[str, float]:
    """One of WORK in this process, which must be new: its memory is this work's alone."""
    import django

    django.setup()
    from annotation.actions import snapshots  # noqa: F401 — every process of the site has it
    from annotation.models import Study

    study, added = Study.objects.get(pk=study_id), added_memory()
    return timed(lambda: WORK[name](study, Path(folder))) | {"added_mb": added()}


def measured(name: str, study, folder: str, server: int) -> dict[str, float]:
    """Seconds, added megabytes, and processor seconds of the work and of the database for it."""
    before, served = server_seconds(server), backends()
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(work_apart, (name, study.pk, folder))
    while backends() > served:  # what a backend has spent is known when it has ended
        time.sleep(0.05)
    found["server_cpu"] = server_seconds(server) - before
    print(f"{name} of {study.slug}: {json.dumps(found)}", flush=True)
    return found


def backends() -> int:
    """How many processes of PostgreSQL serve somebody."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return cursor.fetchone()[0]


def server_seconds(pid: int) -> float:
    """Processor time of PostgreSQL: its main process and all whose work is over."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def rates(rows: int, dataset_rows: int, found: dict[str, dict[str, float]]) -> dict:
    parquet, lines, floor = (found[name] for name in ("parquet", "json_lines", "floor"))
    floor_rows = min(rows, FLOOR_ROWS)
    cpu = {name: found[name]["cpu"] + found[name]["server_cpu"] for name in found}
    per_row, floor_per_row = cpu["parquet"] / rows, cpu["floor"] / floor_rows
    return {
        "judgments": rows,
        "parquet_rows_per_s": round(rows / parquet["seconds"]),
        "jsonl_rows_per_s": round(rows / (parquet["seconds"] + lines["seconds"])),
        "added_rss_mb": round(max(one["added_mb"] for name, one in found.items() if name != "floor")),
        "django_rows_per_s": round(floor_rows / floor["seconds"]),
        "ratio_to_django": round(rows / parquet["seconds"] / (floor_rows / floor["seconds"]), 1),
        "ratio_to_django_cpu": round(floor_per_row / per_row, 1),
        "parquet_cpu_us_per_row": round(1e6 * parquet["cpu"] / rows, 1),
        "parquet_database_cpu_us_per_row": round(1e6 * parquet["server_cpu"] / rows, 1),
        "dataset_added_rss_mb": round(found["dataset"]["added_mb"]),
        "dataset_rows_per_s": round(dataset_rows / found["dataset"]["seconds"]),
        "freeze_seconds": round(found["freeze"]["seconds"], 1),
        "freeze_cpu_seconds": round(cpu["freeze"], 1),
    }


def middle(name: str, study, folder: str, server: int, times: int) -> dict[str, float]:
    """The middle one by its seconds; each time in an empty folder, but for what earlier work left."""
    found = []
    for _ in range(times):
        for product in PRODUCTS.get(name, ()):
            shutil.rmtree(Path(folder) / product, ignore_errors=True)
        found.append(measured(name, study, folder, server))
    return sorted(found, key=itemgetter("seconds"))[times // 2]


def of_study(place: Site, judgments: int, slug: str, times: int) -> dict:
    study = a_judged_study(slug, judgments)
    server = place.server.process.pid
    with tempfile.TemporaryDirectory(dir=place.folder) as folder:
        found = {name: middle(name, study, folder, server, times) for name in WORK}
        dataset_rows = int((Path(folder) / "rows").read_text())
    return rates(study.judgments.count(), dataset_rows, found)


def import_apart(url: str, pairs: int) -> dict[str, float]:
    """The way back, in this process, which must be new: into the database at `url`, and its memory alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATABASE_URL": url, "EVENHAND_VAR": folder}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        return import_pairs(pairs)


def imported(pairs: int) -> dict[str, float]:
    with throwaway_postgres() as url, get_context("spawn").Pool(1) as pool:
        return pool.apply(import_apart, (url, pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=1, help="how often each work is done")
    parser.add_argument("--pairs", type=int, default=100_000, help="of the import")
    parser.add_argument("--no-import", action="store_true", help="leave the way back out")
    options = parser.parse_args()
    with site() as place:
        small = of_study(place, options.judgments // 10, "small", options.times)
        large = of_study(place, options.judgments, "large", options.times)
    answer = large | {
        "added_rss_mb_tenth": small["added_rss_mb"],
        "dataset_added_rss_mb_tenth": small["dataset_added_rss_mb"],
        "parquet_rows_per_s_tenth": small["parquet_rows_per_s"],
    }
    print(json.dumps(answer | ({} if options.no_import else imported(options.pairs))))


if __name__ == "__main__":
    main()
