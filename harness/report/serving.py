"""The view: the page of every run of a directory, served to this machine only, read-only, behind a
random token.

The token is a part of the address; without it nothing is answered. A request that names another
host is refused, so that a web page cannot reach the server through a name of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio

from harness.errors import ResultsError, StorageError
from harness.machine.threads import in_thread
from harness.report.blocks import encoded, json_text
from harness.report.page import index_page, report_page
from harness.report.plotting import plotting
from harness.report.topic_index import TopicTable
from harness.report.topic_query import FIRST_ROWS, Query, query_of
from harness.report.watching import NUMBERS, SLICE_S, WatchedDirectory, WatchedRun

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
_BETWEEN_SLICES_S = 0.02
_MOST_ROWS, _LARGEST = 5_000, 2**53


@asynccontextmanager
async def serve_view(root: Path, port: int = 0, *, look_s: float = 1.0) -> AsyncIterator[str]:
    """Serve the runs under `root` and yield the address, token included. Port 0 is any free one.

    Raises OSError if the port is taken. `look_s` is how often the files are looked at.
    """
    from aiohttp import web  # noqa: PLC0415 - start-up that only a server needs

    watched = WatchedDirectory(root)
    view = _View(watched, secrets.token_urlsafe(24), look_s)
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
        watched.index.close()


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
                f"{place}rows.json": self._rows,
                f"{place}topic.json": self._found,
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
        except StorageError as error:
            return _words(507, str(error))
        except web.HTTPNotFound:
            return _words(404, "There is no such page in this view.")

    async def _index(self, request: web.Request) -> web.StreamResponse:
        def page() -> Iterable[bytes]:
            listing = self._runs.listing()
            return index_page({"events": f"events?since={quote(self._runs.stamp())}", **listing})

        return await self._html(page)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return await _json(request, self._runs.listing)

    async def _list_events(self, request: web.Request) -> web.StreamResponse:
        def look() -> tuple[str, bool]:
            all_read = self._runs.read_on(SLICE_S)
            return self._runs.stamp(), all_read

        return await self._tell(request, look)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        runs = await self._asked(request)
        up = "../" * (1 + len(runs))

        def page() -> Iterable[bytes]:
            summaries = _summaries(runs, up)
            stamps = "~".join(summary["stamp"] for summary in summaries)
            served = {
                "events": f"events?since={quote(stamps)}",
                "source": "data.json",
                "home": up,
                "window": self._window(runs, Query(), start=0, most=FIRST_ROWS),
            }
            return report_page(
                summaries, plotting(), (), written_at=datetime.now(UTC), served=served
            )

        return await self._html(page)

    async def _data(self, request: web.Request) -> web.StreamResponse:
        """The runs without their topics. `have` names the numbers that the page has, by the times
        they were made: they are not sent again.
        """
        runs = await self._asked(request)
        have = request.query.get("have", "").split(",")

        def data() -> dict[str, Any]:
            found = _summaries(runs, "../" * (1 + len(runs)))
            return {"runs": list(map(_without_numbers, found, chain(have, repeat(""))))}

        return await _json(request, data)

    async def _rows(self, request: web.Request) -> web.StreamResponse:
        """The lines that a page draws, and how many there are. `have` is the tag of those that it
        has: they are not sent again.
        """
        runs = await self._asked(request)
        query, start, most = _query_of(request, len(runs)), *_part_of(request)
        have = request.query.get("have")

        def lines() -> dict[str, Any]:
            found = self._window(runs, query, start=start, most=most)
            if found["tag"] == have:
                del found["rows"]
            return found

        return await _json(request, lines)

    async def _found(self, request: web.Request) -> web.StreamResponse:
        """A topic by its id, with those beside it; null for an id that no row has."""
        runs = await self._asked(request)
        query, topic_id = _query_of(request, len(runs)), request.query.get("id", "")
        index = self._runs.index
        found = await in_thread(lambda: index.find(_tables(runs), query, topic_id))
        return _json_response(encoded(json_text(None if found is None else asdict(found))))

    def _window(
        self, runs: Iterable[WatchedRun], query: Query, *, start: int, most: int
    ) -> dict[str, Any]:
        found = self._runs.index.window(_tables(runs), query, start=start, most=most)
        return {**found, "tag": _tag_of(encoded(json_text(found["rows"])))}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        runs = await self._asked(request)

        def look() -> tuple[str, bool]:
            all_read = [run.read_on(patient=True) for run in runs]
            return "~".join(run.stamp() for run in runs), all(all_read)

        return await self._tell(request, look)

    async def _topic(self, request: web.Request) -> web.StreamResponse:
        (run,) = await self._asked(request)
        index = int(request.match_info["index"])
        found = await in_thread(lambda: run.topic(index))
        return (
            _words(404, "This topic is not finished.")
            if found is None
            else _json_response(encoded(json_text(found)))
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
        self, request: web.Request, look: Callable[[], tuple[str, bool]]
    ) -> web.StreamResponse:
        """Server-sent events: one whenever the stamp is another, until the client leaves or the
        view ends.

        `look` reads on, and returns the stamp and whether all is read. Until it is, there is no
        rest, and no more events than at other times.
        """
        from aiohttp import web  # noqa: PLC0415

        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        known = request.query.get("since")
        written_at = time.monotonic()
        while not self.ending.is_set():
            now, all_read = await in_thread(look)
            known = now if known is None else known
            silent_s = time.monotonic() - written_at
            if now != known and (all_read or silent_s >= self._look_s):
                known, written_at = now, time.monotonic()
                await response.write(b"event: changed\ndata: 1\n\n")
            elif silent_s >= _ALIVE_S:
                written_at = time.monotonic()
                await response.write(b": alive\n\n")
            await self._rest(self._look_s if all_read else min(self._look_s, _BETWEEN_SLICES_S))
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


def _summaries(runs: Iterable[WatchedRun], up: str) -> list[dict[str, Any]]:
    """The runs for the page; each is told where its topics are, from the page's own address."""
    found = [run.summary() for run in runs]
    return [{**summary, "base": up + summary["base"]} for summary in found]


