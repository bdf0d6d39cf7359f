"""What an error tells of its call."""

from __future__ import annotations

from harness.domain.completion import Completion, Served, Usage
from harness.domain.failures import FatalError, PermanentError, TransientError

HALF = Completion(model="m", content="Be", finish_reason="", usage=Usage())


def test_a_call_has_begun_once_something_of_its_answer_has_come() -> None:
    assert TransientError("stalled", kind="timeout", partial=HALF).begun
    assert not TransientError("silent", kind="timeout").begun


def test_every_error_may_tell_how_long_to_wait() -> None:
    assert FatalError("tomorrow", kind="quota", retry_after_s=3600.0).retry_after_s == 3600.0
    assert TransientError("soon", kind="rate_limited", retry_after_s=2.0).retry_after_s == 2.0
    assert PermanentError("never", kind="bad_request").retry_after_s is None


def test_an_error_that_is_reworded_keeps_what_it_is() -> None:
    error = PermanentError("no: sk-secret", kind="auth", status=401)
    error.reworded("no: ***", None)
    assert (str(error), error.partial) == ("no: ***", None)
    assert (error.kind, error.status) == ("auth", 401)


def test_an_error_for_another_caller_is_the_same_with_a_story_of_its_own() -> None:
    error = TransientError("busy", kind="rate_limited", status=429, concurrency_limit=3)
    error.served = Served(attempts=6)
    other = error.for_another(Served(source="shared", attempts=0))
    assert isinstance(other, TransientError)
    assert (str(other), other.status, other.concurrency_limit) == ("busy", 429, 3)
    assert other.served == Served(source="shared", attempts=0)
    assert error.served == Served(attempts=6)
