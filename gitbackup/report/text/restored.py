"""What a restore did, as sentences for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gitbackup.format.names import LISTED, key_list, key_name
from gitbackup.model.keys import Key
from gitbackup.report.text.conflicts import Named
from gitbackup.report.words import ENGLISH, Words
from gitbackup.restore.result import RestoreResult, Why


def outcome(
    result: RestoreResult, named: Named = key_name, words: Words = ENGLISH
) -> Iterator[str]:
    """Yield what was verified of an applied restore, and what could not be."""
    if not result.plan.keys:  # a run before this one wrote it all
        yield _already(result, words)
        return
    yield _verified(result, words)
    if result.accepted:
        yield words.say(
            "not compared: %(keys)s; the server accepted the dump but returns another one",
            keys=listed(result.accepted, named, words),
        )
    if result.later:
        keys = listed(result.later, named, words)
        yield words.say("clients have written to %(keys)s since then", keys=keys)


def listed(keys: Iterable[Key], named: Named = key_name, words: Words = ENGLISH) -> str:
    """Return a few keys in a sentence, as `key_list` does, in a language."""
    every = list(keys)
    some = key_list(every[:LISTED], named)
    if len(every) <= LISTED:
        return some
    return words.say("%(keys)s and %(num)s more", keys=some, num=f"{len(every) - LISTED:,}")


def _verified(result: RestoreResult, words: Words) -> str:
    """Return which keys were read again, and what they hold."""
    count, num = result.verified, f"{result.verified:,}"
    if result.plan.how.revert:
        return words.count(
            "verified: %(num)s key is as planned",
            "verified: %(num)s keys are as planned",
            count,
            num=num,
        )
    return words.count(
        "verified: %(num)s key equals %(source)s",
        "verified: %(num)s keys equal %(source)s",
        count,
        num=num,
        source=_source(result, words),
    )


def _already(result: RestoreResult, words: Words) -> str:
    """Return that an earlier run has written it all."""
    source = _source(result, words)
    if result.plan.how.revert:
        return words.say("already done: %(source)s is reverted", source=source)
    return words.say("already done: the database equals %(source)s", source=source)


def _source(result: RestoreResult, words: Words) -> str:
    plan = result.plan
    return plan.name or words.say("commit %(id)s", id=plan.commit[:7])


def undone(
    result: RestoreResult,
    left_out: Sequence[str] = (),
    named: Named = key_name,
    words: Words = ENGLISH,
) -> Iterator[str]:
    """Yield what a restore has left undone, but for conflicts: of an applied one what is not as it
    should be, and why. `left_out` is why files of the commit were no part of it."""
    if result.applied and not result.whole:
        why = "; ".join(_left(result, named, words))
        if result.plan.how.revert:
            yield words.say("reverted, except for some keys: %(why)s", why=why)
        else:
            yield words.say("restored, except for some keys: %(why)s", why=why)
    if left_out:
        files = "; ".join(map(words.told, left_out))
        yield words.say("restored, except for the damaged files: %(files)s", files=files)
    if result.plan.unsupported:
        yield words.say(
            "restored, except for types that the server does not know: %(keys)s",
            keys=listed(result.plan.unsupported, named, words),
        )
    if result.unrecorded and result.recorded:
        yield words.say(
            "the current state was not read again (%(why)s): run the same command again",
            why=words.told(result.unrecorded),
        )
    elif result.unrecorded:
        yield words.say(
            "the current state was not committed (%(why)s): run the same command again",
            why=words.told(result.unrecorded),
        )


def _left(result: RestoreResult, named: Named, words: Words) -> Iterator[str]:
    """Yield which keys do not hold what they should, and why."""
    if result.refused:
        why = words.told(result.refused[0][1])
        keys = listed((key for key, _ in result.refused), named, words)
        yield words.say("the server refused %(keys)s (%(why)s)", keys=keys, why=why)
    if result.busy:
        keys = listed(result.busy, named, words)
        yield words.say(
            "clients keep writing to %(keys)s: stop them, and run the same command again", keys=keys
        )
    kinds: dict[str, list[Key]] = {}
    for key in result.differing:
        kinds.setdefault(result.why.get(key, Why.OTHERWISE), []).append(key)
    if gone := sorted([*kinds.pop(Why.EVICTED, ()), *result.gone]):
        yield _gone(result, gone, named, words)
    for why, some in sorted(kinds.items()):
        yield _seen(why, listed(some, named, words), words)


def _seen(why: str, keys: str, words: Words) -> str:
    """Return why keys do not hold what they should, as far as that was seen."""
    if why == Why.DELETED:
        return words.say("a client deleted %(keys)s after the restore", keys=keys)
    if why == Why.WRITTEN:
        return words.say("a client wrote to %(keys)s after the restore", keys=keys)
    if why == Why.UNHELD:
        return words.say(
            "this server cannot hold all of %(keys)s, and stored a different value", keys=keys
        )
    return words.say(
        "%(keys)s has a different value: a client wrote to it, or the server cannot hold the value",
        keys=keys,
    )


def _gone(result: RestoreResult, gone: Sequence[Key], named: Named, words: Words) -> str:
    if result.evicted is None:
        why = words.say(
            "the server evicted keys to free memory, or a client deleted them (grant"
            " +info to know which)"
        )
    else:
        why = words.count(
            "the server evicted %(num)s key during the restore to free memory",
            "the server evicted %(num)s keys during the restore to free memory",
            result.evicted,
            num=f"{result.evicted:,}",
        )
    return words.count(
        "%(keys)s is gone: %(why)s; raise its maxmemory and restore again",
        "%(keys)s are gone: %(why)s; raise its maxmemory and restore again",
        len(gone),
        keys=listed(gone, named, words),
        why=why,
    )
