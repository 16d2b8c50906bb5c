"""What Shapes World questions are worded with, and the wordings that training never sees.

A template's ``{thing}``, ``{clip}`` ... draw a synonym; ``{object}``, ``{event}`` ... are filled by
the fact. Those of training stand in ``training_wordings.py``.
"""

SYNONYMS = {
    "thing": ("shape", "object", "figure", "thing"),
    "things": ("shapes", "objects", "figures", "things"),
    "clip": ("video", "clip", "scene", "film", "recording", "footage", "movie", "sequence"),
    "colour_word": ("color", "colour"),
    "appear": (
        "appear",
        "are there",
        "can be seen",
        "show up",
        "are visible",
        "occur",
        "are shown",
        "are present",
        "come into view",
    ),
    "movement": ("move", "go", "travel", "drift", "slide", "glide", "float"),
    "moving": ("moving", "going", "travelling", "traveling", "drifting", "sliding", "gliding"),
    "opening": (
        "Please tell me,",
        "Tell me:",
        "Can you say,",
        "I would like to know:",
        "Look closely:",
        "Question:",
        "In this video,",
        "In the clip,",
        "Quick question:",
        "Hello,",
        "Hi,",
        "Please,",
        "Now,",
        "Watch carefully:",
        "After watching, say:",
        "Help me out:",
    ),
}

_MOVING = ("goes", "slides", "travels", "drifts", "glides", "floats")
OTHER_WORDS = {
    "moves left": (*(f"{verb} left" for verb in _MOVING), "moves to the left"),
    "moves right": (*(f"{verb} right" for verb in _MOVING), "moves to the right"),
    "moves up": (*(f"{verb} up" for verb in _MOVING), "moves upwards", "rises"),
    "moves down": (*(f"{verb} down" for verb in _MOVING), "moves downwards", "sinks"),
    "grows": ("gets bigger", "gets larger", "becomes bigger", "becomes larger", "expands"),
    "shrinks": ("gets smaller", "becomes smaller", "contracts", "grows smaller"),
    "blinks": ("flashes", "flickers", "winks"),
    "stays still": ("stands still", "remains still", "keeps still", "rests", "stays in place"),
}
"""Actions in a question may be worded so; answers keep the canonical words."""

PAST = {
    "goes": "went",
    "slides": "slid",
    "drifts": "drifted",
    "glides": "glided",
    "floats": "floated",
    "travels": "travelled",
    "rises": "rose",
    "sinks": "sank",
    "grows": "grew",
    "gets": "got",
    "becomes": "became",
    "shrinks": "shrank",
    "contracts": "contracted",
    "expands": "expanded",
    "blinks": "blinked",
    "flashes": "flashed",
    "flickers": "flickered",
    "winks": "winked",
    "stays": "stayed",
    "stands": "stood",
    "remains": "remained",
    "keeps": "kept",
    "rests": "rested",
    "moves": "moved",
}
"""The past of every verb that an action may be worded with."""

# the last two of each were written after training's wordings, and none of those after them
HELD_OUT = {
    "colour": (
        "Of what {colour_word} is the {object}?",
        "Could you name the {object}'s {colour_word}?",
        "What is the {object} in terms of {colour_word}?",
        "If you look at the {object}, which {colour_word} is it?",
    ),
    "shape": (
        "What form is the {thing} that is {colour}?",
        "The {colour} one is which shape?",
        "What would you call the {thing} coloured {colour}?",
        "Looking at the {colour} {thing}, what is its shape?",
    ),
    "action": (
        "In what way does the {object} act?",
        "What do you see the {object} do?",
        "What can be said about how the {object} behaves?",
        "While it is shown, what does the {object} do?",
    ),
    "direction": (
        "Toward which side is the {object} moving?",
        "What way does the {object} head?",
        "The {object} sets off in what direction?",
        "If you follow the {object}, which way does it go?",
    ),
    "who": (
        "Say which of the {things} {action}.",
        "What do we see {doing}?",
        "What is the {colour_word} and shape of the {thing} that {action}?",
        "Which {thing} would you point at for {doing}?",
    ),
    "existence": (
        "Would you say there is a {object} here?",
        "Do we get to see a {object}?",
        "Will I find a {object} in this {clip}?",
        "Was any {object} part of the {clip}?",
    ),
    "count": (
        "What is the count of {things} here?",
        "How many {things} in total?",
        "What would you count as the number of {things}?",
        "Altogether, what number of {things} do we see?",
    ),
    "first": (
        "Which event opens the {clip}?",
        "To begin with, what happens?",
        "What do we get to see at the very start?",
        "Before anything else, what happens?",
    ),
    "last": (
        "Which event closes the {clip}?",
        "In the end, what happens?",
        "What do we get to see at the very end?",
        "After everything else, what happens?",
    ),
    "after": (
        "What occurs just after the {event}?",
        "Following the moment the {event}, what happens?",
        "Once it is over that the {event}, what happens?",
        "What do we get to see after the {event}?",
    ),
    "before": (
        "What occurs just before the {event}?",
        "Prior to the moment the {event}, what happens?",
        "What had happened by the time the {event}?",
        "What do we get to see before the {event}?",
    ),
    "describe": (
        "Summarize the {clip} for me.",
        "Can you describe all that happens here?",
        "Walk me through the {clip}.",
        "Which things take place, from start to end?",
    ),
    "narration": (
        "Could you repeat the {key}?",
        "What was the {key} again?",
        "I missed the {key}, what was it?",
        "What {key} should I write down?",
    ),
}
