/* What every page can do: times in the reader's zone, copying, and the keyboard.
   Attributes that pages use:
     <time datetime data-form>   see `when` of parts.html; times that come later: gitbackup.times(element)
     data-copy="TEXT"            a button that copies it
     data-item                   one of what j and k move through; Enter opens its [data-open], or its first link
     data-search                 the field that / leads to; without one, / leads to the page /search
     data-go="LETTER"            a link that g and the letter follow */
"use strict";
const gitbackup = (() => {
  const language = document.documentElement.lang;
  const locale = language === "en" ? "en-GB" : language;

  const FORMS = {
    clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    day: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
    full: { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  };
  const STEPS = [["second", 1], ["minute", 60], ["hour", 3600], ["day", 86400], ["year", 31536000]];

  /* Chinese has a space between its own characters and figures, as everywhere on these pages. */
  const spaced = (text) => text.replace(/(\d)(?=\p{Script=Han})|(\p{Script=Han})(?=\d)/gu, "$& ");

  /* As the server says it, for a moment that has gone by since. */
  const ago = (moment) => {
    const seconds = Math.max(0, (Date.now() - moment) / 1000);
    const [unit, length] = STEPS.findLast(([, length]) => seconds >= length) ?? [];
    return unit && new Intl.RelativeTimeFormat(locale, { style: language === "en" ? "long" : "short" }).format(-Math.trunc(seconds / length), unit);
  };

  /* Tell the times inside an element in the reader's zone; the title has each in UTC. */
  const times = (inside) => {
    for (const each of inside.querySelectorAll("time[data-form]")) {
      const { form } = each.dataset;
      const moment = new Date(each.dateTime);
      const text = form === "ago" ? ago(moment) : new Intl.DateTimeFormat(locale, FORMS[form]).format(moment);
      if (text) each.textContent = spaced(text);
    }
  };

  /* Ask for a page, or a part of one: `status`, and `page`, a document, or null for no markup. No
     script here may make markup of text, so the browser reads it as it comes. What a page asks for
     by itself is `background`: a login does not last longer by it. Rejects if nobody answers. */
  const load = (url, { background = false, signal = null } = {}) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("GET", url);
      request.responseType = "document";
      if (background) request.setRequestHeader("X-Background", "1");
      request.onload = () => resolve({ status: request.status, page: request.response });
      request.onerror = () => reject(new Error("nobody answers"));
      request.onabort = () => reject(new DOMException("", "AbortError"));
      signal?.addEventListener("abort", () => request.abort());
      request.send();
    });

  let leaving = 0; // when another page was asked for
  addEventListener("beforeunload", () => (leaving = Date.now()));

  /* Show this page as it is now; where another one was asked for, only if that does not come. */
  const reload = () => (Date.now() - leaving > 5000 ? location.reload() : setTimeout(reload, 5000));

  /* Ask again and again while the page is seen. `ask` is given a signal, which tells that its turn
     is over, and resolves to the milliseconds until the next turn; null for none. Returns a function
     that asks at once, and passes on what it is given. */
  const poll = (ask, first) => {
    let timer = 0;
    let asking = null;
    const turn = async (...how) => {
      clearTimeout(timer);
      asking?.abort();
      const { signal } = (asking = new AbortController());
      const wait = await ask(signal, ...how);
      if (signal.aborted || wait === null || document.hidden) return;
      timer = setTimeout(turn, wait);
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : turn()));
    timer = setTimeout(turn, first);
    return turn;
  };

  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const before = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = before), 1500);
  };

  /* The list that j and k move through. */
  let at = null;
  const move = (step) => {
    const items = [...document.querySelectorAll("[data-item]")].filter((item) => item.offsetParent !== null);
    if (!items.length) return;
    const next = at && items.includes(at) ? items.indexOf(at) + step : step > 0 ? 0 : items.length - 1;
    at?.classList.remove("at");
    at = items[Math.max(0, Math.min(items.length - 1, next))];
    at.classList.add("at");
    const target = at.matches("a, summary, button, [tabindex]") ? at : at.querySelector("[data-open]") ?? at.querySelector("a[href], summary");
    target?.focus({ preventScroll: true });
    at.scrollIntoView({ block: "nearest" });
  };

  const search = () => {
    const field = document.querySelector("[data-search]");
    if (field) {
      field.closest("details")?.setAttribute("open", "");
      field.focus();
      field.select();
    } else {
      document.querySelector('[data-go="s"]')?.click();
    }
  };

  const help = () => {
    const dialog = document.querySelector("#keys");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  };

  let going = false; // g was pressed, and the letter is awaited
  const keys = { "/": search, j: () => move(1), k: () => move(-1), "?": help };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) typing.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog && event.key !== "?") return;
    if (going) {
      going = false;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
    } else if (event.key === "g") {
      going = true;
      setTimeout(() => (going = false), 1500);
    } else if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-help]");
    if (button?.matches("[data-help]")) help();
    else if (button) copy(button);
  });

  const shown = '[data-help][hidden]' + (navigator.clipboard ? ", [data-copy][hidden]" : "");
  document.querySelectorAll(shown).forEach((button) => (button.hidden = false));
  times(document);
  setInterval(() => times(document), 60000);
  return { language, load, poll, reload, times };
})();
