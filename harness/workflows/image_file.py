"""An image for a message, from a file or an address."""

from __future__ import annotations

import re
from pathlib import Path

from harness.domain.image import Image, image_of
from harness.errors import InputError

_OTHER_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:)", re.IGNORECASE)
MOST_BYTES = 20 * 1024 * 1024


def image(source: str | Path) -> Image:
    """Return the image at a URL, which the server fetches, or in a file, which is sent.

    Raises InputError for a file that cannot be read, is larger than 20 MiB, or holds no PNG, JPEG,
    GIF or WebP image.
    """
    try:
        if isinstance(source, str) and source.startswith(("http://", "https://")):
            return Image(url=source)
        if isinstance(source, str) and _OTHER_ADDRESS.match(source):
            raise InputError(
                f"{source[:80]}: expected an image in a file, or at an http:// or https:// address"
            )
        with Path(source).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(
                f"{source}: larger than {MOST_BYTES // 2**20} MiB; expected an image for a prompt"
            )
        return image_of(data)
    except OSError as error:
        raise InputError(
            f"{source}: cannot be read: {error.strerror or error}; expected an image"
        ) from error
    except ValueError as error:
        raise InputError(f"{source}: {error}") from error
