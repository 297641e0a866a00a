"""How a training is asked to stop, and why it never outlives whoever watches over it."""

import os
import signal
import threading
from types import FrameType
from typing import Any

EXIT_STOPPED = 3
"""The command's exit status after it was asked to stop: there is a checkpoint to go on from."""


class Wish:
    """Whether somebody asked this process to stop."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, signum: int, frame: FrameType | None) -> None:
        """Handle the signal; a second one ends the process at once."""
        self.is_asked = True
        signal.signal(signum, signal.SIG_DFL)


wish = Wish()


def heed_signals() -> None:
    """Let SIGTERM ask to stop from now on. Call it from the main thread."""
    signal.signal(signal.SIGTERM, wish.ask)


def stopper() -> Any:
    """A callback that ends a training after the step during which it was asked to, with a checkpoint."""
    import transformers

    class Stopper(transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if wish.is_asked and state.global_step < state.max_steps:
                control.should_save = True
                control.should_training_stop = True

    return Stopper()


def end_with_starter() -> None:
    """End at once when standard input closes: the starter is gone, and another may go on in the folder."""
    threading.Thread(target=_watch_input, daemon=True).start()


def _watch_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(EXIT_STOPPED)
