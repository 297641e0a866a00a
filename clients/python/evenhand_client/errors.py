"""What goes wrong."""

from typing import Any


class EvenhandError(Exception):
    """The server refuses: `detail` says why and what to do, `code` is a word for programs.

    `errors` has sentences by field, where single fields did not fit.
    """

    def __init__(self, status: int, detail: str, code: str = "", errors: Any = None) -> None:
        super().__init__(f"{detail} ({status})")
        self.status, self.detail, self.code, self.errors = status, detail, code, errors


class UnsafeName(Exception):
    """A file of the server's has a name that might lead out of the folder it belongs in."""


class NotFinished(Exception):
    """What was waited for had not ended in time, or ended otherwise than hoped."""
