"""The page in a real browser, opened from the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browsers import Watched, address_of, watched_page
from playwright.sync_api import Browser, Page, expect
from records import a_result, a_span
from report_runs import Told, a_topic, write_run

from harness.domain.completion import Answerer, FailedAttempt, Served
from harness.domain.remedies import IN_THE_CODE
from harness.domain.run import Answered, Failure


@pytest.fixture
def page(watched: Watched, night: Path) -> Page:
    return watched.open(address_of(night))


def rows(page: Page) -> list[str]:
    return page.locator(".topics tbody th a").all_inner_texts()


def test_the_summary_says_what_became_of_the_run(page: Page, watched: Watched) -> None:
    expect(page.locator("#state-A")).to_have_text("complete, 6 failed")
    cards = dict(
        zip(
            page.locator(".card .label").all_inner_texts(),
            page.locator(".card .value").all_inner_texts(),
            strict=False,
        )
    )
    assert cards["Topics"] == "47"
    assert cards["Requests that failed"] == "47"
    troubles = page.locator(".troubles li").all_inner_texts()
    assert [text.split("\n")[0] for text in troubles] == ["5 failed", "1 failed", "1 degraded"]
    assert watched.quiet()


def test_every_plot_is_drawn(page: Page, watched: Watched) -> None:
    expect(page.locator("#plots canvas")).to_have_count(4)
    painted = page.evaluate("""() => [...document.querySelectorAll("#plots canvas")].map((canvas) =>
            canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)
            .map((pixels) => new Set(new Uint32Array(pixels)).size)""")
    assert all(colours > 3 for colours in painted)
    assert watched.quiet()


def test_an_outage_is_a_band_in_the_plot_and_a_line_with_its_cause(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    told = {
        "seconds": 1.5,
        "probes": 2,
        "kind": "connection",
        "message": "no connection: <b>refused</b>",
    }
    times = {"since": "2026-11-21T03:12:02.000+00:00", "until": "2026-11-21T03:12:03.500+00:00"}
    entry = {
        "wall_s": 8.0,
        "places": [],
        "stop": None,
        "started_at": "2026-11-21T03:12:00.000+00:00",
    }
    run = write_run(
        tmp_path / "night",
        [a_topic(0), a_topic(1)],
        session_log=[{**entry, "outages": [{**told, **times}]}],
    )
    page = watched.open(address_of(write(run)))

    expect(page.locator("#outages-A li")).to_have_text(
        "2026-11-21 03:12 to 03:12 UTC 1.50\u00a0s, 2 probes, connection brokeno connection:"
        " <b>refused</b>"
    )
    expect(page.locator("#plot-in-flight .u-legend")).to_contain_text("provider away")
    # From 2.0 to 3.5 of 3.75 s; the cursor in the band tells of it, beside it of nothing.
    over = page.locator("#plot-in-flight .u-over")
    away = page.locator("#plot-in-flight .u-series", has_text="provider away").locator(".u-value")
    box = over.bounding_box()
    assert box is not None
    width, height = box["width"], box["height"]
    over.hover(position={"x": width * 0.7, "y": height / 2})
    expect(away).to_have_text("2026-11-21 03:12 to 03:12 UTC, connection broke")
    over.hover(position={"x": width * 0.2, "y": height / 2})
    expect(away).to_have_text("–")
    assert watched.quiet()


def test_a_cost_that_nobody_knows_reads_so_in_the_card_the_tables_and_the_plot(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    other = Answered("mock", "x", Answerer("other/dear"), other=True)
    calls = (
        a_span("t0", cost=None, start_s=0.0, end_s=1.0),
        a_span("t0", "more", cost=None, start_s=1.0, end_s=2.0),
    )
    run = write_run(
        tmp_path / "night", [Told(a_result(0, topic_id="t0", cost=None, answers={other: 2}), calls)]
    )
    page = watched.open(address_of(write(run)))

    expect(page.locator(".card", has_text="Cost").locator(".value")).to_have_text("not known")
    expect(page.locator(".note", has_text="Model:")).to_have_text(
        "Model: x was asked for, and another model answered: other/dear gave 2 answers."
    )
    expect(page.locator("#steps tbody tr").first.locator("td").last).to_have_text("not known")
    expect(page.locator(".topics tbody")).to_contain_text("not known")
    expect(page.locator("#plot-cost")).to_contain_text("no cost is known")
    page.locator(".topics tbody th a").first.click()
    expect(page.locator(".call summary").first).to_contain_text("cost not known")
    assert "$" not in page.locator("body").inner_text()
    assert watched.quiet()


def test_beside_a_run_of_known_cost_one_of_unknown_cost_has_no_line_at_zero(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    unknown = Told(a_result(0, cost=None), (a_span("t0", cost=None, start_s=0.0, end_s=2.0),))
    runs = [
        write_run(tmp_path / "a", [unknown]),
        write_run(tmp_path / "b", [a_topic(0), a_topic(1)]),
    ]
    page = watched.open(address_of(write(*runs)))
    expect(page.locator("#plot-cost .u-legend .u-label")).to_have_text(["at", "cost, B", "budget"])
    assert watched.quiet()


def test_a_run_without_an_outage_speaks_of_none(page: Page) -> None:
    expect(page.locator("#outages-A")).to_have_count(0)
    expect(page.locator("#plot-in-flight .u-legend")).not_to_contain_text("provider away")


def test_search_filter_and_sort_work_together(page: Page) -> None:
    page.fill("#search", "t4")
    assert rows(page) == ["t4", *(f"t{number}" for number in range(40, 47))]
    page.click('[data-status="failed"]')
    assert rows(page) == ["t40", "t41", "t42", "t43", "t44", "t46"]
    expect(page.locator("#count")).to_have_text("6 of 47 topics")
    page.fill("#search", "")
    page.click('[data-status="ok"]')
    page.get_by_role("button", name="Cost").click()
    assert rows(page)[:2] == ["t39", "t38"]
    page.get_by_role("button", name="Cost").click()
    assert rows(page)[:2] == ["t0", "t1"]
    page.fill("#search", "no such topic")
    expect(page.locator(".topics tbody")).to_have_text("No topic fits.")


def test_a_cause_shows_its_topics(page: Page) -> None:
    page.locator(".troubles li", has_text="5 failed").get_by_role("button").click()
    assert rows(page) == ["t40", "t41", "t42", "t43", "t44"]
    page.get_by_role("button", name="Show all").click()
    assert len(rows(page)) == 47


def test_a_topic_opens_to_its_output_parts_and_calls(page: Page, watched: Watched) -> None:
    page.click("text=t45")
    expect(page.locator("#topic h1").first).to_have_text("t45")
    expect(page.locator("#topic .prose strong").first).to_have_text("so")
    expect(page.locator(".question")).to_have_count(2)
    expect(page.locator(".gantt a")).to_have_count(2)
    page.locator(".call", has_text="write").locator("summary").first.click()
    call = page.locator(".call[open]")
    expect(call.get_by_text("the answer to t45")).to_be_visible()
    expect(call.get_by_text("thinking about t45")).to_be_hidden()
    call.get_by_text("Reasoning, 20 tokens").click()
    expect(call.get_by_text("thinking about t45")).to_be_visible()
    expect(call.locator(".attempts")).to_contain_text("refused (429)")
    assert watched.quiet()


def test_a_link_to_a_call_opens_it_elsewhere(browser: Browser, night: Path) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with watched_page(browser, permissions=permissions) as first:
        page = first.open(address_of(night, "#topic=t3"))
        page.locator(".call", has_text="write").locator("summary").first.click()
        page.get_by_label("Copy a link to the call write").click()
        expect(page.get_by_label("Copy a link to the call write")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == address_of(night, "#topic=t3&call=write")
    with watched_page(browser) as second:
        page = second.open(copied)
        expect(
            page.locator(".call[open]").get_by_text("the answer to t3", exact=True)
        ).to_be_visible()
        assert second.quiet()


def test_a_link_to_a_topic_that_is_not_there_says_so(watched: Watched, night: Path) -> None:
    page = watched.open(address_of(night, "#topic=gone"))
    expect(page.locator("#topic")).to_contain_text("No finished topic has the id “gone”")


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    press = page.keyboard.press
    press("/")
    page.keyboard.type("t1")
    press("Enter")
    press("j")
    expect(page.locator("a:focus")).to_have_text("t10")
    press("k")
    press("Enter")
    expect(page.locator("#topic h1").first).to_have_text("t1")
    press("]")
    expect(page.locator("#topic h1").first).to_have_text("t10")
    press("[")
    expect(page.locator("#topic h1").first).to_have_text("t1")
    press("Escape")
    expect(page.locator("a:focus")).to_have_text("t1")
    press("?")
    expect(page.locator("#help")).to_be_visible()
    press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_going_back_finds_the_table_as_it_was(page: Page) -> None:
    page.fill("#search", "t4")
    page.click("text=t41")
    expect(page.locator("#topic h1").first).to_have_text("t41")
    page.go_back()
    expect(page.locator("#home")).to_be_visible()
    assert page.input_value("#search") == "t4"
    assert rows(page)[0] == "t4"


def test_light_and_dark_differ_and_both_can_be_read(browser: Browser, night: Path) -> None:
    lightness = {}
    for scheme in ("light", "dark"):
        with watched_page(browser, color_scheme=scheme) as watched:
            page = watched.open(address_of(night))
            lightness[scheme] = page.evaluate("""() => ["backgroundColor", "color"].map((name) => {
                    const [r, g, b] = getComputedStyle(document.documentElement)[name].match(/\\d+/g).map(Number);
                    return (r + g + b) / 765;
                })""")
            assert watched.quiet()
    (light_back, light_ink), (dark_back, dark_ink) = lightness["light"], lightness["dark"]
    assert light_back - light_ink > 0.7
    assert dark_ink - dark_back > 0.7


def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, night: Path) -> None:
    with watched_page(browser, viewport={"width": 360, "height": 740}, has_touch=True) as watched:
        page = watched.open(address_of(night))
        for place in ("", "#topic=t45&call=write"):
            page.goto(address_of(night, place))
            page.wait_for_timeout(50)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.goto(address_of(night))
        assert page.locator(".topics tbody th").first.bounding_box()["width"] > 120  # type: ignore[index]
        columns = {
            ".topics": ["Status", "Cost", "Time", "Calls", "Retries", "Tokens out"],
            ".numbers": ["Calls", "Cached", "Failed", "Retries", "Median", "90%", "99%"],
        }
        for table, labels in columns.items():
            cells = page.locator(f"{table} tbody tr").first.locator("td")
            shown = [cells.nth(place) for place in range(len(labels))]
            assert [cell.get_attribute("data-label") for cell in shown] == labels
            assert all(cell.is_visible() for cell in shown)
        page.get_by_role("button", name="Retries").click()
        assert page.locator(".topics thead th[aria-sort]").inner_text().startswith("Retries")
        assert watched.quiet()


def test_printed_it_is_light_and_without_controls(browser: Browser, night: Path) -> None:
    with watched_page(browser, color_scheme="dark") as watched:
        page = watched.open(address_of(night))
        page.emulate_media(media="print", color_scheme="dark")
        assert (
            page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        expect(page.locator("#search")).to_be_hidden()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert (
            page.evaluate(
                "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
            )
            == "#16191f"
        )
        assert len(page.pdf()) > 20_000
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert watched.quiet()


def test_on_paper_nothing_is_wider_than_the_paper(browser: Browser, night: Path) -> None:
    with watched_page(browser) as watched:
        for place in ("", "#topic=t45"):
            page = watched.open(address_of(night, place))
            page.emulate_media(media="print")
            page.locator(".uplot canvas, .gantt svg").locator("visible=true").first.wait_for()
            page.set_viewport_size({"width": 700, "height": 1000})
            right = page.evaluate(
                """() => Math.max(...[...document.querySelectorAll(".uplot canvas, .gantt svg, .numbers, .topics")]
                    .map((one) => one.getBoundingClientRect().right))"""
            )
            assert 0 < right <= 700


def test_two_runs_stand_side_by_side(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    a = write_run(tmp_path / "before", [a_topic(0), a_topic(1), a_topic(2)])
    b = write_run(tmp_path / "after", [a_topic(0), a_topic(1, output="Something else.", cost=0.5)])
    page = watched.open(address_of(write(a, b)))
    expect(page.locator(".comparison thead")).to_contain_text("before")
    cost = page.locator(".comparison tr", has_text="Cost")
    expect(cost.locator("td strong")).to_have_text(["$0.7500", "$0.7500"])
    expect(cost.locator(".change")).to_have_text("same")
    outputs = page.locator(".topics tbody tr td:last-child").all_inner_texts()
    assert outputs == ["same", "differs", "only in one"]
    page.click('[data-status="differs"]')
    assert rows(page) == ["t1", "t2"]
    page.click("text=t1")
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator('article[data-run="B"] .prose').first).to_have_text("Something else.")
    page.keyboard.press("]")
    expect(page.locator('article[data-run="B"]')).to_contain_text(
        "This run has no row of the topic."
    )
    assert watched.quiet()


def test_an_exception_of_the_workflow_is_shown_with_its_line_of_code(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    failure = Failure(
        type="IndexError",
        message="list index out of range",
        where="flow.py:12",
        code="return words[9]  # <b>no</b>",
    )
    told = [a_topic(index, status="failed", output=None, error=failure) for index in range(3)]
    page = watched.open(address_of(write(write_run(tmp_path / "run", told))))
    (trouble,) = page.locator(".troubles li").all_inner_texts()
    assert "flow.py:12" in trouble
    assert "return words[9]  # <b>no</b>" in trouble
    assert f"→ {IN_THE_CODE}" in trouble
    page.locator(".topics tbody th a", has_text="t1").click()
    box = page.locator("#topic .error-box")
    expect(box).to_contain_text("IndexError")
    expect(box.locator(".place")).to_contain_text("flow.py:12")
    expect(box.locator("code")).to_have_text("return words[9]  # <b>no</b>")
    expect(box.locator(".remedy")).to_have_text(f"→ {IN_THE_CODE}")
    assert watched.quiet()


def test_failed_requests_of_one_kind_are_told_apart_by_their_status(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    def refused(status: int) -> FailedAttempt:
        return FailedAttempt(
            number=1, kind="server", message="no", status=status, elapsed_s=0.1, backoff_s=0.1
        )

    served = Served(attempts=4, failures=(refused(500), refused(502), refused(502)), latency_s=1.0)
    told = Told(a_topic(0).result, (a_span("t0", "ask", served=served),))
    page = watched.open(address_of(write(write_run(tmp_path / "run", [told]))))
    card = page.locator(".card", has=page.get_by_text("Requests that failed"))
    expect(card.locator(".under")).to_have_text("2 server error 502 · 1 server error 500")
