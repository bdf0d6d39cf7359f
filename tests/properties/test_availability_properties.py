"""Whatever fails, answers and is sent in whatever order: what a run believes of its provider keeps
its promises.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.domain.availability import Availability
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.policy import OutagePolicy
from harness.domain.reach import Seen, may_concern_everyone, reach_of
from harness.errors import FailureKind

DRAWS = st.floats(min_value=0.0, max_value=1.0, exclude_max=True)
POLICIES = st.builds(
    OutagePolicy,
    patience_s=st.sampled_from([0.0, 60.0, 21_600.0]),
    first_s=st.floats(min_value=0.1, max_value=5.0),
    longest_s=st.floats(min_value=5.0, max_value=120.0),
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["sent", "failed", "lived"]),
        st.floats(min_value=0.0, max_value=100.0),
        st.integers(min_value=0, max_value=30),
        st.one_of(st.none(), st.floats(min_value=0.1, max_value=1000.0)),
        DRAWS,
    ),
    max_size=60,
)


@given(POLICIES, st.integers(min_value=0, max_value=100), DRAWS)
def test_intervals_lie_between_half_the_first_and_the_longest(
    policy: OutagePolicy, probes: int, draw: float
) -> None:
    interval_s = policy.interval_s(probes=probes, draw=draw)
    assert policy.first_s / 2 <= interval_s <= policy.longest_s
    assert policy.interval_s(probes=probes + 1, draw=draw) >= interval_s


@given(POLICIES, EVENTS)
def test_nothing_is_sent_before_its_time_and_only_later_requests_end_an_outage(
    policy: OutagePolicy, events: list[tuple[str, float, int, float | None, float]]
) -> None:
    belief, at, newest = Availability(policy=policy), 0.0, 0
    probes: set[int] = set()
    for event, seconds, number, asked_s, draw in events:
        at += seconds
        before = belief.outage
        match event:
            case "sent" if belief.wait_s(at) == 0.0:
                # Without an outage, at the time of a probe, or after a sign of life while it is not
                # certain.
                assert (
                    before is None
                    or at >= before.next_probe_at
                    or (before.may_look_now and not before.certain)
                )
                newest += 1
                if before is not None:
                    probes.add(newest)
                belief = belief.probing(at, draw=draw)
                # Of two requests without a sign of life between them, the second waits.
                assert belief.outage is None or belief.wait_s(at) > 0.0
            case "failed":
                belief = belief.failed(
                    at,
                    newest=newest,
                    kind="server",
                    message="503",
                    probed=number in probes,
                    asked_s=asked_s,
                    draw=draw,
                )
                assert (belief.outage is None) == (not policy.waits)
                if belief.outage is not None and asked_s is not None:
                    assert belief.wait_s(at) >= asked_s * 0.999
            case "lived" if number <= newest:
                belief = belief.alive(number)
                assert before is None or (belief.outage is None) == (number > before.after)
        after = belief.outage
        if before is not None and after is not None:
            # It begins once, and what is certain stays so until it is over.
            assert (after.since, after.after) == (before.since, before.after)
            assert after.certain >= before.certain
            assert belief.gives_up_at == after.since + policy.patience_s


KINDS: dict[type[CompletionError], list[FailureKind]] = {
    TransientError: [
        "connection",
        "timeout",
        "rate_limited",
        "server",
        "gateway",
        "incomplete",
        "malformed",
        "blank",
    ],
    PermanentError: [
        "length",
        "content_filter",
        "refusal",
        "too_long",
        "bad_request",
        "forbidden",
        "redirect",
    ],
    FatalError: ["auth", "balance", "quota", "unknown_model"],
}
ERRORS = st.sampled_from([(error, kind) for error, kinds in KINDS.items() for kind in kinds])


@given(
    ERRORS,
    st.one_of(st.none(), st.integers(min_value=200, max_value=599)),
    st.text(max_size=40),
    st.integers(min_value=0, max_value=3),
    st.integers(min_value=1, max_value=9),
    st.booleans(),
)
def test_an_error_reaches_as_far_as_its_class_lets_it(
    which: tuple[type[CompletionError], FailureKind],
    status: int | None,
    words: str,
    answered: int,
    alike: int,
    others_served: bool,
) -> None:
    error = which[0](words, kind=which[1], status=status)
    reach = reach_of(error, Seen(answered=answered, alike=alike, others_served=others_served))
    if isinstance(error, FatalError):
        assert reach == "everyone until someone acts"
    elif answered or alike < 5:
        # A run that was answered before is ended by no refusal, however often it comes.
        assert reach != "everyone until someone acts"
        assert (reach == "topic") == isinstance(error, PermanentError)
    if reach == "everyone for now":
        assert may_concern_everyone(error)
