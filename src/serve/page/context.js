// @ts-check
// One context: what followed it, at every window, and where.
"use strict";

/** Postings of each value to show. */
const SHOWN = 12;

/** How far a window reaches, in sites; a few where its name does not say. @param {string} name */
function reachOf(name) {
  const found = /(\d+)x(\d+)/.exec(name);
  return found ? Math.floor(Number(found[2]) / 2) : 4;
}

/** Level, row, column and channel of a bit. @param {number} position @param {number[][]} levels */
function placeOf(position, levels) {
  let level = 0;
  while (level + 1 < levels.length && position >= startOf(levels, level + 1)) level++;
  const [, width, channels] = levels[level];
  const own = position - startOf(levels, level);
  const site = Math.floor(own / channels);
  return { level, row: Math.floor(site / width), col: site % width, channel: own % channels };
}

/** A patch of a training latent around a bit, which is marked. @param {IndexReport} index @param {number} latent @param {number} position @param {number} reach */
function patch(index, latent, position, reach) {
  const { level, row, col } = placeOf(position, index.levels);
  const [height, width] = index.levels[level];
  const side = Math.min(2 * reach + 5, 31);
  const cell = Math.max(3, Math.floor(96 / side));
  const says = `latent ${latent} at row ${row}, column ${col}`;
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { width: side * cell, height: side * cell, role: "img", "aria-label": says }));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = new Image();
  image.onload = () => {
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#8a8a90";
    context.fillRect(0, 0, side * cell, side * cell);
    const half = Math.floor(side / 2);
    context.drawImage(image, (half - col) * cell, (half - row) * cell, width * cell, height * cell);
    context.strokeStyle = "#56b4e9";
    context.lineWidth = 1;
    context.strokeRect((half - reach) * cell, (half - reach) * cell, (2 * reach + 1) * cell, (2 * reach + 1) * cell);
    context.strokeStyle = "#e69f00";
    context.lineWidth = 2;
    context.strokeRect(half * cell, half * cell, cell, cell);
  };
  image.src = api.ofLatent(latent, level, "bits");
  return make("a", { href: link({ page: "latent", id: latent, sample: "", latent: "", at: "", bits: "" }), title: says }, canvas, `latent ${latent} · ${row},${col}`);
}

/**
 * What followed a context at each window of its level, and the patches of the one that is chosen.
 * @param {IndexReport} index @param {number} position @param {string[]} windows @param {(window: string, top: number) => Promise<Found>} asker
 * @param {(window: string) => void} [tell] is told which window is chosen
 */
async function contextPanel(index, position, windows, asker, tell) {
  const { level, row, col, channel } = placeOf(position, index.levels);
  const own = windows.filter((name) => levelOf(name) === level);
  const counted = await Promise.all(own.map((window) => asker(window, 0)));
  // The largest that was seen more than once; else the largest that was seen.
  const seen = (/** @type {number} */ times) => own.findLast((_, at) => counted[at].n0 + counted[at].n1 >= times);
  const chosen = own.includes(get("window")) || get("window") === "longest" ? get("window") : seen(2) ?? seen(1) ?? own[0];
  const found = await asker(chosen, SHOWN);
  tell?.(found.window);
  const bars = own.flatMap((window, at) => {
    const { n0, n1 } = counted[at];
    const filled = make("i");
    filled.style.width = `${n0 + n1 ? (100 * n1) / (n0 + n1) : 0}%`;
    const told = n0 + n1 ? `${n0.toLocaleString("en")} × 0, ${n1.toLocaleString("en")} × 1` : "never seen";
    return [toggle(`window-${window}`, window, window === chosen, () => set({ window }, true)), make("div", { class: "meter", role: "img", "aria-label": told }, filled), make("span", {}, told)];
  });
  const longest = toggle("window-longest", "longest match", chosen === "longest", () => set({ window: "longest" }, true));
  const sites = found.sites === undefined ? "" : `, ${count(found.sites, "site")} of it`;
  const where = `bit at row ${row}, column ${col}${index.levels[level][2] > 1 ? `, channel ${channel}` : ""}${index.levels.length > 1 ? ` of level ${level}` : ""}`;
  const lists = /** @type {const} */ ([[0, found.n0, found.postings0], [1, found.n1, found.postings1]]);
  return [
    make("h2", {}, `After this context: ${where}`),
    make("p", { class: "soft" }, `It is a ${found.bit} here. The bar is the share of ones.`),
    make("div", { class: "bars" }, ...bars, longest, make("span"), make("span", {}, chosen === "longest" ? `${found.window}${sites}` : "")),
    ...lists.flatMap(([bit, total, postings]) => (total === 0 ? [] : [
      make("h3", {}, `${bit} followed ${count(total, "time")} at ${chosen}${total > postings.length ? `; the ${postings.length} that match furthest` : ""}`),
      make("div", { class: "patches" }, ...postings.map(([latent, at]) => patch(index, latent, at, reachOf(found.window)))),
    ])),
  ];
}

