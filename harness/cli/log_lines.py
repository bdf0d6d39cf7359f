"""The destination of a command's log lines, by its settings."""

from __future__ import annotations

from harness.errors import StorageError
from harness.logs import parse_level, start_logging
from harness.settings import Loaded


def start_log_lines(loaded: Loaded) -> None:
    """Log as the settings say; no key is in any line. Raises StorageError if the file cannot be
    written.
    """
    settings, endpoint = loaded.settings, loaded.endpoint(key_needed=False)

    def redact(line: str) -> str:
        return endpoint.redact(loaded.keyring.redact(line))

    try:
        start_logging(
            verbose=settings.verbose,
            style=settings.log_format,
            levels=[parse_level(text) for text in settings.log_level],
            file=settings.log_file,
            redact=redact,
        )
    except OSError as error:
        raise StorageError(
            f"{settings.log_file}: cannot be written: {error.strerror or error}"
        ) from error
