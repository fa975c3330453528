"""One trial: a change, a command, a fault; and the laws that hold after it.

1. The repository is whole (`git fsck --strict`), and every commit that HEAD led to is there still.
2. A command that fails says one sentence and ends with a code of the list; it does not hang.
3. What is said to be done is done: by the server's own digests, and by what HEAD's files hold.
4. After a restore that was cut off each key is what it was or what it was to be.
5. Once the trouble is over, the same words finish it.
6. Every value that a restore has replaced is in the history, or still in the database.
7. Nothing needs a person: no lock is left, and the next commit holds what the database does.
"""

from __future__ import annotations

import signal
from random import Random
from typing import NamedTuple

from gitbackup.store.repository.restore_journal import JOURNAL
from tests.torture import acts, faults
from tests.torture.acts import Act, Keys, alive, differing
from tests.torture.database import HOUR, Gone, State, library_named
from tests.torture.faults import Fault, Trouble
from tests.torture.starter import Ended
from tests.torture.world import PATIENCE, Cost, Undoable, World, stacks

DOCUMENTED = {0, 1, 3, 11, 12}
"""Exit codes that a fault may give: 2 is of wrong words, 10 and 13 of a repository that is none."""

LOSES = ("kill server", "flush", "evict")
"""Faults after which the server may hold less than before."""

LOST, FALSE, PERSON, WORDS = "lost", "false success", "needs a person", "words"
SHARE_OF_SCRIPTS = 0.03  # of runs of the program itself, not of the fork
WATCHED = 0.25  # seconds that a watch is let


class Broken(Exception):
    """A law does not hold."""

    def __init__(self, law: str, what: str) -> None:
        super().__init__(f"{law}: {what}")
        self.law = law


class Verdict(NamedTuple):
    """What became of a trial; `law` is the one that did not hold."""

    trial: str
    fault: str
    act: str
    struck: bool
    ending: str  # how the run under the fault ended: done, failed, killed
    law: str = ""
    told: str = ""


