// @ts-check
// A traced sample: of a set, or drawn by hand or generated here.
"use strict";

/** Answers that are shown again when something else of them is looked at. @type {Map<string, Promise<any>>} */
const answers = new Map();

/** An answer, asked for once. @template T @param {string} name @param {() => Promise<T>} ask @returns {Promise<T>} */
function once(name, ask) {
  let answer = answers.get(name);
  if (!answer) {
    answer = ask();
    answers.set(name, answer);
    answer.catch(() => answers.delete(name));
    for (const old of [...answers.keys()].slice(0, -40)) answers.delete(old);
  }
  return answer;
}

/** The user's own picture of a training latent, where there is one. @param {IndexReport} index @param {number} latent */
function photoOf(index, latent) {
  if (!index.photos) return [];
  const photo = make("img", { class: "photo", src: api.photo(latent), alt: `picture of latent ${latent}`, loading: "lazy", onerror: () => photo.remove() });
  return [photo];
}

/** More about a training latent, on its card. @param {IndexReport} index @param {boolean} whatIf */
const about = (index, whatIf) => (/** @type {number} */ latent) => {
  const without = [...new Set([...get("without").split(",").filter(Boolean), String(latent)])].join(",");
  return [...photoOf(index, latent), make("p", { class: "tools" },
    make("a", { href: link({ page: "latent", id: latent, sample: "", latent: "", at: "" }) }, "who reuses it?"),
    ...(whatIf ? [make("a", { href: link({ without, latent: "" }), title: "as if it had never been indexed" }, "without it?")] : []))];
};

/** What is left out of a trace, and the way back. */
function leftOut() {
  if (get("without") === "") return [];
  return [make("p", { class: "mark" }, `As if training latents ${get("without")} had never been indexed. `, make("a", { href: link({ without: "", latent: "" }) }, "With them again"))];
}

/** @param {IndexReport} index */
const views = (index) => (index.decodes ? ["quilt", "picture", "bits"] : ["quilt", "picture"]);
const bitsOnly = () => (get("view") === "bits" ? "bits" : "");

/** A word in a shell. @param {string} word */
const quoted = (word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The page of a sample of a set. @param {IndexReport} index @param {SetReport} set @returns {Promise<{nodes: Node[], showing: Showing}>} */
async function samplePage(index, set) {
  const number = Number(get("sample"));
  const path = api.samplePath(set.name, number, get("without"));
  const trace = await once(path, () => api.trace(path));
  const around = await api.list(set.name, { ...asked(), around: number, limit: 3 }).catch(() => null);
  const place = around ? around.samples.findIndex((each) => each.sample === number) : -1;
  const way = (/** @type {Listed|undefined} */ to) => (to ? link({ sample: to.sample, latent: "", at: "" }) : null);
  const level = Number(get("level") || index.levels.length - 1);
  const command = `bitquilt trace ${quoted(index.name)} ${quoted(set.file)} --json`;
  const at = get("at");
  const asker = (/** @type {string} */ window, /** @type {number} */ top) => api.bit(set.name, number, Number(at), { window, top });
  /** @type {Showing} */
  const showing = {
    header: trace, under: index.levels, background: index.background, views: views(index),
    picture: (level) => api.ofSample(set.name, number, level, bitsOnly()),
    latent: (latent, level) => api.ofLatent(latent, level, bitsOnly()),
    all: link({ sample: "", latent: "", at: "", without: "" }),
    before: place > 0 ? way(around?.samples[place - 1]) : null,
    next: place >= 0 ? way(around?.samples[place + 1]) : null,
    about: about(index, true), site: () => {},
    bar: [make("span", { class: "tools" }, make("a", { href: BASE + path }, "JSON"), make("a", { href: api.map(set.name, number, level) }, "map"))],
    beneath: make("div", {}, ...(at === "" ? [] : [soon(contextPanel(index, Number(at), trace.windows, asker))]),
      make("p", { class: "soft" }, "The same for the whole set: ", make("code", { class: "command" }, command))),
  };
  return { nodes: [...leftOut(), ...new SampleView(trace.samples[0], showing).nodes()], showing };
}

/** The page of a latent that was drawn or generated here. @param {IndexReport} index @returns {Promise<{nodes: Node[], showing: Showing}>} */
async function drawnPage(index) {
  const bits = ofRuns(get("bits"), bitsOf(index.levels));
  const texts = textsOf(bits, index.levels);
  const sent = { latents: [texts], without: get("without"), ...labelOf(index) };
  const trace = await once("trace " + JSON.stringify(sent), () => api.traceOf(sent));
  const at = get("at");
  const asker = (/** @type {string} */ window, /** @type {number} */ top) => api.query({ window, position: Number(at), bits: texts, top, ...labelOf(index) });
  /** @type {Showing} */
  const showing = {
    header: trace, under: index.levels, background: index.background, views: ["quilt", "picture"],
    picture: (level) => pictureOf(texts[level], index.levels[level]),
    latent: (latent, level) => api.ofLatent(latent, level, "bits"),
    all: link({ page: get("run") ? "generate" : "context", bits: get("run") ? "" : get("bits"), latent: "", at: "", without: "" }), before: null, next: null,
    about: about(index, true), site: () => {},
    beneath: make("div", {}, ...(at === "" ? [] : [soon(contextPanel(index, Number(at), trace.windows, asker))])),
  };
  return { nodes: [...leftOut(), ...new SampleView(trace.samples[0], showing).nodes()], showing };
}
