// @ts-check
// The wall: every sample of a set, in an order, as many as there are.
"use strict";

/** @type {Record<string, string>} What the figure is called that samples are sorted by. */
const FIGURES = {
  p: "p",
  information: "bits of the most informative region",
  largest: "share of the bits in the largest region",
  distance: "bits to the nearest training latent",
  supported: "share of supported bits",
};

/** Tiles of one request, and columns of its sheet. */
const [CHUNK, SHEET_COLUMNS] = [100, 10];
const TILE = 120;
const GAP = 11;

/** What of a set is asked for. */
function asked() {
  return { sort: Object.hasOwn(ORDERS, get("sort")) ? get("sort") : "sample", reverse: get("reverse") === "1", copies: get("copies") === "1", label: get("label"), min_information: get("least") };
}

class Wall {
  /** @param {SetReport} set @param {number[]} shape */
  constructor(set, shape) {
    this.set = set;
    this.shape = shape;
    /** @type {Map<number, Promise<List>>} */
    this.chunks = new Map();
    this.total = 0;
    this.columns = 1;
    this.scroller = make("div", { class: "scroller" });
    this.told = make("span", { class: "soft" });
    this.spread = make("div");
    /** @type {Map<number, HTMLElement>} */
    this.tiles = new Map();
    this.onscroll = () => this.fill();
    window.addEventListener("scroll", this.onscroll, { passive: true });
    window.addEventListener("resize", this.onscroll);
  }

  /** Ends it: another view is shown. */
  close() {
    window.removeEventListener("scroll", this.onscroll);
    window.removeEventListener("resize", this.onscroll);
  }

  /** @param {number} number */
  chunk(number) {
    let list = this.chunks.get(number);
    if (!list) {
      list = api.list(this.set.name, { ...asked(), offset: number * CHUNK, limit: CHUNK });
      this.chunks.set(number, list);
    }
    return list;
  }

  async open() {
    const list = await this.chunk(0);
    this.total = list.total;
    this.told.textContent = list.traced < this.set.samples ? `${count(list.total, "sample")}, ${list.traced.toLocaleString("en")} traced so far` : count(list.total, "sample");
    return list;
  }

  /** Tells again what is known, while samples are traced; the tiles stay. */
  async refresh() {
    this.chunks.clear();
    await this.open();
    this.fill();
    for (const [place, tile] of this.tiles) this.read(place, tile);
    this.spread.replaceChildren(await spreadOf(this.set, sets));
  }