def _tables(runs: Iterable[WatchedRun]) -> list[TopicTable]:
    """The tables of runs, read on by as little as there is to a slice: a page asks for lines often."""
    found = []
    for run in runs:
        run.read_on(0.0)
        found.append(run.table)
    return found


def _without_numbers(run: Mapping[str, Any], have: str) -> Mapping[str, Any]:
    """The part of a summary that a page lacks which has the numbers that were made the `have`th
    time.
    """
    known = {"stamp", *NUMBERS} if str(run["made"]) == have else {"stamp"}
    return {name: value for name, value in run.items() if name not in known}


def _query_of(request: web.Request, runs: int) -> Query:
    """The query in an address. Raises HTTPNotFound for one that no page of ours asks."""
    from aiohttp import web  # noqa: PLC0415

    try:
        return query_of(request.query, runs)
    except ValueError as error:
        raise web.HTTPNotFound from error


def _part_of(request: web.Request) -> tuple[int, int]:
    """The first line that is wanted, and how many at most."""
    numbers = [request.query.get(name, "") for name in ("from", "most")]
    start, most = (int(one) if one.isascii() and one.isdecimal() else 0 for one in numbers)
    return min(start, _LARGEST), min(most, _MOST_ROWS)


async def _json(request: web.Request, value: Callable[[], Any]) -> web.StreamResponse:
    """The value, or the word that it is the one that the page has."""
    body = await in_thread(lambda: encoded(json_text(value())))
    return _json_response(body, known=request.headers.get("If-None-Match"))


def _tag_of(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _json_response(body: bytes, *, known: str | None = None) -> web.Response:
    from aiohttp import web  # noqa: PLC0415

    tag = f'"{_tag_of(body)}"'
    headers = {**_HEADERS, "ETag": tag}
    if known == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(
        body=body, content_type="application/json", charset="utf-8", headers=headers
    )


def _words(status: int, text: str) -> web.Response:
    from aiohttp import web  # noqa: PLC0415

    return web.Response(status=status, text=f"{text}\n", headers=_HEADERS)


def _host_name(host: str) -> str:
    """The Host header without its port."""
    return host.lower().rpartition(":")[0] or host.lower()
