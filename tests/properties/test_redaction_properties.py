"""A secret that comes in pieces is masked as in a whole text, however it is cut."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from harness.domain.completion import Delta
from harness.domain.endpoint import Endpoint
from harness.domain.redaction import RedactedDeltas
from harness.domain.secret import Secret

letters = st.text(st.sampled_from("abc/+:"), min_size=4, max_size=8)


def an_endpoint(key: str, password: str | None = None) -> Endpoint:
    basic = Secret(f"me:{password}") if password is not None else None
    return Endpoint(
        identity="x", base_url="https://x.example", api_key=Secret(key), basic_auth=basic
    )


@given(
    letters,
    st.none() | letters,
    st.lists(st.text(st.sampled_from("abc/+:*"), max_size=6) | letters, max_size=12),
)
@example("abca", None, ["ab", "cabca"])
@example("aaaa", None, ["a"] * 7)
def test_no_piece_and_no_sum_of_pieces_shows_the_secret(
    key: str, password: str | None, pieces: list[str]
) -> None:
    endpoint = an_endpoint(key, password)
    redactor = endpoint.piece_redactor()
    shown = "".join([*(redactor.feed(piece) for piece in pieces), redactor.rest()])
    assert key not in shown
    assert password is None or password not in shown
    if key not in "".join(pieces) and endpoint.redact("".join(pieces)) == "".join(pieces):
        assert shown == "".join(pieces)


def test_a_key_that_is_cut_between_two_pieces_is_not_shown() -> None:
    seen: list[Delta] = []
    deltas = RedactedDeltas(seen.append, an_endpoint("sk-canary-123").piece_redactor())
    for kind, text in [
        ("reasoning", "a key: sk-can"),
        ("reasoning", "ary-123, and sk"),
        ("answer", "-canary"),
    ]:
        deltas(Delta(kind=kind, text=text))  # type: ignore[arg-type]
    deltas.end()
    assert [(delta.kind, delta.text) for delta in seen] == [
        ("reasoning", "a key: "),
        ("reasoning", "***, and "),
        ("reasoning", "sk"),
        ("answer", "-canary"),
    ]


def test_without_a_secret_every_piece_is_shown_at_once() -> None:
    redactor = Endpoint(identity="x", base_url="https://x.example").piece_redactor()
    assert [redactor.feed("a"), redactor.feed("b"), redactor.rest()] == ["a", "b", ""]


def test_an_end_without_a_piece_shows_nothing() -> None:
    seen: list[Delta] = []
    RedactedDeltas(seen.append, an_endpoint("sk-canary-123").piece_redactor()).end()
    assert seen == []


def test_what_was_held_back_is_forgotten_with_the_rest() -> None:
    seen: list[Delta] = []
    deltas = RedactedDeltas(seen.append, an_endpoint("sk-canary-123").piece_redactor())
    again = Delta(kind="restart", text="it was reasoning")
    for delta in (Delta(kind="answer", text="a sk-ca"), again, Delta(kind="answer", text="b")):
        deltas(delta)
    deltas.end()
    assert seen == [Delta(kind="answer", text="a "), again, Delta(kind="answer", text="b")]
