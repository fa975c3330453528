"""The page of the server: what it says of itself, and how large namespaces were."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.clusters import SLOTS, LiveCluster
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite


def fact(site: LiveSite, panel: str, name: str) -> Locator:
    region = site.page.get_by_role("region", name=panel).last
    return (
        region.locator("dl > div").filter(has=site.page.get_by_text(name, exact=True)).locator("dd")
    )


def test_it_tells_what_the_server_says_of_itself(site: LiveSite) -> None:
    site.redis.mset({"a:1": "1", "a:2": "2"})
    site.redis.set("b", "expires", ex=1000)
    site.redis.config_set("maxmemory", 500_000_000)
    site.redis.config_set("save", "3600 1 300 100")
    info = site.redis.info()

    site.page.goto("/server")

    expect(fact(site, "Server", "Version")).to_have_text(
        re.compile(
            rf"(Redis|Valkey) {re.escape(info.get('valkey_version', info['redis_version']))}"
        )
    )
    expect(fact(site, "Server", "Role")).to_have_text("primary")
    expect(fact(site, "Memory", "Limit")).to_have_text("500.0 MB")
    expect(fact(site, "Persistence", "AOF file")).to_have_text("no")
    expect(fact(site, "Persistence", "Saves by itself")).to_have_text(
        "1 change in 1 hour\n100 changes in 5 minutes", use_inner_text=True
    )
    row = site.page.get_by_role("region", name="Databases").get_by_role("row").nth(1)
    assert row.inner_text().split() == ["db0", "3", "1"]


def test_the_plots_have_all_namespaces_and_a_table(site: LiveSite) -> None:
    """Of the eight namespaces, the six largest by their names, and the others together."""
    site.redis.mset({f"n{number}:{key}": "x" for number in range(8) for key in range(8 - number)})
    site.backup.commit("first")
    site.redis.mset({f"n7:{key}": "x" for key in range(10, 30)})
    site.redis.delete(*(f"n0:{key}" for key in range(8)))
    site.backup.commit("second")

    site.page.goto("/server")

    chart = site.page.get_by_role("figure", name="Number of keys")
    picture = chart.get_by_role("img")
    expect(picture).to_have_count(1)
    expect(picture).to_have_accessible_name(
        "Number of keys: 36 at first, 48 at last. The table below has all figures."
    )
    chart.get_by_text("As a table").click()
    rows = chart.get_by_role("table").get_by_role("row")
    head = rows.nth(0).inner_text().split("\t")
    assert head[2:] == ["All", "n0", "n1", "n2", "n3", "n4", "n7", "2 others"]
    figures = [rows.nth(at).inner_text().split("\t")[2:] for at in (1, 2)]
    assert figures == [
        ["48", "0", "7", "6", "5", "4", "21", "5"],
        ["36", "8", "7", "6", "5", "4", "1", "5"],
    ]
    expect(site.page.get_by_text("All 2 commits.")).to_be_visible()
    expect(site.page.get_by_role("figure", name="Size")).to_be_visible()


def test_one_commit_is_a_table_without_a_plot(site: LiveSite) -> None:
    site.redis.set("a", "1")
    site.backup.commit()

    site.page.goto("/server")

    expect(site.page.get_by_role("figure", name="Number of keys")).to_be_visible()
    expect(site.page.locator(".chart svg[role=img]")).to_have_count(0)


@pytest.mark.long
def test_hostile_names_are_text(site: LiveSite) -> None:
    site.redis.set("<script>alert(1)</script>:x", "1")
    site.backup.commit()
    site.redis.set("\u202e:x", "1")
    site.backup.commit()

    site.page.goto("/server")

    expect(site.page.locator("main")).to_contain_text("<script>alert(1)</script>")
    expect(site.page.locator("main script")).to_have_count(0)
    assert "\u202e" not in site.page.content()


def test_without_the_server_the_history_is_still_there(site: LiveSite) -> None:
    site.redis.set("a:1", "1")
    site.backup.commit()
    site.redis.set("a:2", "2")
    site.backup.commit()
    site.redis.shutdown(nosave=True)

    site.page.goto("/server")

    expect(site.page.get_by_role("alert")).to_contain_text("The server cannot be asked:")
    expect(
        site.page.get_by_role("figure", name="Number of keys").get_by_role("img")
    ).to_be_visible()


def test_what_the_user_may_not_ask_is_not_known(start_site: StartSite, site: LiveSite) -> None:
    """Nothing is made up, and a sentence says why."""
    site.redis.acl_setuser("default", enabled=True, nopass=True, commands=["-info", "-config"])

    site.page.goto("/server")

    expect(fact(site, "Memory", "Used")).to_have_text("not known")
    expect(fact(site, "Persistence", "AOF file")).to_have_text("not known")
    expect(site.page.get_by_role("region", name="Server").last).to_contain_text("permission")


@pytest.mark.long
def test_a_phone_has_a_plot_of_its_own_width(start_site: StartSite) -> None:
    site = start_site(viewport={"width": 390, "height": 800})
    site.redis.set("a:1", "1")
    site.backup.commit()
    site.redis.set("a:2", "2")
    site.backup.commit()

    site.page.goto("/server")

    width = site.page.evaluate("document.documentElement.scrollWidth")
    assert width == 390
    shown = site.page.locator(".chart svg[role=img]:visible").first
    assert shown.get_attribute("viewBox") == "0 0 350 220"


@pytest.mark.long
def test_of_a_long_history_it_says_which_commits_the_plots_show(site: LiveSite) -> None:
    for number in range(60):
        site.redis.set(f"a:{number}", "1")
        site.backup.commit()

    site.page.goto("/server")

    said = site.page.get_by_text("commits: the first, and the last one of each part of the time")
    expect(said).to_contain_text("of 60 commits")
    chart = site.page.get_by_role("figure", name="Number of keys")
    chart.get_by_text("As a table").click()
    rows = chart.get_by_role("row").all_inner_texts()
    totals = [int(row.split("\t")[2]) for row in rows[1:]]
    assert (totals[0], totals[-1]) == (60, 1)
    assert len(totals) <= 48


@pytest.mark.long
def test_a_cluster_is_told_node_by_node(start_site: StartSite, cluster: LiveCluster) -> None:
    client = cluster.client()
    for number in range(30):
        client.set(f"key:{number}", "value")
    site = start_site(server=cluster.nodes[0])

    site.page.goto("/server")

    headings = site.page.get_by_role("heading", level=2, name=re.compile("^Node "))
    assert headings.all_inner_texts() == sorted(
        f"Node 127.0.0.1:{node.port}" for node in cluster.nodes[: cluster.primaries]
    )
    slots = site.page.locator("dl > div", has_text="Slots").locator("dd").all_inner_texts()
    assert sum(int(each.replace(",", "")) for each in slots) == SLOTS
    row = site.page.get_by_role("region", name="Databases").get_by_role("row").nth(1)
    assert row.inner_text().split() == ["db0", "30", "0"]
