"""Servers that nobody here wrote, as processes of their own on free ports of this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

LLAMA_CPP = ("xllamacpp==2026.10.11549",)
"""llama.cpp's own server, as a prebuilt wheel."""

LITELLM = ("litellm[proxy]==1.108.7",)
MASTER_KEY = "sk-of-the-gateway-0123456789abcdef"

READY_S = 240.0  # litellm's proxy takes twelve seconds of CPU to start, which are many more on a busy machine

_LLAMA_CPP = dedent("""
    import json, sys, threading
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.port = sys.argv[1], int(sys.argv[2])
    params.n_gpu_layers, params.warmup = 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_ctx, params.n_parallel = 16384, 1
    for name, value in json.loads(sys.argv[3]).items():
        assert hasattr(params, name), name
        setattr(params, name, value)
    server = xllamacpp.Server(params)
    threading.Event().wait()
    """)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def llama_cpp(
    binaries: Path, model: Path, *, port: int | None = None, **params: Any
) -> Iterator[str]:
    """llama.cpp's server with this model and one slot; `params` are fields of its CommonParams.
    Yields the base URL.
    """
    port = free_port() if port is None else port
    # The path is the model's name to it.
    command = [
        str(binaries / "python"),
        "-c",
        _LLAMA_CPP,
        model.name,
        str(port),
        json.dumps(params),
    ]
    with _running(
        command,
        where=model.parent,
        log=model.with_name(f"llama-{port}.txt"),
        ready=f"http://127.0.0.1:{port}/health",
    ):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def litellm_proxy(binaries: Path, directory: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """LiteLLM's proxy with this configuration. Yields the base URL; its key is MASTER_KEY."""
    port = free_port()
    file = directory / "litellm.yaml"
    file.write_text(json.dumps(config))  # which is YAML, too
    command = [
        str(binaries / "litellm"),
        "--config",
        str(file),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    # Without the first it fetches its table of prices, which is on another machine.
    environ = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "LITELLM_LOG": "ERROR",
    }
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    with _running(
        command, where=directory, log=directory / "litellm.txt", ready=ready, environ=environ
    ):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def _running(
    command: list[str],
    *,
    where: Path,
    log: Path,
    ready: str,
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """The process from when `ready` answers to the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=where,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        try:
            _wait_for(ready, process, log)
            yield
        finally:
            process.kill()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not _answers(url):
        running = process.poll() is None and time.monotonic() < deadline
        assert running, f"{url} does not answer:\n{log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
