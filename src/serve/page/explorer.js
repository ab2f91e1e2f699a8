// @ts-check
// The explorer: which page is shown.
"use strict";

/** @type {Record<string, string>} */
const DEFAULTS = { page: "", sample: "", min: "1", view: "quilt", sort: "p", id: "" };

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const note = /** @type {HTMLElement} */ (document.getElementById("note"));
const head = /** @type {HTMLElement} */ (document.getElementById("head"));

/** @type {IndexReport} */
let index;
/** @type {SetEntry[]} */
let sets = [];
/** The wall that is shown, if it is. @type {Wall|null} */
let shownWall = null;
/** What the keys go by, on the page of a sample. @type {Showing|null} */
let shownSample = null;
/** Counts views, so that one that comes late is not shown in place of a newer one. */
let drawn = 0;

/** The set that is looked at. */
const setName = () => (sets.some((each) => each.name === get("set")) ? get("set") : sets[0]?.name ?? "");

/** The page that is looked at. */
function pageName() {
  const page = get("page");
  if (["latent", "context", "generate", "index", "drawn"].includes(page)) return page;
  if (!sets.length) return "index";
  return get("sample") === "" ? "wall" : "sample";
}

/** @param {string} page */
function header(page) {
  const ways = [...(sets.length ? [["", "samples"]] : []), ["latent", "training latents"], ["context", "contexts"], ["generate", "generate"], ["index", "index"]];
  const here = page === "wall" || page === "sample" ? "" : page;
  const links = ways.map(([name, text]) => make("a", { href: link({ page: name, sample: "", latent: "", at: "", without: "", bits: "", run: "" }), "aria-current": name === here ? "page" : "false" }, text));
  const names = /** @type {[string, string][]} */ (sets.map((each) => [each.name, `${each.name} (${each.samples.toLocaleString("en")})`]));
  const sample = { sample: "", latent: "", at: "", without: "" };
  head.replaceChildren(make("strong", {}, index.name), ...links, ...(sets.length > 1 ? [choice("set", names, "set", sample)] : []));
}

/** What a page shows, and what the keys go by on it. @param {string} page @returns {Promise<{nodes: Node[], view: string, showing?: Showing, wall?: Wall}>} */
async function view(page) {
  const name = setName();
  // Changes while samples are traced: their number is not in it.
  const set = name ? await once(`set ${name}`, () => api.set(name)) : null;
  const windows = set ? set.header.windows : index.info.windows.map((entry) => entry.window).filter((window) => !window.includes("sites:"));
  if (page === "index") return { nodes: indexPage(), view: page };
  if (page === "context") return { nodes: await contextPage(index, windows), view: page };
  if (page === "generate") return { nodes: await generatePage(index, windows), view: page };
  if (page === "latent") return { nodes: await latentPage(index, set), view: `latent ${get("id")}` };
  if (page === "drawn") return { ...(await drawnPage(index)), view: page };
  if (page === "sample" && set) return { ...(await samplePage(index, set)), view: `${name} ${get("sample")}` };
  return { ...(set ? await wallPage(set) : { nodes: [] }), view: `wall ${name}` };
}

/** @param {SetReport} set */
async function wallPage(set) {
  const shape = set.header.levels[set.header.levels.length - 1].shape;
  const wall = new Wall(set, shape);
  await wall.open();
  // A wall without the picture of its figures is a wall still.
  spreadOf(set, sets).then((svg) => wall.spread.replaceChildren(svg), () => {});
  return { wall, nodes: [...verdict(set), wall.bar(), wall.spread, wall.scroller] };
}

