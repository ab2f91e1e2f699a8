// @ts-check
// The page of a trace: a wall of samples, and for each one its quilt beside the training latents that it comes from. What it shows is
// the trace file (schemas/trace.schema.json) and pictures of latents by their ids; what is looked at is in the address.
"use strict";

/** @typedef {{level?: number, latent: number, down: number, right: number, sites: number, bits: number, information: number}} Region */
/** @typedef {{p: number, latent: number, down: number, right: number, rows: number[], columns: number[], bits: number, errors: number}} Judged */
/** @typedef {{support: number[][], window: (number|null)[], count: number[], region: (number|null)[], answered_by: number[]|null}} Bits */
/** @typedef {{nearest: {latent: number, distance: number}[]}} Nearness */
/** @typedef {{sample: number, label: number|null, regions: Region[], bits: Bits,
 *   summary: {supported: number, most_informative: number, largest: number, nearness: Nearness|null, levels?: {nearness: Nearness|null}[]},
 *   verdict?: {copy: boolean, p: number, levels: {whole: Judged|null, parts: Judged[]}[]}}} Sample */
/** @typedef {{shape: number[], first: number}} Level */
/** @typedef {{trace: {shape: string, levels: Level[], windows: string[], quilt_windows: string[], answered_windows: string[],
 *   training_latents: number, samples: Sample[]}, samples: string[][], latents: Record<string, string[]>, under: number[][], background: number}} Data */

/** @type {Data} */
const data = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent || "");
const { trace } = data;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const finest = trace.levels.length - 1;
const judged = trace.samples.some((sample) => sample.verdict);

// Okabe and Ito: told apart by the colour-blind too; a source beyond the eighth has stripes as well.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#a0a0a0"];
// Regions that tell less, in bits, are background: nearly every training latent has them.
const BACKGROUND = data.background;

// What is looked at ---------------------------------------------------------------------------------------------------------

/** @type {Record<string, string>} */
const DEFAULTS = { sample: "", level: String(finest), min: String(BACKGROUND), sort: judged ? "p" : "sample", show: "all", latent: "", view: "quilt" };

// Within a notebook the page lies in a frame whose address is the notebook's: there it is kept here.
const framed = location.protocol === "about:";
let state = new URLSearchParams(location.hash.slice(1));

/** @param {string} name */
function get(name) {
  return state.get(name) ?? DEFAULTS[name];
}

/** What is looked at after some changes. @param {Record<string, string|number>} changes */
function changed(changes) {
  const next = new URLSearchParams(state);
  for (const [name, value] of Object.entries(changes)) {
    if (String(value) === DEFAULTS[name]) next.delete(name);
    else next.set(name, String(value));
  }
  return next;
}

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

// Elements ------------------------------------------------------------------------------------------------------------------

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
    else if (value !== false && value !== null) element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} name @param {[string, string][]} values @param {string} label */
function choice(name, values, label) {
  const options = values.map(([value, text]) => make("option", { value, selected: get(name) === value }, text));
  return make("label", {}, label + " ", make("select", { id: name, onchange: (/** @type {any} */ event) => set({ [name]: event.target.value }) }, ...options));
}

/** @param {number} number @param {string} what */
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

// The wall ------------------------------------------------------------------------------------------------------------------

/** @type {Record<string, [string, (sample: Sample) => number]>} */
const SORTS = {
  sample: ["number", (sample) => sample.sample],
  p: ["most like a copy", (sample) => sample.verdict?.p ?? 1],
  information: ["most from one region", (sample) => -sample.summary.most_informative],
  largest: ["largest region", (sample) => -sample.summary.largest],
  distance: ["nearest to a training latent", (sample) => sample.summary.nearness?.nearest[0]?.distance ?? Infinity],
  supported: ["least supported", (sample) => sample.summary.supported],
};

/** Samples as they are sorted and filtered; by what they are, never by where they stand. */
function shown() {
  const show = get("show");
  const kept = trace.samples.filter((sample) => {
    if (show === "copies") return sample.verdict?.copy;
    if (show.startsWith("label-")) return String(sample.label) === show.slice(6);
    return true;
  });
  const key = (Object.hasOwn(SORTS, get("sort")) ? SORTS[get("sort")] : SORTS.sample)[1];
  return kept.sort((a, b) => key(a) - key(b) || a.sample - b.sample);
}

