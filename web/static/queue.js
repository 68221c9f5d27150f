// Keys of the queue and of a decision. Each is a short way to a link, a box or a field that the page has anyway; none decides by itself.
"use strict";
(() => {
  const off = "nastup.keys.off";
  const rows = [...document.querySelectorAll("a[id^='row-']")]; // the link of each row: an address with its id puts the focus there
  const box = (row) => row.closest("tr").querySelector("input[name='item']");
  const here = () => rows.find((row) => row.closest("tr").contains(document.activeElement));
  const focus = (row) => { if (row) { row.focus(); row.scrollIntoView({ block: "nearest" }); } };
  const move = (by) => { const at = rows.indexOf(here()); focus(at < 0 ? rows[0] : rows[at + by]); };
  // ready: the approval waits for its button, the return for its words; a radio would let Enter record it without a look
  const after = { "decision-approve": "#record", "decision-return": "#field_1, #reason" };
  const choose = (id) => {
    const radio = document.getElementById(id);
    if (radio) { radio.checked = true; radio.closest("form").querySelector(after[id]).focus(); }
    return Boolean(radio);
  };
  const prepare = (id) => { if (!choose(id) && here()) { location.assign(`${here().href}#prepare-${id}`); } };
  const explain = () => { const keys = document.getElementById("keys"); if (keys) { keys.open = !keys.open; keys.querySelector("summary").focus(); } };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => { const row = here(); if (row && box(row)) { box(row).checked = !box(row).checked; } },
    a: () => prepare("decision-approve"),
    r: () => prepare("decision-return"),
    "?": explain,
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || localStorage.getItem(off)) { return; }
    if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
  });

  const told = document.getElementById("keys");
  if (told) {
    const use = told.querySelector("#keys-switch input");
    told.hidden = false;
    use.checked = !localStorage.getItem(off);
    use.addEventListener("change", () => use.checked ? localStorage.removeItem(off) : localStorage.setItem(off, "1"));
  }
  const all = document.getElementById("choose-all");
  if (all) {
    all.hidden = false;
    all.addEventListener("click", () => rows.forEach((row) => { if (box(row)) { box(row).checked = true; } }));
  }
  // the way back leads to the list as it was filtered
  const list = "nastup.queue";
  if (rows.length) { sessionStorage.setItem(list, location.pathname + location.search); }
  document.querySelectorAll("a[href^='/queue#row-']").forEach((back) => { back.href = (sessionStorage.getItem(list) ?? "/queue") + back.hash; });
  const prepared = /^#prepare-(decision-(?:approve|return))$/.exec(location.hash); // in the list; no element has that name, which would take the focus
  if (prepared) { choose(prepared[1]); }
})();
