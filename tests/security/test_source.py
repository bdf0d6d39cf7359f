"""What the source may not hold: code out of data, a shell, SQL out of text, a TLS that does not
verify.
"""

from __future__ import annotations

import ast
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.endpoint.aiohttp_transport import AiohttpTransport
from harness.settings import Settings

PACKAGE = Path(harness.__file__).parent
SOURCES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
}

FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "marshal",
    "shelve",
    "subprocess",
    "yaml",
    "pty",
    "commands",
    "code",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "system",
    "popen",
    "spawnv",
    "execv",
    "mktemp",
}
UNVERIFIED = {
    "CERT_NONE",
    "_create_unverified_context",
    "check_hostname",
    "verify_mode",
    "verify",
    "verify_ssl",
}

# The user's own workflow is code by its nature; it is imported as Python imports any module.
SQL_METHODS = {"execute", "executemany", "executescript"}
# SQL that is put together: of our own constants and of marks for parameters, never of a value that
# came from outside. Whoever adds to this looks at where the pieces come from.
SQL_PIECES: dict[str, set[str]] = {
    "cache/operations.py": {"_LOOK_UP.format(marks=','.join('?' * len(keys)))"},
    "cache/pruning.py": {
        "f\"DELETE FROM calls WHERE outcome <> 'open' AND {where}\"",
        "f'DELETE FROM responses WHERE id IN (SELECT id FROM ({chosen}))'",
        "f'PRAGMA {name}'",
        "f'SELECT count(*), coalesce(sum(bytes), 0) FROM ({chosen})'",
    },
    "cache/reports.py": {
        "f'PRAGMA {name}'",
        "f'SELECT {_COLUMNS} FROM responses ORDER BY topic_id, span_id, key'",
        "f'SELECT {_COLUMNS} FROM responses WHERE key = ?'",
        "f'SELECT {_COLUMNS} FROM responses WHERE topic_id = ? ORDER BY created_at, id'",
        "f'SELECT {_COLUMNS} FROM responses WHERE key >= ? AND key < ? ORDER BY key LIMIT ?'",
    },
    "cache/sqlite_schema.py": {
        "f'PRAGMA user_version = {version + 1}'",
        "f'PRAGMA application_id = {APPLICATION_ID}'",
        "statement",
    },
    "cache/sqlite_thread.py": {
        "work"
    },  # not SQL: aiosqlite's own name for handing work to its thread
    # Tables are numbered by ours; columns and orders are those of fixed lists, runs are whole
    # numbers; what is searched for is bound.
    "report/topic_index.py": {
        "_MADE.format(name)",
        "f'CREATE INDEX {name}_id ON {name} (id)'",
        "f'DELETE FROM {self.name}'",
        "f'INSERT OR REPLACE INTO {self.name} VALUES ({marks})'",
        "f'SELECT * FROM ({source}) WHERE id = ?'",
        "f'SELECT * FROM ({source}) WHERE {where.text} ORDER BY {order_of(query)} LIMIT ? OFFSET ?'",
        "beside",
        "change",
        "groups_of(source, len(tables))",
        "told",
    },
}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield function.id, node
            elif isinstance(function, ast.Attribute):
                yield function.attr, node


@pytest.mark.parametrize("source", SOURCES)
def test_no_module_that_runs_data_is_imported(source: str) -> None:
    imported = set()
    for node in ast.walk(SOURCES[source]):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert not imported & FORBIDDEN_MODULES


@pytest.mark.parametrize("source", SOURCES)
def test_no_data_becomes_code_or_a_shell_command(source: str) -> None:
    found = [
        name
        for name, call in calls(SOURCES[source])
        if name in FORBIDDEN_CALLS and not _is_re_compile(call)
    ]
    assert found == []


def _is_re_compile(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "re.compile"


@pytest.mark.parametrize("source", SOURCES)
def test_sql_is_a_constant_and_its_values_are_parameters(source: str) -> None:
    texts = [
        ast.unparse(call.args[0])
        for name, call in calls(SOURCES[source])
        if name in SQL_METHODS and call.args
    ]
    made = {text for text in texts if not _is_constant(text)}
    assert made == SQL_PIECES.get(source, set())


def _is_constant(text: str) -> bool:
    tree = ast.parse(text, mode="eval").body
    if isinstance(tree, ast.Constant):
        return True
    return (isinstance(tree, ast.Name) and tree.id.isupper()) or (
        isinstance(tree, ast.Name) and tree.id[1:].isupper()
    )


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_turns_the_verification_of_tls_off(source: str) -> None:
    names = {node.attr for node in ast.walk(SOURCES[source]) if isinstance(node, ast.Attribute)}
    keywords = {node.arg for node in ast.walk(SOURCES[source]) if isinstance(node, ast.keyword)}
    assert not names & (UNVERIFIED - {"verify"})
    assert not keywords & UNVERIFIED


def test_no_setting_speaks_of_verification() -> None:
    assert [
        name for name in Settings.model_fields if "verify" in name or "ssl" in name or "tls" in name
    ] == []


@pytest.mark.parametrize(
    "variable",
    [
        "SSL_VERIFY",
        "PYTHONHTTPSVERIFY",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "NODE_TLS_REJECT_UNAUTHORIZED",
    ],
)
async def test_tls_is_verified_whatever_the_environment_says(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0" if variable != "CURL_CA_BUNDLE" else "")
    from harness.endpoint.aiohttp_transport import _open_session

    session = _open_session(secure=True)
    try:
        connector = session.connector
        assert connector is not None
        context = connector._ssl  # type: ignore[attr-defined]
        # The operating system's store, or Python's: either verifies the certificate and the name in
        # it.
        inner = getattr(context, "_ctx", context)
        assert isinstance(inner, ssl.SSLContext)
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
    finally:
        await session.close()
    assert AiohttpTransport()._session is None
