"""A snapshot or a dataset as one ZIP, or a page that says why there is none."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from annotation.actions.archives import archive_of
from annotation.downloads import download
from annotation.errors import NoRoom
from annotation.models import Dataset, Snapshot, Study


def sent_archive(
    request: HttpRequest, study: Study, made: Snapshot | Dataset, file_by_file: str
) -> HttpResponseBase:
    """All files of what was made as one ZIP, or the part of it that was asked for.

    file_by_file: the address of the page that has each file by itself. Raises NotFound.
    """
    try:
        archive = archive_of(made)
    except NoRoom as error:
        context = {"study": study, "here": "snapshots", "told": str(error), "file_by_file": file_by_file}
        return render(request, "desk/no_room.html", context, status=507)
    return download(request, archive.path, archive.called, archive.digest)
