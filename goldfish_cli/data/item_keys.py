"""Read one item of any known shape: which video, which turns of question and answer, which caption.

Knows the names that datasets give to these, never where a file lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from goldfish_cli.media.file_names import IMAGE_EXTENSIONS, VIDEO_EXTENSIONS

# A file's name before an id before a number: of a file that has several, the later ones count.
_FILE_KEYS = ("video_name", "gif_name", "vid_name")
_ID_KEYS = ("video_id", "videoid", "image_id")
_MEDIA_KEYS = ("video", "videos", "image", "images")
ID_KEYS = (*_FILE_KEYS, *_ID_KEYS, *_MEDIA_KEYS, "id")
_QUESTION_KEYS = ("q", "question", "query", "instruction", "q1")
_ANSWER_KEYS = ("a", "answer", "response")
_CAPTION_KEYS = ("caption", "description")
_CHOICE_KEYS = ("candidates", "options", "a0", "a1", "a2", "a3", "a4", "a5")
_DIALOGUE_KEYS = ("conversations", "conversation", "messages")
_KNOWN = {*ID_KEYS, *_QUESTION_KEYS, *_ANSWER_KEYS, *_CAPTION_KEYS, *_DIALOGUE_KEYS, "q2"}
_MEDIA_EXTENSIONS = {*VIDEO_EXTENSIONS, *IMAGE_EXTENSIONS}
_ASKING = {"human", "user"}
_ANSWERING = {"gpt", "assistant", "model"}
_MARKERS = ("<video>", "<image>")  # LLaVA's: pictures go here. In Goldfish they always come first


class ItemError(ValueError):
    """An item that cannot be used: a reason to count by, and what is wrong with this one."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Keys:
    """Which of an item's keys hold what; ``None``: none does."""

    ids: tuple[str, ...]
    dialogue: str | None
    question: str | None
    second_question: str | None  # Video-ChatGPT's consistency: the same asked in other words
    answer: str | None
    caption: str | None
    page: str | None  # WebVid's folder, which is part of the id
    choices: tuple[str, ...]
    extra: tuple[str, ...]


@lru_cache(maxsize=1024)
def find_keys(names: tuple[str, ...]) -> Keys:
    """Find what the keys of an item, or the columns of a table, hold. Case does not matter."""
    known = {name.strip().casefold(): name for name in names if isinstance(name, str)}

    def first(candidates: Sequence[str]) -> str | None:
        return next((known[name] for name in candidates if name in known), None)

    is_webvid = {"videoid", "page_dir", "name"} <= known.keys()
    used = _KNOWN - {"id"} | ({"page_dir", "name"} if is_webvid else set())
    if not any(name in known for name in ID_KEYS[:-1]):
        used = used | {"id"}
    return Keys(
        ids=tuple(known[name] for name in ID_KEYS if name in known),
        dialogue=first(_DIALOGUE_KEYS),
        question=first(_QUESTION_KEYS),
        second_question=known.get("q2"),
        answer=first(_ANSWER_KEYS),
        caption=known["name"] if is_webvid else first(_CAPTION_KEYS),
        page=known["page_dir"] if is_webvid else None,
        choices=tuple(known[name] for name in _CHOICE_KEYS if name in known),
        extra=tuple(name for folded, name in known.items() if folded and folded not in used),
    )


def read_id(item: Mapping[str, Any], keys: Keys) -> str:
    """Return the id of the video or image, always text.

    A file name loses its extension; what stands under ``video_id`` or ``image_id`` stays as it is.

    Raises:
        ItemError: If there is none, or if there are several.
    """
    for key in keys.ids:
        name = _name(item[key], key)
        if name:
            if keys.page:
                return f"{_name(item[keys.page], keys.page)}/{name}"
            return name if key.strip().casefold() in (*_ID_KEYS, "id") else _stem(name)
    name = _name_in_parts(item, keys)
    if name:
        return _stem(name)
    raise ItemError("no-id", f"names no video or image: it has {_shown(item)}")


def read_turns(item: Mapping[str, Any], keys: Keys) -> tuple[tuple[str, str], ...]:
    """Return the questions and answers of an item, in order; none if it has a caption instead.

    Raises:
        ItemError: If a question or answer is missing, or if the turns do not alternate.
    """
    if keys.dialogue:
        return _read_dialogue(item[keys.dialogue], keys.dialogue)
    if keys.question is None and keys.caption:
        return ()
    question = _text(item, keys.question, "question")
    answer = _text(item, keys.answer, "answer")
    if answer.isdecimal() and _has_choices(item, keys, answer):
        raise ItemError(
            "multiple-choice", f"answers with the number of a choice, {answer}: it is for testing"
        )
    questions = [_without_markers(question)]
    if keys.second_question:
        questions.append(_text(item, keys.second_question, "question"))
    return (*_read_history(item), *((question, answer) for question in questions))


