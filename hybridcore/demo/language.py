"""A generated language of arithmetic word problems with worked answers.

A problem is a chain of two to five additions and subtractions below 100, told in
varied sentences among others that change nothing:

    Question: Zoe has 12 keys. Tom has 34 keys. Ada gives 25 keys to Tom. Tom walks
    for 18 minutes. Later Tom sells 17 keys. How many keys does Tom have now?
    Solution: Tom has 34. Tom gets 25: 34+25=59. Tom sells 17: 59-17=42.
    Answer: 42

Most tokens of a worked answer follow from the ones before it; which quantity comes
next and the digits of a result are where a small model fails.
"""

from __future__ import annotations

import random

from . import phrases
from .problem import Problem, Step

LENGTHS = (2, 3, 4, 5)
LENGTH_WEIGHTS = (25, 35, 25, 15)
LARGEST_AMOUNT = 60
LARGEST_TOTAL = 99


class Storyteller:
    """Draws the sentences of one problem from a generator of random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.hero, self.friend, *self.others = rng.sample(phrases.NAMES, 4)
        self.thing, self.other = rng.sample(phrases.THINGS, 2)
        self.distractors: list[int] = []

    def tell(self) -> Problem:
        """One problem: sentences, chain and question."""
        rng = self.rng
        count = rng.choices(LENGTHS, LENGTH_WEIGHTS)[0]
        start = rng.randint(5, 90)
        compared = rng.random() < 0.25
        steps: list[Step] = []
        sentences = self._openings(start)
        total = start
        for _ in range(count - compared):
            sentence, step = self._event(total)
            sentences += [*self._noise(0.3), rng.choice(phrases.MOMENTS) + sentence]
            steps.append(step)
            total = step.total
        sentences += self._noise(0.2)
        asked = self.hero
        if compared or rng.random() < 0.15:
            sentence, step = self._comparison(total)
            sentences.append(sentence)
            if compared:
                steps.append(step)
                asked = self.friend
            else:
                self.distractors.append(step.amount)
        sentences.append(self._say(rng.choice(phrases.QUESTIONS), hero=asked))
        question = " ".join(sentences)
        return Problem(
            question, self.hero, start, tuple(steps), tuple(self.distractors)
        )

    def _openings(self, start: int) -> list[str]:
        openings = [self._say(self.rng.choice(phrases.STARTS), n=start)]
        if self.rng.random() < 0.5:
            openings.append(self._distract(phrases.DISTRACTING_STARTS))
            self.rng.shuffle(openings)
        return openings

    def _event(self, total: int) -> tuple[str, Step]:
        gain, amount = self._move(total)
        template, verb = self.rng.choice(phrases.GAINS if gain else phrases.LOSSES)
        after = total + amount if gain else total - amount
        step = Step(self.hero, f"{verb} {amount}", amount, total, after)
        return self._say(template, n=amount), step

    def _comparison(self, total: int) -> tuple[str, Step]:
        gain, amount = self._move(total)
        template, word = next(
            (text, word)
            for text, word, sign in phrases.COMPARISONS
            if (sign > 0) == gain
        )
        after = total + amount if gain else total - amount
        step = Step(self.friend, f"has {amount} {word}", amount, total, after)
        return self._say(template, n=amount, a=self.friend), step

    def _move(self, total: int) -> tuple[bool, int]:
        room, stock = LARGEST_TOTAL - total, total - 1
        gain = stock < 2 or (room >= 2 and self.rng.random() < 0.5)
        return gain, self.rng.randint(2, min(LARGEST_AMOUNT, room if gain else stock))

    def _noise(self, chance: float) -> list[str]:
        if self.rng.random() >= chance:
            return []
        moment = self.rng.choice(phrases.MOMENTS)
        return [moment + self._distract(phrases.DISTRACTORS)]

    def _distract(self, templates: tuple[str, ...]) -> str:
        amount = self.rng.randint(2, LARGEST_TOTAL)
        self.distractors.append(amount)
        return self._say(self.rng.choice(templates), n=amount)

    def _say(
        self, template: str, n: int = 0, hero: str | None = None, a: str | None = None
    ) -> str:
        one, two = self.rng.sample([self.friend, *self.others], 2)
        return template.format(
            hero=hero or self.hero,
            a=a or one,
            b=two,
            n=n,
            thing=self.thing,
            other=self.other,
        )


def problem(rng: random.Random, held_out: bool) -> Problem:
    """The next problem from ``rng`` that is, or is not, kept from training."""
    while True:
        drawn = Storyteller(rng).tell()
        if drawn.held_out == held_out:
            return drawn
