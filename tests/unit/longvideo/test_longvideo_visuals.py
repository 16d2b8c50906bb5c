"""What clips look like: made, kept, made anew where their model changes, and used to find them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ask_parts import make_frames, save_goldfish
from clip_parts import DIM, save_clip
from film_parts import FilmFolder, index_with, plan_for
from index_parts import clip, film
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.features import FeatureStore
from goldfish_cli.errors import ModelError
from goldfish_cli.longvideo.coordinator import Coordinator
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.retrieve import retrieve
from goldfish_cli.longvideo.seeing import Seer
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.upkeep import verify
from goldfish_cli.longvideo.visual_models import VisualModel
from goldfish_cli.longvideo.visuals import IDENTITY, NAME, PictureSearch, mean_direction
from goldfish_cli.media.cutting import Cutting
from goldfish_cli.media.film import FilmClip
from goldfish_cli.profiles import Profile, load_profile

F = "f00dcafe"


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def looks(clip_folder: Path) -> VisualModel:
    return VisualModel(str(clip_folder), offline=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IndexStore]:
    """A film of ten clips of which nothing is told that a question could find."""
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        store.put_film(replace(film(clips=10), settings={"frames": 4, NAME: "x", IDENTITY: "y"}))
        for number in range(10):
            store.put_clip(F, clip(number, f"Something goes on, part {number}."))
        yield store


class CountingModel(NativeModel):
    """Counts the frames that pass its encoder, call by call."""

    calls: list[int]

    def __init__(self, loaded: Any, profile: Profile, **options: Any) -> None:
        super().__init__(loaded, profile, **options)
        self.calls = []
        encode = self.model.encode_frames

        def counted(pixels: torch.Tensor, *, chunk: int = 8) -> torch.Tensor:
            self.calls.append(len(pixels))
            return encode(pixels, chunk=chunk)

        self.model.encode_frames = counted


@pytest.fixture(scope="module")
def counting() -> CountingModel:
    torch.set_num_threads(1)
    return CountingModel.load("minnow", load_profile("cpu", threads=1), offline=True)  # type: ignore[return-value]


def test_a_visual_model_does_what_its_library_does(looks: VisualModel, clip_folder: Path) -> None:
    pictures = [one.image for one in make_frames(0, 1, 2)]
    model = CLIPModel.from_pretrained(clip_folder).eval()
    processor = AutoImageProcessor.from_pretrained(clip_folder)
    tokenizer = AutoTokenizer.from_pretrained(clip_folder)
    shown = processor(images=[Image.fromarray(one) for one in pictures], return_tensors="pt")
    asked = tokenizer(["where is the red hat"], return_tensors="pt")
    with torch.inference_mode():
        output = model(**shown, **asked)
    np.testing.assert_allclose(looks.encode_pictures(pictures), output.image_embeds, atol=1e-5)
    found = looks.encode_text("where is the red hat")
    np.testing.assert_allclose(found, output.text_embeds[0], atol=1e-5)
    assert found.shape == (DIM,)
    assert np.isfinite(looks.encode_text("red " * 99)).all()


def test_a_model_that_is_none_or_away_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not on this machine and --offline"):
        VisualModel("nobody/no-such-clip", offline=True)
    with pytest.raises(ModelError, match="is not here"):
        VisualModel(str(tmp_path / "nothing"), offline=True)
    with pytest.raises(ModelError, match="cannot be used for pictures"):
        VisualModel(str(save_goldfish(tmp_path / "goldfish")), offline=True)
    broken = save_clip(tmp_path / "clip")
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot be used for pictures"):
        VisualModel(str(broken), offline=True)


def test_its_identity_is_its_content(clip_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(clip_folder, tmp_path / "copy")
    assert VisualModel(str(copy)).identity == VisualModel(str(clip_folder)).identity
    other = save_clip(tmp_path / "other", seed=1)
    assert VisualModel(str(other)).identity != VisualModel(str(copy)).identity
    config = copy / "preprocessor_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"image_mean": [0, 0, 0]}))
    assert VisualModel(str(copy)).identity != VisualModel(str(clip_folder)).identity


def test_every_clip_has_the_mean_of_the_encoder_s_output(
    film_folder: FilmFolder, minnow: NativeModel, reader: IndexStore
) -> None:
    (film,) = reader.films()
    assert film.settings[NAME] == "own"
    numbers, vectors = reader.visuals(film.id)
    assert numbers == [clip.number for clip in reader.clips(film.id)]
    assert vectors.shape[1] == minnow.config.vision_config.hidden_size
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)


def test_another_visual_model_redoes_the_looks_and_no_summary(
    film_folder: FilmFolder, counting: CountingModel, indexed: Path, tmp_path: Path,
    looks: VisualModel,
) -> None:  # fmt: skip
    copy = shutil.copytree(indexed, tmp_path / "index")
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        before = store.clips(store.films()[0].id)
        counting.calls.clear()
        done = index_with(store, counting, film_folder.video, pictures=looks)
        assert (done.new, done.reused) == (0, done.clips)
        (film,) = store.films()
        assert store.clips(film.id) == before
        assert (film.settings[NAME], film.settings[IDENTITY]) == (looks.name, looks.identity)
        numbers, vectors = store.visuals(film.id)
        assert len(numbers) == done.clips
        assert vectors.shape[1] == DIM
        assert counting.calls == []
        index_with(store, counting, film_folder.video)  # and back: the encoder's, and no words
        assert store.visuals(film.id)[1].shape[1] != DIM
        assert sum(counting.calls) > 0
        assert store.clips(film.id) == before
        assert verify(store) == []
        (folder := tmp_path / "away").mkdir()
        shutil.copy(film_folder.video, folder)
        again = index_with(store, counting, folder / film_folder.video.name, subtitles="none")
        assert again.new == 0


def test_a_run_that_stopped_has_no_looks_of_another_model(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path, looks: VisualModel
) -> None:
    from goldfish_cli.longvideo.indexer import index_film

    copy = shutil.copytree(indexed, tmp_path / "index")
    profile = load_profile("cpu", threads=1)
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        work = index_film(
            store, minnow, film_folder.video, plan_for(minnow), profile, pictures=looks
        )
        next(work)
        work.close()
        (film,) = store.films()
        numbers, vectors = store.visuals(film.id)
        assert numbers == [0]
        assert vectors.shape[1] == DIM
        index_with(store, minnow, film_folder.video, pictures=looks)
        assert len(store.visuals(film.id)[0]) == len(store.clips(film.id))


def test_looks_and_thumbnails_stay_with_their_part_of_the_film(
    film_folder: FilmFolder, minnow: NativeModel, tmp_path: Path
) -> None:
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        index_with(store, minnow, film_folder.video, cutting=Cutting(8.0, snap=0.0))
        (film,) = store.films()
        first, second = store.clips(film.id)[:2]
        both = [store.visuals_of(film.id, [n])[n] for n in (0, 1)]
        pictures = [store.thumbnail(film.id, n) for n in (0, 1)]
        store.put_clip(film.id, replace(second, number=0))  # as a cutting might have had them
        store.put_clip(film.id, replace(first, number=1))
        store.put_visual(film.id, 0, both[1])
        store.put_visual(film.id, 1, both[0])
        store.put_thumbnail(film.id, 0, pictures[1] or b"")
        store.put_thumbnail(film.id, 1, pictures[0] or b"")
        store.put_film(replace(film, borders_key=""))
        done = index_with(store, minnow, film_folder.video, cutting=Cutting(8.0, snap=0.0))
        assert done.new == 0
        for number in (0, 1):
            np.testing.assert_array_equal(store.visuals_of(film.id, [number])[number], both[number])
            assert store.thumbnail(film.id, number) == pictures[number]


def test_clips_that_look_alike_do_not_crowd_out_the_others(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        store.put_film(film(clips=12))
        for number in range(12):
            store.put_clip(F, clip(number, f"A dog runs, {'x' * (number + 1)}."))
        plain = [one.passage.clip for one in retrieve(store, "dog", limit=3)]
        vectors = noise.normal(size=(12, 16)).astype(np.float16)
        for number in range(12):
            store.put_visual(F, number, vectors[0] if number in plain else vectors[number])
        found = retrieve(store, "dog", limit=3)
        assert found[0].passage.clip == plain[0]
        assert not {one.passage.clip for one in found[1:]} & set(plain)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        every = retrieve(store, "dog", limit=99)
        assert len(every) == 12  # put back, not left out
        for number in range(12):  # talk goes on before the same picture
            store.put_clip(F, clip(number, "", f"A dog runs, {'x' * (number + 1)}."))
        assert len(retrieve(store, "dog", limit=99)) == 12


def planted(store: IndexStore, looks: VisualModel, question: str, number: int) -> None:
    """Let one clip look as a question says, and the others like nothing of the kind."""
    noise = np.random.default_rng(1)
    wanted = looks.encode_text(question)
    for other in range(10):
        away = noise.normal(size=DIM).astype(np.float32)
        away -= (away @ wanted) * wanted
        store.put_visual(F, other, (wanted if other == number else away).astype(np.float16))
    (one,) = store.films()
    store.put_film(
        replace(one, settings=one.settings | {NAME: looks.name, IDENTITY: looks.identity})
    )


class Telling(Looker):
    """Answers without a model; remembers which clips it was shown."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def ask(
        self, film: FilmRecord, clip: ClipRecord, question: str, *, mirrored: bool = False
    ) -> str:
        self.shown.append(clip.number)
        return "The hat is red."

    def shows(self, film: FilmRecord, clip: ClipRecord, name: str) -> bool:
        return True