/** @param {Sample} sample */
function says(sample) {
  const { summary, verdict, label } = sample;
  const parts = [`sample ${sample.sample}`];
  if (label !== null && label !== undefined) parts.push(`label ${label}`);
  if (verdict) parts.push(`${verdict.copy ? "copy, " : ""}p\u00a0${verdict.p.toFixed(4)}`);
  else parts.push(`${summary.most_informative.toFixed(0)} bits from one`);
  return parts.join(" · ");
}

function wall() {
  const labels = [...new Set(trace.samples.map((sample) => sample.label))].filter((label) => label !== null && label !== undefined);
  const shows = /** @type {[string, string][]} */ ([["all", "all"], ...(judged ? [["copies", "those called copies"]] : []), ...labels.map((label) => [`label-${label}`, `label ${label}`])]);
  const sorts = /** @type {[string, string][]} */ (Object.entries(SORTS).filter(([name]) => judged || name !== "p").map(([name, [text]]) => [name, text]));
  const samples = shown();
  const tiles = samples.map((sample) =>
    make("a", { class: sample.verdict?.copy ? "tile copy" : "tile", href: link({ sample: sample.sample, latent: "" }) },
      make("img", { src: data.samples[trace.samples.indexOf(sample)][finest], alt: "", loading: "lazy" }), make("span", {}, says(sample))));
  return [make("div", { class: "bar" }, choice("sort", sorts, "sort by"), choice("show", shows, "show"), make("span", { class: "soft" }, count(samples.length, "sample"))),
    make("div", { class: "wall" }, ...tiles)];
}

/** @param {Record<string, string|number>} changes */
const link = (changes) => "#" + changed(changes);

// One sample ----------------------------------------------------------------------------------------------------------------

/**
 * The sources of a level of a sample, those first whose most informative region tells most.
 * @param {Sample} sample @param {number} level
 */
function sourcesOf(sample, level) {
  /** @type {Map<number, {latent: number, rank: number, regions: number[], sites: number, information: number, down: number, right: number}>} */
  const sources = new Map();
  sample.regions.forEach((region, number) => {
    if ((region.level ?? 0) !== level) return;
    let source = sources.get(region.latent);
    if (!source) {
      source = { latent: region.latent, rank: sources.size, regions: [], sites: 0, information: 0, down: region.down, right: region.right };
      sources.set(region.latent, source);
    }
    source.regions.push(number);
    source.sites += region.sites;
    source.information += region.information;
  });
  return [...sources.values()];
}

/** What of a sample is likeliest a copy at a level. @param {Sample} sample @param {number} level @returns {Judged|null} */
function likeliest(sample, level) {
  const found = sample.verdict?.levels[level];
  if (!found) return null;
  const all = [...(found.whole ? [found.whole] : []), ...found.parts];
  return all.sort((a, b) => a.p - b.p)[0] ?? null;
}

/** The level of a window, by its name: "1:5x5^3x3" is of level 1, "7x7" and "sites:9" are of level 0. @param {string} name */
function levelOf(name) {
  return Number(/^(\d+):/.exec(name)?.[1] ?? 0);
}

/** @param {number} down @param {number} right */
function moved(down, right) {
  const parts = [];
  if (down) parts.push(`${Math.abs(down)} ${down > 0 ? "down" : "up"}`);
  if (right) parts.push(`${Math.abs(right)} ${right > 0 ? "right" : "left"}`);
  return parts.length ? `there ${parts.join(", ")}` : "in the same place";
}

