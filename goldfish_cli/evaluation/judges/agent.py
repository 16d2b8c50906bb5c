"""A language model as judge: an answer in, a verdict out, whatever the model or its server does."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from goldfish_cli.errors import ModelError
from goldfish_cli.evaluation.items import Dimension, EvalItem
from goldfish_cli.evaluation.judges.cache import ReplyCache, cache_key
from goldfish_cli.evaluation.judges.chat import (
    Chat,
    ChatReply,
    Message,
    NoReplyError,
    TemporaryError,
)
from goldfish_cli.evaluation.judges.parsing import ReplyError, read_verdict
from goldfish_cli.evaluation.judges.prompts import PromptTemplate, prompt_hash
from goldfish_cli.evaluation.judges.protocol import PROMPTS, PROTOCOL, correction
from goldfish_cli.evaluation.judges.usage import Meter, Prices, Usage
from goldfish_cli.evaluation.judges.verdict import Verdict

_QUOTED = 2000  # characters of a malformed reply that are shown to the model again
_FREE_TRIES = 8  # adjustments to what a server takes; there are fewer parameters than that


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with a model."""

    attempts: int = 5
    """Requests for one reply, until a server that is busy or broken is given up."""
    first_wait_s: float = 1.0
    """Before the second attempt; doubles with each."""
    max_wait_s: float = 60.0
    """Longest pause; a server that wants a longer one is given up for this question."""
    silent_answers: int = 5
    """Answers in a row for which a server was given up, until it is given up for all."""
    replies: int = 3
    """Replies until a model that does not keep to the form is given up."""