  /** Lays out the tiles that are looked at, and takes away the others. */
  fill() {
    if (!this.scroller.isConnected) return;
    const width = this.scroller.clientWidth;
    this.columns = Math.max(1, Math.floor((width + GAP) / (TILE + GAP)));
    const side = (width + GAP) / this.columns - GAP;
    const tall = side * (this.shape[0] / this.shape[1]) + 52;
    this.scroller.style.height = `${Math.ceil(this.total / this.columns) * (tall + GAP)}px`;
    const top = -this.scroller.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / (tall + GAP)) - 2) * this.columns;
    const last = Math.min(this.total, (Math.ceil((top + window.innerHeight) / (tall + GAP)) + 2) * this.columns);
    for (const [place, tile] of this.tiles) {
      if (place >= first && place < last) continue;
      tile.remove();
      this.tiles.delete(place);
    }
    for (let place = first; place < last; place++) {
      const tile = this.tiles.get(place) ?? this.tile(place);
      tile.style.width = `${side}px`;
      tile.style.transform = `translate(${(place % this.columns) * (side + GAP)}px, ${Math.floor(place / this.columns) * (tall + GAP)}px)`;
    }
  }

  /** Makes the tile of a place; what is on it comes when its part of the list is there. @param {number} place */
  tile(place) {
    const thumb = make("div", { class: "thumb" });
    thumb.style.aspectRatio = `${this.shape[1]} / ${this.shape[0]}`;
    const text = make("span", {}, "…");
    const tile = make("a", { class: "tile", id: `tile-${place}`, "data-place": place }, thumb, text);
    this.tiles.set(place, tile);
    // In the order of their places, for the keyboard.
    const after = [...this.tiles.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
    this.scroller.insertBefore(tile, after === undefined ? null : this.tiles.get(after) ?? null);
    this.read(place, tile);
    return tile;
  }

  /** @param {number} place @param {HTMLElement} tile */
  read(place, tile) {
    const [thumb, text] = /** @type {HTMLElement[]} */ ([...tile.children]);
    this.chunk(Math.floor(place / CHUNK)).then((list) => this.tell(tile, thumb, text, list, place - list.offset), (error) => (text.textContent = error.message));
  }

  /** @param {HTMLElement} tile @param {HTMLElement} thumb @param {HTMLElement} text @param {List} list @param {number} at */
  tell(tile, thumb, text, list, at) {
    const sample = list.samples[at];
    // While samples are traced fewer may be asked for than a moment ago.
    if (!sample) return tile.remove();
    const { figures } = sample;
    tile.setAttribute("href", link({ sample: sample.sample, latent: "", at: "" }));
    tile.classList.toggle("copy", sample.copy === true);
    text.textContent = says({ ...sample, information: figures?.information });
    if (!figures) text.textContent += " · not traced yet";
    const ids = list.samples.map((each) => each.sample);
    const rows = Math.ceil(ids.length / SHEET_COLUMNS);
    const columns = Math.min(SHEET_COLUMNS, ids.length);
    const part = (/** @type {number} */ number, /** @type {number} */ of) => (of > 1 ? `${(100 * number) / (of - 1)}%` : "0");
    thumb.style.backgroundImage = `url("${api.sheet(this.set.name, ids, SHEET_COLUMNS)}")`;
    thumb.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    thumb.style.backgroundPosition = `${part(at % SHEET_COLUMNS, columns)} ${part(Math.floor(at / SHEET_COLUMNS), rows)}`;
  }

  /** Moves the keyboard from tile to tile. @param {KeyboardEvent} event */
  key(event) {
    const place = Number(/** @type {HTMLElement|null} */ (document.activeElement)?.dataset.place ?? NaN);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    if (Number.isNaN(place) || by === undefined) return;
    const to = place + by;
    if (to < 0 || to >= this.total) return;
    event.preventDefault();
    const tile = this.tiles.get(to) ?? this.tile(to);
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
    this.fill();
  }

  bar() {
    const sorts = /** @type {[string, string][]} */ (Object.entries(ORDERS).filter(([name]) => this.set.judged || name !== "p"));
    const labels = /** @type {[string, string][]} */ ([["", "any"], ...this.set.labels.map((label) => [String(label), String(label)])]);
    const least = make("input", { id: "least", type: "number", min: 0, step: 1, value: get("least"), size: 4, onchange: (/** @type {any} */ event) => set({ least: event.target.value }, true) });
    return make("div", { class: "bar" }, choice("sort", sorts, "sort by"),
      toggle("reverse", "turned round", get("reverse") === "1", () => set({ reverse: get("reverse") === "1" ? "" : 1 }, true)),
      ...(this.set.judged ? [toggle("copies", "copies only", get("copies") === "1", () => set({ copies: get("copies") === "1" ? "" : 1 }, true))] : []),
      ...(labels.length > 1 ? [choice("label", labels, "label")] : []),
      make("label", {}, "a region of at least ", least, " bits"), this.told);
  }
}

/** How the figure that samples are sorted by is spread, beside held-out latents where there are some. @param {SetReport} set @param {SetEntry[]} sets */
async function spreadOf(set, sets) {
  const sort = asked().sort;
  const of = sort === "sample" ? (set.judged ? "p" : "information") : sort;
  const held = of === "p" ? undefined : sets.find((each) => each.name === "held-out" && each.name !== set.name);
  const spread = await api.histogram(set.name, { of, beside: held?.name });
  return histogram(spread, set.name, held?.name ?? "", FIGURES[of], of === "p");
}

/** The verdict on a set. @param {SetReport} set */
function verdict(set) {
  const { copies } = set;
  if (!copies) return [];
  const [low, high] = copies.interval.map((share) => (100 * share).toFixed(1));
  return [make("p", {}, make("strong", {}, `${copies.copies} of ${copies.samples} called copies`),
    `; of as many honest samples ${copies.expected.toFixed(1)} would be. Of all such samples ${low} to ${high} % would be, at 95 % confidence.`)];
}
