"""The words that the offline judge knows something about. Data only; written by hand.

Each change here is a new way of judging, so it takes a new ``offline.VERSION``.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IRREGULAR = {
    form: base
    for base, forms in {
        "be": "am is are was were been being",
        "do": "does did done",
        "have": "has had having",
        "go": "goes went gone",
        "man": "men", "woman": "women", "child": "children", "person": "people persons",
        "foot": "feet", "tooth": "teeth", "mouse": "mice", "goose": "geese", "knife": "knives",
        "wife": "wives", "leaf": "leaves", "wolf": "wolves", "shelf": "shelves", "calf": "calves",
        "half": "halves", "loaf": "loaves", "scarf": "scarves", "bus": "buses busses",
        "sit": "sat sitting", "run": "ran", "swim": "swam swum", "sing": "sang sung",
        "ring": "rang rung", "drink": "drank drunk", "begin": "began begun", "eat": "ate eaten",
        "drive": "drove driven", "ride": "rode ridden", "write": "wrote written",
        "speak": "spoke spoken", "break": "broke broken", "wear": "wore worn", "tear": "tore torn",
        "throw": "threw thrown", "blow": "blew blown", "fly": "flew flown flies",
        "grow": "grew grown", "know": "knew known", "draw": "drew drawn", "show": "shown",
        "stand": "stood", "hold": "held", "tell": "told", "sell": "sold", "feed": "fed",
        "lead": "led", "meet": "met", "sleep": "slept", "sweep": "swept", "keep": "kept",
        "leave": "left_", "feel": "felt", "build": "built", "spend": "spent", "send": "sent",
        "bend": "bent", "catch": "caught", "teach": "taught", "buy": "bought", "bring": "brought",
        "think": "thought", "fight": "fought", "take": "took taken", "shake": "shook shaken",
        "wake": "woke woken", "make": "made", "give": "gave given", "come": "came",
        "become": "became", "fall": "fell fallen", "get": "got gotten", "see": "saw seen",
        "say": "said", "win": "won", "spin": "spun", "dig": "dug", "hang": "hung", "hide": "hid",
        "bite": "bit bitten", "slide": "slid", "shoot": "shot", "light": "lit", "lie": "lying lay",
        "die": "dying", "tie": "tying", "find": "found", "ski": "skis skied",
        "steal": "stole stolen", "choose": "chose chosen", "sew": "sewn", "rise": "rose_ risen",
        "wind": "wound", "pay": "paid", "lose": "lost", "sink": "sank sunk", "stick": "stuck",
    }.items()
    for form in forms.split()
}  # fmt: skip
"""Forms that the stemmer does not bring to their base. An underscore leaves a form out where it
is more often another word: ``left`` is a side, ``rose`` a flower."""

WHOLE = _words("""
    animal animals anime organ organs paste news glass glasses university universe wander
    police policy policies general generous
    """)
"""Words whose stem is another word's as well; only their plural is taken off."""

SYNONYMS = (
    "man guy male gentleman dude bloke fellow",
    "woman lady female gal",
    "child kid youngster",
    "baby infant newborn",
    "boy lad",
    "girl lass",
    "person human somebody someone individual",
    "mother mom mum mommy mummy",
    "father dad daddy papa",
    "grandmother grandma granny",
    "grandfather grandpa",
    "bicycle bike cycle pushbike",
    "motorcycle motorbike",
    "car automobile auto",
    "airplane aeroplane plane aircraft jet",
    "ship boat",
    "truck lorry",
    "phone telephone cellphone smartphone mobile cell",
    "television tv telly",
    "sofa couch settee",
    "photo photograph picture image pic",
    "film movie",
    "computer pc laptop",
    "dog puppy pup doggy canine",
    "cat kitten kitty feline",
    "rabbit bunny",
    "cow cattle",
    "chicken hen",
    "rock stone",
    "forest wood",
    "sea ocean",
    "street road",
    "house home",
    "store shop",
    "bag handbag purse",
    "pants trousers slacks",
    "sneaker trainer",
    "hat cap",
    "eyeglasses spectacles glasses",
    "shirt tshirt tee",
    "sweater jumper pullover",
    "football soccer",
    "gray grey",
    "purple violet",
    "talk speak chat converse",
    "look watch gaze stare",
    "run jog sprint",
    "jump leap hop",
    "cut slice chop dice",
    "stir mix blend",
    "throw toss hurl",
    "shut close",
    "start begin",
    "end finish",
    "draw sketch",
    "large big huge",
    "small little tiny",
    "quick fast rapid",
    "happy glad cheerful joyful",
    "sad unhappy",
    "angry mad furious",
    "pretty beautiful",
    "ill sick",
    "near beside nearby adjacent",
    "front ahead",
    "garbage trash rubbish",
    "candy sweet",
    "cookie biscuit",
    "fries chips",
    "eggplant aubergine",
    "zucchini courgette",
    "shrimp prawn",
    "autumn fall_",
    "elevator lift_",
    "apartment flat_",
    "doctor physician",
    "police policeman cop policewoman",
    "firefighter fireman",
    "soldier troop",
    "singer vocalist",
    "violin fiddle",
    "gun pistol rifle firearm",
    "stove cooker hob",
    "refrigerator fridge",
    "saucepan pot",
    "bathtub tub",
    "toilet restroom bathroom washroom",
    "stairs staircase steps_",
    "pavement sidewalk",
    "indoors inside indoor",
    "outdoors outside outdoor",
    "snowboarding snowboard",
    "workout exercise",
    "makeup cosmetics",
)
"""Words that mean the same when a video is talked about; the first stands for all. One with an
underscore behind it is left out on purpose: it means something else as often."""

