"""One Markdown report a topic, with front matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.exports.columns import CALLS, TOPICS, record
from harness.exports.csv_files import iso
from harness.exports.file_names import report_name
from harness.exports.markdown_index import NOT_KNOWN, index_pages
from harness.exports.source import RunFacts, TopicRows
from harness.text.safe import json_safe, markdown_safe, one_line, terminal_safe

_TITLE_CHARACTERS = 200
_TITLES_OF_SECTIONS = ("question", "title", "name", "heading")
_TEXTS_OF_SECTIONS = ("answer", "text", "content")


def write_markdown(topics: Iterable[TopicRows], facts: RunFacts, into: Path) -> None:
    """The reports and their index pages. Raises OSError, and ResultsError for a damaged row."""
    with index_pages(into, facts) as pages:
        for topic in topics:
            # Of a damaged row it is said where, as for the tables.
            topic_cells = dict(
                zip((c.name for c in TOPICS), record(TOPICS, topic.row), strict=True)
            )
            calls = [
                dict(zip((c.name for c in CALLS), record(CALLS, call), strict=True))
                for call in topic.calls
            ]
            index = topic.row["index"]
            name = report_name(index, topic.row["topic_id"], topics=facts.topics)
            place = pages.add(index, name, topic_cells)
            place.write_text(report(topic_cells, topic.row, calls), encoding="utf-8")


def report(
    cells: Mapping[str, Any], row: Mapping[str, Any], calls: Iterable[Mapping[str, Any]]
) -> str:
    """The report of a topic: front matter, what the workflow returned, its sections, its calls.

    What a model wrote stays Markdown, as it was meant; control characters in it are written out.
    """
    output = terminal_safe(cells["output"] or "").strip()
    parts = [_front_matter(cells)]
    if not output.startswith("# "):  # a report that has a title of its own keeps it
        parts.append(
            f"# {markdown_safe(one_line(cells['topic'] or cells['topic_id'], _TITLE_CHARACTERS))}"
        )
    if cells["error_type"] is not None:
        parts.append(
            f"> **{cells['status']}**:"
            f" {markdown_safe(one_line(cells['error_message'] or '', 2000))}"
        )
    if output:
        parts.append(output)
    elif cells["output_json"] is not None:
        parts.append(_fenced(json.dumps(row["output"], ensure_ascii=False, indent=2), "json"))
    sections = row["sections"] or ()
    if sections:
        parts += [
            "## Parts",
            *(_section(number, section) for number, section in enumerate(sections, start=1)),
        ]
    lines = [_line_of_call(call) for call in calls]
    if lines:
        head = (
            "| call | source | sent | input | output | reasoning | USD | s"
            " |\n|---|---|--:|--:|--:|--:|--:|--:|"
        )
        parts += ["## Calls", "\n".join([head, *lines])]
    return "\n\n".join(parts) + "\n"


def _front_matter(cells: Mapping[str, Any]) -> str:
    """YAML in which every value is written as JSON, which YAML contains, so that no text can end
    it.
    """
    shown = (
        *(
            "topic_index",
            "topic_id",
            "run_id",
            "workflow",
            "status",
            "topic",
            "error_type",
            "error_message",
        ),
        *(
            "usage_input_tokens",
            "usage_output_tokens",
            "usage_reasoning_tokens",
            "usage_cached_tokens",
        ),
        *("cost", "calls", "hits", "started_at", "elapsed_s", "sequential_s"),
    )
    values = {name: cells[name] for name in shown}
    values["started_at"] = iso(cells["started_at"])
    values["cost"] = NOT_KNOWN if cells["cost"] is None else cells["cost"]
    lines = [f"{name}: {_yaml(value)}" for name, value in values.items() if value is not None]
    metadata = json.loads(cells["metadata"] or "{}")
    return "\n".join(["---", *lines, f"metadata: {_yaml(metadata)}", "---"])


def _yaml(value: Any) -> str:
    return json_safe(json.dumps(value, ensure_ascii=False))


def _section(number: int, section: Mapping[str, Any]) -> str:
    titled = next(
        (name for name in _TITLES_OF_SECTIONS if isinstance(section.get(name), str)), None
    )
    title = section[titled] if titled else f"Part {section.get('number', number)}"
    facts, texts = [], []
    for name, value in section.items():
        if name == titled or value is None:
            continue
        if isinstance(value, str) and (
            "\n" in value or len(value) > _TITLE_CHARACTERS or name in _TEXTS_OF_SECTIONS
        ):
            texts.append(terminal_safe(value).strip())
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            facts.append(
                f"- {markdown_safe(one_line(name))}: {markdown_safe(one_line(text, 2000))}"
            )
    heading = f"### {markdown_safe(one_line(title, _TITLE_CHARACTERS))}"
    return "\n\n".join(part for part in (heading, "\n".join(facts), *texts) if part)


def _line_of_call(call: Mapping[str, Any]) -> str:
    error = call["error_kind"] or call["error_type"]
    source = call["served_source"] if error is None else f"failed: {error}"
    cost = NOT_KNOWN if call["cost"] is None else f"{call['cost']:.6f}"
    return (
        f"| {markdown_safe(one_line(call['call_id']))} | {markdown_safe(one_line(source))} |"
        f" {call['served_attempts']} | {call['usage_input_tokens']} | {call['usage_output_tokens']}"
        f" | {call['usage_reasoning_tokens']} | {cost} | {call['own_s']:.2f} |"
    )


def _fenced(text: str, language: str) -> str:
    """A block of code whose fence is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{terminal_safe(text)}\n{fence}"