def test_a_question_finds_the_clip_that_looks_like_it(
    store: IndexStore, looks: VisualModel
) -> None:
    question = "What does the dog wear?"
    planted(store, looks, question, 7)
    assert retrieve(store, question) == []
    notes: list[str] = []
    pictures = PictureSearch(store, lambda: looks, notes.append)
    best, *_ = retrieve(store, question, pictures=pictures)
    assert best.passage.clip == 7
    assert best.parts == {"visual": pytest.approx(1.0, abs=1e-2)}
    blind, seeing = Telling(), Telling()
    refused = Coordinator(store, blind).answer(question, store.films())
    told = Coordinator(store, seeing, pictures=pictures).answer(question, store.films())
    assert (blind.shown, seeing.shown[0]) == ([], 7)
    assert refused.citations == ()
    assert {one.start for one in told.citations} == {5.0 + 10 * 7}
    assert notes == []


def test_pictures_and_words_are_fused(store: IndexStore, looks: VisualModel) -> None:
    question = "Where is the red star?"
    planted(store, looks, question, 7)
    store.put_clip(F, clip(2, "A red star is drawn."))
    pictures = PictureSearch(store, lambda: looks)
    found = retrieve(store, question, pictures=pictures)
    assert found[0].passage.clip == 2
    assert 7 in {one.passage.clip for one in found[1:4]}
    assert set(found[0].parts) == {"lexical", "visual"}


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({IDENTITY: "another"}, "is not what it was when cat.mp4 was indexed"),
        ({NAME: "own", IDENTITY: "own-1"}, "cat.mp4 was indexed without"),
    ],
)
def test_pictures_by_another_model_are_not_searched_and_that_is_said(
    settings: dict[str, str], note: str, store: IndexStore, looks: VisualModel
) -> None:
    planted(store, looks, "red star", 7)
    (one,) = store.films()
    store.put_film(replace(one, settings=one.settings | settings))
    notes: list[str] = []
    pictures = PictureSearch(store, lambda: looks, notes.append)
    for _ in range(2):
        assert retrieve(store, "red star", pictures=pictures) == []
    assert len(notes) == 1
    assert note in notes[0]


