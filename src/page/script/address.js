// @ts-check
// What is looked at: it is in the address, so that a view can be sent, and gone back to.
"use strict";

// Within a notebook the page lies in a frame whose address is the notebook's: there it is kept here.
const framed = location.protocol === "about:";
let state = new URLSearchParams(location.hash.slice(1));

/** @param {string} name */
function get(name) {
  return state.get(name) ?? DEFAULTS[name] ?? "";
}

/** What is looked at after some changes. @param {Record<string, string|number>} changes */
function changed(changes) {
  const next = new URLSearchParams(state);
  for (const [name, value] of Object.entries(changes)) {
    if (String(value) === (DEFAULTS[name] ?? "")) next.delete(name);
    else next.set(name, String(value));
  }
  return next;
}

/** @param {Record<string, string|number>} changes */
const link = (changes) => "#" + changed(changes);

/** @param {Record<string, string|number>} changes @param {boolean} [replace] */
function set(changes, replace) {
  go(changed(changes), replace);
}

/** @param {URLSearchParams} next @param {boolean} [replace] */
function go(next, replace) {
  // At once: the next key may come before the browser tells of a new address.
  state = next;
  if (!framed) history[replace ? "replaceState" : "pushState"](null, "", "#" + next);
  draw();
}

window.addEventListener("hashchange", () => {
  state = new URLSearchParams(location.hash.slice(1));
  draw();
});
document.addEventListener("click", (event) => {
  const href = event.target instanceof Element && event.target.closest("a")?.getAttribute("href");
  if (!framed || !href || !href.startsWith("#")) return;
  event.preventDefault();
  go(new URLSearchParams(href.slice(1)));
});

/** Whether a key is meant for the page: not for a field, not for the browser. @param {KeyboardEvent} event */
function isForPage(event) {
  const { target } = event;
  const field = target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
  return !(field || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented);
}

/** Where views were scrolled to: whoever comes back to one finds it as it was. @type {Map<string, number>} */
const scrolls = new Map();

/**
 * Shows a view in place of the one before, the keyboard where it was; `laid` lays out what depends on the width.
 * @param {HTMLElement} app @param {string} view @param {Node[]} nodes @param {() => void} [laid]
 */
function show(app, view, nodes, laid) {
  scrolls.set(app.dataset.view ?? "", window.scrollY);
  const focused = document.activeElement?.id;
  app.replaceChildren(...nodes);
  laid?.();
  window.scrollTo(0, scrolls.get(view) ?? 0);
  app.dataset.view = view;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
