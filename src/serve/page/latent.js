// @ts-check
// One training latent, and who reuses it.
"use strict";

/** @param {IndexReport} index @param {SetReport|null} set */
async function latentPage(index, set) {
  const id = Number(get("id"));
  const latent = await once(`latent ${id}`, () => api.latent(id));
  const { levels } = index;
  const pictures = levels.map(([rows, columns], level) => make("figure", {},
    make("img", { src: api.ofLatent(id, level), alt: `training latent ${id}, level ${level}` }), make("figcaption", { class: "soft" }, levels.length > 1 ? `${rows}x${columns}` : "")));
  const to = (/** @type {number|null} */ other, /** @type {string} */ text) => (other === null ? make("span", { class: "soft" }, text) : make("a", { href: link({ id: other }) }, text));
  const field = make("input", { id: "of-latent", type: "number", min: 0, value: id, size: 7, onchange: (/** @type {any} */ event) => window.location.assign(link({ id: event.target.value })) });
  const same = latent.duplicates.slice(0, 20).flatMap((other) => [make("a", { href: link({ id: other }) }, String(other)), " "]);
  return [
    make("h1", {}, `Training latent ${id}${latent.label === null ? "" : `, label ${latent.label}`}`),
    make("div", { class: "bar" }, to(latent.before, "← before"), to(latent.next, "next →"), make("label", {}, "latent ", field),
      make("a", { href: link({ page: "context", bits: "", at: "" }) }, "its contexts"), make("a", { href: `${BASE}latents/${id}` }, "JSON")),
    make("div", { class: "figures" }, ...pictures, ...photoOf(index, id).map((photo) => make("figure", {}, photo))),
    make("p", {}, latent.duplicates.length ? `${count(latent.duplicates.length, "other training latent")} equal it: ` : "No other training latent equals it.", ...same),
    ...(set ? [soon(usesOf(set, id))] : []),
  ];
}

/** Samples of a set that reuse a training latent, those first that took most. @param {SetReport} set @param {number} id */
async function usesOf(set, id) {
  const uses = await api.uses(id, set.name);
  const tiles = uses.samples.map(({ sample, information, copy, levels }) => make("a", { class: copy ? "tile copy" : "tile", href: link({ page: "", sample, latent: id }) },
    make("img", { src: api.ofSample(set.name, sample, set.header.levels.length - 1), alt: "", loading: "lazy" }),
    make("span", {}, `sample ${sample} · ${information.toFixed(0)} bits, ${count(levels.reduce((sum, level) => sum + level.sites, 0), "site")}${copy ? " · a copy" : ""}`)));
  const whole = uses.traced < set.samples ? `, of ${uses.traced} that are traced so far` : "";
  return [make("h2", {}, `${count(uses.total, "sample")} of ${set.name} ${uses.total === 1 ? "reuses" : "reuse"} it${whole}`),
    make("p", { class: "soft" }, "Those first that took most of it: regions of at least a bit, copied bit for bit. Open one to see which part, and what it would be without this latent."),
    make("div", { class: "wall" }, ...tiles)];
}
