// @ts-check
// One sample: its quilt beside the training latents that it comes from.
"use strict";

/** @typedef {{level?: number, latent: number, down: number, right: number, sites: number, bits: number, information: number}} Region */
/** @typedef {{p: number, latent: number, down: number, right: number, rows: number[], columns: number[], bits: number, errors: number}} Judged */
/** @typedef {{support: number[][], window: (number|null)[], count: number[], region: (number|null)[], answered_by: number[]|null}} Bits */
/** @typedef {{nearest: {latent: number, distance: number}[]}} Nearness */
/** @typedef {{sample: number, label: number|null, regions: Region[], bits: Bits,
 *   summary: {supported: number, most_informative: number, largest: number, nearness: Nearness|null, levels?: {nearness: Nearness|null}[]},
 *   verdict?: {copy: boolean, p: number, levels: {whole: Judged|null, parts: Judged[]}[]}}} Sample */
/** @typedef {{shape: number[], first: number}} Level */
/** @typedef {{levels: Level[], windows: string[], quilt_windows: string[], samples_file: string}} Header */
/**
 * What a sample is shown with: what its trace file says of all; the levels of training latents; pictures of levels, by their addresses;
 * where the ways lead; and what a page adds.
 * @typedef {{header: Header, under: number[][], background: number, picture: (level: number) => string,
 *   latent: (latent: number, level: number) => string|undefined, all: string, before: string|null, next: string|null,
 *   views: string[], bar?: Node[], about?: (latent: number) => Node[], site?: (position: number) => void, beneath?: Node}} Showing
 */
/** @typedef {{latent: number, rank: number, regions: number[], sites: number, information: number, down: number, right: number}} Source */

/** What samples are sorted by, in words. */
const ORDERS = {
  sample: "number",
  p: "most like a copy",
  information: "most from one region",
  largest: "largest region",
  distance: "nearest to a training latent",
  supported: "least supported",
};

/** A sample in a few words. @param {{sample: number, label: number|null|undefined, p: number|null|undefined, copy: boolean|null|undefined, information: number|null|undefined}} of */
function says({ sample, label, p, copy, information }) {
  const parts = [`sample ${sample}`];
  if (label !== null && label !== undefined) parts.push(`label ${label}`);
  if (p !== null && p !== undefined) parts.push(`${copy ? "copy, " : ""}p\u00a0${p.toFixed(4)}`);
  else if (information !== null && information !== undefined) parts.push(`${information.toFixed(0)} bits from one`);
  return parts.join(" · ");
}

/**
 * The sources of a level of a sample, those first whose most informative region tells most.
 * @param {Sample} sample @param {number} level
 */
