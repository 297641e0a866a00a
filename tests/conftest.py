"""What every test shares: the database."""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import pytest_django
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase

from annotation import tasks
from annotation.actions import enrolment, freezing
from annotation.models import Run, triggers

# An example may take long on a busy machine. CI tries the same ones every time, others try new ones.
hypothesis.settings.register_profile("evenhand", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("evenhand")

DATABASE_FIXTURES = {"db", "transactional_db", "committed_db", "django_db_reset_sequences", "live_server"}


def needs_database(item: pytest.Item) -> bool:
    """Whether this test touches the database, by mark, by fixture or by class."""
    if item.get_closest_marker("django_db"):
        return True
    if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
        return True
    case = getattr(item, "cls", None)
    return case is not None and issubclass(case, TransactionTestCase)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With PostgreSQL only the tests of the database run: the others ran with SQLite already.

    Some are about what PostgreSQL alone can do: those run there only. A real browser may be late on a busy
    machine: its tests may try three times, and the report counts it.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=2))
    if connection.vendor == "sqlite":
        kept = [item for item in items if not item.get_closest_marker("postgresql")]
    else:
        kept = [item for item in items if needs_database(item) and not item.get_closest_marker("once")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    if hasattr(config, "workerinput"):
        order_for_sharing(kept)
    items[:] = kept


def order_for_sharing(items: list[pytest.Item]) -> None:
    """The order in which processes take files: those with slow tests first, and of the rest long ones first.

    One slow file at the end would be waited for by all other processes. Browser tests come last, because
    Playwright leaves an event loop in its process.
    """
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is not None,
            item.path not in slow,
            -sizes[item.path],
        )
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {connection.vendor}"


@pytest.fixture(autouse=True)
def _same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raters get codes in the order of their enrolment, so that every run draws the same for them.

    Their real codes depend on primary keys, and so on the tests that ran before.
    """
    count_raters(monkeypatch)


def count_raters(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = itertools.count(1)
    monkeypatch.setattr(enrolment, "pseudonym", lambda study, name: f"rater-{next(codes)}")


@contextmanager
def undone(blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """A transaction outside of any test, taken back in the end."""
    with blocker.unblock(), pytest.MonkeyPatch.context() as patched, transaction.atomic():
        count_raters(patched)
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """A database for what a module makes once: it stays until the last test, and each test undoes its own.

    All tests of such a module are `django_db`, and each is a transaction inside this one.
    """
    with undone(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def passing_db(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Callable[[], AbstractContextManager[None]]:
    """`with passing_db():` has a database for what a module makes once and keeps as values, not as rows."""
    return partial(undone, django_db_blocker)


@pytest.fixture
def _flushable(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Take the append-only triggers away while SQLite's tables are emptied, and put them back.

    Set up before and torn down after `transactional_db`, whose end is the flush. PostgreSQL empties tables by
    TRUNCATE, which fires no row trigger, so there the triggers simply stay.
    """
    yield
    with django_db_blocker.unblock():
        triggers.install(connection)


@pytest.fixture
def _without_triggers_at_the_end(_flushable: None, transactional_db: None) -> Iterator[None]:
    yield
    if connection.vendor == "sqlite":
        triggers.remove(connection)


@pytest.fixture
def committed_db(_without_triggers_at_the_end: None) -> None:
    """A database in which transactions really commit, for threads and child processes.

    Use it instead of `transactional_db` or `django_db(transaction=True)`.
    """


@pytest.fixture(autouse=True)
def _snapshots_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files outlive the rows that a test rolls back, so each test writes its snapshots elsewhere."""
    monkeypatch.setattr(settings, "SNAPSHOTS", tmp_path / "snapshots")
    monkeypatch.setattr(settings, "ARCHIVES", tmp_path / "archives")
    monkeypatch.setattr(settings, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(settings, "IMPORTS", tmp_path / "imports")


@pytest.fixture(autouse=True)
def _nobody_looks_after_freezings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that notes how far one is has a connection of its own, which sees no row of a test that is
    one transaction, and would end the freezing. A test that is not sets it back."""
    monkeypatch.setattr(freezing, "LOOK_EVERY", 3600.0)


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that workers were told about, instead of telling them."""
    hinted: list[Run] = []
    monkeypatch.setattr(tasks, "hint", hinted.append)
    return hinted
