import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import InputError, MissingPackageError
from goldfish_cli.evaluation.metrics import wordnet
from goldfish_cli.evaluation.metrics.wups import mean_wups, wordnet_similarity, wups

NEAR = {("dog", "cat"): 0.86, ("dog", "puppy"): 0.95, ("car", "dog"): 0.4}


def similarity(one: str, other: str) -> float:
    return 1.0 if one == other else NEAR.get((one, other), NEAR.get((other, one), 0.0))


@pytest.mark.parametrize(
    ("told", "true", "threshold", "expected"),
    [
        ("dog", "dog", 0.9, 1.0),
        ("Dog ", "dog", 0.9, 1.0),
        ("dog", "cat", 0.9, 0.086),
        ("dog", "cat", 0.0, 0.86),
        ("puppy", "dog", 0.9, 0.95),
        ("dog", "", 0.9, 0.0),
        ("", "", 0.9, 1.0),
        ("stone", "dog", 0.0, 0.0),
        ("dog, cat", "cat, dog", 0.9, 1.0),
        # {dog} against {dog, car}: 1 from the left; 1 x 0.04 from the right
        ("dog", "dog, car", 0.9, 0.04),
        ("dog, car", "dog", 0.0, 0.4),
        ("dog, puppy", "cat", 0.0, 0.0),
    ],
)
def test_wups_is_that_of_its_paper(told: str, true: str, threshold: float, expected: float) -> None:
    assert wups(told, true, similarity, threshold=threshold) == pytest.approx(expected)


@given(
    told=st.lists(st.sampled_from(["dog", "cat", "car", "puppy"]), max_size=3),
    true=st.lists(st.sampled_from(["dog", "cat", "car", "puppy"]), max_size=3),
)
def test_wups_is_symmetric_and_falls_with_the_threshold(told: list[str], true: list[str]) -> None:
    one, other = ", ".join(told), ", ".join(true)
    strict = wups(one, other, similarity)
    assert strict == pytest.approx(wups(other, one, similarity))
    assert 0 <= strict <= wups(one, other, similarity, threshold=0.0) <= 1


def test_the_mean_is_over_questions() -> None:
    assert mean_wups(["dog", "cat"], ["dog", "dog"], similarity, threshold=0.0) == pytest.approx(
        0.93
    )
    with pytest.raises(ValueError, match="0 references"):
        mean_wups([], [], similarity)


def test_wordnet_in_its_own_files_is_read(small_wordnet: Path) -> None:
    near = wordnet_similarity(small_wordnet)
    assert near("dog", "cat") == pytest.approx(2 * 2 / (3 + 3))
    assert near("dogs", "fire truck") == pytest.approx(2 * 1 / (3 + 3))
    assert near("dog", "animal") == pytest.approx(2 * 2 / (3 + 2))
    assert near("unknown", "unknown") == 1
    assert near("unknown", "dog") == 0


def test_real_words_are_as_near_as_the_literature_says(real_wordnet: None) -> None:
    near = wordnet_similarity()
    assert near("dog", "cat") == pytest.approx(0.857, abs=0.001)
    assert near("carton", "box") == pytest.approx(0.94, abs=0.01)
    assert near("stove", "fire extinguisher") == pytest.approx(0.82, abs=0.01)


def test_a_folder_without_wordnet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("nltk")
    with pytest.raises(InputError, match="holds no WordNet"):
        wordnet_similarity(tmp_path)


def test_a_machine_without_wordnet_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(wordnet, "DEBIAN", tmp_path / "none")
    wordnet.open_wordnet.cache_clear()
    with pytest.raises(InputError, match="not on this machine") as caught:
        wordnet_similarity()
    assert "apt install wordnet-base" in caught.value.hint


def test_without_nltk_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk.corpus.reader.wordnet", None)
    wordnet.open_wordnet.cache_clear()
    with pytest.raises(MissingPackageError) as caught:
        wordnet_similarity()
    assert "goldfish-video[eval]" in caught.value.hint
