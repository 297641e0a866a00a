"""What becomes of files in a form where no page asked for one."""

from django.core.files.uploadhandler import FileUploadHandler


class NoUpload(FileUploadHandler):
    """Passes over every file; the form's other fields are read.

    Any form may bring files, before anybody knows who sends it: Django reads the form to find its token.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        return None

    def file_complete(self, file_size: int) -> None:
        return None
