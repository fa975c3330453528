"""The page of the check: its verdicts, and what it offers to do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import expect

from gitbackup import Backup
from gitbackup.checks import backups, persistence, server
from gitbackup.errors import UsageError
from gitbackup.ui.jobs.jobs import State
from gitbackup.ui.jobs.safeguards import Verify
from gitbackup.ui.pages.check import DANGERS
from gitbackup.ui.pages.jobs.safeguards import begun
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import Language
from tests.checks.looking import AGE
from tests.cli.user import GITBACKUP, surroundings
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite


def checked(site: LiveSite) -> list[dict[str, Any]]:
    """Return the risks that the command tells as JSON."""
    words = ["check", "--quick", "--json", "--repo", str(site.repo), "--url", site.server.url]
    done = subprocess.run([*GITBACKUP, *words], env=surroundings({}), stdout=subprocess.PIPE)
    return list(json.loads(done.stdout)["risks"])


def test_it_says_what_the_command_says(site: LiveSite) -> None:
    """Each verdict, danger and protection, the worst first, and its commands as they are to be
    pasted."""
    site.redis.set("key", "value")
    site.backup.commit()
    told = checked(site)

    site.page.goto("/check")

    bad = [each for each in told if each["verdict"] != "ok"]
    shown = site.page.locator(".risk")
    assert shown.count() == len(bad)
    for at, risk in enumerate(bad):
        text = AGE.sub("AGE", " ".join(shown.nth(at).inner_text().split()))
        for said in (risk["verdict"], f"If {risk['risk']}", risk["protection"], risk["advice"]):
            assert AGE.sub("AGE", said) in text
        assert shown.nth(at).locator(".copy code").all_inner_texts() == risk["commands"]
    fine = site.page.locator(".fine tr")
    assert [AGE.sub("AGE", text.split("\t")[1].strip()) for text in fine.all_inner_texts()] == [
        AGE.sub("AGE", each["protection"]) for each in told if each["verdict"] == "ok"
    ]
    expect(site.page.locator(".verdicts")).to_contain_text(f"{len(told) - len(bad)} ok")


@pytest.mark.long
def test_the_whole_database_is_compared_where_that_is_asked_for(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    site.redis.mset({"key": "other", "new": "value"})
    page = site.page
    page.goto("/check")
    expect(page.locator("main")).to_contain_text("not compared (--quick)")

    page.get_by_role("checkbox", name="compare the whole database").check()
    page.get_by_role("button", name="Check again").click()

    expect(page.locator("main")).to_contain_text("2 keys changed since")
    expect(page.get_by_role("checkbox", name="compare the whole database")).to_be_checked()


@pytest.mark.long
def test_the_last_commit_is_tested(site: LiveSite) -> None:
    site.redis.mset({"a": "1", "b": "2"})
    site.backup.commit("first commit")
    (commit,) = site.backup.log()
    page = site.page
    page.goto("/check")

    page.locator("#rehearsal").get_by_role("button", name="Test the last commit").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Restore test of {commit.short_id}")
    told = page.locator(".callout.good")
    expect(told).to_contain_text("2 keys were restored into")
    expect(told).to_contain_text("came back exactly")
    page.get_by_role("link", name="To the check").click()
    expect(page.get_by_role("region", name="Restore tests")).to_contain_text(commit.short_id)
    expect(page.locator("#rehearsal")).to_have_count(0)


@pytest.mark.long
def test_any_commit_is_tested_from_its_own_page(site: LiveSite) -> None:
    site.redis.set("a", "1")
    site.backup.commit("first commit")
    (commit,) = site.backup.log()
    site.redis.set("a", "2")
    site.backup.commit("second commit")
    site.page.goto(f"/commit/{commit.id}")

    site.page.get_by_role("button", name="Test that it restores").click()

    told = site.page.locator(".callout.good")
    expect(told).to_contain_text("1 key was restored into")
    assert site.backup.rehearsal(commit.id)
    assert site.backup.rehearsal("HEAD") is None


@pytest.mark.long
def test_a_remote_gets_what_it_lacks(site: LiveSite, tmp_path: Path) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    (tmp_path / "copies").mkdir()
    site.backup.push(str(tmp_path / "copies"))
    site.redis.set("key", "other")
    site.backup.commit()
    page = site.page
    page.goto("/check")

    page.get_by_role("region", name="Copies elsewhere").get_by_role(
        "button", name="Push to origin"
    ).click()

    expect(page.get_by_role("status")).to_contain_text("Pushed 1 commit to origin")
    assert [each.missing for each in site.backup.pushed()] == [0]
    page.goto("/check")
    assert site.post("/push", {"remote": str(tmp_path / "elsewhere")}) == 400
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.long
def test_a_push_that_fails_says_why(site: LiveSite, tmp_path: Path) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    (tmp_path / "copies").mkdir()
    site.backup.push(str(tmp_path / "copies"))
    shutil.rmtree(tmp_path / "copies")
    site.page.goto("/check")

    site.page.get_by_role("button", name="Push to origin").first.click()

    expect(site.page.get_by_role("alert")).to_contain_text(str(tmp_path / "copies"))
    expect(site.page.get_by_role("link", name="To the check")).to_be_visible()


def test_a_risk_is_accepted_and_no_longer_accepted(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    page = site.page
    page.goto("/check")

    page.locator("#replicas").get_by_role("button", name="Accept this risk").click()

    expect(page.get_by_role("status")).to_contain_text("Added to accept: replicas")
    expect(page.locator("#replicas")).to_have_count(0)
    assert [each.value for each in site.backup.config.in_force("accept")] == ["replicas"]
    page.goto("/settings")
    offered = page.get_by_role("combobox", name="accept").locator("option").all_inner_texts()
    assert ("loading" in offered, "replicas" in offered) == (True, False)
    page.goto("/check")

    page.get_by_role("button", name="No longer accept replicas").click()

    expect(page.locator("#replicas")).to_be_visible()
    assert site.backup.config.in_force("accept") == []


@pytest.mark.long
def test_it_shows_the_remotes_and_the_restore_tests(site: LiveSite, tmp_path: Path) -> None:
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    (commit,) = site.backup.log()
    (tmp_path / "copies").mkdir()
    site.backup.push(str(tmp_path / "copies"))
    site.backup.verify()
    site.redis.set("key", "other")
    site.backup.commit("second commit")
    site.page.goto("/check")

    copies = site.page.get_by_role("region", name="Copies elsewhere").get_by_role("row").nth(1)
    tests = site.page.get_by_role("region", name="Restore tests").get_by_role("row").nth(1)

    expect(copies).to_contain_text(str(tmp_path / "copies"))
    expect(copies.locator(".number")).to_have_text("1")
    expect(tests).to_contain_text(f"{commit.short_id}")
    expect(tests).to_contain_text("first commit")
    expect(tests).to_contain_text("passed")


def test_a_read_only_site_accepts_nothing(start_site: StartSite) -> None:
    site = start_site("--read-only")
    site.redis.set("key", "value")
    site.backup.commit()

    site.page.goto("/check")

    expect(site.page.locator("#replicas")).to_contain_text("config add")
    expect(site.page.get_by_role("button", name="Accept this risk")).to_have_count(0)


@pytest.mark.long
def test_before_the_first_commit_it_says_how_to_begin(site: LiveSite) -> None:
    site.page.goto("/check")

    expect(site.page.locator("#commit")).to_contain_text("there is no commit")
    expect(site.page.locator("#commit").get_by_role("link", name="Commit")).to_be_visible()


@pytest.mark.long
def test_without_the_server_the_copies_and_restore_tests_are_still_there(site: LiveSite) -> None:
    site.redis.set("key", "value")
    site.backup.commit()
    site.backup.verify()
    site.redis.shutdown(nosave=True)

    site.page.goto("/check")

    expect(site.page.get_by_role("alert")).to_contain_text("no server answers")
    expect(site.page.get_by_role("region", name="Copies elsewhere")).to_contain_text("no remote")
    expect(site.page.get_by_role("region", name="Restore tests")).to_contain_text("passed")


@pytest.mark.parametrize("module", [backups, persistence, server])
def test_every_danger_has_its_words_in_each_language(module: object) -> None:
    """What a check says can happen is a constant of its module."""
    names = (
        *("MISTAKE", "LOST", "DELETED", "NEEDED", "READ", "BROKEN", "CRASH", "POWER", "GROWTH"),
        *("FILES", "SAVING", "AWAY", "LOADING", "MEMORY", "GONE", "STRANGER"),
    )
    found = [getattr(module, name) for name in names if hasattr(module, name)]
    assert found
    for danger in found:
        assert DANGERS[danger] == f"If {danger}"
        assert DANGERS[danger] in Language.every()["zh-CN"].texts


def test_few_restore_tests_are_at_work_at_once(tmp_path: Path) -> None:
    """Each has a server of its own: a hundred commits are not tested at the same time."""
    site, ended = Site(lambda progress: Backup(tmp_path)), Event()

    def work() -> State:
        ended.wait()
        return State.DONE

    jobs = [Verify(site.backup, commit) for commit in ("a", "b")]
    for job in jobs:
        site.jobs.look(job, work)
    try:
        with pytest.raises(UsageError, match="wait for them"):
            begun(site, Verify(site.backup, "c"))
    finally:
        ended.set()
    assert all(site.jobs.settle(job, 60) for job in jobs)
