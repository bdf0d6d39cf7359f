"""Any endpoint that speaks the OpenAI protocol, as a Completer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness.domain.call import Call
from harness.domain.completion import Answerer, Completion, Request
from harness.domain.endpoint import Endpoint
from harness.domain.failures import CompletionError, PermanentError
from harness.domain.key import size_of
from harness.domain.logprobs import Alternative, TokenLogprob
from harness.domain.policy import Carrier, Timeouts
from harness.domain.redaction import RedactedDeltas
from harness.endpoint import foreign_json
from harness.endpoint.ends import StreamHabits
from harness.endpoint.exchange import Exchange
from harness.endpoint.left_out import LeftOut
from harness.endpoint.request_body import request_body
from harness.machine.threads import off_loop
from harness.ports import WallClock

if TYPE_CHECKING:
    import httpx2

    from harness.endpoint.chat_client import ChatClient


class OpenAIChat:
    """One call is one request: retries, limits and prices are the business of other layers.

    `http_client` comes from `build_http_client`, for the same `carrier`, and stays the caller's to
    close. A completion's
    usage is what the provider told: `Usage()`, all zeros, where it told nothing. Its finish reason
    is passed on unjudged, in OpenAI's word where it has one, "" where a stream that may be cut gave
    none. `cost` is what the server says, None where it does not. `owner` is left open.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts,
        http_client: httpx2.AsyncClient,
        wall_clock: WallClock,
        carrier: Carrier = "aiohttp",
    ) -> None:
        self._client = _client_for(carrier, endpoint, http_client)
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._wall_clock = wall_clock
        self._left_out = LeftOut(endpoint)
        self._habits = StreamHabits()

    async def complete(self, request: Request, call: Call) -> Completion:
        """Raises TransientError, PermanentError or FatalError.

        They chain to nothing: the SDK's own exceptions carry the request, and its Authorization
        header with it.
        """
        endpoint = self._endpoint
        self._left_out.tell_unsent(request, call)
        if call.on_delta is None:
            shown = None
        else:
            shown = RedactedDeltas(call.on_delta, endpoint.piece_redactor())
        outcome = await self._asked(request, call, shown)
        if shown is not None:
            shown.end()
        if isinstance(outcome, Completion):
            return await self._cleaned_off_loop(outcome)
        message, partial = endpoint.redact(str(outcome)), outcome.partial
        if outcome.kind == "auth":
            message = f"{message} – {self._key_advice()}"
        if partial is not None:
            partial = await self._cleaned_off_loop(partial)
        outcome.reworded(message, partial)
        raise outcome

    async def _asked(
        self, request: Request, call: Call, shown: RedactedDeltas | None
    ) -> Completion | CompletionError:
        """One answer or refusal.

        Where the server refuses a field that may be left out, that without it.
        """
        while True:
            left_out = self._left_out.fields
            make_body = partial(
                request_body,
                request,
                stream=call.stream,
                form=self._endpoint.form,
                user_id=self._endpoint.user_id,
                leave_out=left_out,
            )
            try:
                body = await off_loop(make_body, size_of(request))
            # An image without its bytes; a number that JSON does not know.
            except ValueError as error:
                return PermanentError(str(error), kind="bad_request")
            outcome = await self._exchange(request, call, shown).run(body)
            if not self._left_out.learn(outcome, body, left_out):
                return outcome

    def _exchange(self, request: Request, call: Call, shown: RedactedDeltas | None) -> Exchange:
        return Exchange(
            self._client,
            who=self._endpoint.identity,
            timeouts=self._timeouts,
            wall_clock=self._wall_clock,
            stream=call.stream,
            logprobs=request.logprobs is not None,
            habits=self._habits,
            on_delta=shown,
            on_events=call.tracker.events,
            on_life=call.attempt.on_life,
            on_silence=call.attempt.on_silence,
        )

    def _key_advice(self) -> str:
        if self._endpoint.api_key is None:
            return f"no key was sent: set {self._endpoint.key_env or 'one'}"
        if self._endpoint.key_env:
            return f"check the key in {self._endpoint.key_env}"
        return "check the key"

    async def _cleaned_off_loop(self, completion: Completion) -> Completion:
        return await off_loop(
            partial(self._cleaned, completion), len(completion.content) + len(completion.reasoning)
        )

    def _cleaned(self, completion: Completion) -> Completion:
        """Return the completion without our key, if a server echoes it, and without half
        characters.
        """
        if self._is_clean(completion):
            return completion
        return replace(
            completion,
            model=self._clean(completion.model),
            content=self._clean(completion.content),
            reasoning=self._clean(completion.reasoning),
            finish_reason=self._clean(completion.finish_reason),
            fingerprint=self._clean(completion.fingerprint or "") or None,
            earlier=tuple(Answerer(*map(self._clean, one)) for one in completion.earlier),
            trace_id=self._clean(completion.trace_id or "") or None,
            refusal=self._clean(completion.refusal),
            tool_calls=tuple(
                replace(
                    call,
                    id=self._clean(call.id),
                    name=self._clean(call.name),
                    arguments=self._clean(call.arguments),
                )
                for call in completion.tool_calls
            ),
            logprobs=self._clean_tokens(completion.logprobs),
            reasoning_logprobs=self._clean_tokens(completion.reasoning_logprobs),
        )

    def _is_clean(self, completion: Completion) -> bool:
        """Return whether nothing is to be taken out; True only for the plain texts of most
        answers.
        """
        if completion.tool_calls or completion.logprobs or completion.reasoning_logprobs:
            return False
        texts = (
            *(completion.model, completion.content, completion.reasoning, completion.refusal),
            *(completion.finish_reason, completion.fingerprint or "", completion.trace_id or ""),
            *(part for one in completion.earlier for part in one),
        )
        # A line end is part of no key, so none begins in one text and ends in the next.
        joined = "\n".join(texts)
        return self._clean(joined) == joined

    def _clean_tokens(self, tokens: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
        """Return the likelihoods, or none where the tokens together spell our key out."""
        spelled = "".join(token.token for token in tokens)
        if self._endpoint.redact(spelled) != spelled:
            return ()
        return tuple(self._clean_token(token) for token in tokens)

    def _clean_token(self, token: TokenLogprob) -> TokenLogprob:
        top = tuple(Alternative(self._clean(other.token), other.logprob) for other in token.top)
        return replace(token, token=self._clean(token.token), top=top)

    def _clean(self, text: str) -> str:
        return self._endpoint.redact(foreign_json.whole_characters(text))


def _client_for(
    carrier: Carrier, endpoint: Endpoint, http_client: httpx2.AsyncClient
) -> ChatClient:
    """Return what posts the requests. Imported here: `--help` must not pay a tenth of a second for
    httpx2, nor anybody a whole one for openai who does not want it.
    """
    if carrier == "openai":
        from harness.endpoint.sdk_client import SdkClient  # noqa: PLC0415

        return SdkClient(endpoint, http_client)
    from harness.endpoint.chat_client import ChatClient  # noqa: PLC0415
    from harness.endpoint.direct_client import DirectClient  # noqa: PLC0415

    if carrier == "aiohttp" and isinstance(http_client, DirectClient):
        from harness.endpoint.aiohttp_transport import AiohttpTransport  # noqa: PLC0415

        if isinstance(http_client.transport, AiohttpTransport):
            from harness.endpoint.aiohttp_client import AiohttpClient  # noqa: PLC0415

            return AiohttpClient(endpoint, http_client, http_client.transport)
    return ChatClient(endpoint, http_client)
