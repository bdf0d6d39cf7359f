"""The server behind the endpoint: a connection, its list of models, and a trial call.

Each request is said before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.doctor.finding import Finding, note, ok, problem, warning
from harness.doctor.server_answers import (
    balance_of,
    clock_of,
    is_elsewhere,
    is_list,
    listed,
    refused,
    unlisted,
)
from harness.doctor.trial_call import CAP, Asked, findings_of, is_answered
from harness.domain.base_url import likely_base_urls, without_call
from harness.domain.completion import Message, Request
from harness.domain.failures import CompletionError
from harness.domain.who_answered import AnswererCounts
from harness.endpoint.http import environment_proxy
from harness.endpoint.probing import probe
from harness.endpoint.reaching import UnreachableError, reach, speaks_tls
from harness.endpoint.server_facts import TIMEOUT_S, Answer, ask_account
from harness.errors import SettingsError
from harness.ports import WallClock
from harness.settings import Loaded
from harness.workflows.in_use import InUse, models_at

if TYPE_CHECKING:
    import httpx2

QUESTION = "Count from one to one hundred in words."


class Server:
    """An endpoint of the settings, looked at once. `transport` stands in for the network.

    `cached` is who gave the answers that the cache has.
    """

    def __init__(
        self,
        loaded: Loaded,
        one: InUse,
        clock: WallClock,
        *,
        transport: httpx2.AsyncBaseTransport | None,
        ask: bool,
        cached: AnswererCounts,
    ) -> None:
        self._loaded = loaded
        self._one = one
        self._endpoint = loaded.endpoint(one.name, key_needed=one.key_needed)
        self._clock = clock
        self._transport = transport
        self._ask = ask
        self._cached = cached
        # Only of a service at its own hosts is known what it answers; a server of one's own may be
        # anything.
        self._aliases = one.service.aliases
        self._profile = one.service if one.service.hosted else None
        self._ended = False  # nothing can be seen behind what was found
        self._doubt: Finding | None = None  # a problem, unless a call is answered all the same
        self._list: Answer | None = None

    async def examined(self) -> AsyncIterator[Finding]:
        """All that can be seen of it, in the order in which a run would meet it."""
        for stage in (self._connection, self._models, self._account, self._call):
            async for finding in stage():
                yield finding
            if self._ended:
                return

    async def _connection(self) -> AsyncIterator[Finding]:
        """To the server, or to the proxy that a run would go through."""
        if self._transport is not None:
            return
        url, connect_s = self._endpoint.base_url, self._loaded.settings.timeouts().connect_s
        try:
            proxy = environment_proxy(url)
            reached = await reach(proxy or url, within_s=connect_s)
        except SettingsError as error:
            yield self._end(problem("connect", str(error), "or unset the proxy's variable"))
        except UnreachableError as error:
            if proxy:
                behind = f" (a proxy of the environment, for {urlsplit(url).hostname})"
            else:
                behind = ""
            yield self._end(problem("connect", f"{error}{behind}", error.advice))
        else:
            if reached.tls:
                how = f"TCP and {reached.tls}, its certificate is trusted"
            else:
                how = "TCP"
            if proxy:
                behind = f", the proxy of the environment on the way to {urlsplit(url).hostname}"
            else:
                behind = ""
            yield ok("connect", f"{reached.host}:{reached.port} answers ({how}){behind}")

    async def _models(self) -> AsyncIterator[Finding]:
        given = self._endpoint.base_url
        others = () if self._profile is not None else likely_base_urls(given)
        found: dict[str, Answer] = {}
        for url in others if without_call(given) != given else (given, *others):
            if self._transport is None:
                yield note("asks", f"GET {url}/models{self._with_key()}")
            try:
                found[url] = answer = await self._get("/models", url)
            except CompletionError as error:
                yield self._end(problem("endpoint", str(error), await self._advice_on_silence()))
                return
            if not is_elsewhere(answer) or self._profile is not None:
                break
        verdict = self._judged(found)
        if self._doubt is None:
            yield verdict

    def _judged(self, found: dict[str, Answer]) -> Finding:
        """Judge the answers of each URL that was asked.

        `_doubt` is left where a call may say otherwise.
        """
        given = self._endpoint.base_url
        url, answer = list(found.items())[-1]
        if url != given and not is_elsewhere(answer):
            return self._end(self._misplaced(url))
        if given not in found:
            said = (
                f"the base URL ends with the path of a call; {without_call(given)}/models does not"
                " answer either"
            )
            return self._end(
                problem("endpoint", said, f"give the base URL alone, such as {without_call(given)}")
            )
        answer = found[given]
        if (wrong := refused(self._endpoint, answer)) is not None:
            return self._end(wrong)
        known = self._profile is not None
        if is_list(answer):
            self._list = answer
            verdict = listed(
                self._endpoint,
                answer,
                models_at(self._loaded.settings, self._one),
                known_service=known,
            )
        else:
            verdict = unlisted(self._endpoint, answer, known_service=known)
        if verdict.verdict == "problem":
            self._doubt = verdict
        return verdict

    def _misplaced(self, url: str) -> Finding:
        given = self._endpoint.base_url
        if without_call(given) != given:
            what = "ends with the path of a call"
        else:
            what = "does not answer as an API"
        return problem("endpoint", f"{given} {what}; {url} answers", f"--base-url {url}")

    async def _account(self) -> AsyncIterator[Finding]:
        """The clock and the balance, of a service that is known."""
        if self._profile is None or self._list is None:
            return
        yield clock_of(self._list, self._clock)
        if self._endpoint.identity not in ("deepseek", "mock"):
            return
        if self._transport is None:
            yield note("asks", f"GET {self._endpoint.base_url}/user/balance{self._with_key()}")
        try:
            yield balance_of(await self._get("/user/balance"))
        except CompletionError as error:
            yield warning("balance", str(error), "check the network and its proxy")

    async def _call(self) -> AsyncIterator[Finding]:
        """One call, if it was asked for. What is doubtful until then is decided by it."""
        model = next(iter(models_at(self._loaded.settings, self._one)), None)
        if not self._ask or model is None:
            if self._doubt is not None:
                yield replace(
                    self._doubt, advice=f"{self._doubt.advice} (--ask tries a call of {CAP} tokens)"
                )
            return
        if self._transport is None:
            yield note(
                "asks",
                f"POST {self._endpoint.base_url}/chat/completions, one call of at most {CAP}"
                " tokens",
            )
        settings = self._loaded.settings
        try:
            seen = await probe(
                self._endpoint,
                self._request(model),
                stream=settings.stream,
                timeouts=settings.timeouts(),
                transport=self._transport,
                carrier=settings.transport,
            )
        except CompletionError as error:
            found = [problem("call", str(error), "see the server's log")]
        else:
            asked = Asked(self._endpoint.identity, model, self._aliases, self._endpoint.form.cap)
            found = list(
                findings_of(seen, asked, asked_to_stream=settings.stream, cached=self._cached)
            )
            if self._doubt is not None and is_answered(seen):
                said = f"{self._doubt.said}; a call is answered all the same"
                self._doubt = warning(self._doubt.name, said, "see below as what it answers")
        for finding in (self._doubt, *found):
            if finding is not None:
                yield finding

    def _request(self, model: str) -> Request:
        chosen = self._loaded.settings.defaults(self._one.name)
        return Request(
            endpoint=self._endpoint.identity,
            model=model,
            messages=(Message(role="user", content=QUESTION),),
            max_tokens=CAP,
            thinking=chosen.thinking,
            effort=chosen.effort,
        )

    async def _get(self, path: str, base_url: str | None = None) -> Answer:
        settings = self._loaded.settings
        return await ask_account(
            self._endpoint,
            path,
            base_url=base_url,
            timeouts=settings.timeouts(),
            transport=self._transport,
            carrier=settings.transport,
        )

    async def _advice_on_silence(self) -> str:
        url = self._endpoint.base_url
        if self._transport is None and url.startswith("http://") and environment_proxy(url) is None:
            if await speaks_tls(url, within_s=TIMEOUT_S):
                return f"it speaks TLS: --base-url https://{url.removeprefix('http://')}"
            return "see what listens there, and its log"
        return "check the network and its proxy"

    def _with_key(self) -> str:
        if self._endpoint.api_key is not None:
            return f", with the key in {self._endpoint.key_env}"
        if self._endpoint.basic_auth:
            return ", with the user and the password of the base URL"
        return ", without a key"

    def _end(self, finding: Finding) -> Finding:
        self._ended = True
        return finding
