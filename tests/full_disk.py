"""A disk that is full while a ZIP is written."""

import errno
import os
import zipfile

import pytest


def fill(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> None:
    """From now on a ZIP takes its first file, and every other is refused by the disk."""
    write = zipfile.ZipFile.write

    def refused(archive: zipfile.ZipFile, *args, **kwargs) -> None:
        if archive.namelist():
            raise OSError(number, os.strerror(number))
        write(archive, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "write", refused)
