"""The risks at the nodes of a cluster, joined if they are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from gitbackup.model.safety.risk import Risk


def together(risks: Mapping[str, Iterable[Risk]]) -> Iterator[Risk]:
    """Yield the risks of all nodes, which are given by their labels.

    What is the same at all nodes is one risk; else it is told at which nodes it is so. The commands
    are those of each node.
    """
    alike: dict[Risk, list[tuple[str, Risk]]] = {}
    for label, own in risks.items():
        for risk in own:
            alike.setdefault(replace(risk, commands=()), []).append((label, risk))
    for risk, found in alike.items():
        commands = [command for _, each in found for command in each.commands]
        protection = risk.protection
        if len(found) < len(risks):
            protection += f" (at {', '.join(label for label, _ in found)})"
        yield replace(risk, protection=protection, commands=tuple(dict.fromkeys(commands)))
