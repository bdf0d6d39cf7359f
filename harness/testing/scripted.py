"""The value of the fixture `mock_deepseek`, a fake whose replies a test scripts.

The test looks at the calls that it received.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from harness.domain.completion import ToolCall, Usage
from harness.errors import SettingsError
from harness.testing.deepseek.account_routes import CHAT, route_of
from harness.testing.deepseek.chat_request import ChatRequest
from harness.testing.deepseek.fake import Exchange, FakeDeepSeek
from harness.testing.deepseek.fault_plan import Oddity, oddity_named
from harness.testing.deepseek.generation import Answer, FinishReason
from harness.testing.deepseek.script import Line, Refuse, Say
from harness.testing.hosts import Hosts
from harness.testing.received import ReceivedCall, json_object, listed, shortened
from harness.testing.respx_mock import DEEPSEEK_HOST, intercepted

Matches: TypeAlias = Callable[[ReceivedCall], bool]


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A line of the script for `left` calls (None: any number) that match.

    `name` is what a reader is shown.
    """

    line: Line
    name: str
    matches: Matches | None
    left: int | None
    used: int = 0

    @property
    def wanted(self) -> bool:
        """Return whether it waits for a call that has not come."""
        if self.left is None:
            return self.used == 0
        return self.left > 0


class ScriptWriter:
    """Adds lines to a script.

    Each method returns the writer, so that `fail(429).reply("yes")` reads in order.
    """

    def __init__(self, entries: list[_Entry], matches: Matches | None, suffix: str) -> None:
        self._entries = entries
        self._matches = matches
        self._suffix = suffix

    def reply(
        self,
        content: str,
        *,
        reasoning: str = "",
        usage: Usage | None = None,
        finish_reason: FinishReason = "stop",
        after_s: float | None = None,
        times: int | None = 1,
    ) -> Self:
        """The next `times` calls (None: all) are answered with this text.

        `usage` None: tokens are counted by the fake's own rule. The answer begins `after_s` seconds
        after the request, without it as the fake's latency says.
        """
        answer = Answer(content=content, reasoning=reasoning, finish_reason=finish_reason)
        line = Say(answer=answer, usage=usage, after_s=after_s)
        return self._add(line, f"reply {shortened(content)}", times)

    def reply_json(
        self,
        value: Any,
        *,
        reasoning: str = "",
        usage: Usage | None = None,
        after_s: float | None = None,
        times: int | None = 1,
    ) -> Self:
        """`reply` with a value as JSON. Raises TypeError for one that JSON cannot hold."""
        content = json.dumps(value, ensure_ascii=False)
        return self.reply(content, reasoning=reasoning, usage=usage, after_s=after_s, times=times)

    def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        content: str = "",
        reasoning: str = "",
        usage: Usage | None = None,
        after_s: float | None = None,
        times: int | None = 1,
    ) -> Self:
        """The next `times` calls (None: all) are answered with the wish to have a function
        called.
        """
        call = ToolCall(
            id=f"call_{len(self._entries)}",
            name=name,
            arguments=json.dumps(arguments, ensure_ascii=False),
        )
        answer = Answer(
            content=content, reasoning=reasoning, tool_calls=(call,), finish_reason="tool_calls"
        )
        return self._add(
            Say(answer=answer, usage=usage, after_s=after_s), f"call_tool {name}", times
        )

    def fail(
        self,
        how: int | str,
        *,
        retry_after: float | None = None,
        message: str | None = None,
        times: int | None = 1,
    ) -> Self:
        """Let the next `times` calls fail (None: all).

        They fail with a status, or as `harness mock forms` names it ("reset"). `retry_after`
        (seconds) and `message` go with a status. Raises SettingsError for a fault that is not
        known, a status that is no error, and for either of the two beside the name of a fault.
        """
        name = f"fail {how}"
        if isinstance(how, int):
            if not 400 <= how <= 599:
                raise SettingsError(f"fail({how}): a status of an error is between 400 and 599")
            if retry_after is not None and not (math.isfinite(retry_after) and retry_after >= 0):
                raise SettingsError(
                    f"fail({how}, retry_after={retry_after}): must be seconds, 0 or more"
                )
            return self._add(
                Refuse(status=how, message=message, retry_after_s=retry_after), name, times
            )
        if retry_after is not None or message is not None:
            raise SettingsError(
                f"fail({how!r}): retry_after and message go with a status, as in fail(429, …)"
            )
        return self._add(_oddity(how), name, times)

    def _add(self, line: Line, name: str, times: int | None) -> Self:
        if times is not None and times < 1:
            raise SettingsError(f"times={times}: must be at least 1, or None for every call")
        self._entries.append(
            _Entry(line=line, name=f"{name}{self._suffix}", matches=self._matches, left=times)
        )
        return self


