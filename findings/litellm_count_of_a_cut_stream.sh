#!/usr/bin/env bash
# LiteLLM: a stream that broke off is ended as a whole one, and only the shape of the usage tells.
#
# Version: litellm 1.108.7 (the library; its proxy sends on what this yields).
# Guess: a stream whose server hung up before a finish reason and before `[DONE]` is an error, or at least has no
#        finish reason; and a usage, where one is given, is the server's.
# Seen:  the last chunks say finish_reason "stop" and give a usage that litellm made up. The same server's whole stream:
#        completion_tokens_details {"reasoning_tokens": 1}, prompt_tokens_details {"cached_tokens": 2}.
#        Broken off: completion_tokens_details has `text_tokens`, and there are no prompt_tokens_details.
# So a client can tell a cut answer from a whole one only if it has seen a usage of that server before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet "litellm==1.108.7"
cd "$work"
cat >check.py <<'PY'
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # noqa: E402

USAGE = {
    "prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9,
    "completion_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 2},
}


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choices = [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
                   for word in ("Light ", "is ", "scattered ", "by ", "air.")]
        chunks = [{"choices": [choice]} for choice in choices]
        if "cut" in asked["messages"][0]["content"]:
            chunks, end = chunks[:3], b""
        else:
            chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            chunks.append({"choices": [], "usage": USAGE})
            end = b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for chunk in chunks:
            base = {"id": "1", "created": 1, "model": "m", "object": "chat.completion.chunk"}
            self.wfile.write(f"data: {json.dumps({**base, **chunk})}\n\n".encode())
        self.wfile.write(end)

    def log_message(self, *args):
        pass


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()


def streamed(prompt):
    stream = litellm.completion(
        model="openai/m", api_base=f"http://127.0.0.1:{upstream.server_port}/v1", api_key="sk-x", stream=True,
        stream_options={"include_usage": True}, messages=[{"role": "user", "content": prompt}], num_retries=0,
    )
    chunks = [chunk.model_dump() for chunk in stream]
    text = "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])
    reason = [c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]
    usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")][-1]
    details = {name: {k: v for k, v in (usage.get(name) or {}).items() if v is not None}
               for name in ("completion_tokens_details", "prompt_tokens_details")}
    return text, reason, usage["completion_tokens"], details


whole, cut = streamed("Why is the sky blue?"), streamed("Why is the sky blue? (cut)")
print("whole:", whole)
print("cut:  ", cut)
same = (
    whole[0] == "Light is scattered by air." and whole[1] == ["stop"] and whole[2] == 6
    and "text_tokens" not in whole[3]["completion_tokens_details"] and whole[3]["prompt_tokens_details"]
    and cut[0] == "Light is scattered " and cut[1] == ["stop"] and cut[2] > 0
    and "text_tokens" in cut[3]["completion_tokens_details"] and not cut[3]["prompt_tokens_details"]
)
sys.stdout.flush()
os._exit(0 if same else 1)
PY
"$work/env/bin/python" check.py
echo "as described"