function sourcesOf(sample, level) {
  /** @type {Map<number, Source>} */
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

/** A level of a sample: which site comes from where. */
class Quilt {
  /** @param {Sample} sample @param {Showing} showing @param {number} level */
  constructor(sample, showing, level) {
    const { shape, first } = showing.header.levels[level];
    this.sample = sample;
    this.level = level;
    this.shape = shape;
    this.first = first;
    this.height = shape[0];
    this.width = shape[1];
    this.channels = shape[2];
    this.sites = this.height * this.width;
    this.sources = sourcesOf(sample, level);
    this.rankOf = new Map(this.sources.map((source) => [source.latent, source.rank]));
    this.regionOf = Array.from({ length: this.sites }, (_, site) => this.regionAt(site));
  }

  /** The region of the first bit of a site that is in one. @param {number} site */
  regionAt(site) {
    for (let bit = 0; bit < this.channels; bit++) {
      const number = this.sample.bits.region[this.first + site * this.channels + bit];
      if (number !== null) return number;
    }
    return null;
  }

  /** Whether any bit of a site is so. @param {number} site @param {(position: number) => boolean} test */
  any(site, test) {
    for (let bit = 0; bit < this.channels; bit++) if (test(this.first + site * this.channels + bit)) return true;
    return false;
  }

  /** The training latent that a site is told to come from. @param {number} site */
  told(site) {
    const number = this.regionOf[site];
    if (number === null) return null;
    const region = this.sample.regions[number];
    return region.information >= Number(get("min")) ? region.latent : null;
  }

  /** Draws it; `chosen` is the training latent that is looked at. @param {Sheet} sheet @param {number|null} chosen */
  paint(sheet, chosen) {
    const { bits } = this.sample;
    for (let site = 0; site < this.sites; site++) {
      const latent = this.told(site);
      if (latent !== null) {
        const rank = this.rankOf.get(latent) ?? 0;
        const faint = chosen !== null && chosen !== latent;
        sheet.tint(site, COLOURS[rank % COLOURS.length], faint ? 0.12 : 0.5);
        if (rank >= COLOURS.length && !faint) sheet.stripe(site, "#fff8", true);
      } else sheet.tint(site, "#777", 0.35);
      if (this.any(site, (at) => bits.window[at] === null)) sheet.stripe(site, "#e3342f", false);
      if (this.any(site, (at) => bits.answered_by?.[at] === 255)) sheet.stripe(site, "#fff", true);
    }
    sheet.border((site) => this.told(site), (latent) => (latent === null ? null : latent === chosen ? "#fff" : "#000"), 1);
  }

  /** What is known of a site, in words. @param {number} site @param {Showing} showing */
  tell(site, showing) {
    const { bits, regions } = this.sample;
    const at = this.first + site * this.channels;
    const number = this.regionOf[site];
    const window = bits.window[at];
    const bit = this.channels > 1 ? ` (bit 0 of ${this.channels})` : "";
    const { windows, quilt_windows: own } = showing.header;
    const parts = [`row ${Math.floor(site / this.width)}, column ${site % this.width}`];
    parts.push(window === null ? `no window supports it${bit}` : `${own[window]}: ${count(bits.count[at], "occurrence")}${bit}`);
    windows.forEach((name, place) => {
      if (levelOf(name) !== this.level || name === own[window ?? -1]) return;
      parts.push(`${name}: ${bits.support[place][site * this.channels].toLocaleString("en")}`);
    });
    if (number !== null) {
      const { latent, down, right, information } = regions[number];
      parts.push(`latent ${latent}, ${moved(down, right)}, ${information.toFixed(1)} bits`);
    }
    return parts.join(" · ");
  }
}

class SampleView {
  /** @param {Sample} sample @param {Showing} showing */
  constructor(sample, showing) {
    this.sample = sample;
    this.showing = showing;
    const { levels } = showing.header;
    this.level = get("level") === "" ? levels.length - 1 : Math.min(Math.max(0, Number(get("level")) || 0), levels.length - 1);
    this.quilt = new Quilt(sample, showing, this.level);
    /** @type {number|null} */
    this.hovered = null;
    this.pinned = get("latent") === "" ? null : Number(get("latent"));
    /** @type {Map<number, HTMLElement>} */
    this.cards = new Map();
    const says = `sample ${sample.sample}, each site in the colour of the training latent that it comes from`;
    this.sheet = new Sheet(this.quilt.shape, showing.picture(this.level), 520, (sheet) => {
      if (get("view") === "quilt") this.quilt.paint(sheet, this.chosen());
    }, says);
    this.line = make("p", { class: "soft told", "aria-live": "polite" }, "Point at a site: what is known of it. Click: its source stays chosen.");
    this.listen();
  }

  chosen() {
    return this.hovered ?? this.pinned;
  }

  light() {
    this.sheet.redraw();
    for (const [latent, card] of this.cards) card.classList.toggle("on", latent === this.chosen());
  }

  /** @param {number|null} latent */
  hover(latent) {
    if (latent === this.hovered) return;
    this.hovered = latent;
    this.light();
  }

  listen() {
    const { canvas } = this.sheet;
    canvas.addEventListener("pointermove", (event) => {
      const site = this.sheet.site(event);
      if (site === null) return;
      this.line.textContent = this.quilt.tell(site, this.showing);
      this.hover(this.quilt.told(site));
    });
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => {
      const site = this.sheet.site(event);
      if (site === null) return;
      const latent = this.quilt.told(site);
      const at = this.quilt.first + site * this.quilt.channels;
      set({ latent: latent ?? "", ...(this.showing.site ? { at } : {}) }, true);
      if (latent !== null) document.getElementById(`latent-${latent}`)?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
  }

  /**
   * A card: a whole training latent, with what of it is told outlined.
   * @param {number} latent @param {string} title @param {string} text @param {(sheet: Sheet) => void} paint
   */
  card(latent, title, text, paint) {
    const { showing, level } = this;
    const picture = showing.latent(latent, level);
    const sheet = picture ? new Sheet(showing.under[level], picture, 220, paint, title) : null;
    const more = showing.about?.(latent) ?? [];
    return make("div", { class: "card plain" }, ...(sheet ? [sheet.canvas] : []), make("h3", {}, title), make("p", {}, text), ...more);
  }

  /** What is likeliest copied, errors and all. */
  copyCard() {
    const { sample, showing, level } = this;
    const copy = likeliest(sample, level);
    if (!copy) return [];
    const [deep, wide] = showing.under[level];
    const text = `p ${copy.p.toFixed(4)}: ${copy.errors} of ${count(copy.bits, "bit")} differ, ${moved(copy.down, copy.right)}`;
    const called = sample.verdict?.copy && copy.p <= sample.verdict.p;
    const inside = (/** @type {number} */ site) => {
      const [row, col] = [Math.floor(site / wide) - copy.down, (site % wide) - copy.right];
      return row >= copy.rows[0] && row < copy.rows[1] && col >= copy.columns[0] && col < copy.columns[1];
    };
    const card = this.card(copy.latent, called ? `a copy of latent ${copy.latent}` : `most like latent ${copy.latent}, no copy`, text, (sheet) => {
      for (let site = 0; site < deep * wide; site++) if (!inside(site)) sheet.tint(site, "#444", 0.6);
      sheet.border(inside, (is) => (is ? "#f08c2e" : null), 3);
    });
    if (called) card.classList.replace("plain", "copy");
    return [card];
  }

  /** Where the sites of a source lie in its training latent. @param {Source} source @param {Set<number>} regions */
  taken(source, regions) {
    const { quilt, showing, level } = this;
    const wide = showing.under[level][1];
    const taken = new Set();
    for (let site = 0; site < quilt.sites; site++) {
      const number = quilt.regionOf[site];
      if (number === null || !regions.has(number)) continue;
      const { down, right } = this.sample.regions[number];
      taken.add((Math.floor(site / quilt.width) + down) * wide + (site % quilt.width) + right);
    }
    return taken;
  }

  /** @param {Source} source */
  sourceCard(source) {
    const { sample, showing, level } = this;
    const least = Number(get("min"));
    const regions = new Set(source.regions.filter((number) => sample.regions[number].information >= least));
    if (!regions.size) return [];
    const [deep, wide] = showing.under[level];
    const taken = this.taken(source, regions);
    const colour = COLOURS[source.rank % COLOURS.length];
    const text = `${count(regions.size, "region")}, ${count(source.sites, "site")}, ${source.information.toFixed(1)} bits, ${moved(source.down, source.right)}`;
    const card = this.card(source.latent, `latent ${source.latent}`, text, (sheet) => {
      for (let site = 0; site < deep * wide; site++) sheet.tint(site, taken.has(site) ? colour : "#444", taken.has(site) ? 0.25 : 0.6);
      sheet.border((site) => taken.has(site), (is) => (is ? colour : null), 3);
    });
    card.classList.remove("plain");
    card.id = `latent-${source.latent}`;
    card.tabIndex = 0;
    card.style.borderTopColor = colour;
    const choose = (/** @type {number|null} */ latent) => () => this.hover(latent);
    for (const [event, latent] of /** @type {[string, number|null][]} */ ([["pointerenter", source.latent], ["focus", source.latent], ["pointerleave", null], ["blur", null]])) {
      card.addEventListener(event, choose(latent));
    }
    const pin = () => set({ latent: this.pinned === source.latent ? "" : source.latent }, true);
    card.setAttribute("role", "button");
    card.setAttribute("aria-pressed", String(this.pinned === source.latent));
    card.addEventListener("click", (event) => {
      if (!(event.target instanceof Element && event.target.closest("a"))) pin();
    });
    card.addEventListener("keydown", (event) => {
      if ((event.key !== "Enter" && event.key !== " ") || event.target !== card) return;
      event.preventDefault();
      pin();
    });
    this.cards.set(source.latent, card);
    return [card];
  }

  nearestCard() {
    const { sample, level, showing } = this;
    const near = sample.summary.levels?.[level]?.nearness ?? sample.summary.nearness;
    const nearest = near?.nearest[0];
    if (!nearest) return [];
    const own = new Sheet(this.quilt.shape, showing.picture(level), 220, () => {}, "");
    const text = nearest.distance ? `${count(nearest.distance, "bit")} differ` : "no bit differs";
    return [this.card(nearest.latent, `nearest: latent ${nearest.latent}`, text, (sheet) => {
      const spots = () => spotDifferences(sheet, own);
      if (own.image.complete) spots();
      else own.image.addEventListener("load", spots, { once: true });
    })];
  }

  /** The levels of a pyramid side by side, each with its quilt. */
  levels() {
    const { levels } = this.showing.header;
    if (levels.length < 2) return [];
    const each = levels.map(({ shape: [rows, columns] }, number) => {
      const quilt = number === this.level ? this.quilt : new Quilt(this.sample, this.showing, number);
      const small = new Sheet(quilt.shape, this.showing.picture(number), 90, (sheet) => {
        if (get("view") === "quilt") quilt.paint(sheet, null);
      }, `level ${number}`);
      const choose = () => set({ level: number, latent: "", at: "" });
      return make("button", { id: `level-${number}`, type: "button", class: "level", "aria-pressed": number === this.level, onclick: choose }, small.canvas, `${rows}x${columns}`);
    });
    return [make("div", { class: "levels" }, ...each)];
  }

  bar() {
    const { sample, showing } = this;
    const beside = (/** @type {string} */ text, /** @type {string|null} */ href, /** @type {string} */ title) =>
      href === null ? make("span", { class: "soft" }, text) : make("a", { href, title }, text);
    const most = Math.max(showing.background, Math.ceil(sample.summary.most_informative));
    const slider = make("input", {
      id: "least", type: "range", min: 0, max: most, step: 1, value: get("min"),
      onchange: (/** @type {any} */ event) => set({ min: event.target.value }, true),
    });
    const views = showing.views.map((view) => toggle(`view-${view}`, view, get("view") === view, () => set({ view }, true)));
    const { summary, verdict, label } = sample;
    const words = says({ sample: sample.sample, label, p: verdict?.p, copy: verdict?.copy, information: summary.most_informative });
    return make("div", { class: "bar" }, make("a", { href: showing.all, title: "Escape" }, "all samples"), beside("← before", showing.before, "left arrow"),
      beside("next →", showing.next, "right arrow"), make("strong", {}, words), ...views,
      make("label", {}, `regions of at least ${get("min")} bits `, slider), ...(showing.bar ?? []));
  }

  nodes() {
    const list = make("div", { class: "sources" }, ...this.copyCard(), ...this.quilt.sources.flatMap((source) => this.sourceCard(source)), ...this.nearestCard());
    const { beneath } = this.showing;
    const quilt = make("div", { class: "quilt" }, ...this.levels(), this.sheet.canvas, this.line, ...(beneath ? [beneath] : []));
    this.light();
    return [this.bar(), make("div", { class: "sample" }, quilt, list)];
  }
}

/** Ways from one sample to the next by the keyboard. @param {Showing} showing @param {KeyboardEvent} event */
function stepBy(showing, event) {
  const ways = { Escape: showing.all, ArrowLeft: showing.before, ArrowRight: showing.next };
  const to = Object.hasOwn(ways, event.key) ? ways[/** @type {keyof ways} */ (event.key)] : null;
  if (to) go(new URLSearchParams(to.slice(1)));
}
