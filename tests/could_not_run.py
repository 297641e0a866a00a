"""What could not run here is named at the end of `make test`; in continuous integration it is an error.

`tests.run` loads this module into pytest, and reads the list that it leaves.
"""

import os
from typing import NoReturn

import pytest

LIST = "EVENHAND_COULD_NOT_RUN"  # the variable that names the file of the list


def could_not_run(reason: str) -> NoReturn:
    """End a test that lacks something; a failure where CI is set, for there nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"could not run: {reason}", pytrace=False)
    pytest.skip(f"could not run: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note every skipped test and why."""
    if report.skipped and isinstance(report.longrepr, tuple) and LIST in os.environ:
        reason = str(report.longrepr[2]).removeprefix("Skipped: ").removeprefix("could not run: ")
        with open(os.environ[LIST], "a", encoding="utf-8") as file:
            print(f"{report.nodeid}: {' '.join(reason.split())}", file=file)
