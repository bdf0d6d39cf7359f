"""The database of an export: tables with integer keys, the views of a first look, and an index of
words.

It is made for browsing, with datasette or any other SQLite browser: stamps are ISO 8601 in UTC,
JSON is text, nothing is compressed. `run` has one row.
"""

from __future__ import annotations

from harness.exports.columns import CALLS, TOPICS, Column

_AFFINITY = {
    "integer": "INTEGER",
    "number": "REAL",
    "text": "TEXT",
    "json": "TEXT",
    "boolean": "INTEGER",
    "time": "TEXT",
}


def _declared(columns: tuple[Column, ...]) -> str:
    return ",\n".join(_declaration(column) for column in columns)


def _declaration(column: Column) -> str:
    not_null = " NOT NULL" if column.required else ""
    return f"  {column.name} {_AFFINITY[column.kind]}{not_null}"


RUN_COLUMNS = (
    *("run_id", "status", "created_at", "workflow", "endpoint", "model", "dataset"),
    *("topics", "finished", "running"),
)

CREATE_RUN = """\
CREATE TABLE run (
  run_id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  created_at TEXT,
  workflow TEXT,
  endpoint TEXT,
  model TEXT,
  dataset TEXT,
  topics INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  running INTEGER NOT NULL
)"""
CREATE_TOPICS = f"""\
CREATE TABLE topics (
  topic_index INTEGER PRIMARY KEY,
{_declared(TOPICS[1:])},
  FOREIGN KEY (run_id) REFERENCES run (run_id)
)"""
CREATE_CALLS = f"""\
CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
{_declared(CALLS)},
  FOREIGN KEY (topic_index) REFERENCES topics (topic_index),
  FOREIGN KEY (run_id) REFERENCES run (run_id)
)"""

INSERT_RUN = f"INSERT INTO run VALUES ({', '.join('?' * len(RUN_COLUMNS))})"  # noqa: S608 - a constant
INSERT_TOPIC = f"INSERT INTO topics VALUES ({', '.join('?' * len(TOPICS))})"  # noqa: S608 - a constant
INSERT_CALL = f"INSERT INTO calls VALUES (NULL, {', '.join('?' * len(CALLS))})"  # noqa: S608 - a constant

# Made when the rows are in: filling them along the way costs more.
FINISHING = """\
CREATE INDEX calls_of_topic ON calls (topic_index);
CREATE INDEX calls_of_step ON calls (step);
CREATE INDEX topics_by_status ON topics (status);

CREATE VIEW reports AS
  SELECT topic_index, topic_id, status, topic, coalesce(output, output_json) AS output, error_message, cost, elapsed_s
  FROM topics ORDER BY topic_index;

CREATE VIEW steps AS
  SELECT step, count(*) AS calls, sum(served_source <> 'endpoint' AND error_type IS NULL) AS hits,
    sum(error_type IS NOT NULL) AS failed, sum(max(served_attempts - 1, 0)) AS retries,
    sum(usage_input_tokens) AS input_tokens, sum(usage_output_tokens) AS output_tokens,
    sum(usage_reasoning_tokens) AS reasoning_tokens, sum(cost) AS cost,
    avg(own_s) AS mean_own_s, max(own_s) AS longest_own_s
  FROM calls GROUP BY step ORDER BY min(id);

CREATE VIEW failures AS
  SELECT 'topic' AS what, error_type, error_kind, error_message, count(*) AS number, min(topic_id) AS for_example
  FROM topics WHERE status = 'failed' GROUP BY error_type, error_kind, error_message
  UNION ALL
  SELECT 'call', error_type, error_kind, error_message, count(*), min(topic_id)
  FROM calls WHERE error_type IS NOT NULL GROUP BY error_type, error_kind, error_message
  ORDER BY what DESC, number DESC;

CREATE VIEW attempts_failed AS
  SELECT calls.id AS call, calls.topic_id, calls.call_id,
    attempt.value ->> 'number' AS number, attempt.value ->> 'kind' AS kind, attempt.value ->> 'status' AS status,
    attempt.value ->> 'message' AS message, attempt.value ->> 'elapsed_s' AS elapsed_s,
    attempt.value ->> 'backoff_s' AS backoff_s
  FROM calls, json_each(calls.served_failures) AS attempt;
"""

HAS_WORD_INDEX = "SELECT 1 FROM pragma_module_list WHERE name = 'fts5'"
# The name in double quotes is what datasette looks for.
WORD_INDEX = """\
CREATE VIRTUAL TABLE topics_fts USING fts5 (topic, output, content="topics", content_rowid='topic_index');
INSERT INTO topics_fts (topics_fts) VALUES ('rebuild');
"""
