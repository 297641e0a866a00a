"""Files that nobody asked for: every form is read before it is known who sends it, and may bring files."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class BoundedUpload(FileUploadHandler):
    """Ends a request whose files grow beyond UPLOAD_MOST, before they fill the disk.

    A page that takes larger ones from those who may names its own handlers (`desk.imports.limited`).
    """

    def __init__(self, request=None):
        super().__init__(request)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MOST:
            raise RequestDataTooBig("The files of this request are too large.")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
