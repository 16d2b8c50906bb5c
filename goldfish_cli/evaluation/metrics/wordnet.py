"""Open WordNet, which similarity of words and METEOR go by. It is read from disk, never fetched."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from goldfish_cli.errors import InputError, MissingPackageError

DEBIAN = Path("/usr/share/wordnet")
"""Where Debian's and Ubuntu's ``wordnet-base`` puts it."""
_NEEDED = ("data.noun", "index.noun", "data.verb", "index.verb", "data.adj", "index.adj",
           "data.adv", "index.adv", "noun.exc", "verb.exc", "adj.exc", "adv.exc")  # fmt: skip
_NUM_LEXNAMES = 45


@lru_cache(maxsize=4)
def open_wordnet(folder: Path | None = None) -> Any:
    """Open WordNet as NLTK's reader.

    Args:
        folder: Holds ``data.noun`` and the other files of WordNet's database; ``None`` looks where
            NLTK keeps its data (the environment's ``NLTK_DATA`` names further places), then where
            Debian does.

    Raises:
        MissingPackageError: If NLTK is not installed.
        InputError: If the files are not there.
    """
    try:
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError as error:
        raise MissingPackageError(
            "WordNet is read by nltk, which is not installed.",
            hint="pip install 'goldfish-video[eval]'",
        ) from error

    class Reader(WordNetCorpusReader):
        """WordNet's own files will do; NLTK's copy has two more, which nothing here needs."""

        def open(self, file: str) -> Any:
            try:
                return super().open(file)
            except OSError:
                if file != "lexnames":
                    raise
                return io.StringIO("".join(f"{n}\tunknown\t1\n" for n in range(_NUM_LEXNAMES)))

        def map_wn(self, version: str = "wordnet") -> None:
            """Map nothing: other languages are not read."""

    root = _find(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that other languages are missing
            return Reader(root, None)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(
            f"{root} cannot be read as WordNet: {error}", hint="Install Debian's wordnet-base anew"
        ) from error


def _find(folder: Path | None) -> Any:
    import nltk

    if folder is None:
        for name in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
            try:
                return nltk.data.find(name)
            except LookupError:
                continue
        if not _holds_wordnet(DEBIAN):
            raise InputError(
                "WordNet is not on this machine.",
                hint="apt install wordnet-base, or: python -m nltk.downloader wordnet",
            )
        folder = DEBIAN
    elif not _holds_wordnet(folder):
        raise InputError(f"{folder} holds no WordNet.", hint="It has data.noun and the like")
    if str(folder) not in nltk.data.path:
        nltk.data.path.append(str(folder))  # NLTK opens no file outside the folders named here
    return str(folder)


def _holds_wordnet(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED)
