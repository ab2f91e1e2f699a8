// @ts-check
// The page of a trace. What it shows is the trace file (schemas/trace.schema.json) and pictures of latents by their ids.
"use strict";

/** @typedef {{trace: Header & {training_latents: number, samples: Sample[]}, samples: string[][], latents: Record<string, string[]>, under: number[][], background: number}} Data */

/** @type {Data} */
const data = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent || "");
const { trace } = data;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const finest = trace.levels.length - 1;
const judged = trace.samples.some((sample) => sample.verdict);

/** @type {Record<string, string>} */
const DEFAULTS = { sample: "", level: String(finest), min: String(data.background), sort: judged ? "p" : "sample", show: "all", latent: "", view: "quilt" };

/** @type {Record<string, [string, (sample: Sample) => number]>} */
const SORTS = {
  sample: [ORDERS.sample, (sample) => sample.sample],
  p: [ORDERS.p, (sample) => sample.verdict?.p ?? 1],
  information: [ORDERS.information, (sample) => -sample.summary.most_informative],
  largest: [ORDERS.largest, (sample) => -sample.summary.largest],
  distance: [ORDERS.distance, (sample) => sample.summary.nearness?.nearest[0]?.distance ?? Infinity],
  supported: [ORDERS.supported, (sample) => sample.summary.supported],
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

function wall() {
  const labels = [...new Set(trace.samples.map((sample) => sample.label))].filter((label) => label !== null && label !== undefined);
  const shows = /** @type {[string, string][]} */ ([["all", "all"], ...(judged ? [["copies", "those called copies"]] : []), ...labels.map((label) => [`label-${label}`, `label ${label}`])]);
  const sorts = /** @type {[string, string][]} */ (Object.entries(SORTS).filter(([name]) => judged || name !== "p").map(([name, [text]]) => [name, text]));
  const samples = shown();
  const tiles = samples.map((sample) => {
    const { verdict, label, summary } = sample;
    const words = says({ sample: sample.sample, label, p: verdict?.p, copy: verdict?.copy, information: summary.most_informative });
    return make("a", { class: verdict?.copy ? "tile copy" : "tile", href: link({ sample: sample.sample, latent: "" }) },
      make("img", { src: data.samples[trace.samples.indexOf(sample)][finest], alt: "", loading: "lazy" }), make("span", {}, words));
  });
  return [make("div", { class: "bar" }, choice("sort", sorts, "sort by"), choice("show", shows, "show"), make("span", { class: "soft" }, count(samples.length, "sample"))),
    make("div", { class: "wall" }, ...tiles)];
}

/** The sample that is looked at. */
function looked() {
  const asked = get("sample");
  return asked === "" ? undefined : trace.samples.find((each) => each.sample === Number(asked));
}

/** @param {Sample} sample @returns {Showing} */
function showingOf(sample) {
  const order = shown();
  const place = order.indexOf(sample);
  const at = trace.samples.indexOf(sample);
  const way = (/** @type {Sample|undefined} */ to) => (to ? link({ sample: to.sample, latent: "" }) : null);
  return {
    header: trace, under: data.under, background: data.background, views: ["quilt", "picture"],
    picture: (level) => data.samples[at][level],
    latent: (latent, level) => data.latents[latent]?.[level],
    all: link({ sample: "", latent: "" }), before: way(order[place - 1]), next: way(order[place + 1]),
  };
}

function draw() {
  const sample = looked();
  const nodes = sample ? new SampleView(sample, showingOf(sample)).nodes() : wall();
  show(app, sample ? `sample ${sample.sample}` : "wall", nodes);
}

document.addEventListener("keydown", (event) => {
  const sample = looked();
  if (sample && isForPage(event)) stepBy(showingOf(sample), event);
});
draw();
