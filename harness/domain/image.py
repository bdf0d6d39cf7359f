"""An image in a message: where it is to be fetched from, or the image itself."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A `url` that the server fetches, or the bytes of an image, which are known by their hash.

    The hash is part of a request's key, the bytes are not: an image that was read back from a
    record has none, and can be compared but not sent. Raises ValueError for what is neither.
    """

    url: str | None = None
    sha256: str | None = None
    media_type: str | None = None
    data: bytes = field(default=b"", repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.url is None) == (self.sha256 is None):
            raise ValueError("an image is a URL or the bytes of one: `image(path_or_url)` makes it")
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(
                    "the URL of an image must begin with http:// or https:// and name a host"
                )
        elif self.media_type not in MEDIA_TYPES:
            raise ValueError(f"an image must be one of {', '.join(MEDIA_TYPES)}")

    def as_url(self) -> str:
        """Return the URL that a request holds, which may hold the image itself.

        Raises ValueError where the bytes are not at hand.
        """
        if self.url is not None:
            return self.url
        if not self.data:
            raise ValueError(
                f"the bytes of the image {self.sha256} are not at hand, so it cannot be sent"
            )
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


def image_of(data: bytes) -> Image:
    """The image that these bytes are. Raises ValueError for bytes of another kind."""
    media_type = next((kind for begin, kind in _BEGINNINGS.items() if data.startswith(begin)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        raise ValueError("is no PNG, JPEG, GIF or WebP image")
    return Image(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data)
