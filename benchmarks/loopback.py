"""A chat model on loopback for the benchmarks: it answers every request by a function, after a while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]
CONFIG = """\
executors: {{loopback: {{type: openai, base_url: "{url}"}}}}
tiers: {{cheap: {{executor: loopback, model: some-model}}}}
prices: {{some-model: {{input: 1, output: 5}}}}
concurrency: {{requests: {requests}, jobs: {jobs}}}
sandbox: none
"""
"""The user's own settings, by which tasks go to the model."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """As real servers have it: of many connections at once none is dropped, to be tried again after a second."""


@contextmanager
def chat_model(answer: Callable[[Request], str], *, seconds: float = 0.0) -> Iterator[str]:
    """The base URL of a chat-completions server whose every answer takes `seconds`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = {"role": "assistant", "content": answer(asked)}
            time.sleep(seconds)
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 200, "completion_tokens": 20}
            body = json.dumps({"model": "some-model", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def write_the_file(asked: Request) -> str:
    """A reply that creates the one file that the task names, with one line."""
    prompt = asked["messages"][-1]["content"]
    path = prompt.partition("create: ")[2].partition("\n")[0]
    return f"```text path={path}\nmade\n```\n"