class MockDeepSeek(ScriptWriter):
    """A fake DeepSeek that answers as scripted, and else as the deterministic fake does.

    A call takes the first line that is left: of those of `when` that match it, else of those for
    any call, each in the order in which they were written. Requests that DeepSeek would refuse take
    none. `fake` may be adjusted at any time (`latency`, `faults`, `balance_usd`); `calls` are the
    chat requests that came, in their order.
    """

    def __init__(self) -> None:
        super().__init__([], None, "")
        self.fake = FakeDeepSeek(script=self._next_line)
        self.calls: list[ReceivedCall] = []
        self._may_be_left = False
        self._hosts = Hosts(answered={DEEPSEEK_HOST})
        self._taken = ""
        self._now_s = 0.0
        # Synchronous clients may call from several threads; a line of the script is for one of
        # them.
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"<MockDeepSeek, calls: {len(self.calls)}>"

    def when(self, what: str | Matches) -> ScriptWriter:
        """A writer of lines for calls that contain a text, or for which a function is true."""
        if callable(what):
            return ScriptWriter(self._entries, what, " for calls that match")
        return ScriptWriter(
            self._entries, lambda call: what in call.text, f" for calls with {shortened(what)}"
        )

    def allow_unused(self) -> None:
        """Lines that are left at the end of the test do not fail it."""
        self._may_be_left = True

    def answer_for(self, host: str) -> None:
        """Answer the requests to another host, too."""
        self._hosts.answered.add(host.lower())

    def let_through(self, host: str) -> None:
        """Let requests to a host leave, as to a server that the test has started on 127.0.0.1."""
        self._hosts.let_through.add(host.lower())

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now_s: float
    ) -> Exchange:
        """Take a request in, as `FakeDeepSeek.begin` does, and note the call."""
        with self._one_at_a_time:
            self._taken, self._now_s = "", now_s
            exchange = self.fake.begin(method, path, headers, body, now_s=now_s)
            if (method, route_of(path)) == CHAT:
                status = exchange.reply.status
                self.calls.append(
                    ReceivedCall(
                        body=json_object(body), at_s=now_s, status=status, line=self._taken
                    )
                )
        return exchange

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Intercept clients inside this block.

        Raises ImportError, naming the extra, where respx is missing.
        """
        with intercepted(self, self._hosts):
            yield

    def unused(self) -> str:
        """Return what was scripted and never asked for; "" where nothing is left, or it may be."""
        left = [entry for entry in self._entries if entry.wanted]
        if not left or self._may_be_left:
            return ""
        lines = [f"  {entry.name}{_times(entry.left)}" for entry in left]
        advice = "if that is meant: mock_deepseek.allow_unused()"
        return "\n".join(["mock_deepseek: scripted, and never asked for:", *lines, advice])

    def history(self) -> str:
        """The calls that came, a line each."""
        return listed(self.calls)

    def _next_line(self, request: ChatRequest) -> Line | None:
        call = ReceivedCall(body=request.body, at_s=self._now_s)
        left = [entry for entry in self._entries if entry.left != 0]
        fitting = (entry for entry in left if entry.matches is not None and entry.matches(call))
        entry = next(fitting, None) or next(
            (entry for entry in left if entry.matches is None), None
        )
        if entry is None:
            return None
        entry.used += 1
        if entry.left is not None:
            entry.left -= 1
        self._taken = entry.name
        return entry.line


def _oddity(name: str) -> Oddity:
    try:
        return oddity_named(name)
    except SettingsError as error:
        raise SettingsError(f"fail({name!r}): {error}") from None


def _times(left: int | None) -> str:
    if left is not None and left > 1:
        return f" ({left} times)"
    return ""
