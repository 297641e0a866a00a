"""Kombu's queue in the file system, with messages that appear whole or not at all.

The transport opens a message under its last name and then fills it. A worker that looks between the two takes
an empty message, and ends, with whatever it was generating.
"""

import os
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps

NAME = "annotation.file_queue:Transport"


class Channel(filesystem.Channel):
    """A channel that writes beside the queue and renames."""

    def _put(self, queue: str, payload: dict, **kwargs: Any) -> None:
        """Put a message onto `queue`; raise ChannelError where the folder takes no file."""
        # The transport reads in the order of names.
        message = Path(self.data_folder_out, f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg")
        draft = message.with_suffix(".draft")
        try:
            draft.write_text(dumps(payload), encoding="utf-8")
            os.replace(draft, message)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ChannelError(f"Cannot add the message {message} to the queue.") from error


class Transport(filesystem.Transport):
    """`filesystem://` by another channel."""

    Channel = Channel
