"""The view: the page of every run of a directory, served to this machine only, read-only, behind a
random token.

The token is a part of the address; without it nothing is answered. A request that names another
host is refused, so that a web page cannot reach the server through a name of its own.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio

from harness.errors import ResultsError
from harness.machine.threads import in_thread
from harness.report.blocks import encoded, json_text
from harness.report.page import index_page, report_page
from harness.report.plotting import plotting
from harness.report.watching import WatchedDirectory, WatchedRun

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
_OUR_NAMES = frozenset({"127.0.0.1", "localhost"})
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ALIVE_S = 15.0
# A page that takes a second to put together is not put together every second.
_REST, _LONGEST_REST_S = 4.0, 60.0


@asynccontextmanager
async def serve_view(root: Path, port: int = 0, *, look_s: float = 1.0) -> AsyncIterator[str]:
    """Serve the runs under `root` and yield the address, token included. Port 0 is any free one.

    Raises OSError if the port is taken. `look_s` is how often the files are looked at.
    """
    from aiohttp import web  # noqa: PLC0415 - start-up that only a server needs

    view = _View(WatchedDirectory(root), secrets.token_urlsafe(24), look_s)
    runner = web.AppRunner(
        view.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        bound: int = runner.addresses[0][1]
        yield f"http://{HOST}:{bound}/{view.token}/"
    finally:
        view.ending.set()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


class _View:
    def __init__(self, runs: WatchedDirectory, token: str, look_s: float) -> None:
        self.token = token
        self.ending = asyncio.Event()
        self._runs = runs
        self._look_s = look_s

    def app(self) -> web.Application:
        from aiohttp import web  # noqa: PLC0415

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app = web.Application(middlewares=[guarded])
        run, two = "/{token}/run/{a}/", "/{token}/compare/{a}/{b}/"
        routes = {
            "/{token}/": self._index,
            "/{token}/data.json": self._list,
            "/{token}/events": self._list_events,
        }
        for place in (run, two):
            routes |= {
                place: self._page,
                f"{place}data.json": self._data,
                f"{place}events": self._events,
            }
        routes[f"{run}topic/{{index:[0-9]{{1,9}}}}"] = self._topic
        for path, handler in routes.items():
            app.router.add_get(path, handler)
        return app

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only this machine, only with the token, only reading; what is wrong with a run is said in
        words.
        """
        from aiohttp import web  # noqa: PLC0415

        if _host_name(request.host) not in _OUR_NAMES:
            return _words(403, "This server answers to this machine only.")
        given = request.path.split("/")[1]
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _words(
                403, "The address lacks its token: use the one that `harness view` printed."
            )
        if request.method not in ("GET", "HEAD"):
            return _words(405, "The view is read-only.")
        try:
            return await handler(request)
        except ResultsError as error:
            return _words(409, str(error))
        except web.HTTPNotFound:
            return _words(404, "There is no such page in this view.")

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return await self._html(
            lambda: index_page(
                {"events": f"events?since={quote(self._runs.stamp())}", **self._runs.listing()}
            )
        )

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return await self._json(self._runs.listing)

    async def _list_events(self, request: web.Request) -> web.StreamResponse:
        return await self._tell(request, self._runs.stamp, lambda: self._look_s)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        runs = await self._asked(request)
        up = "../" * (1 + len(runs))

        def page() -> Iterable[bytes]:
            served = {
                "events": f"events?since={quote(_stamp(runs))}",
                "source": "data.json",
                "home": up,
            }
            summaries = _summaries(runs, up)
            return report_page(
                summaries, plotting(), (), written_at=datetime.now(UTC), served=served
            )

        return await self._html(page)

    async def _data(self, request: web.Request) -> web.StreamResponse:
        runs = await self._asked(request)
        return await self._json(lambda: {"runs": _summaries(runs, "../" * (1 + len(runs)))})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        runs = await self._asked(request)

        def pause_s() -> float:
            return max(self._look_s, min(_LONGEST_REST_S, _REST * sum(run.took_s for run in runs)))

        return await self._tell(request, lambda: _stamp(runs), pause_s)

    async def _topic(self, request: web.Request) -> web.StreamResponse:
        (run,) = await self._asked(request)
        index = int(request.match_info["index"])
        found = await in_thread(lambda: run.topic(index))
        return (
            _words(404, "This topic is not finished.") if found is None else _json_response(found)
        )

    async def _asked(self, request: web.Request) -> list[WatchedRun]:
        """The runs that the address names."""
        from aiohttp import web  # noqa: PLC0415

        names = [request.match_info[name] for name in ("a", "b") if name in request.match_info]
        found = await in_thread(lambda: [self._runs.run(name) for name in names])
        runs = [run for run in found if run is not None]
        if len(runs) < len(names):
            raise web.HTTPNotFound
        return runs

    async def _tell(
        self, request: web.Request, stamp: Callable[[], str], pause_s: Callable[[], float]
    ) -> web.StreamResponse:
        """Server-sent events: one whenever the stamp is another, until the client leaves or the
        view ends.
        """
        from aiohttp import web  # noqa: PLC0415

        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        known = request.query.get("since")
        if known is None:
            known = await in_thread(stamp)
        silent_s = 0.0
        while not self.ending.is_set():
            now = await in_thread(stamp)
            rest_s = pause_s()
            silent_s = 0.0 if now != known else silent_s + rest_s
            if now != known:
                known = now
                await response.write(b"event: changed\ndata: 1\n\n")
            elif silent_s >= _ALIVE_S:
                silent_s = 0.0
                await response.write(b": alive\n\n")
            await self._rest(rest_s)
        return response

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ending.wait(), seconds)
        except TimeoutError:
            return

    async def _html(self, page: Callable[[], Iterable[bytes]]) -> web.StreamResponse:
        from aiohttp import web  # noqa: PLC0415

        body = await in_thread(lambda: b"".join(page()))
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=_HEADERS)

    async def _json(self, value: Callable[[], Any]) -> web.StreamResponse:
        return _json_response(await in_thread(value))


def _summaries(runs: Iterable[WatchedRun], up: str) -> list[dict[str, Any]]:
    """The runs for the page; each is told where its topics are, from the page's own address."""
    found = [run.summary() for run in runs]
    return [{**summary, "base": up + summary["base"]} for summary in found]


def _stamp(runs: Iterable[WatchedRun]) -> str:
    return "~".join(run.stamp() for run in runs)


def _json_response(value: Any) -> web.Response:
    from aiohttp import web  # noqa: PLC0415

    return web.Response(
        body=encoded(json_text(value)),
        content_type="application/json",
        charset="utf-8",
        headers=_HEADERS,
    )


def _words(status: int, text: str) -> web.Response:
    from aiohttp import web  # noqa: PLC0415

    return web.Response(status=status, text=f"{text}\n", headers=_HEADERS)


def _host_name(host: str) -> str:
    """The Host header without its port."""
    return host.lower().rpartition(":")[0] or host.lower()
