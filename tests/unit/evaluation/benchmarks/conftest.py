"""Files of our own making in the layouts of the benchmarks."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a value as JSON, rows as a table, or text as it is; returns the path."""

    def write_file(name: str, content: Any, *, delimiter: str = ",") -> Path:
        path = tmp_path / name
        if isinstance(content, str):
            text = content
        elif name.endswith((".csv", ".tsv")):
            lines = io.StringIO()
            table = csv.DictWriter(lines, list(content[0]), delimiter=delimiter)
            table.writeheader()
            table.writerows(content)
            text = lines.getvalue()
        elif name.endswith(".jsonl"):
            text = "".join(json.dumps(one) + "\n" for one in content)
        else:
            text = json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write_file


@pytest.fixture(scope="session")
def qa_folder(shared_folder: Path) -> Path:
    """The real samples of annotations."""
    return shared_folder / "data" / "qa"