function indexPage() {
  const { info } = index;
  const row = (/** @type {string} */ name, /** @type {string} */ value) => make("tr", {}, make("th", {}, name), make("td", {}, value));
  const number = (/** @type {number} */ value) => value.toLocaleString("en");
  const windows = info.windows.map(({ window, contexts, distinct, ambiguous }) =>
    make("tr", {}, make("td", {}, window), ...[contexts, distinct, ambiguous].map((value) => make("td", { class: "n" }, number(value))), make("td", { class: "n" }, (contexts / distinct).toFixed(2))));
  const heads = ["window", "contexts", "different", "ambiguous", "occurrences of each"];
  const sources = info.sources.map((source) => make("tr", {}, make("td", {}, source.name), make("td", { class: "n" }, number(source.latents)), make("td", {}, make("code", {}, source.xxh3_128))));
  const table = (/** @type {string[]} */ names, /** @type {Node[]} */ rows) => make("div", { class: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, ...names.map((name, place) => make("th", { class: place ? "n" : "" }, name)))), make("tbody", {}, ...rows)));
  const out = info.excluded.reduce((sum, [first, end]) => sum + end - first, 0);
  return [
    make("h1", {}, index.name), make("div", { class: "scroll" }, make("table", {}, make("tbody", {}, row("training latents", `${number(info.latents)}, ${info.shape}`), row("bits", info.codec),
      row("bound to", [info.anchor === "none" ? "" : "places", info.condition === "none" ? "" : "labels"].filter(Boolean).join(", ") || "nothing"),
      row("left out", [out ? `${count(out, "latent")} of the sources` : "", index.without].filter(Boolean).join("; ") || "none"),
      row("on disk", info.arrays.map(({ direction, depth, bytes }) => `${direction} to ${depth}: ${(bytes / 2 ** 20).toFixed(1)} MiB`).join("; ")),
      row("content", index.identity), row("built by", info.tool)))),
    make("h2", {}, "Windows"), make("p", { class: "soft" }, "Ambiguous: both values followed. Where each context occurs about once, samples are copies of training latents."), table(heads, windows),
    make("h2", {}, "Built from"), table(["file", "latents", "XXH3-128"], sources),
    make("p", { class: "tools" }, make("a", { href: BASE + "index" }, "JSON"), make("a", { href: "/openapi.json" }, "the interface, for programs"), make("code", { class: "command" }, `bitquilt info ${quoted(index.name)} --json`)),
  ];
}

async function draw() {
  const own = ++drawn;
  const page = pageName();
  header(page);
  if (page !== "generate") running?.abort();
  try {
    // Until the new view is there, keys would go by the old one.
    shownSample = null;
    const { nodes, view: name, showing = null, wall = null } = await view(page);
    if (own !== drawn) return wall?.close();
    shownWall?.close();
    [shownSample, shownWall] = [showing, wall];
    note.textContent = "";
    show(app, name, nodes, () => shownWall?.fill());
    shownWall?.fill();
  } catch (error) {
    if (own !== drawn) return;
    note.textContent = String(/** @type {any} */ (error).message ?? error);
  }
}

document.addEventListener("keydown", (event) => {
  if (!isForPage(event)) return;
  if (shownSample) stepBy(shownSample, event);
  else shownWall?.key(event);
});

/** Looks again while samples are traced. */
async function watch() {
  const now = await api.sets().catch(() => null);
  if (now) {
    const done = now.sets.every((each) => each.traced === each.samples);
    const news = now.sets.some((each, place) => each.traced !== sets[place]?.traced);
    sets = now.sets;
    if (now.failed) note.textContent = now.failed;
    if (news) await shownWall?.refresh().catch(() => {});
    if (done || now.failed) return;
  }
  setTimeout(watch, 1500);
}

async function begin() {
  try {
    index = await api.index();
    digest = index.digest;
    sets = (await api.sets()).sets;
    DEFAULTS.id = String(index.first);
    DEFAULTS.sort = sets[0]?.judged ? "p" : "sample";
    document.title = `${index.name} · Bitquilt`;
    draw();
    watch();
  } catch (error) {
    note.textContent = `The server does not answer: ${/** @type {any} */ (error).message ?? error}`;
  }
}
begin();
