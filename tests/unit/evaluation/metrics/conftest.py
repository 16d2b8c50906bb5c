"""A WordNet of six nouns in its own file format, and the real one where a machine has it."""

from pathlib import Path

import pytest

from goldfish_cli.errors import GoldfishError
from goldfish_cli.evaluation.metrics.wordnet import open_wordnet

PARENTS = {
    "entity": "",
    "animal": "entity",
    "dog": "animal",
    "cat": "animal",
    "artifact": "entity",
    "fire_truck": "artifact",
}


@pytest.fixture(scope="session")
def small_wordnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("nltk")
    folder = tmp_path_factory.mktemp("wordnet")
    for part in ("verb", "adj", "adv"):
        for kind in ("data", "index"):
            (folder / f"{kind}.{part}").write_text("  1 WordNet 3.0 Copyright\n")
    for part in ("noun", "verb", "adj", "adv"):
        (folder / f"{part}.exc").write_text("")
    offsets, lines = {}, ["  1 WordNet 3.0 Copyright\n"]
    for word, parent in PARENTS.items():
        offsets[word] = sum(map(len, lines))
        pointers = f"001 @ {offsets[parent]:08d} n 0000" if parent else "000"
        lines.append(f"{offsets[word]:08d} 03 n 01 {word} 0 {pointers} | a gloss  \n")
    (folder / "data.noun").write_text("".join(lines))
    index = [f"{word} n 1 1 @ 1 0 {offsets[word]:08d}  \n" for word in sorted(PARENTS)]
    (folder / "index.noun").write_text("  1 WordNet 3.0 Copyright\n" + "".join(index))
    return folder


@pytest.fixture(scope="session")
def real_wordnet() -> None:
    try:
        open_wordnet()
    except GoldfishError as error:
        pytest.skip(f"{error} {error.hint}")
