// @ts-check
// How a figure is spread, beside that of another set.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name @param {Record<string, string|number>} attributes @param {...(Node|string)} children */
function draws(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/**
 * Bars for the set, a line for what stands beside it; both as shares, so that sets of other sizes compare.
 * @param {{edges: number[], counts: number[], beside: number[]|null}} spread @param {string} own @param {string} other @param {string} what
 * @param {boolean} even whether honest samples would be spread evenly
 */
function histogram(spread, own, other, what, even) {
  const [width, height, foot] = [640, 150, 34];
  const { edges, counts, beside } = spread;
  const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) || 1;
  const [total, totalBeside] = [sum(counts), sum(beside ?? [])];
  const share = (/** @type {number} */ bin) => counts[bin] / total;
  const shareBeside = (/** @type {number} */ bin) => (beside ? beside[bin] / totalBeside : even ? 1 / counts.length : 0);
  const most = Math.max(...counts.map((_, bin) => Math.max(share(bin), shareBeside(bin))), 1e-9);
  const each = width / counts.length;
  const tall = (/** @type {number} */ part) => (part / most) * (height - foot - 8);
  const round = (/** @type {number} */ value) => Number(value.toPrecision(3)).toLocaleString("en");
  const bars = counts.map((number, bin) => {
    const text = `${round(edges[bin])} to ${round(edges[bin + 1])}: ${number} of ${own}${beside ? `, ${beside[bin]} of ${other}` : ""}`;
    return draws("g", {}, draws("title", {}, text), draws("rect", { x: bin * each, y: 0, width: each, height: height - foot, fill: "transparent" }),
      draws("rect", { x: bin * each + 1, y: height - foot - tall(share(bin)), width: Math.max(1, each - 2), height: tall(share(bin)), fill: "var(--fill)" }));
  });
  const steps = counts.flatMap((_, bin) => [[bin * each, shareBeside(bin)], [(bin + 1) * each, shareBeside(bin)]]);
  const line = steps.map(([x, part], place) => `${place ? "L" : "M"}${x} ${height - foot - tall(part)}`).join("");
  const label = (/** @type {number} */ x, /** @type {string} */ anchor, /** @type {string} */ text) =>
    draws("text", { x, y: height - foot + 14, "font-size": 12, fill: "var(--soft)", "text-anchor": anchor }, text);
  return draws("svg", { role: "img", viewBox: `0 0 ${width} ${height}`, class: "chart", "aria-label": `how ${what} is spread` },
    ...bars, ...(beside || even ? [draws("path", { d: line, fill: "none", stroke: "var(--mark)", "stroke-width": 2, "stroke-dasharray": "6 3" })] : []),
    draws("line", { x1: 0, x2: width, y1: height - foot, y2: height - foot, stroke: "var(--ink)" }),
    label(0, "start", round(edges[0])), label(width, "end", round(edges[edges.length - 1])),
    draws("text", { x: width / 2, y: height - 6, "font-size": 12, fill: "var(--soft)", "text-anchor": "middle" },
      beside ? `${what}: bars ${own}, dashed line ${other}` : even ? `${what} of ${own}; dashed line: honest samples` : `${what} of ${own}`));
}