/** The label that contexts are asked for, where they are bound to labels. @param {IndexReport} index */
function labelOf(index) {
  if (index.info.condition !== "label") return {};
  return { label: get("label") === "" ? index.info.label_values[0] : Number(get("label")) };
}

/** A choice of that label. @param {IndexReport} index */
const labelChoice = (index) => (index.info.condition !== "label" ? [] : [choice("label", index.info.label_values.map((label) => [String(label), String(label)]), "label")]);

/** A place that fills when what it shows has come. @param {Promise<Node[]>} coming */
function soon(coming) {
  const place = make("div", {}, make("p", { class: "soft" }, "…"));
  coming.then((nodes) => place.replaceChildren(...nodes), (error) => place.replaceChildren(make("p", { class: "mark" }, error.message)));
  return place;
}

/** The bits that are painted, or those of a latent to begin with. @param {IndexReport} index */
async function paintedBits(index) {
  const length = bitsOf(index.levels);
  if (get("bits") !== "") return ofRuns(get("bits"), length).map((bit) => bit ?? 0);
  const { bits } = await api.latent(Number(get("id")));
  return [...bits.join("")].map(Number);
}

/** Any context: painted, or taken from a latent. @param {IndexReport} index @param {string[]} windows */
async function contextPage(index, windows) {
  const { levels } = index;
  const bits = /** @type {(number|null)[]} */ (await paintedBits(index));
  const middle = startOf(levels, levels.length - 1) + (Math.floor(levels[levels.length - 1][0] / 2) * levels[levels.length - 1][1] + Math.floor(levels[levels.length - 1][1] / 2)) * levels[levels.length - 1][2];
  const position = get("at") === "" ? middle : Math.min(Math.max(0, Number(get("at")) || 0), bits.length - 1);
  const { level, row, col, channel } = placeOf(position, levels);
  let reach = 0;
  let brush = /** @type {"flip"|"point"} */ (get("brush") === "paint" ? "flip" : "point");
  const painter = new Painter(levels, level, channel, bits, {
    brush: () => brush,
    changed: () => set({ bits: runs(bits), at: position }, true),
    pointed: (at) => set({ at }, true),
    mark: (sheet) => {
      const inside = (/** @type {number} */ site) => Math.abs(Math.floor(site / sheet.width) - row) <= reach && Math.abs((site % sheet.width) - col) <= reach;
      if (reach) sheet.border(inside, (is) => (is ? "#56b4e9" : null), 2);
      sheet.border((site) => site === row * sheet.width + col, (is) => (is ? "#e69f00" : null), 3);
    },
    says: "the bits of a latent, to paint and to point at",
  });
  const outline = (/** @type {string} */ window) => {
    reach = reachOf(window);
    painter.sheet.redraw();
  };
  const id = make("input", { id: "of-latent", type: "number", min: 0, value: get("id"), size: 6, onchange: (/** @type {any} */ event) => set({ id: event.target.value, bits: "" }) });
  const texts = textsOf(bits, levels);
  const asker = (/** @type {string} */ window, /** @type {number} */ top) => api.query({ window, position, bits: texts, top, ...labelOf(index) });
  const brushes = /** @type {const} */ ([["point", "point at a bit"], ["paint", "paint"]]);
  return [
    make("h1", {}, "A context"),
    make("p", { class: "soft" }, "Paint bits and point at one: how often what stands before it was seen in training, what followed, and where. Keys on the picture: arrows, 0, 1."),
    make("div", { class: "bar" }, ...brushes.map(([name, text]) => toggle(`brush-${name}`, text, (get("brush") || "point") === name, () => set({ brush: name }, true))),
      make("label", {}, "start from training latent ", id), toggle("blank", "all 0", false, () => set({ bits: `0-${bits.length - 1}=0` })),
      ...levelChoice(levels, level), ...channelChoice(levels[level][2], position, channel), ...labelChoice(index),
      make("a", { href: link({ page: "drawn", bits: runs(bits), at: "" }) }, "where would all of it come from?")),
    make("div", { class: "pair2" }, make("div", { class: "painter" }, painter.sheet.canvas), soon(contextPanel(index, position, windows, asker, outline))),
  ];
}

/** @param {number[][]} levels @param {number} level */
const levelChoice = (levels, level) => (levels.length < 2 ? [] : levels.map(([rows, columns], number) =>
  toggle(`level-${number}`, `${rows}x${columns}`, number === level, () => set({ at: startOf(levels, number), window: "" }, true))));

/** @param {number} channels @param {number} position @param {number} channel */
const channelChoice = (channels, position, channel) => (channels < 2 ? [] : [make("label", {}, "channel ",
  make("input", { id: "channel", type: "number", min: 0, max: channels - 1, value: channel, onchange: (/** @type {any} */ event) => set({ at: position - channel + Math.min(channels - 1, Math.max(0, Number(event.target.value))) }, true) }))]);
