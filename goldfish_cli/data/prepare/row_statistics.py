"""Count and measure what the rows of a dataset say, a row at a time."""

from typing import Any

from goldfish_cli.data.items import Item
from goldfish_cli.data.prepare.check_rows import TextLengths, TextLimits, answers_of
from goldfish_cli.data.prepare.row_marks import CommonTexts
from goldfish_cli.data.prepare.statistics import Distribution

COMMON_ANSWERS = 10
MAX_ONE_ANSWER = 0.5  # share of all answers, among at least MIN_ANSWERS
MIN_ANSWERS = 20


class RowStatistics:
    """What the rows hold, how long it is, and which answers come often.

    Args:
        limits: What there is room for; ``None`` if tokens are not counted.
    """

    def __init__(self, limits: TextLimits | None) -> None:
        self._turns = self._captions = self._dialogues = 0
        self._answers = CommonTexts()
        max_prompt, max_answer = (limits.max_prompt, limits.max_answer) if limits else (None, None)
        self._prompt_tokens = Distribution("tokens", limit=max_prompt)
        self._answer_tokens = Distribution("tokens", limit=max_answer)
        self._answer_words = Distribution("words")

    def add(self, row: Item, lengths: TextLengths | None) -> None:
        """Count a row."""
        self._turns += len(row.turns)
        self._dialogues += len(row.turns) > 1
        self._captions += row.caption is not None
        for answer in answers_of(row):
            self._answers.add(answer)
            self._answer_words.add(len(answer.split()))
        if lengths is None:
            return
        if row.turns:  # what is asked of captions is the recipe's to say
            self._prompt_tokens.add(lengths.prompt)
        for tokens in lengths.answers:
            self._answer_tokens.add(tokens)

    def counts(self) -> dict[str, Any]:
        """Return how many turns, dialogues, captions and answers there are, as plain values."""
        common = self._answers.most_common(COMMON_ANSWERS)
        return {
            "turns": self._turns,
            "dialogues": self._dialogues,
            "captions": self._captions,
            "answers": {
                "count": self._answers.total,
                "distinct": self._answers.num_distinct(),
                "common": [{"text": text, "count": count} for text, count in common],
            },
        }

    def distributions(self) -> dict[str, Distribution]:
        """Return what was measured, by what it is."""
        return {
            "prompt tokens": self._prompt_tokens,
            "answer tokens": self._answer_tokens,
            "answer words": self._answer_words,
        }

    def dominant_answer(self) -> tuple[str, float] | None:
        """Return an answer that most rows give, and its share, if there is one."""
        total = self._answers.total
        for text, count in self._answers.most_common(1):
            if total >= MIN_ANSWERS and count > MAX_ONE_ANSWER * total:
                return text, count / total
        return None
