"""Chapters written by a model behind a real HTTP server here, and what becomes of bad ones."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ask_parts import save_goldfish
from film_parts import index_with

from goldfish_cli.backends.chat_client import ServerLimits
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.backends.server import ServerModel
from goldfish_cli.longvideo import written_chapters
from goldfish_cli.longvideo.chapters import chapters_of
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.written_chapters import write_story
from goldfish_cli.profiles import Profile, load_profile

PROFILE = load_profile("cpu", threads=1)
QUICK = ServerLimits(silence_s=1.0, total_s=5.0, attempts=1, first_wait_s=0.01)


class Handler(BaseHTTPRequestHandler):
    server: "ChatServer"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (part,) = asked["messages"][0]["content"]
        self.server.prompts.append(part["text"])
        text = self.server.answer(part["text"])
        reason = "length" if text.endswith("...") else "stop"
        choice = {"message": {"content": text}, "finish_reason": reason}
        self.send_response(500 if text == "broken" else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [choice]}).encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class ChatServer(ThreadingHTTPServer):
    prompts: list[str]
    answer: Callable[[str], str]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(("127.0.0.1", 0), Handler) as running:
        running.prompts, running.answer = [], obedient
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def model_at(server: ChatServer, name: str = "writer") -> ServerModel:
    return ServerModel(f"openai:{name}@http://127.0.0.1:{server.server_port}", limits=QUICK)


def obedient(prompt: str) -> str:
    if "Title:" in prompt:
        first = re.search(r"topic(\d+)", prompt)
        return f"**Title:** Of topic {first[1] if first else '?'}\n**Summary:** They speak\nof it."
    return "<think>Hm.</think>A film of talk." if "whole film" in prompt else "A part of it."


@pytest.fixture
def subtitles(tmp_path: Path) -> Path:
    """Ten minutes of talk, whose words change in the middle."""
    path = tmp_path / "talk.srt"
    cues = []
    for number in range(60):
        topic = "topic1 sea ship sail" if number < 30 else "topic2 hill goat herd"
        at = 10 * number
        start, end = (f"00:{s // 60:02}:{s % 60:02},000" for s in (at, at + 5))
        cues.append(f"{number + 1}\n{start} --> {end}\n{topic} {{notes}} {number}\n")
    path.write_text("\n".join(cues))
    return path


def test_a_model_writes_what_words_only_list(
    server: ChatServer, subtitles: Path, tmp_path: Path
) -> None:
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, None, subtitles)
        by_words = store.films()[0]
        index_with(store, None, subtitles, writer=model_at(server))
        (film,) = store.films()
        assert [one.title for one in film.chapters] == ["Of topic 1", "Of topic 2"]
        assert film.chapters[0].summary == "They speak of it."
        assert film.summary == "A film of talk."
        borders = [(one.start, one.end) for one in film.chapters]
        assert borders == [(one.start, one.end) for one in by_words.chapters]
        assert film.complete
        assert film.settings["chapters"] == "model"
        assert len(server.prompts) == 3
        assert server.prompts[0].count("- Said:") > 5
        assert "Of topic 2: They speak of it." in server.prompts[-1]


def test_they_are_written_anew_only_when_words_or_model_change(
    server: ChatServer, subtitles: Path, tmp_path: Path
) -> None:
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        for _ in range(2):
            index_with(store, None, subtitles, writer=model_at(server))
        assert len(server.prompts) == 3
        index_with(store, None, subtitles, writer=model_at(server, "another"))
        assert len(server.prompts) == 6
        (film,) = store.films()
        clip = store.clips(film.id)[3]
        store.put_clip(film.id, replace(clip, summary="A whale is seen."))
        index_with(store, None, subtitles, writer=model_at(server, "another"))
        assert len(server.prompts) == 9
        index_with(store, None, subtitles)
        (film,) = store.films()
        assert film.settings["chapters"] == "words"
        assert film.chapters == chapters_of(store.clips(film.id))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "gave no title and summary"),
        ("What a nice film.", "gave no title and summary"),
        ("Title: ** \nSummary: It sails.", "gave no title or no summary"),
        (f"Title: {'very ' * 30}\nSummary: It sails.", "title is too long"),
        (f"Title: Sea\nSummary: {'It sails. ' * 400}", "summary is too long"),
        ("Title: Sea\nSummary: It sails and ...", "answer is too long"),
    ],
)
def test_what_is_of_no_use_leaves_a_chapter_its_words(
    answer: str, why: str, server: ChatServer, subtitles: Path, tmp_path: Path
) -> None:
    server.answer = lambda prompt: answer if "topic1" in prompt else obedient(prompt)
    notes: list[str] = []
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, None, subtitles)
        (film,) = store.films()
        story = write_story(
            film.chapters, store.clips(film.id), model_at(server), PROFILE, notes.append
        )
    assert story.chapters[0] == film.chapters[0]
    assert story.chapters[1].title == "Of topic 2"
    assert notes[0].startswith("1 of 2 chapters keep their words: ")
    assert why in notes[0]
    assert not story.is_whole


def test_a_film_without_a_usable_summary_lists_its_chapters(
    server: ChatServer, subtitles: Path, tmp_path: Path
) -> None:
    server.answer = lambda prompt: " " if "whole film" in prompt else obedient(prompt)
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, None, subtitles, writer=model_at(server))
        (film,) = store.films()
        assert film.summary.splitlines()[0].endswith("Of topic 1: They speak of it.")
        before = len(server.prompts)
        index_with(store, None, subtitles, writer=model_at(server))
        assert len(server.prompts) == 2 * before  # tried again, since it was not whole


def test_a_server_that_fails_leaves_the_index_whole(
    server: ChatServer, subtitles: Path, tmp_path: Path
) -> None:
    server.answer = lambda prompt: "broken" if "topic2" in prompt else obedient(prompt)
    notes: list[str] = []
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, None, subtitles)
        (film,) = store.films()
        clips = store.clips(film.id)
        story = write_story(film.chapters, clips, model_at(server), PROFILE, notes.append)
        assert story.chapters[0].title == "Of topic 1"
        assert story.chapters[1:] == film.chapters[1:]
        assert len(notes) == 1
        index_with(store, None, subtitles, writer=model_at(server))
        assert store.films()[0].complete


def test_what_does_not_fit_the_context_is_summed_up_in_parts_first(
    server: ChatServer, subtitles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_chapters, "ASSUMED_CONTEXT", 600)
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, None, subtitles, writer=model_at(server))
        (film,) = store.films()
    assert film.settings["chapters"] == "model"
    assert any("Sum them up" in prompt for prompt in server.prompts)
    assert max(map(len, server.prompts)) <= 3 * (600 - 256)
    server.answer = lambda prompt: "long " * 390  # sums up to more than there was
    with IndexStore.create_or_open(tmp_path / "other", wait_s=0) as store:
        index_with(store, None, subtitles, writer=model_at(server))
        assert store.films()[0].settings["chapters_key"] is None


def test_only_models_that_were_made_for_it_follow_instructions(
    minnow: NativeModel, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not minnow.follows_instructions
    assert model_at(server).follows_instructions
    profile = Profile(name="test", device="cpu", dtype="float32", max_new_tokens=8)
    tiny: Any = NativeModel.load(str(save_goldfish(tmp_path / "goldfish")), profile)
    assert not tiny.follows_instructions
    monkeypatch.setattr(tiny.model, "num_parameters", lambda: 7_000_000_000)
    assert tiny.follows_instructions
