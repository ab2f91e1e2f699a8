// @ts-check
// Latents that are painted by hand: bits that are 0, 1, or left free.
"use strict";

/** Bits as a text, and runs of equal ones as 12-20=1: what an address holds of them. @param {(number|null)[]} bits */
function runs(bits) {
  const parts = [];
  for (let start = 0; start < bits.length; ) {
    let end = start;
    while (end < bits.length && bits[end] === bits[start]) end++;
    if (bits[start] !== null) parts.push(`${start}${end - start > 1 ? `-${end - 1}` : ""}=${bits[start]}`);
    start = end;
  }
  return parts.join(",");
}

/** Bits of so many that runs tell; free where they tell nothing. @param {string} text @param {number} length @returns {(number|null)[]} */
function ofRuns(text, length) {
  const bits = Array.from({ length }, () => /** @type {number|null} */ (null));
  for (const part of text.split(",")) {
    const found = /^(\d+)(?:-(\d+))?=([01])$/.exec(part);
    if (!found) continue;
    const last = Math.min(Number(found[2] ?? found[1]), length - 1);
    for (let bit = Number(found[1]); bit <= last; bit++) bits[bit] = Number(found[3]);
  }
  return bits;
}

/** How many bits latents of some levels have. @param {number[][]} levels */
const bitsOf = (levels) => levels.reduce((sum, [height, width, channels]) => sum + height * width * channels, 0);

/** The number of the first bit of a level. @param {number[][]} levels @param {number} level */
const startOf = (levels, level) => bitsOf(levels.slice(0, level));

/** Bits of a whole latent, a text of 0 and 1 for each level. @param {(number|null)[]} bits @param {number[][]} levels */
const textsOf = (bits, levels) => levels.map((shape, level) => {
  const start = startOf(levels, level);
  return bits.slice(start, start + bitsOf([shape])).map((bit) => bit ?? 0).join("");
});

/** A picture of a level, a pixel for each site, as gray as it has ones. @param {string} text @param {number[]} shape */
function pictureOf(text, [height, width, channels]) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  for (let site = 0; site < height * width; site++) {
    let ones = 0;
    for (let bit = 0; bit < channels; bit++) ones += Number(text[site * channels + bit]);
    image.data.fill(Math.floor((255 * ones) / channels), site * 4, site * 4 + 3);
    image.data[site * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/** A picture without any marks, to paint on. */
const BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** A grid that is painted with a pointer, or the keys: arrows, 0, 1, and Delete for free. */
class Painter {
  /**
   * `bits` are all of the latent and are changed; `changed` is told when a stroke ends, and `pointed` of a bit that is pointed at.
   * @param {number[][]} levels @param {number} level @param {number} channel @param {(number|null)[]} bits
   * @param {{brush: () => number|null|"flip"|"point", changed: () => void, pointed?: (position: number) => void, mark?: (sheet: Sheet) => void, says: string}} how
   */
  constructor(levels, level, channel, bits, how) {
    const shape = levels[level];
    this.channels = shape[2];
    this.channel = Math.min(channel, shape[2] - 1);
    this.start = startOf(levels, level);
    this.bits = bits;
    this.how = how;
    this.cursor = 0;
    /** @type {number|null|undefined} The value that a stroke paints. */
    this.stroke = undefined;
    this.sheet = new Sheet(shape, BLANK, 416, (sheet) => this.paint(sheet), how.says);
    const { canvas } = this.sheet;
    canvas.tabIndex = 0;
    canvas.id = "painter";
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.end());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {number} site */
  position(site) {
    return this.start + site * this.channels + this.channel;
  }

  /** @param {Sheet} sheet */
  paint(sheet) {
    for (let site = 0; site < sheet.width * sheet.height; site++) {
      const bit = this.bits[this.position(site)];
      sheet.tint(site, bit === null ? "#8a8a90" : bit ? "#fff" : "#000", 1);
      if (bit === null) sheet.stripe(site, "#a9a9b0", true);
    }
    this.how.mark?.(sheet);
  }

  /** @param {PointerEvent} event */
  begin(event) {
    const site = this.sheet.site(event);
    if (site === null) return;
    this.cursor = site;
    const brush = this.how.brush();
    if (brush === "point") return this.how.pointed?.(this.position(site));
    this.sheet.canvas.setPointerCapture(event.pointerId);
    this.stroke = brush === "flip" ? 1 - (this.bits[this.position(site)] ?? 0) : brush;
    this.put(site, this.stroke);
  }

  /** @param {PointerEvent} event */
  go(event) {
    const site = this.sheet.site(event);
    if (site !== null && this.stroke !== undefined) this.put(site, this.stroke);
  }

  end() {
    if (this.stroke === undefined) return;
    this.stroke = undefined;
    this.how.changed();
  }

  /** @param {number} site @param {number|null} bit */
  put(site, bit) {
    this.bits[this.position(site)] = bit;
    this.sheet.redraw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { width, height } = this.sheet;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
    const bit = { 0: 0, 1: 1, Delete: null, Backspace: null }[event.key];
    if (by === undefined && bit === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (by !== undefined) {
      const to = this.cursor + by;
      if (to >= 0 && to < width * height) this.cursor = to;
      this.sheet.redraw();
      this.sheet.border((site) => site === this.cursor, (is) => (is ? "#e69f00" : null), 3);
      this.how.pointed?.(this.position(this.cursor));
      return;
    }
    this.put(this.cursor, bit ?? null);
    this.how.changed();
  }
}