/** A canvas of a grid with a latent's picture on it; `paint` draws on its sites. */
class Sheet {
  /** @param {number[]} shape @param {string} source @param {number} width @param {(sheet: Sheet) => void} paint @param {string} says */
  constructor(shape, source, width, paint, says) {
    this.height = shape[0];
    this.width = shape[1];
    this.cell = Math.max(2, Math.floor(width / this.width));
    const scale = window.devicePixelRatio || 1;
    this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { role: "img", "aria-label": says }));
    this.canvas.width = this.width * this.cell * scale;
    this.canvas.height = this.height * this.cell * scale;
    this.canvas.style.aspectRatio = `${this.width} / ${this.height}`;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.context.scale(scale, scale);
    this.paint = paint;
    this.image = new Image();
    this.image.onload = () => this.redraw();
    this.image.src = source;
  }

  redraw() {
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.image, 0, 0, this.width * this.cell, this.height * this.cell);
    this.paint(this);
  }

  /** @param {number} site @param {string} colour @param {number} alpha */
  tint(site, colour, alpha) {
    const { context, cell, width } = this;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect((site % width) * cell, Math.floor(site / width) * cell, cell, cell);
    context.globalAlpha = 1;
  }

  /** Stripes on a site, for those who do not see its colour. @param {number} site @param {string} colour @param {boolean} down */
  stripe(site, colour, down) {
    const { context, cell, width } = this;
    const [x, y] = [(site % width) * cell, Math.floor(site / width) * cell];
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1, cell / 8);
    context.beginPath();
    context.moveTo(x, down ? y : y + cell);
    context.lineTo(x + cell, down ? y + cell : y);
    context.stroke();
  }

  /** The border of those sites for which `of` says the same. @param {(site: number) => any} of @param {(value: any) => string|null} colour @param {number} thick */
  border(of, colour, thick) {
    const { context, cell, width, height } = this;
    context.lineWidth = thick;
    for (let site = 0; site < width * height; site++) {
      const [row, col, own] = [Math.floor(site / width), site % width, of(site)];
      const stroke = colour(own);
      if (!stroke) continue;
      const beside = [col > 0 ? of(site - 1) : null, row > 0 ? of(site - width) : null, col + 1 < width ? of(site + 1) : null, row + 1 < height ? of(site + width) : null];
      const [x, y, far, low] = [col * cell, row * cell, (col + 1) * cell, (row + 1) * cell];
      const lines = [[x, y, x, low], [x, y, far, y], [far, y, far, low], [x, low, far, low]];
      context.strokeStyle = stroke;
      context.beginPath();
      lines.forEach(([fromX, fromY, toX, toY], side) => {
        if (beside[side] === own) return;
        context.moveTo(fromX, fromY);
        context.lineTo(toX, toY);
      });
      context.stroke();
    }
  }

  /** The site under a pointer. @param {PointerEvent|MouseEvent} event */
  site(event) {
    const box = this.canvas.getBoundingClientRect();
    const col = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    return row < 0 || col < 0 || row >= this.height || col >= this.width ? null : row * this.width + col;
  }
}

