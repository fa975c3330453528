
"use strict";
(() => {
  const tools = document.querySelector(".tools");
  if (!tools) return;
  const key = tools.querySelector("#key");
  const text = tools.querySelector("#text");
  const boxes = [...tools.querySelectorAll("[type=checkbox]")];
  const output = tools.querySelector("output");

  const groups = [...document.querySelectorAll(".group")].map((element) => ({ element, shown: 0 }));
  const groupOf = new Map(groups.map((group) => [group.element, group]));
  const parent = (element) => groupOf.get(element.parentElement.closest(".group"));
  groups.forEach((group) => (group.parent = parent(group.element)));
  const items = [...document.querySelectorAll(".item")].map((element) => ({
    element,
    group: parent(element),
    action: boxes.map((box) => box.value).find((action) => element.classList.contains(action)),
    names: null,
    text: null,
  }));

  // A word is looked for anywhere; with a * or a ? it is a pattern for the whole of a name.
  const finder = (wanted) => {
    if (!wanted) return () => true;
    if (!/[*?]/.test(wanted)) return (item) => called(item).includes(wanted);
    const pattern = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
    const glob = new RegExp(`^${pattern}$`, "m");
    return (item) => glob.test(called(item));
  };

  // The names in an item, and what else it says, each read when it is first searched.
  const called = (item) => (item.names ??= [...item.element.querySelectorAll(".name")]
    .map((name) => name.textContent).join("\n").toLowerCase());
  const said = (item) => (item.text ??= (item.element.querySelector("dl, .subject").textContent
    + (item.element.querySelector(".why")?.textContent ?? "")).toLowerCase());

  let foldedBefore = null; // the groups' state before a search unfolded them

  const show = () => {
    const named = finder(key.value.trim().toLowerCase());
    const wanted = text.value.trim().toLowerCase();
    const actions = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const searching = Boolean(key.value.trim() || wanted);
    if (searching && !foldedBefore) foldedBefore = groups.map((group) => group.element.open);
    groups.forEach((group) => (group.shown = 0));
    let shown = 0;
    for (const item of items) {
      const fits = (!item.action || actions.has(item.action)) && named(item)
        && (!wanted || said(item).includes(wanted));
      if (item.element.hidden === fits) item.element.hidden = !fits;
      shown += fits;
      for (let group = fits && item.group; group; group = group.parent) group.shown += 1;
    }
    groups.forEach((group, at) => {
      group.element.hidden = !group.shown;
      if (searching) group.element.open = true;
      else if (foldedBefore) group.element.open = foldedBefore[at];
    });
    if (!searching) foldedBefore = null;
    const all = items.length.toLocaleString("en");
    const total = `${all} ${items.length === 1 ? tools.dataset.items.slice(0, -1) : tools.dataset.items}`;
    output.textContent = shown === items.length ? total : `${shown.toLocaleString("en")} of ${total}`;
  };

  const fold = (open) => {
    foldedBefore = null;
    groups.forEach((group) => (group.element.open = open));
    if (open || !boxes.length) items.forEach((item) => (item.element.open = open));
  };

  let waiting = 0;
  tools.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(show);
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.querySelector("#unfold").addEventListener("click", () => fold(true));
  tools.querySelector("#fold").addEventListener("click", () => fold(false));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      key.focus();
    } else if (event.key === "Escape" && typing) {
      key.value = text.value = "";
      show();
    }
  });

  tools.hidden = false;
  show();
})();
