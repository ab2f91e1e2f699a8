// @ts-check
// New samples: which windows, drawn how, what is fixed; and the dead ends.
"use strict";

/** The search that runs, if one does. @type {AbortController|null} */
let running = null;

/** Whole windows of a level, smallest first. @param {string[]} windows @param {number} level */
const ofLevel = (windows, level) => windows.filter((name) => levelOf(name) === level && !name.includes("sites:"));

/** The windows that are asked in turn, and the request. @param {IndexReport} index @param {string[]} windows */
function requestOf(index, windows) {
  const names = index.levels.flatMap((_, level) => {
    const own = ofLevel(windows, level);
    // The window that is meant where none is named; where there are several, the third of all, as 7x7.
    const named = own.filter((name) => index.info.named.includes(name));
    const meant = named.length === 1 ? named[0] : own[Math.min(own.length - 1, 2)];
    const asked = own.includes(get(`w${level}`)) ? get(`w${level}`) : meant;
    const place = own.indexOf(asked);
    return get("backoff") === "1" ? own.slice(0, place + 1).reverse() : own.slice(place, place + 1);
  });
  const fixed = ofRuns(get("fix"), bitsOf(index.levels)).flatMap((bit, position) => (bit === null ? [] : [[position, bit === 1]]));
  const number = (/** @type {string} */ name, /** @type {number} */ otherwise) => (Number.isFinite(Number(get(name))) && get(name) !== "" ? Number(get(name)) : otherwise);
  const first = Math.max(0, Math.floor(number("first", 0)));
  const samples = Math.min(index.limits.generated, Math.max(1, Math.floor(number("n", 8))));
  return {
    windows: names,
    samples: { start: first, end: first + samples },
    seed: Math.max(0, Math.floor(number("seed", 0))),
    temperature: number("t", 1),
    min_count: Math.max(1, Math.floor(number("least-count", 1))),
    fixed,
    ...(get("novel") === "1" ? { novel: "finest" } : {}),
    ...(get("most") === "" ? {} : { max_copied: [get("most")] }),
    ...labelOf(index),
  };
}

/** The same search by the command. @param {IndexReport} index @param {ReturnType<typeof requestOf> & {novel?: string, max_copied?: string[], label?: number}} request */
function commandOf(index, request) {
  const parts = ["bitquilt generate", quoted(index.name), ...request.windows.map((window) => `-w ${window}`), `-n ${request.samples.end}`, `--seed ${request.seed}`];
  if (request.temperature !== 1) parts.push(`--temperature ${request.temperature}`);
  if (request.min_count !== 1) parts.push(`--min-count ${request.min_count}`);
  if (request.novel) parts.push("--novel");
  for (const limit of request.max_copied ?? []) parts.push(`--max-copied ${limit}`);
  if (request.label !== undefined) parts.push(`--label ${request.label}`);
  if (index.without) parts.push(`--without ${index.without}`);
  const { levels } = index;
  for (const [position, bit] of request.fixed) {
    const { level, row, col, channel } = placeOf(Number(position), levels);
    if (parts.length > 40) { parts.push("…"); break; }
    parts.push(`--fix ${levels.length > 1 ? `${level}:` : ""}${row},${col}${levels[level][2] > 1 ? `,${channel}` : ""}=${bit ? 1 : 0}`);
  }
  return [...parts, "-o samples.safetensors"].join(" ");
}

/** A tile of a sample, or of a search without one. @param {IndexReport} index @param {any} line */
function found(index, line) {
  const { attempt, bits } = line;
  const { levels } = index;
  const whole = bitsOf(levels);
  const ends = attempt.backtracks === 0 ? "no dead end" : count(attempt.backtracks, "dead end");
  if (bits) {
    const all = [...bits.join("")].map(Number);
    const picture = pictureOf(bits[bits.length - 1], levels[levels.length - 1]);
    return make("a", { class: "tile", href: link({ page: "drawn", bits: runs(all), run: 1 }), title: "where does it come from?" },
      make("img", { src: picture, alt: `sample ${attempt.index}` }), make("span", {}, `sample ${attempt.index} · ${ends}`));
  }
  const why = { "none exists": "proved: there is none", "budget spent": "given up", stopped: "out of time", "cap reached": "given up" }[/** @type {string} */ (attempt.status)] ?? attempt.status;
  const filled = make("i");
  filled.style.width = `${(100 * attempt.deepest) / whole}%`;
  return make("div", { class: "tile dead" }, make("span", { class: "deep", role: "img", "aria-label": `${attempt.deepest} of ${whole} bits` }, filled),
    make("span", {}, `sample ${attempt.index}: ${why} after ${ends}; the deepest ${attempt.deepest} of ${whole} bits`));
}

/** Searches, and shows what is found as it is found. @param {IndexReport} index @param {Record<string, any>} request @param {HTMLElement} tiles @param {HTMLElement} told */
async function search(index, request, tiles, told) {
  running?.abort();
  const own = new AbortController();
  running = own;
  told.textContent = "searching …";
  let [samples, ends] = [0, 0];
  try {
    for await (const line of lines(await api.generate(request, own.signal))) {
      if (line.attempt) {
        tiles.append(found(index, line));
        samples += line.bits ? 1 : 0;
        ends += line.attempt.backtracks;
        told.textContent = `${count(samples, "sample")}, ${count(ends, "dead end")} …`;
      } else if (line.done === true) told.textContent = `${count(samples, "sample")}, ${count(ends, "dead end")}. Click one: where does it come from?`;
      else if (line.done === false) told.textContent = `${count(samples, "sample")}, then: ${line.problem.detail}`;
    }
  } catch (error) {
    if (!own.signal.aborted) told.textContent = String(/** @type {any} */ (error).message ?? error);
  }
}

