"""The one-file report: made from a snapshot's files alone, and made again to the same bytes."""

import pytest

from annotation.actions.snapshots import freeze_snapshot
from annotation.printing.pdf import pdf_of
from annotation.printing.report import report_html
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def folder():
    from pathlib import Path
    study = a_varied_study(6)
    return Path(freeze_snapshot(study, cast.alice()).folder)


def test_first(folder):
    html = report_html(folder)
    open("/tmp/w/out-figures/report.html", "w").write(html)
    import time
    t = time.time()
    open("/tmp/w/out-figures/report.pdf", "wb").write(pdf_of(html))
    print(time.time() - t)
    assert report_html(folder) == html
    assert pdf_of(html) == pdf_of(html)
