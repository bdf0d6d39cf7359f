"""A deterministic DeepSeek without I/O: a request goes in, a reply script comes out.

Faithful to the wire as of November 2026: validation with its exact words, thinking that counts
inside `max_tokens`, stream order, usage identities, the prefix cache, the concurrency limit. What
it says is a function of what it is asked, never of the order in which requests arrive. Faces (a
transport, a respx router, a socket) play the script; the only state is which prompts have
completed, what is in flight, and how often each content was asked.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from harness.domain.completion import Usage
from harness.errors import SettingsError
from harness.ports import WallClock
from harness.testing.deepseek.account_routes import CHAT, check_key, route_of, side_route
from harness.testing.deepseek.chat_request import ChatRequest
from harness.testing.deepseek.draws import Draws
from harness.testing.deepseek.fault_plan import Fault, FaultPlan, Oddity
from harness.testing.deepseek.filling import Own, form_reply, manner_played
from harness.testing.deepseek.forms import Form
from harness.testing.deepseek.generation import answer
from harness.testing.deepseek.latency import Latency, Timing
from harness.testing.deepseek.misbehaviour import (
    Scene,
    bent_answer,
    bent_reply,
    concurrency_429,
    error_reply,
    instead,
)
from harness.testing.deepseek.reply import Piece, Reply, coalesced, splintered
from harness.testing.deepseek.response_bytes import (
    DONE,
    Billing,
    Dialect,
    Envelope,
    Frame,
    json_bytes,
    plain_json,
    stream_frames,
)
from harness.testing.deepseek.script import Refuse, Say, Script
from harness.testing.deepseek.server_state import Gate, Places, PrefixCache, Repeats
from harness.testing.deepseek.tokens import count_tokens, encoded
from harness.testing.deepseek.validation import Rejection, parse_chat
from harness.testing.virtual_time import EPOCH

_STATIC_HEADERS = (
    ("server", "openresty"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ("access-control-allow-credentials", "true"),
    ("x-content-type-options", "nosniff"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
)
# Where a fault names a limit and the server has none.
_LIMIT_NAMED = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A request that came in.

    `digest` (hex) names its content where it was a valid chat request.
    """

    at_s: float
    path: str
    status: int | None
    digest: str = ""
    fault: Oddity | None = None


class Exchange:
    """One request being answered.

    A face plays `reply`, then calls `complete` or `close`, whichever is true.
    """

    def __init__(self, reply: Reply, slot: _HeldSlot | None = None) -> None:
        self.reply = reply
        self._slot = slot

    def complete(self) -> None:
        """Note that the whole reply has been sent.

        Its slot is free and, if it ended well, its prefix is cached from now on.
        """
        if self._slot is not None and self.reply.end == "clean":
            self._slot.learn()
        self.close()

    def close(self) -> None:
        """The exchange is over, whole or not: its slot is free. May be called again."""
        if self._slot is not None:
            self._slot.gate.leave()
            self._slot = None


@dataclass(frozen=True, slots=True)
class _HeldSlot:
    """A slot in use, and what its completion adds to the prefix cache, if anything."""

    gate: Gate
    prefixes: PrefixCache
    user_id: str
    conversation: bytes | None

    def learn(self) -> None:
        if self.conversation is not None:
            self.prefixes.learn(self.conversation, self.user_id)


