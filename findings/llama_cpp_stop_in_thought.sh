#!/usr/bin/env bash
# llama.cpp's server: a stop sequence ends the answer where it occurs in the *reasoning*, too.
#
# Version: xllamacpp 2026.10.11549 (llama.cpp's own server as a prebuilt wheel).
# Guess: `stop` is about the answer, as reasoning is a field of its own, and APIs that sell reasoning do not look there.
# Seen:  with "stop": ["facts"] and a model whose thought is "First the facts, ..." the answer is
#        {"finish_reason": "stop", "message": {"content": "", "reasoning_content": "First the "}}, status 200;
#        without it the thought is whole and an answer follows. Streamed it is the same.
# So a stop sequence of the answer's form, such as "\n\n", can turn every answer of a thinking model into a blank one
# that calls itself whole.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet "xllamacpp==2026.10.11549"
python3 "$here/tests/support/tiny_model.py" "$work/tiny.gguf"
cd "$work"
"$work/env/bin/python" - 2>"$work/log.txt" <<'PY'
import json
import os
import socket
import sys
import time
import urllib.request

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.n_gpu_layers, params.warmup, params.n_ctx, params.n_parallel = "tiny.gguf", 0, False, 2048, 1
with socket.create_server(("127.0.0.1", 0)) as free:
    params.port = free.getsockname()[1]
server = xllamacpp.Server(params)


def post(**fields):
    body = {"messages": [{"role": "user", "content": "Explain tides."}], **fields}
    request = urllib.request.Request(
        f"http://127.0.0.1:{params.port}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    for _ in range(100):
        try:
            return urllib.request.urlopen(request, timeout=30).read().decode()
        except OSError:  # it loads its model
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def told(**fields):
    choice = json.loads(post(**fields))["choices"][0]
    return choice["finish_reason"], choice["message"].get("reasoning_content"), choice["message"]["content"]


free_run, stopped = told(), told(stop=["facts"])
deltas = [
    json.loads(line[6:])["choices"][0]
    for line in post(stop=["facts"], stream=True).splitlines()
    if line.startswith("data: {")
]
streamed = (
    deltas[-1]["finish_reason"],
    "".join(delta["delta"].get("reasoning_content") or "" for delta in deltas),
    "".join(delta["delta"].get("content") or "" for delta in deltas),
)
print("without stop:   ", free_run)
print('stop ["facts"]: ', stopped)
print("streamed:       ", streamed)
same = (
    free_run[0] == "stop" and "facts, then" in free_run[1] and free_run[2] != ""
    and stopped == ("stop", "First the ", "")
    and streamed[0] == "stop" and streamed[1].startswith("First the") and "facts" not in streamed[1] and streamed[2] == ""
)
sys.stdout.flush()
os._exit(0 if same else 1)
PY
echo "as described"
