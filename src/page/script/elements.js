// @ts-check
// Elements of a page, and words that are said in several places.
"use strict";

// Okabe and Ito: told apart by the colour-blind too; a source beyond the eighth has stripes as well.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#a0a0a0"];

/**
 * An element. Texts come from strangers' files: they are only ever text.
 * @param {string} name @param {Record<string, any>} [attributes] @param {...(Node|string)} children
 */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("aria-")) element.setAttribute(key, String(value));
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A choice of something that is in the address.
 * @param {string} name @param {[string, string][]} values @param {string} label @param {Record<string, string|number>} [besides]
 */
function choice(name, values, label, besides = {}) {
  const options = values.map(([value, text]) => make("option", { value, selected: get(name) === value }, text));
  const onchange = (/** @type {any} */ event) => set({ ...besides, [name]: event.target.value });
  return make("label", {}, label + " ", make("select", { id: name, onchange }, ...options));
}

/** A button that is pressed while something is so. @param {string} id @param {string} text @param {boolean} pressed @param {() => void} onclick */
const toggle = (id, text, pressed, onclick) => make("button", { id, type: "button", "aria-pressed": pressed, onclick }, text);

/** @param {number} number @param {string} what */
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

/** @param {number} down @param {number} right */
function moved(down, right) {
  const parts = [];
  if (down) parts.push(`${Math.abs(down)} ${down > 0 ? "down" : "up"}`);
  if (right) parts.push(`${Math.abs(right)} ${right > 0 ? "right" : "left"}`);
  return parts.length ? `there ${parts.join(", ")}` : "in the same place";
}

/** The level of a window, by its name: "1:5x5^3x3" is of level 1, "7x7" and "sites:9" are of level 0. @param {string} name */
const levelOf = (name) => Number(/^(\d+):/.exec(name)?.[1] ?? 0);
