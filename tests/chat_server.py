"""A chat completions server on this machine that follows a script, faults included."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

YES = '{"pred": "yes", "score": 4}'
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's prepared answers, the last one for ever."""

    server: "ChatServer"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.body = body
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers), body))
            self.server.times.append(time.monotonic())
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""

    def send(self, status: int, body: str | bytes, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        length = headers.pop("length", str(len(content)))
        for name, value in {"Content-Type": "application/json", "Content-Length": length}.items():
            self.send_header(name, value)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


class ChatServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # the usual 5 drop connections of eight threads
    lock: threading.Lock
    answers: list[Answer]
    requests: list[tuple[str, dict[str, str], Any]]
    times: list[float]

    @property
    def name(self) -> str:
        """The model on it, as a judge is named."""
        return f"openai:judge-model@http://127.0.0.1:{self.server_port}/v1"

    def prompts(self) -> list[str]:
        """What was said last in each request."""
        return [body["messages"][-1]["content"] for _, _, body in self.requests]


@contextmanager
def running_server() -> Iterator[ChatServer]:
    with ChatServer(("127.0.0.1", 0), Handler) as server:
        server.lock, server.answers, server.requests, server.times = threading.Lock(), [], [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def completion(text: Any, *, model: str = "judge-model-1", mark: str | None = "fp_1") -> str:
    """A whole reply as servers send it: 100 tokens of prompt, 10 of completion."""
    return json.dumps(
        {
            "model": model,
            "system_fingerprint": mark,
            "choices": [{"message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
    )


def say(text: Any, **version: Any) -> Answer:
    return lambda handler: handler.send(200, completion(text, **version))


def fail(status: int, message: str = "no", **headers: str) -> Answer:
    body = json.dumps({"error": {"message": message}})
    return lambda handler: handler.send(status, body, **headers)


def send(body: str | bytes, **headers: str) -> Answer:
    return lambda handler: handler.send(200, body, **headers)


def refuse(*parameters: str) -> Answer:
    """Refuse a request as long as it has one of these parameters; then say yes."""

    def answer(handler: Handler) -> None:
        found = [name for name in parameters if name in handler.body]
        if found:
            fail(400, f"Unsupported parameter: '{found[0]}'")(handler)
        else:
            say(YES)(handler)

    return answer


def be_silent(seconds: float) -> Answer:
    return lambda handler: time.sleep(seconds)
