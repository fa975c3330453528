"""What a report asks of the language that it is in: English, unless a page is in another one."""

from __future__ import annotations

from typing import Any, Protocol


class Words(Protocol):
    """A language.

    `say` returns a text in it, `count` the form of a text for so many, and both with what is told
    in its places, such as `%(keys)s`. `told` returns a sentence of the engine, a note or an error.
    """

    def say(self, text: str, **told: Any) -> str: ...

    def count(self, one: str, many: str, count: int, **told: Any) -> str: ...

    def told(self, sentence: str) -> str: ...


class English:
    """The language that texts are in."""

    def say(self, text: str, **told: Any) -> str:
        return text % told if told else text

    def count(self, one: str, many: str, count: int, **told: Any) -> str:
        return (one if count == 1 else many) % told

    def told(self, sentence: str) -> str:
        return sentence


ENGLISH = English()
