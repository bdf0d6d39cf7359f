from __future__ import annotations

import pytest

from harness.domain.finish import doubt_of, finish_of, plain_reason, truer_reason


@pytest.mark.parametrize(
    ("reason", "finish", "plain"),
    [
        ("stop", "whole", "stop"),
        ("STOP", "whole", "stop"),
        ("eos", "whole", "stop"),
        ("end_turn", "whole", "stop"),
        ("stop-sequence", "whole", "stop"),
        ("Stop Sequence", "whole", "stop"),
        ("FINISH_REASON_STOP", "whole", "stop"),
        ("FinishReason.STOP", "whole", "stop"),
        ("tool_use", "calls", "tool_calls"),
        ("function_call", "calls", "tool_calls"),
        ("MAX_TOKENS", "length", "length"),
        ("model_length", "length", "length"),
        ("SAFETY", "filtered", "content_filter"),
        ("content_filter: PROHIBITED_CONTENT", "filtered", "content_filter"),
        ("refusal", "refused", "refusal"),
        ("abort", "interrupted", "abort"),
        ("insufficient_system_resource", "interrupted", "insufficient_system_resource"),
        ("repetition", "looping", "repetition"),
        ("StopSequence", "whole", "stop"),
        ("REASON_STOP", "whole", "stop"),
        ("STOP_CRITERIA_MET", "whole", "stop"),
        ("maxTokens", "length", "length"),
        ("REASON_MAX_LEN", "length", "length"),
        ("max_new_tokens", "length", "length"),
        ("token_limit_reached", "length", "length"),
        ("ERROR_LIMIT", "length", "length"),
        ("context", "length", "length"),
        ("contentFiltered", "filtered", "content_filter"),
        ("input_guardrail_triggered", "filtered", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "filtered", "content_filter"),
        ("TIMED_OUT", "interrupted", "TIMED_OUT"),
        ("MALFORMED_RESPONSE", "interrupted", "MALFORMED_RESPONSE"),
        ("upstream_error", "interrupted", "upstream_error"),
        ("loop_detected", "looping", "loop_detected"),
        (" a word of its own ", "unknown", "a word of its own"),
        ("OTHER", "unknown", "OTHER"),
        ("lengthy", "unknown", "lengthy"),
        ("", "untold", ""),
        ("  ", "untold", ""),
        ("null", "untold", "null"),
    ],
)
def test_a_reason_means_the_same_in_the_words_of_any_server(
    reason: str, finish: str, plain: str
) -> None:
    assert finish_of(reason) == finish
    assert plain_reason(reason) == plain


@pytest.mark.parametrize(
    ("told", "native", "believed"),
    [
        ("stop", "aborted", "aborted"),
        ("stop", "MAX_TOKENS", "MAX_TOKENS"),
        ("", "SAFETY", "SAFETY"),
        ("stop", "STOP", "stop"),
        ("stop", "", "stop"),
        ("stop", "who knows", "stop"),
        ("length", "aborted", "length"),
    ],
)
def test_of_two_reasons_the_one_that_says_the_answer_is_not_whole_is_believed(
    told: str, native: str, believed: str
) -> None:
    assert truer_reason(told, native) == believed


@pytest.mark.parametrize("reason", [None, "", "stop", "length", "aborted"])
def test_there_is_no_doubt_where_the_reason_is_known_or_there_is_none(reason: str | None) -> None:
    assert doubt_of(reason) is None


def test_a_reason_that_nobody_knows_leaves_a_doubt_that_names_it() -> None:
    assert (
        doubt_of("spark")
        == "an answer ended for a reason that is not known here ('spark'): it may not be whole"
    )


def test_a_reason_is_told_whatever_its_length() -> None:
    assert (
        finish_of("the server aborted the request, " + "again and " * 20 + "again") == "interrupted"
    )
