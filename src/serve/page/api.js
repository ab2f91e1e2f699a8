// @ts-check
// What the server is asked. Every address of the interface is written here, and described in /openapi.json.
"use strict";

/** @typedef {{sample: number, label: number|null, p: number|null, copy: boolean|null, figures: {supported: number, information: number, largest: number, distance: number|null}|null}} Listed */
/** @typedef {{total: number, traced: number, offset: number, samples: Listed[]}} List */
/** @typedef {{name: string, file: string, samples: number, traced: number, judged: boolean}} SetEntry */
/** @typedef {SetEntry & {header: Header & {training_latents: number, without: string|null}, copies: {copies: number, samples: number, expected: number, false_alarms: number, interval: number[]}|null, labels: number[]}} SetReport */
/** @typedef {{window: string, sites?: number, bit: number, n0: number, n1: number, postings0: [number, number][], postings1: [number, number][]}} Found */
/** @typedef {{latent: number, label: number|null, bits: string[], duplicates: number[], before: number|null, next: number|null}} Latent */
/**
 * @typedef {{name: string, first: number, identity: string, digest: string, levels: number[][], without: string, generates: boolean, decodes: boolean, photos: boolean,
 *   background: number, limits: {generated: number, listed: number}, info: {latents: number, shape: string, labels: boolean, label_values: number[], codec: string, anchor: string, condition: string,
 *   tool: string, named: string[], windows: {window: string, contexts: number, distinct: number, ambiguous: number}[], arrays: {direction: string, depth: string, blocks: number, bytes: number}[],
 *   sources: {name: string, latents: number, xxh3_128: string}[], excluded: number[][]}}} IndexReport
 */

const BASE = "/api/v1/";

/** What an answer says that went wrong. @param {Response} response */
async function problem(response) {
  const body = await response.json().catch(() => null);
  return new Error(body?.detail ?? `${response.status} ${response.statusText}`);
}

/** Asks; requests are made one by one in `api`, so that they are all written in one place. @param {string} path @param {RequestInit} [options] */
async function ask(path, options) {
  const response = await fetch(BASE + path, options);
  if (!response.ok) throw await problem(response);
  return response;
}

/** @param {Record<string, string|number|boolean|null|undefined>} params */
function query(params) {
  const given = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && "?" + text;
}

/** @param {string} path @param {unknown} body */
const post = (path, body) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** What pictures are of: with it a browser may keep them. */
let digest = "";

const api = {
  /** @returns {Promise<IndexReport>} */
  index: async () => (await ask("index")).json(),
  /** @returns {Promise<{sets: SetEntry[], failed: string|null}>} */
  sets: async () => (await ask("sets")).json(),
  /** @param {string} set @returns {Promise<SetReport>} */
  set: async (set) => (await ask(`sets/${set}`)).json(),
  /** @param {string} set @param {Record<string, any>} params @returns {Promise<List>} */
  list: async (set, params) => (await ask(`sets/${set}/samples${query(params)}`)).json(),
  /** @param {string} set @param {Record<string, any>} params @returns {Promise<{edges: number[], counts: number[], beside: number[]|null}>} */
  histogram: async (set, params) => (await ask(`sets/${set}/histogram${query(params)}`)).json(),
  /** @param {string} set @param {number} sample @param {string} without */
  samplePath: (set, sample, without) => `sets/${set}/samples/${sample}${query({ without })}`,
  /** @param {string} path @returns {Promise<Header & {samples: Sample[]}>} */
  trace: async (path) => (await ask(path)).json(),
  /** @param {string} set @param {number} sample @param {number} position @param {Record<string, any>} params @returns {Promise<Found>} */
  bit: async (set, sample, position, params) => (await ask(`sets/${set}/samples/${sample}/bits/${position}${query(params)}`)).json(),
  /** @param {number} latent @returns {Promise<Latent>} */
  latent: async (latent) => (await ask(`latents/${latent}`)).json(),
  /** @param {number} latent @param {string} set @param {number} [offset] @returns {Promise<{total: number, traced: number, samples: {sample: number, information: number, copy: boolean, levels: {level: number, sites: number, information: number}[]}[]}>} */
  uses: async (latent, set, offset) => (await ask(`latents/${latent}/uses${query({ set, offset })}`)).json(),
  /** @param {Record<string, any>} question @returns {Promise<Found>} */
  query: async (question) => (await post("query", question)).json(),
  /** @param {Record<string, any>} sent @returns {Promise<Header & {samples: Sample[]}>} */
  traceOf: async (sent) => (await post("trace", sent)).json(),
  /** @param {Record<string, any>} request @param {AbortSignal} signal */
  generate: (request, signal) =>
    ask("generate", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request), signal }),

  /** @param {string} set @param {number} sample @param {number} level @param {string} [view] */
  ofSample: (set, sample, level, view) => `${BASE}sets/${set}/samples/${sample}/picture.png${query({ level, view, digest })}`,
  /** @param {number} latent @param {number} level @param {string} [view] */
  ofLatent: (latent, level, view) => `${BASE}latents/${latent}/picture.png${query({ level, view, digest })}`,
  /** @param {number} latent */
  photo: (latent) => `${BASE}latents/${latent}/photo${query({ digest })}`,
  /** @param {string} set @param {number[]} ids @param {number} columns */
  sheet: (set, ids, columns) => `${BASE}sets/${set}/sheet.png${query({ ids: ids.join(","), columns, digest })}`,
  /** @param {string} set @param {number} sample @param {number} level */
  map: (set, sample, level) => `${BASE}sets/${set}/samples/${sample}/map.png${query({ level, digest })}`,
};

/** Lines of JSON of an answer, as they come. @param {Response} response */
async function* lines(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield JSON.parse(part);
  }
}
