"""Checks of what a server answers to a GET: the key, the models, the clock, the balance."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from harness.doctor.finding import Finding, ok, problem, warning
from harness.domain.endpoint import Endpoint
from harness.endpoint.server_facts import Answer, balance_text, model_names, words_of
from harness.errors import HarnessError
from harness.ports import WallClock

LISTED = 8
_NAME = "endpoint"


def is_list(answer: Answer) -> bool:
    """Return whether this is a list of models."""
    try:
        model_names(answer)
    except HarnessError:
        return False
    return answer.status == 200


def is_elsewhere(answer: Answer) -> bool:
    """Return whether the API may stand at another path: nothing is here, or a page of another
    kind.
    """
    return answer.status in (404, 405) or (answer.status == 200 and not is_list(answer))


def refused(endpoint: Endpoint, answer: Answer) -> Finding | None:
    """Return what is wrong with the key or with the address, or None where nothing is."""
    words = _said(answer)
    if answer.status in (401, 403, 407):
        if endpoint.authorization is None:
            said = f"{endpoint.identity} wants a key ({answer.status}{words}), and none was sent"
            return problem(_NAME, said, f"set {endpoint.key_env}")
        return problem(
            _NAME,
            f"{endpoint.identity} refuses the key ({answer.status}{words})",
            f"check {endpoint.key_env}",
        )
    if 300 <= answer.status < 400:
        where = answer.location or "nowhere"
        said = (
            f"{endpoint.identity} answered {answer.status}, a redirect to {where}, which a run does"
            " not follow"
        )
        return problem(_NAME, said, "give the base URL that it leads to")
    return None


def unlisted(endpoint: Endpoint, answer: Answer, *, known_service: bool) -> Finding:
    """Return the finding where no list came; a call may work all the same."""
    if answer.status == 200 and known_service:
        return warning(
            _NAME, "the list of models has an unknown shape", "the provider may have changed"
        )
    if answer.status == 200:
        said = f"{endpoint.identity}/models is a page of something else{_said(answer)}"
        return problem(
            _NAME, said, "give the base URL of the API, such as http://127.0.0.1:8000/v1"
        )
    said = (
        f"{endpoint.identity} answered {answer.status} to a request for its models{_said(answer)}"
    )
    if known_service:
        return problem(_NAME, said, "wait, or see the provider's status page")
    return problem(_NAME, said, "see the server's log, and whether the base URL is right")


def listed(
    endpoint: Endpoint, answer: Answer, wanted: Sequence[str], *, known_service: bool
) -> Finding:
    """Return the finding about the wanted models in the list."""
    names = model_names(answer)
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    said = (
        f"it answers, {_key_words(endpoint, known_service)}and serves"
        f" {', '.join(names[:LISTED]) or 'nothing'}{more}"
    )
    missing = [name for name in wanted if name not in names]
    if not missing:
        return ok(_NAME, said)
    near = nearest(missing[0], names)
    if near:
        advice = f"--model NAME; nearest: {', '.join(near)}"
    else:
        advice = "--model NAME"
    return problem(_NAME, f"{said}, but not {' nor '.join(missing)}", advice)


def nearest(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return up to three names that may have been meant.

    They are alike, or have an organisation or a tag around them.
    """
    plain = {known.lower(): known for known in names}
    parts = [known for known in plain if name.lower() in known or known in name.lower()]
    alike = difflib.get_close_matches(name.lower(), plain, n=3, cutoff=0.5)
    return tuple(plain[found] for found in dict.fromkeys((*alike, *parts)))[:3]


def _key_words(endpoint: Endpoint, known_service: bool) -> str:
    if endpoint.authorization is None:
        return "wants no key for its list of models, "
    # Some servers show their list to everybody, and refuse the key only when they are called.
    if known_service:
        return "accepts the key, "
    return "did not refuse the key, "


def _said(answer: Answer) -> str:
    words = words_of(answer)
    return f": {words}" if words else ""


CLOCK_SLACK_S = 60.0


def clock_of(answer: Answer, clock: WallClock) -> Finding:
    if answer.at is None:
        return ok("clock", "the provider tells no time to compare with")
    off_s = abs((clock.now() - answer.at).total_seconds())
    said = f"{off_s:.0f} s from the provider's"
    if off_s <= CLOCK_SLACK_S:
        return ok("clock", said)
    return warning("clock", said, "set the clock: peak prices and ages go by it")


def balance_of(answer: Answer) -> Finding:
    if answer.status != 200:
        said = f"the provider answered {answer.status} to a request for the balance"
        return warning("balance", said, "look at the provider's console")
    try:
        available, amount = balance_text(answer)
    except HarnessError as error:
        return warning("balance", str(error), "the provider may have changed")
    if available:
        return ok("balance", amount)
    return problem("balance", f"{amount}: calls would be refused", "top up")
