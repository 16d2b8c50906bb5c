"""The server backend against a real HTTP server on this machine."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from ask_parts import hear, make_frames
from PIL import Image

from goldfish_cli.backends.base import GenerationSettings, Reply, Turn
from goldfish_cli.backends.chat_client import ServerLimits
from goldfish_cli.backends.server import ServerModel
from goldfish_cli.errors import ModelError

QUICK = ServerLimits(silence_s=1.0, total_s=5.0, attempts=3, first_wait_s=0.01)
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's prepared answers, the last one for ever."""

    server: "ChatServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.request_body = json.loads(body)
        self.server.requests.append((self.path, dict(self.headers), self.request_body))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""

    def send(self, status: int, kind: str, body: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())


class ChatServer(ThreadingHTTPServer):
    answers: list[Answer]
    requests: list[tuple[str, dict[str, str], Any]]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(("127.0.0.1", 0), Handler) as running:
        running.answers, running.requests = [], []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def streamed(*texts: str, reason: str | None = "stop", done: bool = True) -> Answer:
    events: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": text}, "finish_reason": None}]} for text in texts
    ]
    if reason:
        events.append({"choices": [{"delta": {}, "finish_reason": reason}]})
        events.append({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 3}})
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    end = "data: [DONE]\n\n" if done else ""
    return lambda handler: handler.send(200, "text/event-stream", ": hello\n\n" + body + end)


def refused(status: int, body: str, **headers: str) -> Answer:
    return lambda handler: handler.send(status, "application/json", body, **headers)


def connect(server: ChatServer, path: str = "/v1", **options: Any) -> ServerModel:
    name = f"openai:org/vlm@http://127.0.0.1:{server.server_port}{path}"
    return ServerModel(name, limits=QUICK, **options)


def ask(model: ServerModel, question: str = "What?", **settings: Any) -> tuple[list[str], Reply]:
    video = model.encode(make_frames(0.5, 12.25))
    return hear(
        model.stream(video, ["", "hello"], [Turn(question)], GenerationSettings(**settings))
    )


def test_an_answer_comes_in_the_pieces_that_the_server_sends(server: ChatServer) -> None:
    server.answers = [streamed(" A red", " circle", "\n", "moves. ")]
    pieces, reply = ask(connect(server))
    assert pieces == ["A red", " circle", "\nmoves."]
    assert reply == Reply("A red circle\nmoves.", 40, None, 3, finished=True)


def test_questions_sent_together_get_their_own_answers(server: ChatServer) -> None:
    def echo(handler: Handler) -> None:
        told = json.dumps(handler.request_body["messages"][-1])
        number = next(one for one in "12345" if f"number {one}" in told)
        streamed(f"answer {number}")(handler)

    server.answers = [echo]
    model = connect(server)
    video = model.encode(make_frames(0.5))
    turns = [[Turn(f"number {number}")] for number in range(1, 6)]
    replies = model.reply_all(video, [""], turns, GenerationSettings())
    assert [reply.text for reply in replies] == [f"answer {number}" for number in range(1, 6)]


