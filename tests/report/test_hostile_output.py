"""What a model wrote is shown and never obeyed: nothing of it runs, and nothing leaves the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browsers import Watched, address_of
from playwright.sync_api import expect
from records import a_result, a_span
from report_runs import Told, write_run

from harness.domain.completion import FailedAttempt, Message, Request, Served, ToolCall
from harness.domain.run import Failure

ATTACKS = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=https://192.0.2.1/x.png onerror='window.hacked = 1'>",
    "<svg onload=window.hacked=1></svg><iframe src=https://192.0.2.1/></iframe>",
    (
        "[click](javascript:window.hacked=1) [data](data:text/html,<script>1</script>)"
        " <javascript:alert(1)>"
    ),
    "![picture](https://192.0.2.1/pixel.gif) [ref]: https://192.0.2.1/",
    "<!-- --><style>body{display:none}</style><base href=https://192.0.2.1/>",
    (
        "<a href=x onclick=window.hacked=1>a</a><form"
        " action=https://192.0.2.1/><button>b</button></form>"
    ),
    "<meta http-equiv=refresh content=0;url=https://192.0.2.1/>",
    "\u2028\u2029 \x1b]0;title\x07\x1b[31mred \u202eesrever \x00 nul",
    "${window.hacked=1} {{constructor.constructor('window.hacked=1')()}} __proto__",
    "half a pair: \ud83d, whole: 🧪",
)
ALL = "\n\n".join(ATTACKS) + "\n\n" + "x" * 300_000


def a_hostile_run(directory: Path) -> Path:
    failure = Failure(type="<b>Type</b>", kind=None, step=ATTACKS[0], message=ALL[:3000])
    refused = FailedAttempt(
        number=1,
        kind="server",
        message=ALL[:3000],
        status=500,
        elapsed_s=0.1,
        backoff_s=0.1,
        content=ALL,
    )
    asked = Request(
        endpoint="mock", model=ATTACKS[0], messages=(Message(role="user", content=ALL),)
    )
    call = a_span(
        "evil'\"<script>&#topic=x",
        '"><img src=x onerror=window.hacked=1>',
        step="</script><script>window.hacked=1</script>",
        request=asked,
        content=ALL,
        reasoning=ALL,
        model=ATTACKS[1],
        fingerprint=ATTACKS[2],
        trace_id=ATTACKS[3],
        finish_reason=ATTACKS[4],
        tool_calls=(ToolCall(id="1", name=ATTACKS[5], arguments=ATTACKS[6]),),
        served=Served(attempts=2, latency_s=1.0, failures=(refused,)),
    )
    result = a_result(
        0,
        topic_id="evil'\"<script>&#topic=x",
        topic=ALL,
        status="degraded",
        output=ALL,
        sections=(
            {"question": ALL, "status": ATTACKS[0], "answer": ALL, "error": ALL, "cited": False},
            {ATTACKS[2]: ATTACKS[3], "__proto__": {"hacked": 1}},
        ),
        error=failure,
        metadata={ATTACKS[0]: ATTACKS[1], "__proto__": 1},
        calls=1,
    )
    identity = {"endpoint": ATTACKS[2], "model": ATTACKS[0], "workflow": ATTACKS[1]}
    return write_run(
        directory / "<b>run", [Told(result, [call])], identity=identity, run_id=ATTACKS[1]
    )


@pytest.fixture
def hostile(tmp_path: Path, write: Callable[..., Path]) -> Path:
    return write(a_hostile_run(tmp_path))


def test_nothing_runs_and_nothing_leaves(watched: Watched, hostile: Path) -> None:
    page = watched.open(address_of(hostile))
    page.locator(".topics tbody th a").click()
    expect(page.locator("#topic .prose").first).to_be_visible()
    # All of it, to the last fold.
    for _ in range(3):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_timeout(50)
    expect(page.locator(".call-body")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("({}).hacked") is None
    made = page.evaluate("""() => ["img", "iframe", "form", "base", "object", "embed"]
            .filter((name) => document.querySelector(name) !== null)""")
    assert made == []
    links = page.evaluate(
        "() => [...document.querySelectorAll('#app a[href]')].map((link) =>"
        " link.getAttribute('href'))"
    )
    assert [link for link in links if not re.match(r"#|https?:|mailto:", link)] == []
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert watched.quiet()


def test_it_is_shown_as_the_text_that_it_is(watched: Watched, hostile: Path) -> None:
    page = watched.open(address_of(hostile))
    page.locator(".topics tbody th a").click()
    prose = page.locator("#topic section > .prose").first
    expect(prose).to_contain_text("<script>window.hacked = 1</script>")
    # What would command a terminal, or turn a text around, is written out.
    expect(prose).to_contain_text("\\x1b[31mred \\u202eesrever")
    expect(page.locator("#topic h1").first).to_have_text("evil'\"<script>&#topic=x")


def test_links_of_a_model_open_elsewhere_and_tell_nothing(
    watched: Watched, tmp_path: Path, write: Callable[..., Path]
) -> None:
    told = Told(
        a_result(0, output="[see](https://192.0.2.1/page) and [write](mailto:a@example.org)")
    )
    page = watched.open(address_of(write(write_run(tmp_path / "run", [told])), "#topic=t0"))
    link = page.get_by_role("link", name="see")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(link).to_have_attribute("target", "_blank")
    expect(page.get_by_role("link", name="write")).to_have_attribute("href", "mailto:a@example.org")
    assert watched.quiet()


def test_the_policy_stops_what_would_slip_in(watched: Watched, night: Path) -> None:
    page = watched.open(address_of(night))
    refused = page.evaluate("""async () => {
            const found = [];
            document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
            const image = document.createElement("img");
            image.src = "https://192.0.2.1/x.png";
            document.body.append(image);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.body.append(style);
            try { document.body.innerHTML = "<p>markup</p>"; } catch (error) { found.push(error.name); }
            try { await fetch("https://192.0.2.1/"); } catch (error) { found.push(error.name); }
            await new Promise((done) => setTimeout(done, 50));
            return found;
        }""")
    assert {"img-src", "style-src-elem", "connect-src", "TypeError"} <= set(refused)
    assert page.evaluate("document.body.innerHTML.length") > 1000
