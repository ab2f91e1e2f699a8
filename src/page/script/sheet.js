// @ts-check
// A latent's picture on a grid of sites that can be marked.
"use strict";

class Sheet {
  /**
   * `paint` draws on the sites once the picture is there.
   * @param {number[]} shape @param {string} source @param {number} width @param {(sheet: Sheet) => void} paint @param {string} says
   */
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
    const { context } = this;
    context.imageSmoothingEnabled = false;
    if (this.image.complete && this.image.naturalWidth) context.drawImage(this.image, 0, 0, this.width * this.cell, this.height * this.cell);
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

  /** A spot on a site, with a rim that is seen on any ground. @param {number} site */
  spot(site) {
    const { context, cell, width } = this;
    context.beginPath();
    context.arc(((site % width) + 0.5) * cell, (Math.floor(site / width) + 0.5) * cell, Math.max(1.5, cell * 0.28), 0, 2 * Math.PI);
    context.fillStyle = "#e3342f";
    context.strokeStyle = "#fff";
    context.lineWidth = Math.max(0.5, cell / 12);
    context.fill();
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

  /** The brightness of each site, where the picture has a pixel for each; null where it has others. @returns {Uint8ClampedArray|null} */
  pixels() {
    const { image, width, height } = this;
    if (image.naturalWidth !== width || image.naturalHeight !== height) return null;
    const own = document.createElement("canvas");
    [own.width, own.height] = [width, height];
    const context = /** @type {CanvasRenderingContext2D} */ (own.getContext("2d"));
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height).data;
  }

  /** The site under a pointer. @param {PointerEvent|MouseEvent} event */
  site(event) {
    const box = this.canvas.getBoundingClientRect();
    const col = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    return row < 0 || col < 0 || row >= this.height || col >= this.width ? null : row * this.width + col;
  }
}

/** Spots where the pictures of two sheets of one grid differ, once both are there. @param {Sheet} sheet @param {Sheet} other */
function spotDifferences(sheet, other) {
  const [own, its] = [sheet.pixels(), other.pixels()];
  if (!own || !its || own.length !== its.length) return;
  for (let site = 0; site * 4 < own.length; site++) {
    if ([0, 1, 2].some((colour) => own[site * 4 + colour] !== its[site * 4 + colour])) sheet.spot(site);
  }
}
