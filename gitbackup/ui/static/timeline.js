/* The timeline: the database is looked at while the page is seen, new commits come by themselves,
   days are those of the reader's zone, and what was not summed up at first comes after. */
"use strict";
(() => {
  const EVERY = 4000; // milliseconds
  const SOON = 1000; // while the database is being compared
  const SLOWEST = 30000;
  const strip = document.querySelector(".live");
  const list = document.querySelector("#commits");

  /* Put the commits under the days of the reader's zone; the server has them under those of UTC. */
  const byDay = () => {
    const sections = new Map();
    for (const commit of list.querySelectorAll(".commit")) {
      const moment = new Date(commit.dataset.at);
      const day = [moment.getFullYear(), moment.getMonth(), moment.getDate()].join();
      if (!sections.has(day)) {
        const section = commit.closest(".day").cloneNode(true);
        section.querySelector("ol").replaceChildren();
        section.querySelector("time").dateTime = commit.dataset.at;
        section.querySelector("time").removeAttribute("title");
        sections.set(day, section);
      }
      sections.get(day).querySelector("ol").append(commit);
    }
    list.querySelectorAll(".day").forEach((day) => day.remove());
    list.prepend(...sections.values());
    gitbackup.times(list);
  };

  /* Sum up the commits for which there was no time at first. */
  const sumUp = async () => {
    if (!list.querySelector("[data-unsummed]")) return;
    const { status, page } = await gitbackup.load(`/summaries${location.search}`, { background: true });
    if (status !== 200) return;
    const left = list.querySelectorAll("[data-unsummed]").length;
    for (const changes of page.querySelectorAll("[data-changes]")) {
      list.querySelector(`[data-changes="${changes.dataset.changes}"]`)?.replaceWith(changes);
    }
    if (list.querySelectorAll("[data-unsummed]").length < left) await sumUp();
  };

  /* Put in the commits that are there now; those that are new light up. */
  const renew = async () => {
    const { status, page } = await gitbackup.load("/", { background: true });
    const there = status === 200 && page.querySelector("#commits");
    if (!there) return;
    const known = new Set([...list.querySelectorAll(".commit")].map((each) => each.dataset.commit));
    list.replaceChildren(...there.childNodes);
    for (const each of list.querySelectorAll(".commit")) {
      each.classList.toggle("new", !known.has(each.dataset.commit));
    }
    byDay();
    choose();
    await sumUp();
  };

  /* Two commits are chosen by their dots; the older one is the side before. */
  const bar = document.querySelector(".picked");
  let picked = [];

  const choose = () => {
    const dots = [...list.querySelectorAll(".pick")];
    for (const dot of dots) {
      dot.hidden = false;
      dot.checked = picked.includes(dot.value);
    }
    const chosen = dots.filter((dot) => dot.checked).reverse();
    const [one, two] = [bar.querySelector("[data-one]"), bar.querySelector("[data-two]")];
    bar.hidden = !chosen.length;
    one.hidden = chosen.length !== 1;
    two.hidden = chosen.length !== 2;
    if (chosen.length === 1) one.querySelector("code").textContent = chosen[0].dataset.short;
    if (chosen.length === 2) {
      two.href = `/diff?${new URLSearchParams({ a: chosen[0].value, b: chosen[1].value })}`;
      two.querySelectorAll("code").forEach((code, at) => (code.textContent = chosen[at].dataset.short));
    }
  };

  if (list) {
    byDay();
    sumUp();
    choose();
    list.addEventListener("change", ({ target }) => {
      picked = picked.filter((each) => each !== target.value);
      if (target.checked) picked = [...picked, target.value].slice(-2);
      choose();
    });
    bar.querySelector("[data-none]").addEventListener("click", () => {
      picked = [];
      choose();
    });
  }
  if (!strip) return;

  /* Say what the check says, which takes longer than the page. */
  const judge = async () => {
    const place = document.querySelector("[data-verdict]");
    const answer = await gitbackup.load(place.dataset.verdict, { background: true }).catch(() => null);
    const found = answer?.status === 200 && answer.page?.querySelector(".verdict");
    if (!found) return; // that nobody answers is said by the strip
    place.replaceChildren(...found.childNodes);
    place.hidden = false;
  };

  const form = strip.querySelector("form");
  const placeholder = form?.message.placeholder;
  const status = strip.querySelector("[data-said]");
  let wait = EVERY;

  const shown = () => strip.querySelector("#live");

  const settle = () => {
    const { same, subject } = shown().dataset;
    if (form) {
      form.querySelector("button").disabled = same !== undefined;
      form.message.placeholder = subject || placeholder;
    }
    gitbackup.times(shown());
    const said = shown().querySelector(".said").textContent;
    if (status.textContent !== said) status.textContent = said;
  };

  const trouble = (sentence) => {
    const said = shown().querySelector(".said");
    said.textContent = sentence;
    said.className = "said bad";
    shown().dataset.seen = "";
    status.textContent = sentence;
  };

  const ask = async (signal, look = false) => {
    try {
      const query = new URLSearchParams({ seen: shown().dataset.seen, ...(look && { look: 1 }) });
      const how = { background: !look, signal };
      const { status: code, page } = await gitbackup.load(`/live?${query}`, how);
      const now = page?.querySelector("#live");
      wait = (now ?? shown()).dataset.soon === undefined ? EVERY : SOON;
      if (now) {
        const { head } = shown().dataset;
        shown().replaceWith(now);
        settle();
        if (!head && now.dataset.head && !form?.message.value) gitbackup.reload(); // the first commit
        else if (head !== now.dataset.head) {
          await renew();
          judge();
        }
      } else if (code !== 200) {
        const said = page?.querySelector('[role="alert"]')?.textContent.trim();
        trouble((code !== 401 && said) || strip.dataset.ended);
        wait = SLOWEST;
      }
    } catch {
      if (signal.aborted) return null;
      trouble(strip.dataset.lost);
      wait = Math.min(SLOWEST, wait * 1.5);
    }
    return wait;
  };

  settle();
  judge();
  const askNow = gitbackup.poll(ask, SOON);
  strip.addEventListener("click", (event) => event.target.closest("[data-look]") && askNow(true));
})();
