"""A freezing is watched while it writes, and stopped, by somebody else."""

import re
import threading

from django.db import connection

from annotation.actions import freezing, snapshots
from annotation.models import Snapshot
from annotation.reports.freezing import freezing_progress
from annotation.vocabulary import BatchState
from tests.actions.test_freezing import now_of, taken
from tests.cast import alice
from tests.export.studies import a_judged_study


def test_it_tells_how_far_it_is_and_is_stopped_at_the_next_rows(committed_db, monkeypatch, settings):
    study = a_judged_study()
    asked, _ = freezing.ask(study)
    monkeypatch.setattr(freezing, "LOOK_EVERY", 0.01)
    seen = []

    def look_and_stop() -> None:
        """What somebody at the desk does meanwhile."""
        while not now_of(asked).table:
            pass
        seen.append(freezing_progress(study).sentence)
        freezing.stop(asked, alice())
        seen.append(freezing_progress(study).sentence)
        connection.close()

    freeze = snapshots.freeze_snapshot

    def slowly(*rest, tell, **more):
        def tell_slowly(table: str, rows: int) -> None:
            tell(table, rows)
            if table == "judgments.parquet":
                desk.join(20)
                while not tell._must_end.wait(20):
                    pass

        return freeze(*rest, tell=tell_slowly, **more)

    monkeypatch.setattr(freezing, "freeze_snapshot", slowly)
    desk = threading.Thread(target=look_and_stop)
    desk.start()
    assert not freezing.run(taken(asked))
    assert re.match(r"Writing judgments.parquet: [79] of about \d+ rows.", seen[0]) and seen[1].startswith(
        "Stopping"
    )
    assert now_of(asked).state == BatchState.CANCELLED
    assert not Snapshot.objects.exists()
    assert not [path for path in settings.SNAPSHOTS.rglob("*") if path.is_file()]
