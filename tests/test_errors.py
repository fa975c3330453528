"""Every error can be told in other words."""

from __future__ import annotations

from gitbackup.errors import GitbackupError, NoDatabase
from gitbackup.live.connection.dial import NoServer


def test_an_error_in_other_words_tells_the_same_of_it() -> None:
    gone = NoServer("localhost:6379", "Connection refused")
    told = gone.reworded("the restore was interrupted")
    assert (str(told), told.reason, told.exit_code) == (
        "the restore was interrupted",
        "Connection refused",
        12,
    )
    assert NoDatabase("no such database", 20).reworded("none").db == 20


def test_each_kind_of_error_can_be_told_so() -> None:
    kinds = [GitbackupError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert str(kind.__new__(kind, "at first").reworded("then")) == "then"
