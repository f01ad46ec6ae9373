"""A model server on loopback for real agent programs: it has the agent write one file, then says that it is done.

It speaks what they speak, streamed or not: OpenAI's chat completions and responses, Anthropic's messages, Gemini's
generateContent. Which tool writes a file is found by name among those that the request offers.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DONE = "All done."
SHELLS = ("exec_command", "shell_command", "shell", "bash")


@dataclass
class AgentServer:
    """Has every agent write `content` to `name`, or call `tool`; keeps the paths that were asked for and the bodies."""

    name: str
    content: str
    url: str = ""
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tool: tuple[str, dict[str, Any]] | None = None

    def tool_call(self, tools: list[str], folder: str) -> tuple[str, dict[str, Any]] | None:
        """The tool that writes the file and its arguments; None where no tool does."""
        if self.tool is not None:
            return self.tool if self.tool[0] in tools else None
        path = f"{folder}/{self.name}"
        command = f"printf '%s' '{self.content}' > {self.name}"
        offers: dict[str, dict[str, Any]] = {
            "Write": {"file_path": path, "content": self.content},
            "write": {"filePath": path, "content": self.content},
            "write_file": {"file_path": path, "content": self.content},
            "exec_command": {"cmd": command},
            "shell_command": {"command": command},
            "shell": {"command": ["bash", "-lc", command]},
            "bash": {"command": f"{command}; echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"},
        }
        for name, arguments in offers.items():
            if name in tools:
                return name, arguments
        return None


@contextlib.contextmanager
def agent_server(name: str, content: str, *, folder: str) -> Iterator[AgentServer]:
    """Serve for as long as the block lasts; `folder` is where the agent's files are, as it sees them."""
    served = AgentServer(name, content)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(served, folder)) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()


def _handler(served: AgentServer, folder: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw or b"{}")
            served.asked.append(self.path)
            served.bodies.append(body)
            if "/responses" in self.path:
                self._stream(_responses(body, served, folder), named=True)
            elif "/messages" in self.path:
                events = _messages(body, served, folder)
                if body.get("stream"):
                    self._stream(events, named=True)
                else:
                    self._send(_whole_message(events))
            elif "enerateContent" in self.path:
                answer = _gemini(body, served, folder)
                if "stream" in self.path:
                    self._stream([answer])
                else:
                    self._send(answer)
            else:
                chunks, whole = _chat(body, served, folder)
                if body.get("stream"):
                    self._stream([*chunks, "[DONE]"])
                else:
                    self._send(whole)

        def _send(self, document: Any, kind: str = "application/json") -> None:
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, events: list[Any], *, named: bool = False) -> None:
            lines = []
            for event in events:
                data = event if isinstance(event, str) else json.dumps(event)
                lines.append((f"event: {event['type']}\n" if named else "") + f"data: {data}\n\n")
            self._send("".join(lines).encode(), "text/event-stream")

        def log_message(self, *_args: Any) -> None:
            """Keep the tests' output clean."""

    return Handler


def _chat(
    body: dict[str, Any], served: AgentServer, folder: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A chat completion, in chunks and as a whole."""
    messages = body.get("messages", [])
    tools = [tool["function"]["name"] for tool in body.get("tools") or []]
    answered = any(message.get("role") == "tool" for message in messages)
    call = None if answered else served.tool_call(tools, folder)
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    message: dict[str, Any] = {"role": "assistant", "content": DONE}
    finish = "stop"
    if call is not None:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        entry = {"index": 0, "id": "call_0", "type": "function", "function": function}
        message, finish = (
            {"role": "assistant", "content": None, "tool_calls": [entry]},
            "tool_calls",
        )
    elif not tools and "SEARCH/REPLACE" in json.dumps(messages):
        block = f"<<<<<<< SEARCH\n=======\n{served.content}>>>>>>> REPLACE\n"
        message["content"] = f"{served.name}\n```\n{block}```\n"
    base = {"id": "c1", "created": 1, "model": body.get("model", "m")}
    chunk = {**base, "object": "chat.completion.chunk"}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
    return chunks, whole


def _responses(body: dict[str, Any], served: AgentServer, folder: str) -> list[dict[str, Any]]:
    """OpenAI's responses, as a stream of events."""
    given = [item for item in body.get("input", []) if isinstance(item, dict)]
    answered = any(str(item.get("type")).endswith("call_output") for item in given)
    tools = [str(tool.get("name") or tool.get("type")) for tool in body.get("tools", [])]
    call = None if answered else served.tool_call([t for t in tools if t in SHELLS], folder)
    item: dict[str, Any] = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": DONE, "annotations": []}],
    }
    if call is not None:
        arguments = json.dumps(call[1])
        item = {
            "type": "function_call",
            "id": "fc_0",
            "call_id": "call_0",
            "name": call[0],
            "arguments": arguments,
        }
    usage = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 800},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 1050,
    }
    return [
        {"type": "response.created", "response": {"id": "r1"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r1", "usage": usage, "output": [item]}},
    ]


def _messages(body: dict[str, Any], served: AgentServer, folder: str) -> list[dict[str, Any]]:
    """Anthropic's messages, as a stream of events."""
    parts = [
        part
        for message in body.get("messages", [])
        if isinstance(message.get("content"), list)
        for part in message["content"]
    ]
    answered = any(part.get("type") == "tool_result" for part in parts)
    tools = [tool["name"] for tool in body.get("tools") or []]
    call = None if answered else served.tool_call(tools, folder)
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta: dict[str, Any] = {"type": "text_delta", "text": DONE}
    stop = "end_turn"
    if call is not None:
        block = {"type": "tool_use", "id": "toolu_0", "name": call[0], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
        stop = "tool_use"
    usage = {
        "input_tokens": 150,
        "cache_creation_input_tokens": 50,
        "cache_read_input_tokens": 800,
        "output_tokens": 1,
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 50},
        },
        {"type": "message_stop"},
    ]


def _whole_message(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream of events adds up to."""
    message, block, delta = (
        events[0]["message"],
        dict(events[1]["content_block"]),
        events[2]["delta"],
    )
    if block["type"] == "text":
        block["text"] = delta["text"]
    else:
        block["input"] = json.loads(delta["partial_json"])
    stop = events[4]["delta"]["stop_reason"]
    usage = {**message["usage"], "output_tokens": 50}
    return {**message, "content": [block], "stop_reason": stop, "usage": usage}


def _gemini(body: dict[str, Any], served: AgentServer, folder: str) -> dict[str, Any]:
    """Gemini's generateContent."""
    parts = [part for content in body.get("contents", []) for part in content.get("parts", [])]
    answered = any("functionResponse" in part for part in parts)
    declared = [
        item["name"]
        for tool in body.get("tools") or []
        for item in tool.get("functionDeclarations", [])
    ]
    call = None if answered else served.tool_call(declared, folder)
    part: dict[str, Any] = {"text": DONE}
    if call is not None:
        part = {"functionCall": {"name": call[0], "args": call[1]}}
    usage = {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 20,
        "cachedContentTokenCount": 800,
        "totalTokenCount": 1050,
    }
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}
