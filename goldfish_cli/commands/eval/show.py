"""Show an evaluation: a table with intervals, what to know before believing it, a report."""

from pathlib import Path
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import note, show, show_json, table, warn, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goldfish_cli.evaluation.results import EvalResult, Interval, Score

_MOST_NAMED = 5  # videos without an answer; the rest are counted


def show_result(result: "EvalResult", *, as_json: bool, quiet: bool) -> None:
    """Write a result to stdout, and what must be known about it to stderr."""
    for one in result.unanswered[:_MOST_NAMED]:
        questions = "1 question" if one.questions == 1 else f"{one.questions} questions"
        warn(f"{one.video}: {one.reason} ({questions} without an answer).")
    if len(result.unanswered) > _MOST_NAMED:
        warn(f"{len(result.unanswered) - _MOST_NAMED} more videos have questions without answers.")
    for text in result.flags:
        warn(text, quiet=quiet)
    if as_json:
        show_json(result)
        return
    show(f"{result.title}: {result.n} questions, judged by {result.judge}\n")
    has_grades = result.score is not None or any(
        one.score is not None for one in result.controls.values()
    )
    whole = {"full": (result.n, result.accuracy, result.ci95, result.score)}
    controls = {
        name: (one.n, one.accuracy, one.ci95, one.score) for name, one in result.controls.items()
    }
    rows = [
        [name, n, percent(accuracy), interval(ci95), *([_grade(score)] if has_grades else [])]
        for name, (n, accuracy, ci95, score) in (whole | controls).items()
    ]
    table(["shown", "n", "right %", "95 %", *(["grade"] if has_grades else [])], rows)
    for what, parts in result.by.items():
        if len(parts) > 1:
            show("")
            _breakdown(what, parts, has_grades=has_grades)
    if result.metrics:
        show("")
        table(
            ["metric", "value"], [[name, f"{value:.4g}"] for name, value in result.metrics.items()]
        )
    _show_evidence(result)
    _show_judges(result)
    if result.guess:
        guesses = (f"{name}: {percent(value)} %" for name, value in result.guess.items())
        note(f"What a guess would score: {'; '.join(guesses)}", quiet=quiet)
    note(f"Answers: {result.predictions}", quiet=quiet)


def _show_evidence(result: "EvalResult") -> None:
    """Of long videos: was the evidence found, and whose fault are wrong answers."""
    found, faults = result.retrieval, result.faults
    if found is not None:
        recalls = {f"recall@{k}": percent(value) for k, value in found.recall.items()}
        others = {"MRR": f"{found.mrr:.3f}", "nDCG@10": f"{found.ndcg:.3f}"}
        exact = {
            "best IoU of 5": f"{found.iou:.3f}",
            "right answers that cite it": percent(found.cited),
        }
        show("")
        table(["evidence", "n", *recalls, *others, *exact], [
            ["", found.n, *recalls.values(), *others.values(), *exact.values()]
        ])  # fmt: skip
    if faults is not None:
        show("")
        rows = [[name, percent(getattr(faults, name))] for name in ("retrieval", "reader", "judge")]
        table(["wrong for the fault of", "% of answers"], rows)


def _show_judges(result: "EvalResult") -> None:
    """How far two judges agree, and what labels make of the accuracy."""
    agreed, fixed = result.agreement, result.corrected
    if agreed is not None:
        kappa = "" if agreed.kappa is None else f"{agreed.kappa:.3f}"
        show("")
        table(["judges", "n", "same %", "kappa"], [
            [" and ".join(agreed.judges), agreed.n, percent(agreed.same), kappa]
        ])  # fmt: skip
    if fixed is not None:
        show("")
        table(["labelled", "judge right %", "right % corrected", "95 %"], [
            [fixed.labelled, percent(fixed.judge_right), percent(fixed.accuracy),
             interval(fixed.ci95)]
        ])  # fmt: skip


def _breakdown(what: str, parts: "Mapping[str, Score]", *, has_grades: bool) -> None:
    rows = [
        [
            name,
            one.n,
            percent(one.accuracy),
            interval(one.ci95),
            *([_grade(one.score)] if has_grades else []),
        ]
        for name, one in parts.items()
    ]
    table([what, "n", "right %", "95 %", *(["grade"] if has_grades else [])], rows)


def write_report(path: Path, result: "EvalResult") -> None:
    """Write a report as a page or as Markdown, as the file's ending says."""
    if path.suffix.lower() == ".md":
        from goldfish_cli.evaluation.report.markdown import report_markdown

        write_text(path, report_markdown(result), overwrite=(".md",))
        return
    from goldfish_cli.evaluation.report.page import report_page

    write_text(path, report_page(result), overwrite=(".html", ".htm"))


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return "" if share is None else f"{100 * share:.1f}"


def interval(ends: "Interval | None") -> str:
    """An interval of shares as percentages."""
    return "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _grade(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"
