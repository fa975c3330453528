/* Pages of differences: what takes long, and what is folded, comes when it is wanted.
     data-load="URL"   an element whose content is that of the same id, or the [data-keys], of a page;
                       in a <details> once it is opened, else at once
     data-more         a link to more of the list that it stands in */
"use strict";
(() => {
  const section = document.querySelector("#changes");
  if (!section) return;
  const said = section.dataset;

  /* A page as a document, which nothing of it runs in; the browser makes none of text for a script. */
  const page = (url) => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.onload = () => (request.response?.querySelector("#changes") ? done(request.response) : failed());
    request.onerror = failed;
    request.send();
  });

  const arrived = (element) => {
    gitbackup.times(element);
    if (navigator.clipboard) element.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = false));
    prepare(element);
  };

  const failed = (element, again) => {
    const note = document.createElement("p");
    note.className = "note";
    note.setAttribute("role", "alert");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = said.again;
    button.addEventListener("click", () => {
      note.remove();
      again();
    });
    note.append(said.failed, " ", button);
    element.append(note);
  };

  const taken = (from, selector) => [...from.querySelector(selector).childNodes].map((node) => document.adoptNode(node));

  const whole = async () => {
    section.setAttribute("aria-busy", "true");
    try {
      section.replaceChildren(...taken(await page(said.load), "#changes"));
      arrived(section);
    } catch {
      failed(section, whole);
    }
    section.removeAttribute("aria-busy");
  };

  const folded = (details) => {
    const keys = details.querySelector("[data-keys]");
    const load = async () => {
      details.setAttribute("aria-busy", "true");
      try {
        keys.replaceChildren(...taken(await page(details.dataset.load), "[data-keys]"));
        delete details.dataset.load;
        arrived(keys);
      } catch {
        failed(keys, load);
      }
      details.removeAttribute("aria-busy");
    };
    details.addEventListener("toggle", () => details.open && details.dataset.load && load(), { once: true });
  };

  const more = (link) => link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const place = link.closest("p");
    link.setAttribute("aria-busy", "true");
    try {
      const nodes = taken(await page(link.href), "[data-keys]").filter((node) => !node.querySelector?.("[rel=prev]"));
      const holder = document.createElement("div");
      holder.className = "page";
      holder.append(...nodes);
      place.replaceWith(holder);
      arrived(holder);
      holder.querySelector("a, summary")?.focus({ preventScroll: true });
    } catch {
      link.removeAttribute("aria-busy");
      failed(place, () => link.click());
    }
  });

  const prepare = (element) => {
    element.querySelectorAll("details[data-load]").forEach(folded);
    element.querySelectorAll("[data-more]").forEach(more);
  };

  prepare(section);
  if (said.load) whole();
})();
