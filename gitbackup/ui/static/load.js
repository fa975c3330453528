/* What takes long, and what is folded, comes when it is wanted.
     data-part="NAME"   what a page has, and what another page may put in place of its own
     data-load="URL"    an element that has such a part, or is one, for that of another page: a
                        <details> once it is opened, any other at once
     data-more="NAME"   a link to a page whose part of that name goes on after this one
     data-whole="NAME"  a link to a page whose part of that name takes the place of the one it is in
     data-on            such a link that is followed by itself, until [data-stop] is pressed */
"use strict";
(() => {
  const words = document.querySelector("[data-failed]").dataset;

  const part = async (url, name) => {
    const { page } = await gitbackup.load(url);
    const found = page?.querySelector(`[data-part="${name}"]`);
    if (!found) throw new Error((page?.querySelector("main [role=alert]") ?? page?.querySelector("h1"))?.textContent.trim());
    return [...found.childNodes].map((node) => document.adoptNode(node));
  };

  const failed = (element, error, again) => {
    const note = document.createElement("p");
    const button = document.createElement("button");
    note.className = "note";
    note.setAttribute("role", "alert");
    button.type = "button";
    button.textContent = words.again;
    button.addEventListener("click", () => {
      note.remove();
      again();
    });
    note.append(words.failed, " ", error.message, " ", button);
    element.append(note);
  };

  const arrived = (element) => {
    gitbackup.times(element);
    if (navigator.clipboard) element.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = false));
    prepare(element);
  };

  const fill = async (element) => {
    const place = element.matches("[data-part]") ? element : element.querySelector("[data-part]");
    element.setAttribute("aria-busy", "true");
    try {
      place.replaceChildren(...await part(element.dataset.load, place.dataset.part));
      delete element.dataset.load;
      arrived(place);
    } catch (error) {
      failed(place, error, () => fill(element));
    }
    element.removeAttribute("aria-busy");
  };

  const goOn = async (link, focus) => {
    const place = link.closest("p");
    link.setAttribute("aria-busy", "true");
    try {
      const holder = document.createElement("div");
      holder.append(...await part(link.href, link.dataset.more));
      holder.querySelector("[rel=prev]")?.closest("p").remove();
      if (!place.isConnected || place.dataset.stopped) return;
      place.replaceWith(holder);
      arrived(holder);
      if (focus) holder.querySelector("[data-item]")?.querySelector("[data-open], a, summary")?.focus({ preventScroll: true });
    } catch (error) {
      link.removeAttribute("aria-busy");
      failed(place, error, () => goOn(link, focus));
    }
  };

  const more = (link) => {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      goOn(link, true);
    });
    if (!("on" in link.dataset)) return;
    const place = link.closest("p");
    const stop = place.querySelector("[data-stop]");
    stop.hidden = false;
    stop.addEventListener("click", () => {
      place.dataset.stopped = "yes";
      stop.remove();
      link.hidden = false;
      link.removeAttribute("aria-busy");
      link.addEventListener("click", () => delete place.dataset.stopped, { capture: true });
      link.focus();
    });
    link.hidden = true;
    goOn(link, false);
  };

  /* Show all of a part, of which the page has the beginning. */
  const whole = (link) => {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const place = link.closest("[data-part]");
      place.dataset.load = link.href;
      fill(place);
    });
  };

  const prepare = (element) => {
    element.querySelectorAll("[data-whole]").forEach(whole);
    element.querySelectorAll("[data-more]").forEach(more);
    for (const each of element.querySelectorAll("[data-load]")) {
      if (each.matches("details:not([open])")) each.addEventListener("toggle", () => fill(each), { once: true });
      else fill(each);
    }
  };

  prepare(document);
})();
