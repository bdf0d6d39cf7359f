"""Each fault in a few words, for lists of them."""

from __future__ import annotations

from collections.abc import Mapping

from harness.testing.deepseek.fault_plan import Fault

MEANINGS: Mapping[Fault, str] = {
    Fault.KEEP_ALIVE: "keep-alives come before the answer",
    Fault.BLANK_LINES: "blank lines come before the answer",
    Fault.RESET_BEFORE_HEADERS: "the connection is reset, and no header was sent",
    Fault.RESET: "the connection is reset in the middle of the answer",
    Fault.STALL: "nothing more comes after half the answer, and nobody hangs up",
    Fault.TRICKLE: "the answer comes a byte at a time, with a silence before each",
    Fault.ENDLESS_KEEP_ALIVE: "keep-alives for ever, and no answer",
    Fault.BLANK_LINES_THEN_CLOSE: "blank lines, then the end",
    Fault.EOF_AFTER_FINISH: "the whole answer without `[DONE]`",
    Fault.EOF_WITHOUT_FINISH: "half the answer, then the end",
    Fault.CUT_IN_CHUNK: "the end comes inside a JSON value",
    Fault.CUT_IN_CHARACTER: "the end comes inside a character",
    Fault.EMPTY_STOP: "an answer that says nothing, with the reason `stop`",
    Fault.BLANK_JSON: "an answer of blanks",
    Fault.INSUFFICIENT_SYSTEM_RESOURCE: (
        "half an answer, with the reason `insufficient_system_resource`"
    ),
    Fault.ABORTED: "half an answer, with the reason `aborted`",
    Fault.CONTENT_FILTER: "half an answer, with the reason `content_filter`",
    Fault.LENGTH: "half an answer, with the reason `length`",
    Fault.HTML_200: "a page of HTML under status 200",
    Fault.EMPTY_200: "nothing under status 200",
    Fault.MALFORMED_JSON: "broken JSON under status 200",
    Fault.CHOICES_NULL: "`choices` is null",
    Fault.ERROR_OBJECT_200: "an error object under status 200",
    Fault.ERROR_EVENT: "an error as an event after half the answer",
    Fault.BARE_ERROR_LINE: "an error as a line of its own after half the answer",
    Fault.REDIRECT: "a redirect to another host",
    Fault.BAD_REQUEST: "status 400",
    Fault.UNAUTHORIZED: "status 401: the key is wrong",
    Fault.INSUFFICIENT_BALANCE: "status 402: the account is empty",
    Fault.FORBIDDEN: "status 403",
    Fault.UNPROCESSABLE: "status 422",
    Fault.RATE_CONCURRENCY: "status 429 that names the limit of calls at once",
    Fault.RATE_TPM: "status 429 for tokens per minute",
    Fault.RATE_RPM: "status 429 for requests per minute",
    Fault.RATE_AFTER_SECONDS: "status 429 with `Retry-After: 7`",
    Fault.RATE_AFTER_FLOAT: "status 429 with `Retry-After: 2.5`",
    Fault.RATE_AFTER_DATE: "status 429 with `Retry-After` as a date, 20 seconds ahead",
    Fault.RATE_AFTER_MS: "status 429 with `Retry-After-Ms: 1500`",
    Fault.RATE_AFTER_NEGATIVE: "status 429 with `Retry-After: -5`",
    Fault.RATE_AFTER_NAN: "status 429 with `Retry-After: nan`",
    Fault.RATE_AFTER_HOURS: "status 429 with `Retry-After` of four hours",
    Fault.INSUFFICIENT_QUOTA: "status 429: the quota is used up",
    Fault.SERVER_ERROR: "status 500",
    Fault.SERVER_ERROR_HTML: "status 500 as a page of HTML",
    Fault.BAD_GATEWAY: "status 502",
    Fault.UNAVAILABLE: "status 503: too busy",
    Fault.GATEWAY_TIMEOUT: "status 504 as a page of HTML",
    Fault.OCTET_STREAM_ERROR: "status 503 under `application/octet-stream`",
}