class Trial:
    """The nth of a world."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.name = f"{world.name}:{number}"
        self.chance = Random(self.name)
        self.log: list[str] = []
        self.act: Act | None = None
        self.fault: Fault | None = None
        self.trouble: Trouble | None = None
        self.ending = ""
        self.head: str | None = None

    def run(self) -> Verdict:
        law = told = ""
        try:
            self._go()
        except Broken as broken:
            law, told = broken.law, str(broken)
        except (AssertionError, Gone, OSError, ValueError, KeyError, RuntimeError) as error:
            law, told = "rig", f"{type(error).__name__}: {error}"
            import traceback

            told += "\n" + traceback.format_exc()
        finally:
            if self.act:
                self.act.clear()
        return Verdict(
            self.name,
            self.fault.kind if self.fault else "",
            self.act.kind if self.act else "",
            bool(self.trouble and self.trouble.struck),
            self.ending,
            law,
            "\n".join([told, *self.log]) if law else "",
        )

    def _go(self) -> None:
        world, chance = self.world, self.chance
        if world.clock:
            world.database.jump(0)
        world.writer.chance = chance
        if chance.random() < 0.8:
            world.writer.write(world.database, chance.choice((1, 2, 3, 6)))
        act = self.act = acts.pick(world, chance)
        fault = self.fault = faults.pick(world, act, chance)
        act.ready()
        before, head = world.database.state(), world.plain.head()
        self.head = head
        self.log.append(f"gitbackup {' '.join(act.words)}, and {fault.kind}, by {fault.when}")
        trouble = self.trouble = Trouble(world, fault, act, chance)
        ended = self._under(trouble, act)
        self.log.append(f"at {trouble.instant}, struck: {trouble.struck}; {_shown(ended)}")
        self._sane(act, ended, trouble)
        self._whole(head)
        after = world.database.state()
        moved = act.relative and trouble.by_hand  # HEAD~2 means another commit since
        disturbed = fault.disturbs or bool(trouble.second) or moved
        if not disturbed and ended.code in act.codes:
            self._claimed(act, before, ended, after)
        elif not disturbed and act.writes:
            self._each_old_or_new(act, before, after)
        elif not disturbed and not world.clock and not act.ends:
            self._same(before.keys, after.keys, after, PERSON, "a command that only reads wrote")
        if (disturbed and fault.kind != "a writer") or act.ends:
            before = after  # what was lost is not gitbackup's
        replaced = self._replaceable(before, trouble)
        after = self._again(act, ended, before, after, head, disturbed)
        self._kept(act, replaced, after)
        self._settle(act, before, after, disturbed)

    # the run under the fault

    def _under(self, trouble: Trouble, act: Act) -> Ended:
        world = self.world
        script = self.chance.random() < SHARE_OF_SCRIPTS and not trouble.dies
        passed, replied = world.proxy.passed, world.proxy.replied
        trouble.arm()
        run = world.start(act.words, trouble.dies, script)
        trouble.follow(run)
        if act.ends:
            self._watch(run)
        ended = run.end(PATIENCE)
        if ended is None:
            where = stacks(run.pid)
            run.signal(signal.SIGKILL)
            trouble.lift(None)
            raise Broken(WORDS, f"it hangs: {where}")
        trouble.lift(ended)
        if not script and ended.code == 0 and not trouble.fault.stays and not act.ends:
            cost = world.cost(act.kind)
            passed, replied = world.proxy.passed - passed, world.proxy.replied - replied
            if trouble.fault.kind not in ("a second run", "a writer", "slow", "stall"):
                world.costs[act.kind] = Cost(
                    max(passed, 1), max(replied, 1), max(ended.steps, 1), ended.seconds
                )
            else:
                cost.steps = max(ended.steps, 1)
        return ended

    def _watch(self, run: object) -> None:
        """Writes while it watches, and then asks it to end."""
        from tests.torture.starter import Run

        assert isinstance(run, Run)
        for _ in range(4):
            if run.wait(WATCHED / 4) is not None:
                return
            try:
                self.world.writer.write(self.world.database, 2)
            except Gone:
                break
        run.signal(signal.SIGTERM)

    # the laws

    def _sane(self, act: Act, ended: Ended, trouble: Trouble) -> None:
        if trouble.errors:
            raise Broken(WORDS, "; ".join(trouble.errors))
        second = trouble.second_ended
        others = [(trouble.second_words, second)] if second else []
        for words, done in [(act.words, ended), *others]:
            if "Traceback" in done.err or "Error:" in done.err.partition("gitbackup: ")[0]:
                raise Broken(WORDS, f"a traceback of {words}: {done.err[-2000:]}")
            if done.code < 0:
                if words is act.words and trouble.fault.kind == "kill gitbackup":
                    continue
                if words is act.words and act.ends and done.code == -signal.SIGTERM:
                    continue  # it was asked to end before it listened
                raise Broken(WORDS, f"{words} ended by signal {-done.code}: {done.err}")
            if done.code in (2, 10) and words is not act.words and not self.head:
                continue  # the other one came before there was anything
            if done.code not in DOCUMENTED:
                raise Broken(WORDS, f"{words} ended with {done.code}: {done.err}")
            silent = not done.err.strip() and not (act.verdict and words is act.words)
            if done.code and silent:
                raise Broken(WORDS, f"{words} ended with {done.code} and said nothing")
        self.ending = "killed" if ended.code < 0 else "failed" if ended.code else "done"
        if ended.code == 1 and act.verdict and not ended.err:
            self.ending = "done"

    def _whole(self, head: str | None) -> None:
        plain = self.world.plain
        if not (plain.path / ".git").exists():
            return
        if problems := plain.problems():
            if plain.head() is None and head is None:
                return
            raise Broken(PERSON, f"git fsck: {problems}")
        if head and not plain.reaches(head):
            raise Broken(LOST, f"no branch leads to {head} any more")

    def _claimed(self, act: Act, before: State, ended: Ended, after: State) -> None:
        """What is said to be done is done."""
        if act.ends:
            if problem := act.proof(before, ended):
                raise Broken(FALSE, problem)
            return
        wanted = act.target(before)
        if wanted is not None and not (act.verdict and ended.code):
            self._same(wanted, after.keys, after, FALSE, "the database is not what it should be")
        libraries = act.libraries(before)
        if libraries is not None and libraries != after.libraries:
            raise Broken(FALSE, "the libraries are not those that they should be")
        changes = wanted is None or not act.writes or bool(differing(before.keys, wanted))
        if act.records and changes and self.world.plain.tokens() != after.tokens:
            raise Broken(FALSE, f"HEAD is not what the database holds: {self._off(after)}")
        if act.writes and after.aside:
            raise Broken(FALSE, f"values built aside are left: {after.aside}")
        if problem := act.proof(before, ended):
            raise Broken(FALSE, problem)

    def _off(self, state: State) -> str:
        held = self.world.plain.tokens()
        return f"{len(held - state.tokens)} too many, {len(state.tokens - held)} too few"

    def _same(self, wanted: Keys, there: Keys, now: State, law: str, what: str) -> None:
        if self.world.clock:
            wanted, there = alive(wanted, now.now + 2000), alive(there, now.now + 2000)
        wrong = differing(wanted, there)
        if wrong:
            facts = [(key, wanted.get(key), there.get(key)) for key in wrong[:3]]
            raise Broken(law, f"{what}: {len(wrong)} keys: {facts}")

    def _each_old_or_new(self, act: Act, before: State, after: State) -> None:
        wanted = act.target(before)
        if wanted is None:
            return
        for key in {*before.keys, *wanted, *after.keys} - {*after.aside}:
            one = {key: after.keys[key]} if key in after.keys else {}
            choices = [{key: of[key]} if key in of else {} for of in (before.keys, wanted)]
            if self.world.clock:
                now = after.now + 2000
                one, choices = alive(one, now), [alive(of, now) for of in choices]
            if all(differing(one, of) for of in choices):
                raise Broken(LOST, f"{key} is half done: {one}, neither of {choices}")

    def _replaceable(self, before: State, trouble: Trouble) -> frozenset[bytes]:
        """The values that only gitbackup can have replaced."""
        mine = frozenset(trouble.latest.values()) | {token for _, token in trouble.told}
        of_writer = {(0, key) for key in trouble.latest}
        rest = [held.tokens for key, held in before.keys.items() if key not in of_writer]
        return frozenset().union(*rest) | mine

    def _again(
        self, act: Act, ended: Ended, before: State, after: State, head: str | None, disturbed: bool
    ) -> State:
        """The same words, now that nothing goes wrong."""
        world = self.world
        if act.ends or (ended.code in act.codes and (act.once or not disturbed)):
            return after
        if disturbed and act.relative:  # what the words mean now, nobody can say
            return self._taken_back(after)
        if act.relative and self._completed(head):
            self._same(act.target(before) or after.keys, after.keys, after, FALSE, "not finished")
            return after
        again = world.run(*act.words)
        self.log.append(f"again: {_shown(again)}")
        if "Traceback" in again.err:
            raise Broken(WORDS, f"a traceback: {again.err[-2000:]}")
        if act.been_done and act.been_done in again.err:
            again = again._replace(code=0)
        if again.code not in act.codes:
            raise Broken(PERSON, f"the same words do not finish it: {again.code} {again.err}")
        state = world.database.state()
        # where the fault struck a restore, what was there before it is what it puts back
        self._claimed(act, after if disturbed or not act.writes else before, again, state)
        return state

    def _taken_back(self, after: State) -> State:
        """The restore that was cut off, if one was, is undone: its words say it no more."""
        if not (self.world.plain.git_dir / JOURNAL).exists():
            return after
        undone = self.world.run("undo", "--yes")
        self.log.append(f"taken back: {_shown(undone)}")
        if undone.code:
            raise Broken(PERSON, f"a restore that was cut off cannot be undone: {undone.err}")
        return self.world.database.state()

    def _completed(self, head: str | None) -> bool:
        """Whether the restore that was cut off has made its last commit, and closed its book."""
        if (self.world.plain.git_dir / JOURNAL).exists():
            return False
        now = self.world.plain.head()
        if now == head:
            return False
        said = self.world.plain.run("log", "-1", "--format=%B").stdout
        return b"\nRestore-Of: " in said

    def _kept(self, act: Act, replaced: frozenset[bytes], after: State) -> None:
        lost = replaced - after.tokens
        if lost and act.writes:
            lost -= self.world.plain.history()
        if lost and act.writes:
            raise Broken(LOST, f"{len(lost)} values are nowhere: {sorted(lost)[:5]}")

    def _settle(self, act: Act, before: State, after: State, disturbed: bool) -> None:
        """The next commit holds what the database does, and all is tidy."""
        world = self.world
        if act.kind.startswith("first ") and world.plain.head() is None:
            return
        self._let_go(world.database.state())
        state = after = world.database.state()
        made = world.run("commit", "-m", "what is there")
        if made.code:
            raise Broken(PERSON, f"the next commit: {made.code} {made.err}")
        if world.plain.tokens() != state.tokens:
            raise Broken(FALSE, f"a commit is not what the database holds: {self._off(state)}")
        if locks := world.plain.locks():
            raise Broken(PERSON, f"left behind: {locks}")
        if untidy := world.plain.uncommitted():
            raise Broken(PERSON, f"git status: {untidy}")
        if self.chance.random() < 0.15:
            told = world.run("diff", "--exit-code")
            if told.code:
                raise Broken(FALSE, f"diff after a commit: {told.code} {told.out} {told.err}")
        head = world.plain.head()
        assert head is not None
        world.known[head] = state
        self._note(act, before, after, disturbed)

    def _let_go(self, state: State) -> None:
        """What a run that was cut off has built aside is in no commit, and goes by itself within
        the hour: here at once."""
        for key in state.aside:
            left = state.keys[key].expires_at - state.now
            if not (0 < left <= HOUR or self.world.clock):
                raise Broken(PERSON, f"{key} was built aside, and stays for {left} ms")
        self.world.database.remove(state.aside)

    def _note(self, act: Act, before: State, after: State, disturbed: bool) -> None:
        """What an undo has to bring back."""
        world = self.world
        if self.fault and self.fault.kind in LOSES and disturbed:
            # a stream may differ by what a digest leaves out: the undo brings that one back, too
            world.undoable = None
        if act.restores is None and not (disturbed and self.trouble and self.trouble.second):
            return
        if disturbed or world.clock:
            world.undoable = None
            return
        keys = {*differing(before.keys, after.keys)}
        libraries = {library_named(code) for code in before.libraries ^ after.libraries}
        if keys or libraries:
            keys |= world.plain.restored_streams()
            world.undoable = Undoable(before, keys, libraries)
        elif self.ending != "done":
            world.undoable = None


def _shown(ended: Ended) -> str:
    said = (ended.err.strip() or ended.out.strip()).splitlines()
    return f"exit {ended.code}, {ended.steps} steps, {ended.seconds:.2f} s: {' | '.join(said[-3:])}"
