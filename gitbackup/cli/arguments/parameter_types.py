"""What the words that follow an option may be."""

from __future__ import annotations

from typing import Any

import click


class Natural(click.types.IntParamType):
    """A number from 0 on, which goes without saying in the help."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int = super().convert(value, param, ctx)
        return number if number >= 0 else self.fail(f"{number} is less than 0.", param, ctx)


class Folder(click.Path):
    """A folder; an empty word, as of a variable that is not set, does not mean the current one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("it is empty.", param, ctx)
        return super().convert(value, param, ctx)


def named(ctx: click.Context, param: click.Parameter, word: str | None) -> str | None:
    """Return the word that names a server, which must not be empty. An option's callback."""
    if word == "":
        raise click.BadParameter("it is empty.", ctx, param)
    return word
