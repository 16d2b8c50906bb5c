"""Embedders, vectors in a real Chroma, and both rankings together."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from index_parts import clip, film
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from goldfish_cli.errors import IndexFolderError, ModelError, UsageError
from goldfish_cli.longvideo.embeddings import (
    HashingEmbedder,
    TransformerEmbedder,
    choose_embedder,
)
from goldfish_cli.longvideo.retrieve import fuse, retrieve
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.vectors import VectorStore, embedder_of, remember_embedder

TEXTS = ("A dog runs over a bridge.", "A red boat sinks.", "Two men repair a piano.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IndexStore]:
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        store.put_film(film())
        for number, text in enumerate(TEXTS):
            store.put_clip("f00dcafe", clip(number, text))
        yield store


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sentence-transformers folder, with mean pooling and a prompt for queries."""
    folder = tmp_path_factory.mktemp("bert")
    spoken = "a dog runs over bridge red boat sinks two men repair piano . query"
    words = spoken.split()
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "modules.json").write_text(
        json.dumps([{"type": "sentence_transformers.models.Transformer"}, {"type": "x.Pooling"}])
    )
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "query "}})
    )
    return folder


def fill(vectors: VectorStore) -> int:
    return sum(vectors.update())


def test_hashed_vectors_have_length_one_and_know_inflections() -> None:
    vectors = HashingEmbedder().encode(
        ["the dogs were running", "dog runs", "a piano", ""], "query"
    )
    assert np.linalg.norm(vectors[:3], axis=1) == pytest.approx(1.0)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]
    assert not vectors[3].any()


def test_a_model_pools_what_its_files_say(bert: Path) -> None:
    embedder = TransformerEmbedder(str(bert), offline=True)
    texts = ["a dog", "a red boat sinks ."]
    model = BertModel.from_pretrained(bert).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(bert)
    with torch.inference_mode():
        for side, prompt in (("passage", ""), ("query", "query ")):
            found = embedder.encode(texts, side)  # type: ignore[arg-type]
            for text, vector in zip(texts, found, strict=True):
                inputs = tokenizer(prompt + text, return_tensors="pt")
                mean = model(**inputs).last_hidden_state.mean(1)[0].numpy()
                np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_model_with_other_layers_is_refused(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]')
    with pytest.raises(ModelError, match="Dense"):
        TransformerEmbedder(str(tmp_path), offline=True)
    with pytest.raises(ModelError, match="not on this machine"):
        TransformerEmbedder("nobody/no-such-model", offline=True)


def test_every_passage_has_its_vector_and_only_new_ones_are_made(store: IndexStore) -> None:
    vectors = VectorStore(store, HashingEmbedder())
    assert not vectors.is_made
    assert fill(vectors) == 3
    assert vectors.is_made
    assert fill(vectors) == 0
    store.put_clip("f00dcafe", clip(1, "A white horse sleeps."))
    assert fill(vectors) == 1
    (row, score), *_ = vectors.search("a sleeping horse")
    assert store.passages_of([row])[0].text == "A white horse sleeps."
    assert score > 0.4
    assert len(vectors.search("horse", limit=99)) == 3


def test_search_is_exact_and_keeps_to_the_rows_asked_for(store: IndexStore) -> None:
    embedder = HashingEmbedder()
    vectors = VectorStore(store, embedder)
    fill(vectors)
    rows = store.passage_rows()
    told = [one.text for one in store.passages_of(rows)]
    expected = embedder.encode(told, "passage") @ embedder.encode(["men at a piano"], "query")[0]
    found = dict(vectors.search("men at a piano"))
    assert [found[row] for row in rows] == pytest.approx(expected.tolist(), abs=1e-6)
    assert [row for row, _ in vectors.search("men at a piano", rows=rows[:1])] == rows[:1]


def test_vectors_of_another_embedder_are_never_compared(store: IndexStore, bert: Path) -> None:
    fill(VectorStore(store, HashingEmbedder()))
    other = VectorStore(store, TransformerEmbedder(str(bert), offline=True))
    assert not other.is_made
    with pytest.raises(IndexFolderError, match="another embedder"):
        other.search("a dog")
    assert fill(other) == 3  # all of them, anew
    assert len(other.search("a dog")) == 3


