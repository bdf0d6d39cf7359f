#!/usr/bin/env bash
# llama.cpp's server: a JSON schema's `pattern` that is not anchored at both ends is dropped without a word.
#
# Version: xllamacpp 2026.10.11549 (llama.cpp's own server as a prebuilt wheel).
# Guess: `response_format` with a JSON schema is turned into a grammar, so what comes fits the schema; what cannot be
#        turned into a grammar is refused with 400.
# Seen:  {"type": "string", "pattern": "^[0-9]{3}$"} is held to: three digits come. With "^[0-9]{3}" or "[0-9]{3}",
#        which are as valid in JSON schema and ask for three digits as well, the status is 200, the finish reason is
#        `stop`, and the answer is "" (the shortest string that there is): any string is allowed.
# So a client that trusts the server's strictness keeps answers that break its schema.
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
import re
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


def answered(pattern):
    schema = {"type": "string", "pattern": pattern}
    body = {
        "messages": [{"role": "user", "content": "Which number?"}],
        "max_tokens": 200,
        "response_format": {"type": "json_schema", "json_schema": {"name": "number", "strict": True, "schema": schema}},
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{params.port}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    for _ in range(100):
        try:
            choice = json.load(urllib.request.urlopen(request, timeout=30))["choices"][0]
            return choice["finish_reason"], choice["message"]["content"]
        except OSError:  # it loads its model
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


anchored, open_end, open_both = (answered(pattern) for pattern in ("^[0-9]{3}$", "^[0-9]{3}", "[0-9]{3}"))
print("^[0-9]{3}$ ", anchored)
print("^[0-9]{3}  ", open_end)
print("[0-9]{3}   ", open_both)
same = re.fullmatch('"[0-9]{3}"', anchored[1]) and all(
    reason == "stop" and not re.search("[0-9]{3}", text) for reason, text in (open_end, open_both)
)
sys.stdout.flush()
os._exit(0 if same else 1)
PY
echo "as described"