/** @param {Sample} sample */
function detail(sample) {
  const level = Math.min(Math.max(0, Number(get("level")) || 0), finest);
  const { shape, first } = trace.levels[level];
  const [height, width, channels] = shape;
  const sites = height * width;
  const under = data.under[level];
  const [deep, wide] = under;
  const pictures = data.samples[trace.samples.indexOf(sample)];
  const sources = sourcesOf(sample, level);
  const rankOf = new Map(sources.map((source) => [source.latent, source.rank]));
  /** @param {number} site */
  const regionAt = (site) => {
    for (let bit = 0; bit < channels; bit++) {
      const number = sample.bits.region[first + site * channels + bit];
      if (number !== null) return number;
    }
    return null;
  };
  const regionOf = Array.from({ length: sites }, (_, site) => regionAt(site));
  const is = (/** @type {number} */ site, /** @type {(at: number) => boolean} */ test) => {
    for (let bit = 0; bit < channels; bit++) if (test(first + site * channels + bit)) return true;
    return false;
  };
  const min = () => Number(get("min"));
  /** @type {number|null} */
  let hovered = null;
  const pinned = get("latent") === "" ? null : Number(get("latent"));
  const chosen = () => hovered ?? pinned;
  /** @param {number|null} number */
  const told = (number) => (number !== null && sample.regions[number].information >= min() ? sample.regions[number].latent : null);

  const quilt = new Sheet(shape, pictures[level], 520, (sheet) => {
    if (get("view") !== "quilt") return;
    for (let site = 0; site < sites; site++) {
      const latent = told(regionOf[site]);
      if (latent !== null) {
        const rank = rankOf.get(latent) ?? 0;
        const faint = chosen() !== null && chosen() !== latent;
        sheet.tint(site, COLOURS[rank % COLOURS.length], faint ? 0.12 : 0.5);
        if (rank >= COLOURS.length && !faint) sheet.stripe(site, "#fff8", true);
      } else sheet.tint(site, "#777", 0.35);
      if (is(site, (at) => sample.bits.window[at] === null)) sheet.stripe(site, "#e3342f", false);
      if (is(site, (at) => sample.bits.answered_by?.[at] === 255)) sheet.stripe(site, "#fff", true);
    }
    sheet.border((site) => told(regionOf[site]), (latent) => (latent === null ? null : latent === chosen() ? "#fff" : "#000"), 1);
  }, `sample ${sample.sample}, each site in the colour of the training latent that it comes from`);

  const line = make("p", { class: "soft told", "aria-live": "polite" }, "Point at a site: what is known of it. Click: its source stays chosen.");
  /** @param {number} site */
  const tellOf = (site) => {
    const at = first + site * channels;
    const number = regionOf[site];
    const region = number === null ? null : sample.regions[number];
    const window = sample.bits.window[at];
    const parts = [`row ${Math.floor(site / width)}, column ${site % width}`];
    const bit = channels > 1 ? ` (bit 0 of ${channels})` : "";
    parts.push(window === null ? `no window supports it${bit}` : `${trace.quilt_windows[window]}: ${count(sample.bits.count[at], "occurrence")}${bit}`);
    trace.windows.forEach((name, place) => {
      if (levelOf(name) !== level || name === trace.quilt_windows[window ?? -1]) return;
      parts.push(`${name}: ${sample.bits.support[place][site * channels].toLocaleString("en")}`);
    });
    if (region) parts.push(`latent ${region.latent}, ${moved(region.down, region.right)}, ${region.information.toFixed(1)} bits`);
    line.textContent = parts.join(" · ");
  };

  /** @type {Map<number, {card: HTMLElement, sheet: Sheet}>} */
  const cards = new Map();
  const light = () => {
    quilt.redraw();
    for (const [latent, { card }] of cards) card.classList.toggle("on", latent === chosen());
  };
  quilt.canvas.addEventListener("pointermove", (event) => {
    const site = quilt.site(event);
    if (site === null) return;
    tellOf(site);
    const latent = told(regionOf[site]);
    if (latent !== hovered) {
      hovered = latent;
      light();
    }
  });
  quilt.canvas.addEventListener("pointerleave", () => {
    hovered = null;
    light();
  });
  quilt.canvas.addEventListener("click", (event) => {
    const site = quilt.site(event);
    const latent = site === null ? null : told(regionOf[site]);
    if (latent === null) return set({ latent: "" }, true);
    set({ latent }, true);
    document.getElementById(`latent-${latent}`)?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });

  /**
   * A card: a whole training latent, with what of it is told outlined.
   * @param {number} latent @param {string} title @param {string} text @param {(sheet: Sheet) => void} paint
   */
  const card = (latent, title, text, paint) => {
    const picture = data.latents[latent]?.[level];
    const sheet = picture ? new Sheet(under, picture, 220, paint, title) : null;
    return { sheet, card: make("div", { class: "card" }, ...(sheet ? [sheet.canvas] : []), make("h3", {}, title), make("p", {}, text)) };
  };

  const list = make("div", { class: "sources" });
  const copy = likeliest(sample, level);
  if (copy) {
    const text = `p ${copy.p.toFixed(4)}: ${copy.errors} of ${count(copy.bits, "bit")} differ, ${moved(copy.down, copy.right)}`;
    const called = sample.verdict?.copy && copy.p <= sample.verdict.p;
    const made = card(copy.latent, called ? `a copy of latent ${copy.latent}` : `most like latent ${copy.latent}, no copy`, text, (sheet) => {
      const inside = (/** @type {number} */ site) => {
        const [row, col] = [Math.floor(site / wide) - copy.down, (site % wide) - copy.right];
        return row >= copy.rows[0] && row < copy.rows[1] && col >= copy.columns[0] && col < copy.columns[1];
      };
      for (let site = 0; site < deep * wide; site++) if (!inside(site)) sheet.tint(site, "#444", 0.6);
      sheet.border(inside, (is) => (is ? "#f08c2e" : null), 3);
    });
    made.card.classList.add(called ? "copy" : "plain");
    list.append(made.card);
  }
  for (const source of sources.filter((source) => source.regions.some((number) => sample.regions[number].information >= min()))) {
    const regions = new Set(source.regions.filter((number) => sample.regions[number].information >= min()));
    const taken = new Set();
    for (let site = 0; site < sites; site++) {
      const number = regionOf[site];
      if (number === null || !regions.has(number)) continue;
      const { down, right } = sample.regions[number];
      taken.add((Math.floor(site / width) + down) * wide + (site % width) + right);
    }
    const colour = COLOURS[source.rank % COLOURS.length];
    const text = `${count(regions.size, "region")}, ${count(source.sites, "site")}, ${source.information.toFixed(1)} bits, ${moved(source.down, source.right)}`;
    const made = card(source.latent, `latent ${source.latent}`, text, (sheet) => {
      for (let site = 0; site < deep * wide; site++) sheet.tint(site, taken.has(site) ? colour : "#444", taken.has(site) ? 0.25 : 0.6);
      sheet.border((site) => taken.has(site), (is) => (is ? colour : null), 3);
    });
    made.card.id = `latent-${source.latent}`;
    made.card.tabIndex = 0;
    made.card.style.borderTopColor = colour;
    const choose = (/** @type {number|null} */ latent) => () => {
      hovered = latent;
      light();
    };
    made.card.addEventListener("pointerenter", choose(source.latent));
    made.card.addEventListener("focus", choose(source.latent));
    made.card.addEventListener("pointerleave", choose(null));
    made.card.addEventListener("blur", choose(null));
    const pin = () => set({ latent: pinned === source.latent ? "" : source.latent }, true);
    made.card.setAttribute("role", "button");
    made.card.setAttribute("aria-pressed", String(pinned === source.latent));
    made.card.addEventListener("click", pin);
    made.card.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      pin();
    });
    if (made.sheet) cards.set(source.latent, { card: made.card, sheet: made.sheet });
    list.append(made.card);
  }
  const near = sample.summary.levels?.[level]?.nearness ?? sample.summary.nearness;
  const nearest = near?.nearest[0];
  if (nearest) {
    const made = card(nearest.latent, `nearest: latent ${nearest.latent}`, nearest.distance ? `${count(nearest.distance, "bit")} differ` : "no bit differs", () => {});
    made.card.classList.add("plain");
    list.append(made.card);
  }
  light();

  const order = shown();
  const place = order.indexOf(sample);
  const step = (/** @type {number} */ by) => order[place + by]?.sample;
  const beside = (/** @type {string} */ text, /** @type {number|undefined} */ to, /** @type {string} */ title) =>
    to === undefined ? make("span", { class: "soft" }, text) : make("a", { href: link({ sample: to, latent: "" }), title }, text);
  const levels = trace.levels.map(({ shape: [rows, columns] }, number) =>
    make("button", { id: `level-${number}`, type: "button", "aria-pressed": number === level, onclick: () => set({ level: number, latent: "" }) }, `${rows}x${columns}`));
  const slider = make("input", {
    id: "least", type: "range", min: 0, max: Math.max(BACKGROUND, Math.ceil(sample.summary.most_informative)), step: 1, value: get("min"),
    onchange: (/** @type {any} */ event) => set({ min: event.target.value }, true),
  });
  const views = ["quilt", "picture"].map((view) =>
    make("button", { id: `view-${view}`, type: "button", "aria-pressed": get("view") === view, onclick: () => set({ view }, true) }, view));
  return [
    make("div", { class: "bar" }, make("a", { href: link({ sample: "", latent: "" }), title: "Escape" }, "all samples"), beside("← before", step(-1), "left arrow"), beside("next →", step(1), "right arrow"),
      make("strong", {}, says(sample)), ...(levels.length > 1 ? levels : []), ...views,
      make("label", {}, `regions of at least ${get("min")} bits `, slider)),
    make("div", { class: "sample" }, make("div", { class: "quilt" }, quilt.canvas, line), list),
  ];
}

