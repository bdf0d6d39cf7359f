"""The end of a response whose server does not say why it ended.

A whole JSON body is whole, so an answer in it without a reason has stopped. A stream is whole where
it ends with `[DONE]`, but one server writes `[DONE]` also behind a stream that it cuts:
llama-cpp-python works on one call and drops it for the next. Such a stream has neither a reason nor
a usage, and nothing in it tells it from a whole one of a server that never names reasons. So what
is known of the server and of our own other calls decides, and where these say nothing the end stays
untold.

A gateway may hide the end: litellm writes `stop` and a usage of its own behind a stream that broke
off. Then it is the usage that tells: who passed the provider's on before has not got it this time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(slots=True)
class StreamHabits:
    """An endpoint's habits in ending its streams, as far as they were seen.

    `sent` counts the requests to it. `passes_counts_on` are the servers behind a gateway whose own
    usages it was seen to pass on, by its names for them.
    """

    sent: int = 0
    names_reasons: bool = False
    leaves_reasons_out: bool = False
    passes_counts_on: set[str] = field(default_factory=set)


class Seen(NamedTuple):
    """The end of a response without a finish reason.

    `counted`: its usage came behind its last token. `alone`: no other request of ours was sent to
    the same endpoint while it came, so none can have cut it.
    """

    streamed: bool
    done: bool
    says_something: bool
    counted: bool
    alone: bool


def stopped_by_itself(seen: Seen, habits: StreamHabits) -> bool:
    """Return whether an answer without a finish reason is whole all the same."""
    if not seen.says_something:
        return False
    if not seen.streamed:
        return True
    if not seen.done:
        return False
    if seen.counted:
        return True
    if habits.names_reasons:
        return False
    return seen.alone or habits.leaves_reasons_out


def learn(seen: Seen | None, habits: StreamHabits) -> None:
    """Take note of a stream that ended: None of one with a reason."""
    if seen is None:
        habits.names_reasons = True
    elif seen.streamed and seen.done and seen.says_something and (seen.alone or seen.counted):
        habits.leaves_reasons_out = True


def broke_off_behind(server: str, habits: StreamHabits, *, counted_by_gateway: bool | None) -> bool:
    """Return whether a stream broke off behind a gateway that ended it as if it were whole.

    What it shows is learned. `server` is the gateway's name for the one behind it, "" where there
    is no gateway that names one. `counted_by_gateway`: whether the usage is of its own making;
    None: there is no usage.
    """
    if not server or counted_by_gateway is None:
        return False
    if not counted_by_gateway:
        habits.passes_counts_on.add(server)
    return counted_by_gateway and server in habits.passes_counts_on
