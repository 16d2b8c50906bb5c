"""Answer a question from an index: read it, take its route, look again, check, widen or refuse.

The states follow one another by rules under a budget, and each leaves a line in the trace. The
model is asked only to look; where and when something is comes from the index.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo import findings, relations
from goldfish_cli.longvideo.answers import Citation, LongAnswer, Step
from goldfish_cli.longvideo.evidence import FULL, WEAK, FilmView, Fit, is_supported
from goldfish_cli.longvideo.findings import Finding
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.question import Question, read_question
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.retrieve import CANDIDATES, retrieve
from goldfish_cli.longvideo.statements import Statement
from goldfish_cli.longvideo.vectors import VectorStore
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.longvideo.visuals import PictureSearch
from goldfish_cli.longvideo.words import content_stems, stem, stems, words

MOST_CITED = 12
MOST_FILMS = 8
"""Of more films than these, only the nearest are gone through."""
NEAREST = 3
"""Passages that are shown where nothing bears an answer out."""
QUOTED = 0.75
"""Of what is asked about, so much must be said where the question is not about speech."""
_YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|does|do|did|can|could|has|have|will)\b(?!.*\bor\b)", re.IGNORECASE
)
NAME_WORDS = 2
"""Of what is asked about, so many words name a thing; what it does comes after."""
_NO = re.compile(r"\W*(?:no|not|there (?:is|are) no|none)\b|$", re.IGNORECASE)
_BY_ROUTE: dict[str, Callable[[FilmView, Question, Sequence[Fit]], Finding]] = {
    "time": findings.at_time,
    "when": findings.when,
    "order": findings.in_order,
    "count": findings.count,
    "list": findings.listing,
}


@dataclass
class Budget:
    """What a question may cost; looking again is all that costs much."""

    clips: int = 8
    """Clips that are looked at again, for each film."""
    seconds: float | None = None
    began: float = field(default_factory=time.monotonic)

    def allows(self, looked: int) -> bool:
        """Whether one more clip may be looked at."""
        in_time = self.seconds is None or time.monotonic() - self.began < self.seconds
        return looked < self.clips and in_time


class Coordinator:
    """Answers questions about the films of one index.

    Args:
        store: Open to read.
        looker: Shows clips to the model; ``None`` answers from the index alone.
        vectors: Find by meaning as well; ``None``: by words alone.
        pictures: Find by the clips' looks as well; ``None``: by text alone.
        budget: What one question may cost.
    """

    def __init__(
        self,
        store: IndexView,
        looker: Looker | None = None,
        *,
        vectors: VectorStore | None = None,
        pictures: PictureSearch | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._store = store
        self._vectors = vectors
        self._pictures = pictures
        self._looker = looker
        self._budget = budget or Budget()
        self._views: dict[str, FilmView] = {}
        self._steps: list[Step] = []
        self._denied: set[tuple[str, int]] = set()
        """Clips, by film and number, that do not show what is asked about, whatever they tell."""
        self._since = time.perf_counter()

    def answer(self, question: str, films: Sequence[FilmRecord]) -> LongAnswer:
        """Answer a question from the evidence of some films.

        Raises:
            IndexFolderError: If there is no film.
        """
        if not films:
            raise IndexFolderError(
                "The index holds no film.", hint="Add one with: goldfish index VIDEO"
            )
        began = self._since = time.perf_counter()
        self._steps, self._denied = [], set()
        read = read_question(question, longest=max(film.duration for film in films))
        about = ", ".join(" ".join(phrase) for phrase in read.phrases) or "nothing by name"
        self._step("route", f"{read.route}, about {about}")
        asked = self._films_to_ask(read, films)
        several = len(asked) > 1
        found = [(film, *self._answer_one(read, film, named=several)) for film in asked]
        told = [one for one in found if any(cited.supported for cited in one[2])]
        if len(asked) == 1:
            text = found[0][1]
        elif told:
            text = "\n".join(f"{film.name}: {answer}" for film, answer, _ in told)
        else:
            text = _refusal(read, "any of the films", several=True)
        cited = [one for _, _, places in (told or found) for one in places]
        citations = tuple(cited if told or len(asked) == 1 else _best(cited))
        length = sum(film.duration for film in films)
        covered = sum(self._store.coverage(film.id) * film.duration for film in films)
        return LongAnswer(
            question,
            text,
            citations,
            read.route if len(films) == 1 else f"films, {read.route}",
            tuple(self._steps),
            round(covered / length, 4) if length else 0.0,
            round(time.perf_counter() - began, 3),
        )

    def _answer_one(
        self, question: Question, film: FilmRecord, *, named: bool = False
    ) -> tuple[str, list[Citation]]:
        view = self._view(film)
        if named:
            self._step("film", film.name)
        if question.route == "whole":
            self._step("scan", f"{len(film.chapters)} chapters")
            return film.summary or _refusal(question, film.name), _chapters(film)
        finding = self._find(question, view)
        text = finding.text
        if not text and question.route in ("time", "fact"):
            finding = self._look(question, view, finding.evidence or self._retrieve(question, view))
            text = finding.text
        if not text:
            self._step("refuse", "no evidence")
            return self._nearest(question, view)
        return text, self._cite(question, finding, film)

    def _find(self, question: Question, view: FilmView) -> Finding:
        """Scan the film's statements by the question's route."""
        if _asks_which_first(question) or question.is_together or question.order == "between":
            return self._find_several(question, view)
        fits = findings.full_fits(view, question) or findings.like_it(view, question)
        found = self._confirm(question, view, fits) if question.route != "time" else fits
        found = findings.which_of(found, question)
        if fits and not found:
            return findings.NOTHING
        if question.route in _BY_ROUTE:
            finding = _BY_ROUTE[question.route](view, question, found)
            self._step("scan", f"{len(view.statements)} statements, {len(finding.evidence)} fit")
            return finding
        if question.about_speech and question.phrases:
            finding = findings.spoken(view, question)
            if finding.text:
                self._step("scan", "what is said beside it")
                return finding
        if found and question.about_events:
            return Finding(" ".join(fit.statement.text for fit in found[:3]), tuple(found[:3]))
        if _YES_NO.match(question.text) and question.phrases:
            self._step("scan", f"{len(found)} of {len(view.statements)} statements show it")
            return Finding("Yes.", tuple(found)) if found else findings.NOTHING
        return Finding("", tuple(found))

    def _find_several(self, question: Question, view: FilmView) -> Finding:
        """Scan for each thing that is asked about by itself, then compare their times."""
        phrases = question.phrases
        is_order = _asks_which_first(question)
        if is_order:
            phrases = (question.before_order or phrases)[:1] + phrases[-1:]
        found = []
        for phrase in phrases:
            part = replace(
                question,
                phrases=(phrase,),
                names=(" ".join(phrase),),
                about_speech=question.is_quote,
            )
            found.append(self._confirm(part, view, findings.full_fits(view, part)))
        if is_order:
            finding = relations.which_first(question, *found)
        elif len(found) == 1:
            finding = relations.beside(view, found[0])
        elif question.is_together:
            finding = relations.together(view, question, *found)
        else:
            finding = relations.between(view, question, *found)
        self._step("scan", f"{' and '.join(str(len(one)) for one in found)} places compared")
        return finding

    def _confirm(self, question: Question, view: FilmView, fits: Sequence[Fit]) -> Sequence[Fit]:
        """Ask the model whether the clips of a rare thing show it, and drop those that do not.

        A summary that names the wrong thing once in a hundred times invents several an hour. Of a
        thing that is told of in more clips than may be looked at, nothing is asked.
        """
        seen = [fit for fit in fits if fit.statement.kind == "seen"]
        clips = list(dict.fromkeys(fit.statement.clip for fit in seen))
        if self._looker is None or not seen or not self._budget.allows(len(clips) - 1):
            return fits
        name = _named(question, seen)
        left: dict[int, int] = {}
        for number in clips:
            times = self._looker.times_shown(view.film, view.clip(number), name)
            if times is None:
                return fits  # the film is away
            left[number] = times
        self._denied |= {(view.film.id, number) for number in clips if not left[number]}
        shown = sum(times > 0 for times in left.values())
        self._step("check", f"{name}: {shown} of {len(clips)} clips show it")
        kept = []
        for fit in fits:
            if fit.statement.kind == "seen":
                left[fit.statement.clip] -= 1
                if left[fit.statement.clip] < 0:
                    continue  # told of more often than it is there
            kept.append(fit)
        return kept

    def _films_to_ask(
        self, question: Question, films: Sequence[FilmRecord]
    ) -> Sequence[FilmRecord]:
        """Of many films, those in which retrieval finds something; of few, all."""
        if len(films) <= MOST_FILMS or not question.phrases:
            return films
        ids = [film.id for film in films]
        matches = retrieve(
            self._store,
            question.text,
            vectors=self._vectors,
            pictures=self._pictures,
            films=ids,
            limit=CANDIDATES,
        )
        near = list(dict.fromkeys(match.passage.film for match in matches))[:MOST_FILMS]
        self._step("films", f"{len(near)} of {len(films)} films are near")
        return [film for film in films if film.id in near] or films[:1]

    def _retrieve(self, question: Question, view: FilmView) -> tuple[Fit, ...]:
        """Find the statements that hold most of what is asked about, else the nearest clips."""
        fits = view.fits(question.phrases, view.statements)
        best = [fit for fit in fits if fit.score >= WEAK]
        self._step("retrieve", f"{len(best)} of {len(view.statements)} statements are near")
        if best:
            return tuple(best)
        knows_meanings = self._vectors is not None and self._vectors.weight >= 1
        near = self._near(question, view)
        knows_looks = self._pictures is not None and self._pictures.weight > 0
        return tuple(f for f in near if f.score > 0 or knows_meanings or knows_looks)

    def _near(self, question: Question, view: FilmView) -> tuple[Fit, ...]:
        """The statements of the passages that retrieval brings, with what share they hold."""
        matches = retrieve(
            self._store,
            question.text,
            vectors=self._vectors,
            pictures=self._pictures,
            films=[view.film.id],
            limit=NEAREST,
        )
        held = {id(fit.statement): fit for fit in view.fits(question.phrases, view.statements)}
        found: dict[int, Fit] = {}
        for match in matches:
            passage = match.passage
            for one in view.statements:
                inside = passage.start <= one.start and one.end <= passage.end + 0.01
                if one.clip == passage.clip and one.kind == passage.kind and inside:
                    found.setdefault(id(one), held.get(id(one), Fit(one, 0.0)))
        self._step("retrieve", f"{len(matches)} passages by words and meaning")
        return tuple(found.values())

    def _look(self, question: Question, view: FilmView, fits: Sequence[Fit]) -> Finding:
        """Put the question to the model on the best clips, and take what their text bears out."""
        asked = content_stems(question.text)
        first: Finding | None = None
        denied = {number for film, number in self._denied if film == view.film.id}
        fits = [
            fit for fit in fits if fit.statement.kind == "said" or fit.statement.clip not in denied
        ]
        clips = dict.fromkeys(fit.statement.clip for fit in fits)
        for looked, number in enumerate(clips):
            if self._looker is None or not self._budget.allows(looked):
                break
            clip = view.clip(number)
            text = self._looker.ask(view.film, clip, question.without_times or question.text)
            if text is None:
                break
            here = [one for one in view.statements if one.clip == number]
            evidence = [stem for one in here for stem in one.stems]
            bearing = _bearing(text, here, [fit for fit in fits if fit.statement.clip == number])
            is_named = any(fit.score >= FULL for fit in bearing if fit in fits)
            is_denied = _NO.match(text) is not None
            borne_out = not is_denied and is_supported(stems(text), asked, evidence)
            if borne_out and not is_named:
                borne_out = self._is_there(question, view, clip)
                is_denied = not borne_out
            self._step("look", f"clip {number}: {text!r}, {'' if borne_out else 'not '}borne out")
            if borne_out:
                return Finding(text, bearing, looked=True)
            if not is_denied:
                first = first or Finding(text, bearing)
        enough = WEAK if question.about_speech else QUOTED
        quoted = [fit for fit in fits if fit.statement.kind == "said" and fit.score >= enough][:3]
        if quoted:
            self._step("quote", "the subtitles' own words")
            return Finding(" ".join(fit.statement.text for fit in quoted), tuple(quoted))
        named = [fit for fit in fits if fit.score >= FULL][:3]
        if first is not None or not named:
            return first or findings.NOTHING
        return Finding(" ".join(fit.statement.text for fit in named), tuple(named))

    def _is_there(self, question: Question, view: FilmView, clip: ClipRecord) -> bool:
        """Ask the model whether a clip shows what its summary names in part only."""
        if self._looker is None or not question.names:
            return False
        name = " ".join(question.names[0].split()[:NAME_WORDS])
        is_there = bool(self._looker.times_shown(view.film, clip, name))
        self._step("check", f"clip {clip.number}: {name}? {'yes' if is_there else 'no'}")
        return is_there

    def _cite(self, question: Question, finding: Finding, film: FilmRecord) -> list[Citation]:
        """Check each place: it is in the index, in the film, and bears the answer out."""
        clips = {clip.number for clip in self._view(film).clips}
        evidence = finding.evidence[:MOST_CITED]
        told = {stem for fit in evidence for stem in fit.statement.stems}
        new = set(content_stems(finding.text)) - set(content_stems(question.text))
        of_model = finding.looked or question.route == "fact"
        holds = not of_model or finding.text in ("Yes.", "No.") or new <= told
        cited = []
        for fit in evidence:
            one = fit.statement
            exists = one.clip in clips and film.start <= one.start <= one.end <= film.end + 1.0
            is_named = (finding.looked or fit.score >= FULL) and not question.is_negated
            cited.append(
                Citation(
                    film.paths[-1],
                    round(one.start, 3),
                    round(min(one.end, film.end), 3),
                    one.text,
                    round(fit.score, 4),
                    exists and holds and is_named,
                )
            )
        good = sum(one.supported for one in cited)
        self._step("verify", f"{good} of {len(cited)} places bear the answer out")
        return cited

    def _nearest(self, question: Question, view: FilmView) -> tuple[str, list[Citation]]:
        """Say that it is not there, and show what comes nearest to it, marked as no evidence."""
        near = [fit for fit in self._near(question, view) if fit.score > 0][:NEAREST]
        film = view.film
        shown = [
            Citation(
                film.paths[-1],
                round(fit.statement.start, 3),
                round(min(fit.statement.end, film.end), 3),
                fit.statement.text,
                round(fit.score, 4),
                supported=False,
            )
            for fit in near
        ]
        covered = self._store.coverage(film.id)
        where = film.name if covered > 0.995 else f"the {covered:.0%} of {film.name} indexed so far"
        return _refusal(question, where), shown

    def _view(self, film: FilmRecord) -> FilmView:
        if film.id not in self._views:
            self._views[film.id] = FilmView(film, self._store.clips(film.id))
        return self._views[film.id]

    def _step(self, state: str, detail: str) -> None:
        now = time.perf_counter()
        self._steps.append(Step(state, detail, round(now - self._since, 4)))
        self._since = now


def _named(question: Question, fits: Sequence[Fit]) -> str:
    """The thing that is asked about, in the words of the film: one of it, where many are asked."""
    wanted = list(question.phrases[0][:NAME_WORDS])
    told = words(fits[0].statement.text)
    for place in range(len(told) - len(wanted) + 1):
        if [stem(word) for word in told[place : place + len(wanted)]] == wanted:
            return " ".join(told[place : place + len(wanted)])
    return " ".join(question.names[0].split()[:NAME_WORDS])


def _asks_which_first(question: Question) -> bool:
    """Tell whether two things are to be compared by their times."""
    if question.order in ("after", "before"):
        return bool(_YES_NO.match(question.text) and question.before_order and question.phrases)
    return question.order is not None and len(question.phrases) == 2 and " or " in question.text


def _bearing(text: str, here: Sequence[Statement], fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """The statements of a clip that hold most of an answer, beside those that fit the question."""
    told = set(content_stems(text))
    rated = [(len(told & set(one.stems)), one) for one in here]
    most = max((count for count, _ in rated), default=0)
    chosen = [Fit(one, 1.0) for count, one in rated if most and count == most]
    known = {id(fit.statement) for fit in fits}
    return (*fits, *(fit for fit in chosen if id(fit.statement) not in known))


def _best(citations: Sequence[Citation]) -> list[Citation]:
    return sorted(citations, key=lambda one: -one.score)[:NEAREST]


def _chapters(film: FilmRecord) -> list[Citation]:
    return [
        Citation(film.paths[-1], one.start, one.end, one.summary, FULL, True)
        for one in film.chapters
    ]


def _refusal(question: Question, where: str, *, several: bool = False) -> str:
    about = " ".join(word for phrase in question.phrases for word in phrase)
    start = "No: it" if _YES_NO.match(question.text) else "It"
    return (
        f"{start} is not in the film{'s' * several}: nothing in {where} shows or says that."
        if about
        else (f"Nothing in {where} tells.")
    )
