"""What an error tells of its call."""

from __future__ import annotations

from harness.domain.completion import Completion, Usage
from harness.domain.failures import FatalError, PermanentError, TransientError

HALF = Completion(model="m", content="Be", finish_reason="", usage=Usage())


def test_a_call_has_begun_once_something_of_its_answer_has_come() -> None:
    assert TransientError("stalled", kind="timeout", partial=HALF).begun
    assert not TransientError("silent", kind="timeout").begun


def test_every_error_may_tell_how_long_to_wait() -> None:
    assert FatalError("tomorrow", kind="quota", retry_after_s=3600.0).retry_after_s == 3600.0
    assert TransientError("soon", kind="rate_limited", retry_after_s=2.0).retry_after_s == 2.0
    assert PermanentError("never", kind="bad_request").retry_after_s is None