def test_the_index_remembers_its_embedder(store: IndexStore) -> None:
    assert embedder_of(store) == ("hashing", None)
    remember_embedder(store, "none", "http://localhost:8000")
    assert embedder_of(store) == ("none", "http://localhost:8000")


def test_both_rankings_count_and_ties_share_a_rank() -> None:
    scores = fuse([[(1, 9.0), (2, 5.0), (3, 5.0)], [(3, 0.9)]], [1.0, 1.0])
    assert scores[2] == 1 / 62
    assert scores[3] == 1 / 62 + 1 / 61
    assert max(scores, key=lambda row: scores[row]) == 3


def test_words_decide_and_vectors_fill_up(store: IndexStore) -> None:
    vectors = VectorStore(store, HashingEmbedder())
    fill(vectors)
    found = retrieve(store, "Who repaired the piano?", vectors=vectors)
    assert found[0].passage.text == TEXTS[2]
    assert set(found[0].parts) == {"lexical", "dense"}
    assert len(found) == 3
    assert [one.passage.text for one in retrieve(store, "Who repaired the piano?")] == [TEXTS[2]]


def test_repeats_and_crowds_are_left_out(store: IndexStore) -> None:
    store.put_clip("f00dcafe", clip(3, "A dog runs over a bridge."))
    store.put_clip(
        "f00dcafe", clip(4, "Cats sleep.", "a dog", "the dog barks", "dog food", "my dog")
    )
    found = [one.passage for one in retrieve(store, "dog", limit=99)]
    assert sum(one.clip == 4 for one in found) == 2
    assert sum(one.text == TEXTS[0] for one in found) == 1


def test_only_the_films_asked_about_are_searched(store: IndexStore) -> None:
    store.put_film(film("beef", name="dog.mp4"))
    store.put_clip("beef", clip(0, "A dog barks."))
    assert {one.passage.film for one in retrieve(store, "dog")} == {"beef", "f00dcafe"}
    assert {one.passage.film for one in retrieve(store, "dog", films=["beef"])} == {"beef"}


@pytest.fixture
def server() -> Iterator[str]:
    """An embedding server that speaks the OpenAI API: each text's length and first letter."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            data = [
                {"index": place, "embedding": [float(len(text)), float(ord(text[0]))]}
                for place, text in enumerate(asked["input"])
            ]
            body = json.dumps({"data": data[::-1]}).encode()  # in any order
            self.send_response(200 if asked["model"] == "small" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()


def test_a_server_gives_one_vector_a_text(server: str) -> None:
    embedder = choose_embedder(f"openai:small@{server}", offline=True)
    assert embedder is not None
    found = embedder.encode(["aa", "b"], "query")
    expected = np.array([[2, 97], [1, 98]], np.float32)
    np.testing.assert_allclose(
        found, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6
    )
    with pytest.raises(ModelError, match="gives no vectors"):
        choose_embedder(f"openai:large@{server}").encode(["a"], "query")  # type: ignore[union-attr]


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[str]:
    """A Chroma server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("chroma")),
        "run",
        "--path",
        str(tmp_path / "srv"),
    ]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(300):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.kill()


def test_vectors_can_lie_on_a_chroma_server(store: IndexStore, chroma: str) -> None:
    store.put_film(film("beef", name="dog.mp4"))
    store.put_clip("beef", clip(0, "A dog barks."))
    vectors = VectorStore(store, HashingEmbedder(), url=chroma)
    assert fill(vectors) == 4
    assert fill(vectors) == 0
    local = VectorStore(store, HashingEmbedder())
    fill(local)
    found, exact = dict(vectors.search("a barking dog")), dict(local.search("a barking dog"))
    assert found == pytest.approx(exact, abs=1e-3)
    only = vectors.search("a barking dog", films=["beef"])
    assert [store.passages_of([row])[0].film for row, _ in only] == ["beef"]


def test_a_chroma_server_that_is_not_there_is_named(store: IndexStore) -> None:
    with pytest.raises(IndexFolderError, match=r"127\.0\.0\.1:9 cannot be opened"):
        fill(VectorStore(store, HashingEmbedder(), url="http://127.0.0.1:9"))


def test_names_that_are_none_are_refused() -> None:
    assert choose_embedder("none") is None
    with pytest.raises(UsageError, match="names no embedding server"):
        choose_embedder("openai:model")
    with pytest.raises(ModelError, match="elsewhere"):
        choose_embedder("openai:m@https://example.com/v1", offline=True)