def test_a_model_that_is_gone_is_said_once(store: IndexStore) -> None:
    def load() -> VisualModel:
        return VisualModel("nobody/no-such-clip", offline=True)

    notes: list[str] = []
    pictures = PictureSearch(store, load, notes.append)
    store.put_clip(F, clip(2, "A red star is drawn."))
    for _ in range(2):
        assert [one.passage.clip for one in retrieve(store, "red star", pictures=pictures)] == [2]
    (note,) = notes
    assert note.endswith("forbids to fetch it; pictures are not searched.")


def test_kept_features_spare_the_encoder(
    film_folder: FilmFolder, counting: CountingModel, tmp_path: Path
) -> None:
    features = FeatureStore(tmp_path / "features")
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        counting.calls.clear()
        first = index_with(store, counting, film_folder.video, features=features)
        assert sum(counting.calls) > first.clips
        assert len(features) == first.clips
        counting.calls.clear()
        (film,) = store.films()
        told = store.clips(film.id)
        asked = index_with(
            store, counting, film_folder.video, features=features, prompt="What happens first?"
        )
        assert (asked.new, counting.calls) == (asked.clips, [])
        back = index_with(store, counting, film_folder.video, features=features)
        assert (back.new, counting.calls) == (back.clips, [])
        assert store.clips(film.id) == told
    reopened = FeatureStore(tmp_path / "features")
    with IndexStore.create_or_open(tmp_path / "other index", wait_s=0) as store:
        elsewhere = index_with(store, counting, film_folder.video, features=reopened)
        assert (elsewhere.new, counting.calls) == (elsewhere.clips, [])
        assert store.clips(film.id) == told
        assert store.thumbnail_numbers(film.id) == list(range(elsewhere.clips))
        assert len(store.visuals(film.id)[0]) == elsewhere.clips
        other = index_with(store, counting, film_folder.video, features=reopened, num_frames=8)
        assert other.new == other.clips
        assert sum(counting.calls) > 0  # another plan of frames


