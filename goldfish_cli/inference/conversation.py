"""Questions about one clip that was looked at once, each on its own or as a conversation."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace

from goldfish_cli.backends.base import GenerationSettings, Turn, VideoLanguageModel, drain
from goldfish_cli.inference.answer import Answer, answer_question
from goldfish_cli.inference.clip import Look, Notify, WatchedClip, watch
from goldfish_cli.inference.questions import check_question
from goldfish_cli.profiles import Profile


class Conversation:
    """Asks one model about one clip; neither decodes nor encodes again.

    Args:
        model: The one that has seen the clip.
        clip: What ``watch`` returned.
        profile: Limits the prompts.
        settings: How tokens are chosen.
        remember: Whether a question follows from the turns before it, or stands alone.
        notify: Hears what had to be left out.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        clip: WatchedClip,
        *,
        profile: Profile,
        settings: GenerationSettings,
        remember: bool = True,
        notify: Notify = lambda _: None,
    ) -> None:
        self.model = model
        self.clip = clip
        self.profile = profile
        self.settings = settings
        self.remember = remember
        self.notify = notify
        self.turns: tuple[Turn, ...] = ()
        self._unspent_seconds = clip.seconds

    def ask(self, question: str) -> Generator[str, None, Answer]:
        """Answer in pieces of text as they are made; the generator returns the whole.

        A turn that is interrupted is not remembered.

        Raises:
            UsageError: If the question is empty.
            DoesNotFitError: If the question cannot fit the context.
        """
        answer = yield from answer_question(
            self.model,
            self.clip,
            question,
            profile=self.profile,
            settings=self.settings,
            earlier=self.turns,
            notify=self.notify,
        )
        if self.remember:
            self.turns = (*self.turns, Turn(answer.question, answer.answer))
        seconds, self._unspent_seconds = answer.seconds + self._unspent_seconds, 0.0
        return replace(answer, seconds=seconds)

    def reset(self) -> None:
        """Forget all turns, but not the video."""
        self.turns = ()


def answer_questions(
    model: VideoLanguageModel,
    look: Look,
    questions: Iterable[str],
    *,
    profile: Profile,
    settings: GenerationSettings | None = None,
    offline: bool = False,
    notify: Notify = lambda _: None,
) -> Iterator[Answer]:
    """Answer questions, each on its own, from one decode and one encode.

    Args:
        model: Any backend's.
        look: Which part of which video, and how closely.
        questions: At least one; all are checked before the video is opened.
        profile: Limits frames, subtitles and prompts.
        settings: How tokens are chosen; ``None``: greedy, up to the profile's ``max_new_tokens``.
        offline: Fetch nothing.
        notify: Hears what is odd about the file, and what had to be left out.

    Raises:
        UsageError: If a question is empty, or the times lie outside the video.
        VideoError: If no frame can be read.
        SubtitleError: If subtitles were asked for which cannot be read or made.
        DoesNotFitError: If a question cannot fit the context.
    """
    checked = [check_question(question) for question in questions]
    clip = watch(model, look, profile, offline=offline, notify=notify)
    conversation = Conversation(
        model,
        clip,
        profile=profile,
        settings=settings or GenerationSettings(max_new_tokens=profile.max_new_tokens),
        remember=False,
        notify=notify,
    )
    for question in checked:
        yield drain(conversation.ask(question))
