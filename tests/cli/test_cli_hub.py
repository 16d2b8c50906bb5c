"""Uploads, to a server on this machine that plays the Hugging Face Hub as far as they need it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

MINNOW = Path(__file__).parents[2] / "goldfish_cli" / "assets" / "minnow"


@dataclass
class Hub:
    """What the server holds, and how it behaves."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    created: list[dict[str, object]] = field(default_factory=list)
    token: str = "hf_right"
    broken: bool = False


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Whoami, create, preupload (every file is a regular one) and commit."""
    held = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def answer(self, content: object, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {held.token}":
                self.answer({"error": "Invalid credentials"}, 401)
            elif self.path == "/api/whoami-v2":
                self.answer({"name": "me", "type": "user", "auth": {}})
            else:
                self.answer({"error": "not here"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if held.broken:
                self.answer({"error": "the disk is full"}, 500)
            elif self.path == "/api/repos/create":
                held.created.append(json.loads(body))
                self.answer({"url": f"{held.address}/me/fish"})
            elif self.path == "/api/validate-yaml":  # the model card's header
                self.answer({"errors": [], "warnings": []})
            elif "/preupload/" in self.path:
                files = [file["path"] for file in json.loads(body)["files"]]
                modes = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]
                self.answer({"files": modes})
            elif "/commit/" in self.path:
                for line in body.decode().splitlines():
                    part = json.loads(line)
                    if part["key"] == "file":
                        value = part["value"]
                        assert value["encoding"] == "base64"
                        held.files[value["path"]] = base64.b64decode(value["content"])
                self.answer(
                    {
                        "commitUrl": f"{held.address}/me/fish/commit/1",
                        "commitOid": "1" * 40,
                        "success": True,
                    }
                )
            else:
                self.answer({"error": self.path}, 404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        held.address = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield held
        server.shutdown()


@pytest.fixture
def export(repository: Path, tmp_path: Path):
    """Run ``goldfish model export`` in a process of its own, pointed at a Hub."""

    def run(hub: Hub, *words: str, token: str | None = "hf_right") -> "subprocess.CompletedProcess":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf")}
        environment |= {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
        environment |= {"HF_TOKEN": token} if token else {}
        command = ["model", "export", str(MINNOW), str(tmp_path / "out"), *words]
        return subprocess.run(
            [sys.executable, "-m", "goldfish_cli", *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_every_file_arrives_as_it_was_written(hub, export, tmp_path):
    done = export(hub, "--push-to-hub", "me/fish", "--private", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["url"] == f"{hub.address}/me/fish"
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert hub.files == written and "model.safetensors" in written
    assert hub.created[0]["visibility"] == "private"


@pytest.mark.parametrize(
    ("words", "token", "code", "message"),
    [
        (["--push-to-hub", "me/fish"], None, 5, "no token"),
        (["--push-to-hub", "me/fish"], "hf_wrong", 5, "(401)"),
        (["--push-to-hub", "no name"], "hf_right", 2, "no name of a repository"),
        (["--push-to-hub", "me/fish", "--offline"], "hf_right", 2, "offline"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_before_any_work(
    hub, export, tmp_path, words, token, code, message
):
    done = export(hub, *words, token=token)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_hub_that_cannot_be_reached_is_named(export, tmp_path):
    done = export(Hub("http://127.0.0.1:9"), "--push-to-hub", "me/fish")
    assert done.returncode == 5
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr


def test_an_upload_that_fails_loses_nothing(hub, export, tmp_path):
    hub.broken = True
    done = export(hub, "--push-to-hub", "me/fish")
    assert done.returncode == 5, done.stderr
    assert "the disk is full" in done.stderr
    assert "hf upload me/fish" in done.stderr
    assert (tmp_path / "out" / "model.safetensors").is_file()
