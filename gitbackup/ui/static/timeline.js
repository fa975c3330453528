/* The timeline: the database is looked at while the page is seen, new commits come by themselves,
   days are those of the reader's zone, and what was not summed up at first comes after. */
"use strict";
(() => {
  const EVERY = 4000; // milliseconds
  const SLOWEST = 30000;
  const strip = document.querySelector(".live");
  const list = document.querySelector("#commits");
  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

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
    const answer = await fetch(`/summaries${location.search}`);
    if (!answer.ok) return;
    const left = list.querySelectorAll("[data-unsummed]").length;
    for (const changes of parsed(await answer.text()).querySelectorAll("[data-changes]")) {
      list.querySelector(`[data-changes="${changes.dataset.changes}"]`)?.replaceWith(changes);
    }
    if (list.querySelectorAll("[data-unsummed]").length < left) await sumUp();
  };

  /* Put in the commits that are there now; those that are new light up. */
  const renew = async () => {
    const answer = await fetch("/");
    const there = parsed(await answer.text());
    if (!answer.ok || !there.querySelector("#commits")) return;
    const known = new Set([...list.querySelectorAll(".commit")].map((each) => each.dataset.commit));
    list.replaceChildren(...there.querySelector("#commits").childNodes);
    for (const each of list.querySelectorAll(".commit")) {
      each.classList.toggle("new", !known.has(each.dataset.commit));
    }
    byDay();
    await sumUp();
  };

  if (list) {
    byDay();
    sumUp();
  }
  if (!strip) return;

  const form = strip.querySelector("form");
  const placeholder = form?.message.placeholder;
  const status = strip.querySelector("[data-said]");
  let timer = 0;
  let wait = EVERY;
  let asking = null;

  const shown = () => strip.querySelector("#live");

  const settle = () => {
    const { commits, subject } = shown().dataset;
    if (form) {
      form.querySelector("button").disabled = commits === "no";
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

  const ask = async (look = false) => {
    clearTimeout(timer);
    asking?.abort();
    asking = new AbortController();
    try {
      const query = new URLSearchParams({ seen: shown().dataset.seen, ...(look && { look: 1 }) });
      const answer = await fetch(`/live?${query}`, { signal: asking.signal, redirect: "manual" });
      const body = await answer.text();
      const now = parsed(body).querySelector("#live");
      wait = EVERY;
      if (now) {
        const moved = now.dataset.head !== shown().dataset.head;
        shown().replaceWith(now);
        settle();
        if (moved) await renew();
      } else if (answer.status !== 204) {
        const said = parsed(body).querySelector('[role="alert"]')?.textContent.trim();
        trouble((answer.status !== 401 && answer.status !== 403 && said) || strip.dataset.ended);
        wait = SLOWEST;
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      trouble(strip.dataset.lost);
      wait = Math.min(SLOWEST, wait * 1.5);
    }
    if (!document.hidden) timer = setTimeout(() => ask(), wait);
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
  strip.addEventListener("click", (event) => event.target.closest("[data-look]") && ask(true));
  settle();
  timer = setTimeout(() => ask(), 1000);
})();
