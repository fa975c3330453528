"""The page of the settings: what is in force, changing it, and what it never changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gitbackup.settings import SETTINGS
from gitbackup.ui.pages.settings import ROWS
from tests.strangers import STRANGER, by_root
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite

SECRET = "s3cret-in-a-url"


def own(site: LiveSite, name: str) -> list[str]:
    return [each.value for each in site.backup.config.in_force(name)]


def test_a_pattern_is_added_and_removed(site: LiveSite) -> None:
    """Each says what was done, and the command that does the same."""
    site.backup.commit(allow_empty=True)
    page = site.page
    page.goto("/settings")

    page.get_by_role("textbox", name="exclude").fill("session:*")
    page.get_by_role("textbox", name="exclude").press("Enter")

    told = page.get_by_role("status")
    expect(told).to_contain_text("Added to exclude: session:*")
    expect(told).to_contain_text("config add")
    expect(told).to_contain_text("exclude 'session:*'")
    assert own(site, "exclude") == ["session:*"]

    page.get_by_role("button", name="Remove session:* from exclude").click()

    expect(page.get_by_role("status")).to_contain_text("Removed from exclude: session:*")
    assert own(site, "exclude") == []


@pytest.mark.long
def test_a_choice_and_a_number_are_set_and_removed(site: LiveSite) -> None:
    site.backup.commit(allow_empty=True)
    page = site.page
    page.goto("/settings")
    page.get_by_role("combobox", name="push", exact=True).select_option("on-commit")
    page.get_by_role("button", name="Set push", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Set push to on-commit")
    page.get_by_role("textbox", name="alarm-share").fill("40%")
    page.get_by_role("button", name="Set alarm-share").click()
    expect(page.get_by_role("status")).to_contain_text("Set alarm-share to 40%")
    assert (own(site, "push"), own(site, "alarm-share")) == (["on-commit"], ["40%"])

    page.get_by_role("combobox", name="push", exact=True).select_option("off")
    page.get_by_role("button", name="Set push", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Set push to off")
    page.get_by_role("button", name="Remove 40% from alarm-share").click()
    expect(page.get_by_role("status")).to_contain_text("Removed alarm-share")
    assert (own(site, "push"), own(site, "alarm-share")) == ([], [])


def test_what_is_not_valid_is_said_at_its_field(site: LiveSite) -> None:
    """In one sentence; what was typed is still there, and nothing has changed."""
    site.backup.commit(allow_empty=True)
    page = site.page
    page.goto("/settings")

    page.get_by_role("textbox", name="alarm-keys").fill("many")
    page.get_by_role("button", name="Set alarm-keys").click()

    wrong = page.get_by_role("textbox", name="alarm-keys")
    expect(wrong).to_have_value("many")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(
        "How many keys that has to be, at least. 'many' is not a number of keys"
    )
    assert own(site, "alarm-keys") == []


@pytest.mark.long
def test_it_tells_where_each_value_is_from(
    start_site: StartSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is the repository's own can be removed here."""
    config = tmp_path / "gitconfig"
    config.write_text('[gitbackup]\n\tquiet = "*:seen"\n\ton-commit = make-coffee\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    site = start_site()
    site.backup.commit(allow_empty=True)
    site.backup.config.add("quiet", "stats:*")
    page = site.page
    page.goto("/settings")

    values = page.get_by_role("list", name="Values of quiet").get_by_role("listitem")

    assert [" ".join(text.split()) for text in values.all_inner_texts()] == [
        f"*:seen your git config {config}",
        "stats:* this repository Remove",
    ]
    hook = page.get_by_role("list", name="Values of on-commit").get_by_role("listitem")
    expect(hook).to_contain_text("make-coffee")
    expect(page.get_by_role("button", name="on-commit")).to_have_count(0)


def test_every_setting_is_on_the_page() -> None:
    """Those of which there is nothing to show, and that it does not change, are not listed."""
    assert {each.name for each in SETTINGS} == ROWS.keys()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "redis://evil.example"),  # which would be sent the password
        ("on-commit", "touch owned"),
        ("on-failure", "https://example.org/hook"),
        ("rdbDir", "/root"),
        ("identity", "/etc/passwd"),
        ("encrypt-to", "age1"),
        ("insecure", "true"),
        ("core.sshCommand", "touch owned"),
    ],
)
@pytest.mark.parametrize("act", ["set", "add"])
@pytest.mark.few(2)
def test_what_runs_commands_or_names_files_or_servers_is_changed_in_a_terminal_only(
    site: LiveSite, act: str, name: str, value: str
) -> None:
    site.backup.commit(allow_empty=True)
    before = (site.repo / ".git/config").read_bytes()
    site.page.goto("/settings")

    assert site.post("/settings/change", {"act": act, "name": name, "value": value}) == 403

    assert (site.repo / ".git/config").read_bytes() == before


