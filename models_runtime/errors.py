"""What the runtime refuses. Every message is a sentence that can be shown to a researcher as it stands."""


class RuntimeFailure(Exception):
    """Base of everything that `models_runtime` raises on purpose."""


class UnknownBackend(RuntimeFailure):
    """No backend has this name."""


class ModelNotLoadable(RuntimeFailure):
    """The model could not be loaded; the message says what was tried, why it failed and what to do."""


class InvalidSampling(RuntimeFailure, ValueError):
    """A sampling setting is outside its range or unknown."""


class TrainingRefused(RuntimeFailure):
    """A snapshot, a checkpoint or a setting that cannot be trained from; the message says what to change."""


class TrainingStopped(RuntimeFailure):
    """Somebody asked a training to stop; the message says how it goes on."""