def read_caption(item: Mapping[str, Any], keys: Keys) -> str:
    """Return the caption of an item.

    Raises:
        ItemError: If it is missing or empty.
    """
    return _text(item, keys.caption, "caption")


def read_extra(item: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Return what an item holds besides: the length, the title, the system prompt, ..."""
    extra = {key: item[key] for key in keys.extra if key != "history" or "query" not in item}
    if keys.dialogue:
        for turn in item[keys.dialogue]:
            if _role(turn) == "system":
                extra.setdefault("system", _words(turn))
    return extra


def _read_dialogue(turns: Any, key: str) -> tuple[tuple[str, str], ...]:
    """Read turns of q and a, of LLaVA's from and value, or of OpenAI's role and content."""
    if not isinstance(turns, list) or not turns or not all(isinstance(t, Mapping) for t in turns):
        raise ItemError("bad-turns", f"has {key} that are not a list of turns")
    if _role(turns[0]) is None:
        pairs = [read_turns(turn, find_keys(tuple(turn))) for turn in turns]
        return tuple(pair for found in pairs for pair in found)
    if _role(turns[0]) == "system":
        turns = turns[1:]
    roles = [_role(turn) for turn in turns]
    asking, answering = roles[::2], roles[1::2]
    alternates = set(asking) <= _ASKING and set(answering) <= _ANSWERING
    if not roles or len(asking) != len(answering) or not alternates:
        raise ItemError("bad-turns", f"has turns from {roles}: human and gpt should alternate")
    words = [_words(turn) for turn in turns]
    questions = [_without_markers(text) for text in words[::2]]
    for kind, texts in (("question", questions), ("answer", words[1::2])):
        if not all(texts):
            raise ItemError(f"no-{kind}", f"has an empty {kind} among its {key}")
    return tuple(zip(questions, words[1::2], strict=True))


def _role(turn: Any) -> str | None:
    role = turn.get("from", turn.get("role")) if isinstance(turn, Mapping) else None
    return None if role is None else str(role).strip().casefold()


def _words(turn: Mapping[str, Any]) -> str:
    """Return what is said in a turn; OpenAI's content may be a list of parts."""
    content = turn.get("value", turn.get("content"))
    if isinstance(content, list):
        parts = [part.get("text", "") if isinstance(part, Mapping) else part for part in content]
        content = "\n".join(str(part) for part in parts if part)
    return content.strip() if isinstance(content, str) else ""


def _read_history(item: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Read the earlier turns of ms-swift's query and response."""
    history = item.get("history")
    if "query" not in item or not history:
        return ()
    try:
        return tuple((_without_markers(question), answer.strip()) for question, answer in history)
    except (TypeError, ValueError, AttributeError) as error:
        raise ItemError("bad-turns", "has a history that is not a list of pairs") from error


def _name(value: Any, key: str) -> str:
    if isinstance(value, list):
        if len(value) > 1:
            raise ItemError("several-videos", f"names {len(value)} files under {key}, not one")
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def _name_in_parts(item: Mapping[str, Any], keys: Keys) -> str:
    """Find the file that OpenAI's content names beside its text."""
    turns = item[keys.dialogue] if keys.dialogue else ()
    for turn in turns if isinstance(turns, list) else ():
        content = turn.get("content") if isinstance(turn, Mapping) else None
        for part in content if isinstance(content, list) else ():
            for key in ("video", "image") if isinstance(part, Mapping) else ():
                if name := _name(part.get(key), key):
                    return name
    return ""


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    known = path.suffix.lower() in _MEDIA_EXTENSIONS and path.stem
    return name[: -len(path.suffix)] if known else name


def _text(item: Mapping[str, Any], key: str | None, kind: str) -> str:
    value = item.get(key) if key is not None else None
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ItemError(f"no-{kind}", f"has no {kind}: it has {_shown(item)}")
    if not isinstance(value, str):
        raise ItemError(f"{kind}-not-text", f"has as {kind} {type(value).__name__}, not text")
    return value.strip()


def _has_choices(item: Mapping[str, Any], keys: Keys, answer: str) -> bool:
    """Tell whether a number as an answer stands for another text: one of several choices."""
    choices: list[Any] = []
    for key in keys.choices:
        value = item[key]
        choices.extend(value if isinstance(value, list) else [value])
    return bool(choices) and answer not in (str(choice).strip() for choice in choices)


def _without_markers(text: str) -> str:
    for marker in _MARKERS:
        text = text.replace(marker, "")
    return text.strip()


def _shown(item: Mapping[str, Any]) -> str:
    return ", ".join(map(str, item)) or "no keys"
