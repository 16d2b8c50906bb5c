import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldfish_cli.commands import checks
from goldfish_cli.commands.checks import Finding, run_checks


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.check: finding for finding in run_checks()}


@pytest.mark.parametrize(
    "check",
    ["goldfish", "python", "torch", "devices", "profile", "transformers", "PyAV", "bitsandbytes"],
)
def test_what_these_tests_need_is_found_in_order(check: str, findings: dict[str, Finding]) -> None:
    assert findings[check].status == "ok", findings[check]


def test_whatever_is_not_in_order_says_how_to_get_it(findings: dict[str, Finding]) -> None:
    assert all(item.fix for item in findings.values() if item.status != "ok")


def test_the_decoders_are_tried_on_a_video_made_for_it(findings: dict[str, Finding]) -> None:
    assert "decodes" in findings["PyAV"].detail
    if findings["decord"].status == "ok":
        assert "decodes" in findings["decord"].detail


def test_models_that_were_fetched_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert finding("Whisper models").status == "missing"
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "base.pt").write_bytes(b"weights")
    assert finding("Whisper models").detail.startswith("base in ")


def test_a_torchvision_that_cannot_be_imported_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    found = finding("torchvision")
    assert found.status == "broken"
    assert "torchvision::nms" in found.detail
    assert "pip uninstall torchvision" in found.fix
    assert found.essential


def test_a_wrong_config_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "goldfish").mkdir()
    (tmp_path / "goldfish" / "config.yaml").write_text("modell: minnow\n")
    assert finding("config file").status == "broken"
    assert "modell" in finding("config file").detail


def test_the_json_form_is_one_object_for_each_check(
    goldfish: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_only(monkeypatch, "goldfish", "python")
    result = goldfish("doctor", "--json")
    assert result.exit_code == 0
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [item["check"] for item in objects] == ["goldfish", "python"]
    assert all(item.keys() == {"check", "status", "detail", "fix", "essential"} for item in objects)


def test_the_table_names_every_check_and_its_status(
    goldfish: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_only(monkeypatch, "goldfish", "cache folder")
    lines = goldfish("doctor").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["check", "goldfish", "cache"]
    assert lines[1].split()[1] == "ok"


@pytest.mark.parametrize(("essential", "code"), [(True, 8), (False, 0)])
def test_only_something_essential_and_broken_makes_it_fail(
    essential: bool, code: int, goldfish: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> tuple[str, str, str]:
        raise OSError("no such\nlibrary")

    monkeypatch.setattr(checks, "_CHECKS", (("part", broken, essential, "Get it"),))
    result = goldfish("doctor", "--json")
    assert result.exit_code == code
    found = json.loads(result.stdout)
    assert (found["status"], found["detail"], found["fix"]) == (
        "broken",
        "OSError: no such library",
        "Get it",
    )


def keep_only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    kept = tuple(check for check in checks._CHECKS if check[0] in names)
    monkeypatch.setattr(checks, "_CHECKS", kept)


def finding(name: str) -> Finding:
    def only() -> Iterator[Finding]:
        with pytest.MonkeyPatch.context() as patch:
            keep_only(patch, name)
            yield from run_checks()

    return next(only())