// The page ------------------------------------------------------------------------------------------------------------------

function draw() {
  const asked = get("sample");
  const sample = asked === "" ? undefined : trace.samples.find((each) => each.sample === Number(asked));
  const scroll = window.scrollY;
  const focused = document.activeElement?.id;
  app.replaceChildren(...(sample ? detail(sample) : wall()));
  // The same view again: where it was. Another one: from its top.
  const view = sample ? `sample ${sample.sample}` : "wall";
  window.scrollTo(0, app.dataset.view === view ? scroll : 0);
  app.dataset.view = view;
  // What was redrawn under the keyboard is where it was.
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

window.addEventListener("hashchange", () => {
  state = new URLSearchParams(location.hash.slice(1));
  draw();
});
app.addEventListener("click", (event) => {
  const href = event.target instanceof Element && event.target.closest("a")?.getAttribute("href");
  if (!framed || !href) return;
  event.preventDefault();
  go(new URLSearchParams(href.slice(1)));
});
document.addEventListener("keydown", (event) => {
  const asked = get("sample");
  if (asked === "" || event.altKey || event.ctrlKey || event.metaKey || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  if (event.key === "Escape") return set({ sample: "", latent: "" });
  const order = shown();
  const place = order.findIndex((sample) => sample.sample === Number(asked));
  const to = event.key === "ArrowRight" ? order[place + 1] : event.key === "ArrowLeft" ? order[place - 1] : undefined;
  if (to) set({ sample: to.sample, latent: "" });
});
draw();
