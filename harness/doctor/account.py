"""A known provider's word on the account and the time."""

from __future__ import annotations

from harness.doctor.finding import Finding, ok, problem, warning
from harness.endpoint.server_facts import Answer, balance_text
from harness.errors import HarnessError
from harness.ports import WallClock

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