class FakeDeepSeek:
    """The server itself, shared by all faces of one event loop.

    `concurrency_limit` calls at once, then 429; the text names the number unless `announce_limit`
    is off. `capacity` answers are worked on at a time, and the others wait in silence for their
    turn, as at a server that queues (None: all are). `rpm` bounds the requests of any 60 seconds.
    `delta_tokens` is the size of a stream's pieces; `splinter` cuts its bytes at arbitrary places.
    `dialect` "openai": no reasoning, usage in a chunk of its own, every model name accepted.
    `keys`: the API keys that are known (None: any). `clock` stamps completions and dates (None:
    with the time that the face tells, and where that tells none, all with the same instant, so that
    equal runs are equal to the byte). `silence_s` is the time between keep-alives, where a fault
    sends them. `untidy`: the share of JSON arrays that come fenced or with prose around them.
    `balance_usd` may be set at any time: at 0 every call is refused with 402. `script` rules over
    invention and plan.

    `log` keeps the last `log_size` requests, `statuses` counts all of them by status (None: no
    header was ever sent). Raises SettingsError for a `silence_s` or `delta_tokens` that is not
    positive.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        latency: Latency | None = None,
        faults: FaultPlan | None = None,
        concurrency_limit: int | None = None,
        capacity: int | None = None,
        announce_limit: bool = True,
        rpm: int | None = None,
        delta_tokens: int = 1,
        splinter: bool = False,
        dialect: Dialect = "deepseek",
        keys: Collection[str] | None = None,
        clock: WallClock | None = None,
        silence_s: float = 10.0,
        untidy: float = 0.0,
        balance_usd: float = 100.0,
        log_size: int = 100_000,
        script: Script = lambda request: None,
    ) -> None:
        if silence_s <= 0 or delta_tokens < 1:
            raise SettingsError(
                "the mock's silence_s must be greater than 0, and its delta_tokens at least 1"
            )
        self.seed = seed
        self.latency = latency or Latency()
        self.faults = faults or FaultPlan()
        self.announce_limit = announce_limit
        self.balance_usd = balance_usd
        self.gate = Gate(concurrency=concurrency_limit, rpm=rpm)
        self._places = None if capacity is None else Places(capacity)
        self.log: deque[Logged] = deque(maxlen=log_size)
        self.statuses: Counter[int | None] = Counter()
        self._delta_tokens = delta_tokens
        self._splinter = splinter
        self._dialect: Dialect = dialect
        self._keys = keys
        self._clock = clock
        self._silence_s = silence_s
        self._untidy = untidy
        self._script = script
        self._fingerprint = hashlib.blake2b(f"model {seed}".encode(), digest_size=16).hexdigest()
        self._prefixes = PrefixCache()
        self._asked = Repeats()

    def begin(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        now_s: float,
        now: datetime | None = None,
    ) -> Exchange:
        """Take a request in. Names in `headers` are lower-case; `now_s` is the event loop's time.

        `now` is the time of day for a fake that has no clock of its own; None: always the same
        instant.
        """
        route = route_of(path)
        scene = self._scene(hashlib.blake2b(body, digest_size=16).digest(), now or EPOCH)
        try:
            check_key(headers.get("authorization", ""), self._keys)
            if (method, route) == CHAT:
                return self._chat(self._parsed(body), scene, path, now_s)
            value = side_route(method, route, balance_usd=self.balance_usd)
        except Rejection as refused:
            if refused.status == 401:
                kind = "authentication_error"
            else:
                kind = "invalid_request_error"
            reply = error_reply(scene, refused.status, refused.message, kind)
        else:
            reply = Reply(
                status=200,
                headers=_typed(scene, "application/json"),
                pieces=[Piece(0.0, json_bytes(value))],
            )
        self._note(Logged(at_s=now_s, path=path, status=reply.status))
        return Exchange(reply)

    def _chat(self, request: ChatRequest, scene: Scene, path: str, now_s: float) -> Exchange:
        digest = request.digest(self.seed)
        scene = replace(scene, stream=request.stream)
        if refusal := self._refusal(scene, now_s):
            self._note(Logged(at_s=now_s, path=path, status=refusal.status, digest=digest.hex()))
            return Exchange(refusal)
        asked = self._asked.count(digest)
        line = self._script(request)
        met = self._met(line, request, digest, asked)
        reply = self._instead(line, met, scene)
        conversation = None
        if reply is None:
            fault = met if isinstance(met, Fault) else None
            if isinstance(line, Say):
                said = line
            else:
                said = self._invented(request, digest, fault)
            conversation = request.prompt + encoded(said.answer.content)
            if isinstance(met, Form):
                reply = self._in_form(met, request, said, digest)
            if reply is None:
                met = fault  # a form that cannot hold this answer is not played
                reply = self._reply(request, said, digest, asked, scene)
            if fault:
                reply = bent_reply(reply, fault, scene)
        self._note(
            Logged(at_s=now_s, path=path, status=reply.status, digest=digest.hex(), fault=met)
        )
        pieces: Iterable[Piece] = self._sent(reply.pieces, digest)
        # What a fault sends may never end, and takes no place.
        if met is None:
            pieces = self._queued(pieces, now_s)
        return Exchange(
            replace(reply, pieces=pieces),
            _HeldSlot(self.gate, self._prefixes, request.user_id, conversation),
        )

    def _met(self, line: object, request: ChatRequest, digest: bytes, asked: int) -> Oddity | None:
        """Return the fault or the form that this request meets, by the script or by the plan."""
        if line is None:
            return self.faults.choose(digest=digest, text=request.prompt, asked=asked)
        return line if isinstance(line, Fault | Form) else None

    def _instead(self, line: object, met: Oddity | None, scene: Scene) -> Reply | None:
        """Return the reply that takes the place of an answer, or None where there is one."""
        if isinstance(line, Refuse):
            return line.reply(scene)
        if isinstance(met, Fault):
            return instead(met, scene)
        return None

    def _parsed(self, body: bytes) -> ChatRequest:
        """Raises Rejection. Servers of other models know other names, and do not think."""
        if self._dialect == "openai":
            return replace(parse_chat(body, any_model=True), thinking=False)
        return parse_chat(body)

    def _refusal(self, scene: Scene, now_s: float) -> Reply | None:
        """Return the refusal of a valid request, or None: then it holds a slot."""
        if self.balance_usd <= 0:
            return instead(Fault.INSUFFICIENT_BALANCE, scene)
        refused = self.gate.enter(now_s)
        if refused == "rpm":
            return instead(Fault.RATE_RPM, scene)
        if refused == "concurrency":
            limit = self.gate.concurrency if self.announce_limit else None
            return concurrency_429(scene, current=self.gate.in_flight + 1, limit=limit)
        return None

    def _invented(self, request: ChatRequest, digest: bytes, fault: Fault | None) -> Say:
        return Say(answer=bent_answer(answer(request, digest, untidy=self._untidy), fault))

    def _reply(
        self, request: ChatRequest, line: Say, digest: bytes, asked: int, scene: Scene
    ) -> Reply:
        said = line.answer
        envelope = Envelope(
            id=_completion_id(digest, asked, self._dialect),
            created=int(scene.now.timestamp()),
            model=request.model,
            fingerprint=self._fingerprint,
            dialect=self._dialect,
        )
        usage = self._usage(request, line)
        billing = Billing(usage=usage, thinking=request.thinking or bool(said.reasoning))
        timing = self._timing(line, digest)
        if not request.stream:
            whole_s = timing.first_s + timing.token_s * max(said.output_tokens - 1, 0)
            body = json_bytes(plain_json(said, envelope, billing))
            return Reply(
                status=200, headers=_typed(scene, "application/json"), pieces=[Piece(whole_s, body)]
            )
        frames = stream_frames(
            said,
            envelope,
            billing,
            include_usage=request.include_usage,
            delta_tokens=self._delta_tokens,
        )
        headers = _typed(scene, "text/event-stream; charset=utf-8")
        return Reply(status=200, headers=headers, pieces=_paced(frames, timing))

    def _in_form(self, form: Form, request: ChatRequest, line: Say, digest: bytes) -> Reply | None:
        """The answer as another server would send it, or None where this form cannot hold it."""
        manner = manner_played(form, stream=request.stream, answer=line.answer)
        if manner is None:
            return None
        own = Own(model=request.model, answer=line.answer, usage=self._usage(request, line))
        return form_reply(form, manner, own, self._timing(line, digest))

    def _usage(self, request: ChatRequest, line: Say) -> Usage:
        said = line.answer
        return line.usage or Usage(
            input_tokens=count_tokens(request.prompt),
            cached_tokens=self._prefixes.hit_tokens(request.prompt, request.user_id),
            output_tokens=said.output_tokens,
            reasoning_tokens=said.reasoning_tokens,
        )

    def _timing(self, line: Say, digest: bytes) -> Timing:
        if line.after_s is not None:
            return Timing(line.after_s, 0.0)
        return self.latency.timing(digest, line.answer.output_tokens)

    def _scene(self, body_digest: bytes, now: datetime) -> Scene:
        return Scene(
            headers=(*_STATIC_HEADERS, ("x-ds-trace-id", body_digest.hex())),
            stream=False,
            now=self._clock.now() if self._clock else now,
            silence_s=self._silence_s,
            concurrency=self.gate.concurrency or _LIMIT_NAMED,
        )

    def _sent(self, pieces: Iterable[Piece], digest: bytes) -> Iterator[Piece]:
        """Return the bytes as they leave, joined where they leave at one instant, or cut
        anywhere.
        """
        if not self._splinter:
            return coalesced(pieces)
        draws = Draws(digest)
        return splintered(pieces, iter(lambda: draws.between(1, 40), 0))

    def _queued(self, pieces: Iterable[Piece], now_s: float) -> Iterable[Piece]:
        """Return the pieces behind those of the requests that came before, where there is a
        queue.
        """
        if self._places is None:
            return pieces
        sent = list(pieces)
        wait_s = self._places.wait_s(now_s, takes_s=sum(piece.delay_s for piece in sent))
        if sent and wait_s:
            sent[0] = Piece(sent[0].delay_s + wait_s, sent[0].data)
        return sent

    def _note(self, logged: Logged) -> None:
        self.log.append(logged)
        self.statuses[logged.status] += 1


def _paced(frames: Iterable[Frame], timing: Timing) -> Iterator[Piece]:
    """The role at the time of the first token, and then each frame after the time its tokens
    take.
    """
    delay_s, first = timing.first_s, True
    for frame in frames:
        # The first token comes with the role frame's instant: it has been waited for.
        waits = frame.tokens - 1 if first and frame.tokens else frame.tokens
        first = first and not frame.tokens
        yield Piece(delay_s + waits * timing.token_s, frame.data)
        delay_s = 0.0
    yield Piece(0.0, DONE)


def _completion_id(digest: bytes, asked: int, dialect: Dialect) -> str:
    """A bare UUID, as DeepSeek's are; the same for the same asking of the same content."""
    drawn = hashlib.blake2b(digest, digest_size=16, key=f"id {asked}".encode()).digest()
    if dialect == "deepseek":
        return str(uuid.UUID(bytes=drawn, version=4))
    return f"chatcmpl-{drawn.hex()}"


def _typed(scene: Scene, kind: str) -> tuple[tuple[str, str], ...]:
    return (*scene.headers, ("content-type", kind))