def test_a_read_only_site_shows_and_changes_nothing(start_site: StartSite) -> None:
    site = start_site("--read-only")
    site.backup.commit(allow_empty=True)
    site.backup.config.add("exclude", "session:*")
    site.page.goto("/settings")

    expect(site.page.get_by_role("list", name="Values of exclude")).to_contain_text("session:*")
    expect(site.page.locator("main form")).to_have_count(0)
    form = {"act": "add", "name": "exclude", "value": "user:*"}
    assert site.post("/settings/change", form) == 403
    assert own(site, "exclude") == ["session:*"]


def test_no_password_is_on_the_page(site: LiveSite) -> None:
    site.backup.commit(allow_empty=True)
    site.backup.config.set("url", f"redis://user:{SECRET}@db.example.org:6379")
    site.backup.config.set("on-alarm", f"https://example.org/{SECRET}")
    page = site.page
    page.goto("/settings")
    assert SECRET not in page.content()
    assert "example.org/..." in page.content()


@pytest.mark.long
def test_a_page_names_no_new_place_to_push_to(site: LiveSite, tmp_path: Path) -> None:
    """Whoever gets hold of a page must not get all backups by one form."""
    site.backup.commit(allow_empty=True)
    (tmp_path / "theirs").mkdir()
    site.page.goto("/settings")
    for place in (str(tmp_path / "theirs"), "https://evil.example/x.git", "ext::touch owned"):
        form = {"act": "set", "name": "push-to", "value": place}
        assert site.post("/settings/change", form) == 400
    assert own(site, "push-to") == []


@pytest.mark.long
def test_a_page_says_only_of_what_is_so_that_it_was_done(site: LiveSite) -> None:
    """Whatever address somebody was led to."""
    site.backup.commit(allow_empty=True)
    site.page.goto("/settings?act=add&name=exclude&value=session:*")
    expect(site.page.get_by_role("heading", level=1)).to_have_text("Settings")
    expect(site.page.get_by_role("status")).to_have_count(0)

    site.backup.config.add("exclude", "session:*")
    site.page.reload()
    expect(site.page.get_by_role("status")).to_contain_text("Added to exclude: session:*")


@pytest.mark.long
def test_hostile_values_are_text(site: LiveSite) -> None:
    site.backup.commit(allow_empty=True)
    hostile = "<img src=x onerror=alert(1)>\u202e'\"&*"
    site.page.goto("/settings")

    site.page.get_by_role("textbox", name="exclude").fill(hostile)
    site.page.get_by_role("button", name="Add to exclude").click()

    expect(site.page.get_by_role("status")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(site.page.locator("main img")).to_have_count(0)
    assert own(site, "exclude") == [hostile]
    site.page.locator("#exclude").get_by_role("button", name="Remove").click()
    expect(site.page.get_by_role("status")).to_contain_text("Removed from exclude:")
    assert own(site, "exclude") == []


@pytest.mark.long
def test_suggestions_are_applied(site: LiveSite) -> None:
    for turn in range(4):
        site.redis.mset({f"stats:{page}": turn * 10 + page for page in range(12)})
        site.redis.hset("user:1", mapping={"name": f"Ada {turn // 3}", "mail": "ada@example.org"})
        site.backup.commit()
    page = site.page
    page.goto("/settings")

    page.get_by_role("link", name="Look for suggestions").click()
    row = page.get_by_role("row").filter(has_text="stats:")
    expect(row).to_contain_text("counters")
    row.get_by_role("button", name="Add stats:* to quiet").click()

    expect(page.get_by_role("status")).to_contain_text("Added to quiet: stats:*")
    expect(page.get_by_text("All suggestions are set.")).to_be_visible()
    assert own(site, "quiet") == ["stats:*"]


def test_before_the_first_commit_it_says_how_to_begin(site: LiveSite) -> None:
    site.page.goto("/settings")

    expect(site.page.get_by_role("heading", level=2)).to_contain_text(
        "There is no data repository yet"
    )
    expect(site.page.locator("main")).to_contain_text(f"gitbackup init --repo {site.repo}")


@by_root
def test_the_repository_of_another_user_is_not_said_to_be_missing(site: LiveSite) -> None:
    site.backup.commit(allow_empty=True)
    for path in (site.repo, site.repo / ".git"):
        os.chown(path, STRANGER, STRANGER)

    site.page.goto("/settings")

    expect(site.page.locator("main")).to_contain_text("dubious ownership")