/** Sliders over the windows of each level. @param {IndexReport} index @param {string[]} windows @param {string[]} chosen */
const windowSliders = (index, windows, chosen) => index.levels.flatMap((_, level) => {
  const own = ofLevel(windows, level);
  if (own.length < 2) return [];
  const now = own.find((name) => chosen.includes(name) && (get("backoff") !== "1" || name === chosen.find((each) => levelOf(each) === level))) ?? own[0];
  const text = make("strong", {}, now);
  return [make("label", {}, index.levels.length > 1 ? `window of level ${level}: ` : "window: ", text, make("input", {
    id: `w${level}`, type: "range", min: 0, max: own.length - 1, step: 1, value: own.indexOf(now), "aria-valuetext": now,
    oninput: (/** @type {any} */ event) => (text.textContent = own[event.target.value]),
    onchange: (/** @type {any} */ event) => set({ [`w${level}`]: own[event.target.value] }, true),
  }))];
});

/** @param {string} name @param {string} label @param {Record<string, any>} attributes */
const field = (name, label, attributes) => make("label", {}, label, make("input", { id: name, value: get(name), onchange: (/** @type {any} */ event) => set({ [name]: event.target.value }, true), ...attributes }));

/** @param {string} name @param {string} label */
const check = (name, label) => make("label", {}, make("input", { id: name, type: "checkbox", checked: get(name) === "1", onchange: (/** @type {any} */ event) => set({ [name]: event.target.checked ? 1 : "" }, true) }), " " + label);

/** Bits that every sample has, painted. @param {IndexReport} index */
function fixedBits(index) {
  const { levels } = index;
  const bits = ofRuns(get("fix"), bitsOf(levels));
  const level = Math.min(Number(get("paint") || 0), levels.length - 1);
  const channel = Math.min(Number(get("channel") || 0), levels[level][2] - 1);
  const brush = get("brush") || "1";
  const value = { 1: 1, 0: 0, free: null }[brush] ?? null;
  const painter = new Painter(levels, level, channel, bits, {
    brush: () => value, changed: () => set({ fix: runs(bits) }, true), says: "bits that every sample is to have, to paint",
  });
  const brushes = /** @type {const} */ ([["1", "paint 1"], ["0", "paint 0"], ["free", "free again"]]);
  return make("details", { class: "fixed", open: get("fix") !== "" || get("painting") === "1", ontoggle: (/** @type {any} */ event) => { state = changed({ painting: event.target.open ? 1 : "" }); } }, make("summary", {}, `bits that every sample has: ${bits.filter((bit) => bit !== null).length}`),
    make("div", { class: "bar" }, ...brushes.map(([name, text]) => toggle(`brush-${name}`, text, brush === name, () => set({ brush: name, painting: 1 }, true))),
      toggle("free-all", "all free", false, () => set({ fix: "", painting: 1 }, true)),
      ...(levels.length > 1 ? levels.map(([rows, columns], number) => toggle(`paint-${number}`, `level ${rows}x${columns}`, number === level, () => set({ paint: number, painting: 1 }, true))) : []),
      ...(levels[level][2] > 1 ? [field("channel", "channel ", { type: "number", min: 0, max: levels[level][2] - 1 })] : [])),
    make("p", { class: "soft" }, levels.length > 1 ? "Paint a coarse level: the finer ones are filled in. Gray is left to the search." : "Gray is left to the search. Keys on the picture: arrows, 0, 1, Delete."),
    make("div", { class: "painter" }, painter.sheet.canvas));
}

/** @param {IndexReport} index @param {string[]} windows */
async function generatePage(index, windows) {
  if (!index.generates) return [make("h1", {}, "Generate"), make("p", {}, "This server was started without leave to generate: start it with --allow-generate.")];
  const request = requestOf(index, windows);
  const tiles = make("div", { class: "wall", id: "found" });
  const told = make("p", { role: "status", id: "told" });
  const go = make("button", { id: "go", class: "main", type: "button", onclick: () => set({ run: Number(get("run") || 0) + 1 }, true) }, "Generate");
  if (get("run") !== "") search(index, request, tiles, told);
  return [
    make("h1", {}, "New samples"),
    make("p", { class: "soft" }, "Every window of every sample was seen in training. Large windows copy more and end in more dead ends; small ones make more up."),
    make("div", { class: "form" }, ...windowSliders(index, windows, request.windows), field("n", `samples, at most ${index.limits.generated}`, { type: "number", min: 1, max: index.limits.generated, value: request.samples.end - request.samples.start }),
      field("seed", "seed", { type: "number", min: 0, step: 1, value: request.seed }), field("t", "temperature", { type: "number", min: 0.1, step: 0.1, value: request.temperature }),
      field("least-count", "least occurrences of a context", { type: "number", min: 1, step: 1, value: request.min_count }), field("most", "at most so many bits of one latent", { type: "number", min: 0, placeholder: "any" }),
      ...labelChoice(index), check("backoff", "smaller windows where this one has no match"), check("novel", "no training latent")),
    go, told,
    make("div", { class: "pair2" }, fixedBits(index), tiles),
    make("p", { class: "soft" }, "The same in a shell: ", make("code", { class: "command" }, commandOf(index, request))),
  ];
}
