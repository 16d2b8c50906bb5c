"""Every failure that a user can cause: message, hint, exit code. Knows nothing of the terminal."""


class GoldfishError(Exception):
    """A failure with an explanation; each subclass sets its own ``exit_code``.

    Args:
        message: One line: what happened, with the value that caused it.
        hint: One line: what to try.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(GoldfishError):
    """Options that contradict each other or lie outside their range."""

    exit_code = 2


class MissingPackageError(UsageError):
    """An option that needs an optional package which is not installed."""


class InputError(GoldfishError):
    """A file that cannot be used."""

    exit_code = 3


class VideoError(InputError):
    """A video that is missing, empty, corrupt, or holds no pictures."""


class SubtitleError(InputError):
    """Subtitles that cannot be read or made."""


class AnnotationError(InputError):
    """A dataset or annotation file with wrong content."""


class ProfileError(GoldfishError):
    """A profile that is unknown or malformed."""

    exit_code = 4


class DoesNotFitError(ProfileError):
    """Work that cannot fit the memory budget of the profile."""


class ModelError(GoldfishError):
    """A model that is unknown, incomplete or cannot be fetched."""

    exit_code = 5


class CheckpointError(ModelError):
    """A checkpoint that does not fit the model: wrong base, missing or extra keys."""


class OutOfMemoryError(GoldfishError):
    """The machine ran out of memory although the plan said it would fit."""

    exit_code = 6


class IndexFolderError(GoldfishError):
    """An index that is missing, damaged, made with other settings, or in use by another writer."""

    exit_code = 7


class UnsupportedAnswerError(IndexFolderError):
    """An answer that nothing in the index bears out, where that was asked for."""


class PartialError(GoldfishError):
    """Some of many items failed; the rest is done."""

    exit_code = 8


class InterruptedRunError(GoldfishError):
    """Stopped from outside; the same command again continues."""

    exit_code = 130