class LanguageModelJudge:
    """Asks a language model, and takes nothing but clear judgements.

    What gets no judgement within the limits gets a verdict that says why, so that a run goes on;
    such verdicts are not kept, and the next run asks for them again. Safe for threads.

    Args:
        chat: The model.
        prompts: Used in place of the built-in ones, by dimension.
        cache: Keeps replies; without one they are kept in memory.
        patience: With server and model.
        prices: For ``cost``.
    """

    def __init__(
        self,
        chat: Chat,
        *,
        prompts: Mapping[Dimension, PromptTemplate] | None = None,
        cache: ReplyCache | None = None,
        patience: Patience | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._chat = chat
        self._prompts = dict(PROMPTS) | dict(prompts or {})
        self._cache = ReplyCache() if cache is None else cache
        self._patience = patience or Patience()
        self._prices = prices
        self._meter = Meter()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._versions: Counter[str] = Counter()
        self._changes: list[str] = []
        self._last_version = ""
        self._resume_at = 0.0
        self._silent = 0
        self.name = f"{chat.name}, {PROTOCOL}, prompts {prompt_hash(self._prompts)}"
        """The model, our protocol and a hash of the prompts; known before anything is asked."""

    @property
    def identity(self) -> str:
        """The name with the versions that the server reported for the verdicts so far."""
        versions = " and ".join(sorted(filter(None, self.versions)))
        return f"{self.name}, answering as {versions}" if versions else self.name

    @property
    def versions(self) -> dict[str, int]:
        """Verdicts by the version that the server reported, cached ones included."""
        with self._lock:
            return dict(self._versions)

    @property
    def notes(self) -> tuple[str, ...]:
        """What puts the verdicts in doubt: versions that changed, settings that were refused."""
        with self._lock:
            return (*self._changes, *self._chat.notes)

    @property
    def usage(self) -> Usage:
        """Requests and tokens so far."""
        return self._meter.usage

    @property
    def cost(self) -> float | None:
        """Of the tokens so far, in the currency of the prices; ``None`` without prices."""
        return None if self._prices is None else self.usage.cost(self._prices)

    def stop(self) -> None:
        """Wake all who wait for a busy server and let them give up."""
        self._stopped.set()

    def judge(
        self, item: EvalItem, prediction: str, dimension: Dimension, second: str = ""
    ) -> Verdict:
        """Judge one answer.

        Raises:
            ModelError: If the server refuses every request, for want of a key or such a model.
            InputError: If a reply cannot be kept.
        """
        reference = reference_text(item)
        if not reference:
            return Verdict(problem="The question has no reference answer.")
        messages = self._prompts[dimension].fill(
            {
                "question": question_text(item),
                "answer": reference,
                "prediction": prediction,
                "question2": item.second_question,
                "prediction2": second,
            }
        )
        key = cache_key(self.name, messages, self._chat.settings)
        with self._lock:
            asking = self._asking[key]
        with asking:  # whoever wants the same at the same time waits, instead of paying for it too
            return self._judge(key, messages, with_pred=dimension == "accuracy")

    def _judge(self, key: str, messages: list[Message], *, with_pred: bool) -> Verdict:
        kept = self._cache.get(key)
        if kept is not None:
            try:
                verdict = self._signed(kept, with_pred)
            except ReplyError:  # kept by a version that read replies in another way
                pass
            else:
                self._meter.add_cached()
                return verdict
        try:
            reply, verdict = self._ask_until_clear(messages, with_pred)
        except NoReplyError as error:
            self._count_silence(error)
            return Verdict(problem=str(error))
        self._silent = 0
        self._cache.put(key, reply)
        return verdict

    def _count_silence(self, error: NoReplyError) -> None:
        """Give a server up for all that is left once it has failed for several answers on end."""
        if not isinstance(error.__cause__, TemporaryError):
            return  # it speaks, though not to the point
        self._silent += 1
        if self._silent >= self._patience.silent_answers:
            raise ModelError(
                f"The judge {self._chat.name} answers no more: {error}",
                hint="The same command goes on with what is not judged yet",
            ) from error

    def _ask_until_clear(
        self, messages: list[Message], with_pred: bool
    ) -> tuple[ChatReply, Verdict]:
        asked = messages
        for left in reversed(range(self._patience.replies)):
            reply = self._ask(asked)
            try:
                return reply, self._signed(reply, with_pred)
            except ReplyError as error:
                if not left:
                    times = _times(self._patience.replies)
                    raise NoReplyError(f"Asked {times}, the judge's reply {error}.") from error
                asked = [
                    *messages,
                    Message(role="assistant", content=reply.text[:_QUOTED] or "-"),
                    Message(role="user", content=correction(str(error), with_pred=with_pred)),
                ]
        raise ValueError("patience without a single reply")

    def _ask(self, messages: list[Message]) -> ChatReply:
        """Ask until there is a reply, or patience ends."""
        wait = self._patience.first_wait_s
        failures = free = 0
        while True:
            self._pause(self._resume_at - time.monotonic())
            self._meter.add_request()
            try:
                reply = self._chat.ask(messages)
            except TemporaryError as error:
                if error.is_free and free < _FREE_TRIES:
                    free += 1
                    continue
                failures += 1
                asked_for = error.wait_s or 0.0
                if failures >= self._patience.attempts or asked_for > self._patience.max_wait_s:
                    raise NoReplyError(f"Asked {_times(failures)}, the judge {error}.") from error
                if asked_for:  # it wants peace from everyone
                    self._resume_at = max(self._resume_at, time.monotonic() + asked_for)
                self._pause(min(max(wait, asked_for), self._patience.max_wait_s))
                wait *= 2
            else:
                self._meter.add_tokens(reply.prompt_tokens, reply.completion_tokens)
                return reply

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(max(0.0, seconds)):
            raise NoReplyError("Stopped before there was a judgement.")

    def _signed(self, reply: ChatReply, with_pred: bool) -> Verdict:
        """Read a reply and note which version of the model wrote it."""
        verdict = read_verdict(reply.text, with_pred=with_pred)
        with self._lock:
            before, self._last_version = self._last_version, reply.version
            count = self._versions.total()
            if count and before != reply.version and reply.version not in self._versions:
                self._changes.append(
                    f"The judge's version changed after {_counted(count)}: first "
                    f"{before or 'none was told'}, then {reply.version or 'none was told'}."
                )
            self._versions[reply.version] += 1
        return Verdict(verdict.correct, verdict.score, version=reply.version)


def question_text(item: EvalItem) -> str:
    """Return the question as a judge should read it: with its options, if it has any."""
    if not item.options:
        return item.question
    return f"{item.question} (options: {'; '.join(item.options)})"


def reference_text(item: EvalItem) -> str:
    """Return the reference answer, with others that are accepted; "" where there is none."""
    answers = [answer for answer in item.answers if answer.strip()]
    if not answers and item.correct is not None:
        answers = [item.options[item.correct]]
    if len(answers) < 2:
        return "".join(answers)
    return f"{answers[0]} (also accepted: {'; '.join(answers[1:])})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _counted(count: int) -> str:
    return "1 verdict" if count == 1 else f"{count} verdicts"