def test_the_request_holds_frames_with_times_captions_and_the_question(server: ChatServer) -> None:
    server.answers = [streamed("x")]
    ask(connect(server), "Wer ist das? 猫", max_new_tokens=9)
    path, headers, request = server.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert request["model"] == "org/vlm"
    assert (request["temperature"], request["max_tokens"]) == (0.0, 9)
    (message,) = request["messages"]
    texts = [part.get("text", "<picture>") for part in message["content"]]
    assert texts == [
        "Frame at 0.5 s: ", "<picture>", "Frame at 12.2 s: ", "<picture>",
        "Subtitles: hello ", "Wer ist das? 猫",
    ]  # fmt: skip
    kind, data = message["content"][1]["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (48, 32)


def test_a_large_frame_is_sent_smaller_with_its_shape_kept(server: ChatServer) -> None:
    (url,) = connect(server).encode(make_frames(0.0, size=(1600, 900))).urls
    data = base64.b64decode(url.split(",")[1])
    assert Image.open(io.BytesIO(data)).size == (768, 432)


def test_the_picture_that_is_sent_is_the_frame(server: ChatServer) -> None:
    frame = make_frames(0.0)[0]
    frame.image[:] = (200, 30, 60)
    (url,) = connect(server).encode([frame]).urls
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    assert np.abs(pixels.astype(int) - (200, 30, 60)).max() < 8


def test_a_conversation_shows_the_frames_once(server: ChatServer) -> None:
    server.answers = [streamed("x")]
    model = connect(server)
    video = model.encode(make_frames(0.5))
    turns = [Turn("Who?", "A cat."), Turn("Where?")]
    hear(model.stream(video, [""], turns, GenerationSettings()))
    messages = server.requests[0][2]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [len(message["content"]) for message in messages] == [3, 1, 1]


def test_drawing_sends_seed_and_top_p_and_greedy_does_not(server: ChatServer) -> None:
    server.answers = [streamed("x")]
    ask(connect(server), temperature=0.7, top_p=0.9, seed=5, repetition_penalty=1.2)
    ask(connect(server), seed=5)
    drawn, greedy = (request for _, _, request in server.requests)
    assert (drawn["temperature"], drawn["top_p"], drawn["seed"]) == (0.7, 0.9, 5)
    assert drawn["repetition_penalty"] == 1.2
    assert not {"top_p", "seed", "repetition_penalty"} & set(greedy)


def test_the_key_is_sent_as_a_bearer_token(server: ChatServer) -> None:
    server.answers = [streamed("x")]
    ask(connect(server, api_key="secret"))
    assert server.requests[0][1]["Authorization"] == "Bearer secret"


def test_a_url_without_a_path_gets_v1(server: ChatServer) -> None:
    server.answers = [streamed("x")]
    ask(connect(server, path=""))
    ask(connect(server, path="/api/openai/"))
    assert [path for path, _, _ in server.requests] == [
        "/v1/chat/completions",
        "/api/openai/chat/completions",
    ]


def test_a_server_without_streaming_is_understood(server: ChatServer) -> None:
    whole = {"choices": [{"message": {"content": " yes "}, "finish_reason": "stop"}]}
    server.answers = [refused(200, json.dumps(whole))]
    assert ask(connect(server)) == (["yes"], Reply("yes", None, None, None, finished=True))


def test_an_answer_cut_by_length_is_not_finished(server: ChatServer) -> None:
    server.answers = [streamed("A long", reason="length")]
    assert not ask(connect(server))[1].finished


def test_a_busy_server_is_asked_again(server: ChatServer) -> None:
    server.answers = [refused(503, "busy"), refused(429, "{}", Retry_After="0"), streamed("yes")]
    assert ask(connect(server))[1].text == "yes"
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_given_up(server: ChatServer) -> None:
    server.answers = [refused(503, "still loading")]
    with pytest.raises(ModelError, match="503: still loading"):
        ask(connect(server))
    assert len(server.requests) == QUICK.attempts


def test_a_server_that_wants_the_new_name_of_max_tokens_gets_it(server: ChatServer) -> None:
    complaint = {"error": {"message": "Use 'max_completion_tokens' instead."}}
    server.answers = [refused(400, json.dumps(complaint)), streamed("yes")]
    assert ask(connect(server), max_new_tokens=5)[1].text == "yes"
    last = server.requests[-1][2]
    assert last["max_completion_tokens"] == 5
    assert "max_tokens" not in last


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "OPENAI_API_KEY"), (404, "/v1"), (400, "--frames"), (413, "--frames"), (529, "log")],
)
def test_a_refusal_tells_the_servers_words_and_what_to_try(
    server: ChatServer, status: int, hint: str
) -> None:
    server.answers = [refused(status, '{"error": {"message": "No\\n way."}}')]
    with pytest.raises(ModelError, match=f"refused with {status}: No way") as caught:
        ask(connect(server))
    assert hint in caught.value.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (streamed("half", reason=None), "in the middle"),
        (streamed("half", reason=None, done=False), "in the middle"),
        (lambda handler: handler.send(200, "text/event-stream", "data: {oops\n\n"), "no chat"),
        (lambda handler: handler.send(200, "text/event-stream", "data: [1]\n\n"), "no chat"),
        (
            lambda handler: handler.send(
                200, "text/event-stream", 'data: {"error": {"message": "out of memory"}}\n\n'
            ),
            "broke off: out of memory",
        ),
        (lambda handler: handler.send(200, "text/html", "<html>"), "in the middle"),
    ],
)
def test_an_answer_that_breaks_off_is_an_error(
    server: ChatServer, answer: Answer, what: str
) -> None:
    server.answers = [answer]
    with pytest.raises(ModelError, match=what):
        ask(connect(server))


def test_a_silent_server_is_given_up(server: ChatServer) -> None:
    enough = threading.Event()
    server.answers = [lambda handler: enough.wait(10) and None]
    model = ServerModel(
        connect(server).name, limits=ServerLimits(silence_s=0.1, attempts=3, first_wait_s=0.01)
    )
    try:
        with pytest.raises(ModelError, match=r"silent for 0\.1 s"):
            ask(model)
    finally:
        enough.set()


def test_a_server_that_is_not_there_is_said_with_its_address() -> None:
    model = ServerModel("openai:m@http://127.0.0.1:9/v1", limits=QUICK)
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9 cannot be reached: .*refused"):
        ask(model)


def test_a_redirection_is_not_followed(server: ChatServer) -> None:
    server.answers = [refused(307, "elsewhere", Location="http://127.0.0.1:9/v1")]
    with pytest.raises(ModelError, match="refused with 307"):
        ask(connect(server, api_key="secret"))


@pytest.mark.parametrize(
    "name",
    ["openai:", "openai:model", "openai:m@ftp://x/v1", "openai:@http://x/v1", "openai:m@file:///x"],
)
def test_a_name_of_another_form_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        ServerModel(name)
    assert "openai:MODEL@URL" in caught.value.hint


def test_a_password_in_the_url_is_refused() -> None:
    with pytest.raises(ModelError, match="password"):
        ServerModel("openai:m@http://me:secret@host/v1")


def test_offline_allows_only_servers_on_this_machine() -> None:
    ServerModel("openai:m@http://localhost:1/v1", offline=True)
    ServerModel("openai:m@http://[::1]:1/v1", offline=True)
    with pytest.raises(ModelError, match=r"example\.com is not on this machine"):
        ServerModel("openai:m@https://example.com/v1", offline=True)