PHRASES = {
    "ice cream": "icecream", "hot dog": "hotdog", "t shirt": "shirt", "tee shirt": "shirt",
    "cell phone": "phone", "mobile phone": "phone", "smart phone": "phone",
    "motor bike": "motorcycle", "motor cycle": "motorcycle", "air plane": "airplane",
    "fire truck": "firetruck", "fire engine": "firetruck", "fire man": "firefighter",
    "police officer": "police", "police man": "police", "police car": "policecar",
    "make up": "makeup", "inside the": "in", "inside a": "in",
    "snow board": "snowboarding", "skate board": "skateboard",
    "surf board": "surfboard", "base ball": "baseball", "basket ball": "basketball",
    "foot ball": "football", "volley ball": "volleyball", "work out": "exercise",
    "next to": "beside", "close to": "beside", "in front of": "front", "teddy bear": "teddybear",
    "french fries": "fries", "polar bear": "polarbear", "sea lion": "sealion",
    "living room": "livingroom", "bed room": "bedroom", "bath room": "bathroom",
    "guinea pig": "guineapig", "swimming pool": "pool", "frying pan": "pan", "no one": "nobody",
    "as well as": "and", "at least": "", "not only": "", "no doubt": "", "of course": "yes",
    "no longer": "not", "instead of": "without", "rather than": "without", "other than": "without",
    "anything but": "without", "more or less": "", "can not tell": "unclear",
    "do not know": "unclear", "not sure": "unclear", "hard to": "unclear", "not clear": "unclear",
}  # fmt: skip
"""Words that mean another thing together than alone, and what they mean."""

LIGHT = _words("""
    a an the this that these those some any such of to at by for with from in on into onto upon up
    as it its he him his she her they them their we us our you your i me my one's who whom whose
    which what where when be do have will would can could shall should may might must very just
    also too only really quite then there here so if about around along away together
    currently actually appear seem while during own self other more most
    see show video clip scene
    """)
"""Words that do not decide on an answer; they count where nothing else is in one."""

NEGATIONS = _words("""
    not no never without nobody nothing none neither nor lack fail refuse refus absence absent
    except unlike hardly barely unclear unsure unknown impossible
    nicht kein keine keinen keiner pas jamais não nunca nie не нет без ni nunca
    不 没 沒 無 无 未
    """)
"""What denies the words after it, to the end of the clause."""

WHEN_DENIED = {"anything": "nothing", "anyone": "nobody", "anybody": "nobody", "any": "none"}
"""What words mean after a denial."""

CLAUSE_STARTS = _words("but however instead although though because yet whereas sondern mais pero")
SUBJECTS = _words("a an the he she it they there i we you this that just rather")
"""After a comma these start a clause of their own, which a denial before does not reach."""

PLACES = _words(
    "under below beneath behind above over between outdoors off out beside front inside"
)
"""Prepositions that are not interchangeable; those in ``LIGHT`` are."""

COLOURS = _words("""
    red blue green yellow orange purple pink brown black white gray silver gold beige turquoise
    maroon navy tan cyan magenta
    """)

YES = _words("""
    yes yeah yep yup yea sure indeed definitely absolutely certainly affirmative
    sí oui ja да sim نعم हाँ
    """)
NO = _words("no nope nah nein non нет não لا नहीं")
YES_STARTS = ("是", "对", "對", "有", "はい", "예", "네", "그렇")
NO_STARTS = ("不", "否", "没", "沒", "いいえ", "아니")
FIRST_YES = _words("correct true right")
"""Mean yes only at the start: ``on the right`` is no answer."""
ALWAYS_YES = _words("correct true")
FIRST_NO = _words("incorrect false wrong never")
UNDECIDED = _words("maybe perhaps unclear unsure unknown possibly impossible depends")

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
ORDINALS = (
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
    "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth",
    "seventeenth", "eighteenth", "nineteenth",
)  # fmt: skip
TEN_ORDINALS = (
    "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth",
    "ninetieth",
)  # fmt: skip
QUANTITIES = {
    "a": 1, "an": 1, "single": 1, "lone": 1, "alone": 1, "couple": 2, "pair": 2, "both": 2,
    "twice": 2, "once": 1, "trio": 3, "dozen": 12, "none": 0, "nobody": 0, "no": 0, "nothing": 0,
}  # fmt: skip
"""What counts, where a number is asked for and none is named."""
NOT_COUNTING_ONE = _words("the this that which each every any other another some last")
"""Before ``one`` these make it a pronoun."""
