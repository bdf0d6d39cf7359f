#!/usr/bin/env bash
# LiteLLM's proxy: after a fallback the answer's `model` is another name streamed than whole, and neither is the one
# that was asked for.
#
# Version: litellm[proxy] 1.108.7.
# Guess: `model` is the alias that was asked for, as it is in every answer without a fallback; or else the alias of the
#        model that answered, streamed and whole alike.
# Seen:  asked for "first", whose server is gone, with the fallback "second" (openai/real-name):
#        without a fallback   second -> "second" whole, "second" streamed
#        with it              first  -> "real-name" whole, "second" streamed
#        Only the header x-litellm-attempted-fallbacks: 1 is the same in both.
# So whoever tells models apart by the answer's `model` counts one model as two, by a setting of transport.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet "litellm[proxy]==1.108.7"
cd "$work"
cat >check.py <<'PY'
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-0123456789abcdef0123456789"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        base = {"id": "1", "created": 1, "model": "real-name"}
        if asked.get("stream"):
            chunks = [
                {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "So."}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                {"choices": [], "usage": USAGE},
            ]
            body = "".join(f"data: {json.dumps({**base, 'object': 'chat.completion.chunk', **c})}\n\n" for c in chunks)
            body, kind = (body + "data: [DONE]\n\n").encode(), "text/event-stream"
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "So."}, "finish_reason": "stop"}
            whole = {**base, "object": "chat.completion", "choices": [choice], "usage": USAGE}
            body, kind = json.dumps(whole).encode(), "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
there, gone = f"http://127.0.0.1:{upstream.server_port}/v1", f"http://127.0.0.1:{free_port()}/v1"


def entry(name, api_base):
    return {"model_name": name, "litellm_params": {"model": "openai/real-name", "api_base": api_base, "api_key": "sk-x"}}


config = {
    "model_list": [entry("first", gone), entry("second", there)],
    "router_settings": {"fallbacks": [{"first": ["second"]}]},
}
with open("config.yaml", "w") as file:
    json.dump(config, file)
port = free_port()
environ = {**os.environ, "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
command = [os.path.join(os.path.dirname(sys.executable), "litellm"), "--config", "config.yaml"]
proxy = subprocess.Popen(
    [*command, "--host", "127.0.0.1", "--port", str(port)], env=environ, stdout=open("log.txt", "w"), stderr=subprocess.STDOUT
)


def asked(name, stream):
    body = {"model": name, "stream": stream, "messages": [{"role": "user", "content": "Why?"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        text = response.read().decode()
        fallbacks = response.headers.get("x-litellm-attempted-fallbacks")
    first = text.removeprefix("data: ").split("\n")[0] if stream else text
    return json.loads(first)["model"], fallbacks


try:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5).close()
            break
        except OSError:
            time.sleep(0.2)
    seen = {(name, stream): asked(name, stream) for name in ("second", "first") for stream in (False, True)}
finally:
    proxy.kill()
    proxy.wait()
for (name, stream), (model, fallbacks) in seen.items():
    print(f"asked for {name:6} {'streamed' if stream else 'whole   '}: model {model!r}, fallbacks {fallbacks}")
expected = {
    ("second", False): ("second", "0"),
    ("second", True): ("second", "0"),
    ("first", False): ("real-name", "1"),
    ("first", True): ("second", "1"),
}
sys.exit(0 if seen == expected else 1)
PY
"$work/env/bin/python" check.py
echo "as described"
