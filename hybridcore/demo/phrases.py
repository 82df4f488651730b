"""The words of the demo language: who, what, and the ways of saying it.

Slots: ``{hero}`` is the person asked about, ``{a}`` and ``{b}`` are two others,
``{n}`` is a quantity, ``{thing}`` is what is counted and ``{other}`` what is not.
"""

from __future__ import annotations

NAMES = [
    "Ada",
    "Ben",
    "Eva",
    "Ivy",
    "Kai",
    "Leo",
    "Lia",
    "Max",
    "Mia",
    "Ned",
    "Pia",
    "Sam",
    "Tom",
    "Una",
    "Zoe",
    "Ron",
]  #
THINGS = [
    "apples",
    "books",
    "cards",
    "coins",
    "cups",
    "eggs",
    "hats",
    "keys",
    "nuts",
    "pens",
    "shells",
    "stones",
]
MOMENTS = ("", "", "", "Then ", "Later ", "At noon ", "After that ", "On Monday ")

#: Sentences in which the hero gains, with the verb of the worked answer.
GAINS = (
    ("{hero} finds {n} {thing}.", "finds"),
    ("{hero} finds {n} more {thing} at home.", "finds"),
    ("{hero} buys {n} {thing}.", "buys"),
    ("{hero} buys {n} {thing} from {a}.", "buys"),
    ("{a} gives {hero} {n} {thing}.", "gets"),
    ("{a} gives {n} {thing} to {hero}.", "gets"),
    ("{hero} gets {n} {thing} from {a}.", "gets"),
    ("{hero} wins {n} of the {thing} of {a}.", "wins"),
)

#: Sentences in which the hero loses, with the verb of the worked answer.
LOSSES = (
    ("{hero} loses {n} {thing}.", "loses"),
    ("{hero} loses {n} of the {thing} at home.", "loses"),
    ("{hero} sells {n} {thing}.", "sells"),
    ("{hero} sells {n} {thing} to {a}.", "sells"),
    ("{hero} gives {n} {thing} to {a}.", "gives"),
    ("{hero} gives {a} {n} {thing}.", "gives"),
    ("{a} gets {n} {thing} from {hero}.", "gives"),
    ("{a} wins {n} of the {thing} of {hero}.", "loses"),
)

#: Sentences that change nothing for the hero and the thing.
DISTRACTORS = (
    "{hero} finds {n} {other}.",
    "{hero} sells {n} {other} to {a}.",
    "{a} gives {hero} {n} {other}.",
    "{a} buys {n} {thing}.",
    "{a} loses {n} {thing} at home.",
    "{a} gives {n} {thing} to {b}.",
    "{a} gets {n} {thing} from {b}.",
    "{a} is {n} years old.",
    "{hero} walks for {n} minutes.",
    "It is day {n} of the year.",
)

#: Sentences that say what somebody has before anything happens.
STARTS = ("{hero} has {n} {thing}.", "{hero} starts with {n} {thing}.")
DISTRACTING_STARTS = (
    "{a} has {n} {thing}.",
    "{b} starts with {n} {thing}.",
    "{hero} has {n} {other}.",
    "{hero} also has {n} {other}.",
)

#: Sentences that compare a friend with the hero, with the sign of the difference.
COMPARISONS = (
    ("{a} has {n} more {thing} than {hero} now.", "more", 1),
    ("{a} has {n} fewer {thing} than {hero} now.", "fewer", -1),
)

QUESTIONS = (
    "How many {thing} does {hero} have now?",
    "How many {thing} does {hero} have in the end?",
    "How many {thing} are left for {hero}?",
)