def test_features_are_named_as_training_names_them(counting: CountingModel) -> None:
    from goldfish_cli.model.frame_encoder import EncoderSource, feature_identity, name_bases

    source = EncoderSource("minnow", load_profile("cpu"))
    name_bases(source.config, "minnow")
    assert counting.encoder_identity() == feature_identity(source.config, source.dtype)


def test_clips_share_the_encoder_s_batches_and_keep_their_features(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    profile = Profile(name="test", device="cpu", dtype="float32", encoder_chunk=8)
    model = CountingModel.load(str(save_goldfish(tmp_path / "goldfish")), profile)
    clips = [
        FilmClip(number, float(number), number + 1.0, tuple(make_frames(*times, seed=number)), ())
        for number, times in enumerate([(0, 0.3), (1.0, 1.1, 1.2), (2.0,), (3.0, 3.1, 3.5), (4.0,)])
    ]
    alone = [model.encode(clip.frames) for clip in clips]
    model.calls.clear()  # type: ignore[attr-defined]
    seer = Seer(model, F, "a plan")
    batches = list(seer.batches(clips))
    assert [[clip.number for clip in batch] for batch in batches] == [[0, 1, 2, 3], [4]]
    seen = [one for batch in batches for one in seer.see(batch, [_all_of_it()] * len(batch))]
    assert model.calls == [8, 1, 1]  # type: ignore[attr-defined]
    for one, other in zip(seen, alone, strict=True):
        assert one.encoded.times == other.times
        torch.testing.assert_close(one.encoded.features, other.features, rtol=1e-4, atol=1e-5)
        width = model.config.vision_config.hidden_size
        mean = other.features.reshape(-1, width).mean(0).numpy()
        np.testing.assert_allclose(one.visual, mean_direction(mean[None]), atol=1e-3)


def test_few_clips_wait_however_empty_they_are() -> None:
    class Patient:
        frames_at_once = 1000

    clips = [FilmClip(n, n, n + 1, tuple(make_frames(n)), ()) for n in range(40)]
    none = [replace(clip, frames=()) for clip in clips]
    seer = object.__new__(Seer)
    seer.model = Patient()  # type: ignore[assignment]
    assert [len(batch) for batch in seer.batches(none)] == [1] * 40  # nothing to wait for
    assert max(len(batch) for batch in seer.batches(clips)) <= 16


def _all_of_it() -> Any:
    from goldfish_cli.longvideo.seeing import Needs

    return Needs(summary=True, visual=True)
