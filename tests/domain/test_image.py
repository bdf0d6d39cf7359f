from __future__ import annotations

import base64
import hashlib

import pytest

from harness.domain.completion import Message, Request
from harness.domain.image import Image, image_of
from harness.domain.key import cache_key, request_fields
from harness.domain.token_estimate import (
    IMAGE_TOKENS,
    IMAGE_TOKENS_AT_MOST,
    input_tokens_at_most,
    likely_input_tokens,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def asking(*images: Image) -> Request:
    return Request(
        endpoint="mock", model="m", messages=(Message(role="user", content="What?", images=images),)
    )


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_an_image_is_known_by_how_it_begins(data: bytes, media_type: str) -> None:
    found = image_of(data)
    assert (found.media_type, found.sha256) == (media_type, hashlib.sha256(data).hexdigest())
    assert found.as_url() == f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE"])
def test_other_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(ValueError, match="no PNG"):
        image_of(data)


@pytest.mark.parametrize(
    "url", ["ftp://host/a.png", "https://", "a.png", "data:image/png;base64,AA=="]
)
def test_a_url_is_one_that_a_server_can_fetch(url: str) -> None:
    with pytest.raises(ValueError, match="http://"):
        Image(url=url)


def test_an_image_is_one_of_both() -> None:
    with pytest.raises(ValueError, match="a URL or the bytes"):
        Image()
    with pytest.raises(ValueError, match="a URL or the bytes"):
        Image(url="https://h/a.png", sha256="ab")
    with pytest.raises(ValueError, match="must be one of"):
        Image(sha256="ab", media_type="image/bmp")


def test_the_key_holds_the_hash_and_not_the_bytes() -> None:
    image = image_of(PNG)
    messages = request_fields(asking(image))["messages"]
    assert messages == [
        {
            "role": "user",
            "content": "What?",
            "images": [{"sha256": image.sha256, "media_type": "image/png"}],
        }
    ]
    assert cache_key(asking(image)) != cache_key(asking(image_of(PNG + b"!")))
    assert cache_key(asking(Image(url="https://h/a.png"))) != cache_key(
        asking(Image(url="https://h/b.png"))
    )


def test_an_image_that_was_read_back_is_equal_and_cannot_be_sent() -> None:
    image = image_of(PNG)
    again = Image(sha256=image.sha256, media_type=image.media_type)
    assert again == image
    assert Image(url="https://h/a.png").as_url() == "https://h/a.png"
    with pytest.raises(ValueError, match="not at hand"):
        again.as_url()


def test_an_image_counts_in_both_estimates() -> None:
    image = Image(url="https://h/a.png")
    assert (
        likely_input_tokens(asking(image, image)) - likely_input_tokens(asking())
        == 2 * IMAGE_TOKENS
    )
    assert (
        input_tokens_at_most(asking(image)) - input_tokens_at_most(asking()) >= IMAGE_TOKENS_AT_MOST
    )
