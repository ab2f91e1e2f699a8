// The explorer in a real browser: what people do with it, and what it must not do.
// usage: node tests/browser/explorer.mjs URL URL-OF-MANY TRACE.json [FOLDER]      tools/check-pages starts the servers
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { at as at_canvas, looked_at, open as open_at, run } from "./browser.mjs";

const [address, of_many, trace_file, pictures] = process.argv.slice(2);
const trace = JSON.parse(readFileSync(trace_file, "utf8"));
const shape = trace.levels.at(-1).shape;
const bits = shape[0] * shape[1];
const ask = async (path, options) => (await fetch(`${address}api/v1/${path}`, options)).json();
const { sets } = await ask("sets");
const set = sets[0].name;

const open = (hash = "", options = {}) => open_at(address + hash, options);
const quilt = (page, site) => at_canvas(page, ".quilt > canvas", site, shape);
const ready = (page, selector) => page.locator(selector).first().waitFor();
const number_of = (text) => Number(/sample (\d+)/.exec(text)[1]);
/** Opens a sample and waits until it is there. */
async function open_sample(number, more = "") {
  const opened = await open(`#sample=${number}${more}`);
  await ready(opened.page, ".quilt");
  return opened;
}

const tests = {
  "what is opened from the wall is what was clicked, however samples are sorted and filtered": async () => {
    const { page, wrong, close } = await open();
    for (const change of [() => page.selectOption("#sort", "information"), () => page.selectOption("#sort", "distance"), () => page.click("#reverse"), () => page.click("#copies")]) {
      // Until the new wall is there, the old one is: what is read and what is clicked are to be of one.
      await ready(page, ".scroller");
      await page.evaluate(() => document.querySelector(".scroller").setAttribute("data-old", ""));
      await change();
      await page.locator(".scroller:not([data-old]) .tile", { hasText: /sample \d+/ }).nth(2).waitFor();
      const tile = page.locator(".tile").nth(2);
      const number = number_of(await tile.innerText());
      await tile.click();
      await ready(page, ".quilt");
      assert.equal(await looked_at(page, "sample"), String(number));
      assert.match(await page.locator(".bar strong").innerText(), new RegExp(`^sample ${number} `));
      const nearest = trace.samples[number].summary.nearness.nearest[0].latent;
      assert.match(await page.locator(".card", { hasText: "nearest" }).innerText(), new RegExp(`latent ${nearest}\\b`));
      await page.keyboard.press("Escape");
      await ready(page, ".tile");
    }
    const copies = trace.samples.filter((each) => each.verdict.copy).length;
    assert.match(await page.locator(".bar .soft").innerText(), new RegExp(`^${copies} samples?$`));
    assert.match(await page.locator("main p strong").first().innerText(), new RegExp(`^${copies} of ${trace.samples.length} called copies$`));
    assert.deepEqual(wrong, []);
    await close();
  },
  "each region leads to the training latent that it comes from, with that latent's bits": async () => {
    for (const { sample: number, regions, bits } of trace.samples.slice(0, 4)) {
      const { page, wrong, close } = await open_sample(number);
      for (const [place, region] of regions.entries()) {
        const site = bits.region.indexOf(place);
        if (region.information < 1 || site < 0) continue;
        await page.mouse.move(...(await quilt(page, site)));
        assert.match(await page.locator(`#latent-${region.latent}`).getAttribute("class"), /\bon\b/);
        assert.equal(await page.locator(".card.on").count(), 1);
      }
      // What is drawn for the first one is what the index holds of that id.
      const { latent } = regions[0];
      const own = (await ask(`latents/${latent}`)).bits[0];
      const drawn = await page.evaluate(async (latent) => {
        const image = new Image();
        image.src = api.ofLatent(latent, 0);
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, image.width, image.height).data].filter((_, at) => at % 4 === 0).map((value) => (value ? "1" : "0")).join("");
      }, latent);
      assert.equal(drawn, own);
      assert.deepEqual(wrong, []);
      await close();
    }
  },
  "from a region to its training latent, to who else reuses it, and back": async () => {
    const { page, wrong, close } = await open_sample(0);
    const latent = Number((await page.locator(".card[id]").first().getAttribute("id")).slice(7));
    await page.locator(".card[id]").first().getByText("who reuses it?").click();
    await page.locator("h1", { hasText: `Training latent ${latent}` }).waitFor();
    const uses = await ask(`latents/${latent}/uses?set=${set}`);
    await page.locator("h2", { hasText: `${uses.total} sample` }).waitFor();
    const tiles = await page.locator(".tile").allInnerTexts();
    assert.deepEqual(tiles.map(number_of), uses.samples.map((each) => each.sample));
    await page.locator(".tile", { hasText: "sample 0 " }).click();
    await ready(page, ".quilt");
    assert.deepEqual([await looked_at(page, "sample"), await looked_at(page, "latent")], ["0", String(latent)]);
    assert.match(await page.locator(`#latent-${latent}`).getAttribute("class"), /\bon\b/);
    await page.goBack();
    await page.locator("h1", { hasText: `Training latent ${latent}` }).waitFor();
    assert.deepEqual(wrong, []);
    await close();
  },
  "without a training latent a sample comes from others, and with it again as before": async () => {
    const { page, wrong, close } = await open_sample(0);
    const latent = Number((await page.locator(".card[id]").first().getAttribute("id")).slice(7));
    await page.locator(".card[id]").first().getByText("without it?").click();
    await page.locator("p.mark", { hasText: `training latents ${latent} had never been indexed` }).waitFor();
    assert.equal(await page.locator(`#latent-${latent}`).count(), 0);
    await page.getByText("With them again").click();
    await ready(page, `#latent-${latent}`);
    assert.deepEqual(wrong, []);
    await close();
  },
  "a click on a bit tells what followed its context at every window, and where": async () => {
    const { page, wrong, close } = await open_sample(1);
    const site = Math.floor(bits / 2) + 14;
    await page.mouse.click(...(await quilt(page, site)));
    await page.locator("h2", { hasText: `row ${Math.floor(site / shape[1])}, column ${site % shape[1]}` }).waitFor();
    for (const window of trace.windows) {
      const { n0, n1 } = await ask(`sets/${set}/samples/1/bits/${site}?window=${window}&top=0`);
      const told = page.locator(".bars .meter").nth(trace.windows.indexOf(window));
      const expected = n0 + n1 ? `${n0.toLocaleString("en")} × 0, ${n1.toLocaleString("en")} × 1` : "never seen";
      assert.equal(await told.getAttribute("aria-label"), expected, window);
    }
    await page.click("#window-3x3");
    await page.locator("#window-3x3[aria-pressed=true]").waitFor();
    const found = await ask(`sets/${set}/samples/1/bits/${site}?window=3x3&top=12`);
    const first = found.postings0[0] ?? found.postings1[0];
    await page.locator(".patches a").first().click();
    await page.locator("h1", { hasText: `Training latent ${first[0]}` }).waitFor();
    assert.deepEqual(wrong, []);
    await close();
  },
  "a painted context is asked for as it is painted": async () => {
    const { page, wrong, close } = await open("#page=context&id=3&at=400&window=5x5");
    await ready(page, ".bars");
    const text = (await ask("latents/3")).bits[0];
    const expected = async (bits) => ask("query", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ window: "5x5", position: 400, bits: [bits] }) });
    const told = async () => page.locator(".bars .meter").nth(trace.windows.indexOf("5x5")).getAttribute("aria-label");
    const words = ({ n0, n1 }) => (n0 + n1 ? `${n0.toLocaleString("en")} × 0, ${n1.toLocaleString("en")} × 1` : "never seen");
    assert.equal(await told(), words(await expected(text)));
    await page.click("#brush-paint");
    await page.locator("#brush-paint[aria-pressed=true]").waitFor();
    await page.mouse.click(...(await at_canvas(page, "#painter", 400 - 28, shape)));
    await page.waitForFunction(() => location.hash.includes("bits="));
    const flipped = text.slice(0, 372) + (text[372] === "1" ? "0" : "1") + text.slice(373);
    await page.waitForFunction(([at, words]) => document.querySelectorAll(".bars .meter")[at]?.getAttribute("aria-label") === words, [trace.windows.indexOf("5x5"), words(await expected(flipped))]);
    await page.getByText("where would all of it come from?").click();
    await ready(page, ".quilt");
    assert.ok(await page.locator(".card").count() > 0);
    assert.deepEqual(wrong, []);
    await close();
  },
  "samples are generated as they are asked for, and lead to where they come from": async () => {
    const { page, wrong, close } = await open("#page=generate&seed=4&n=5");
    await ready(page, "#go");
    await page.locator("#w0").fill("1");
    await page.locator("label strong", { hasText: "5x5" }).waitFor();
    await page.locator("summary").click();
    await page.mouse.click(...(await at_canvas(page, "#painter", 30, shape)));
    await page.waitForFunction(() => location.hash.includes("fix=30%3D1"));
    await page.click("#go");
    await page.locator("#told", { hasText: "Click one" }).waitFor();
    const request = { windows: ["5x5"], samples: { start: 0, end: 5 }, seed: 4, fixed: [[30, true]] };
    const answer = await fetch(`${address}api/v1/generate`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request) });
    const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line)).filter((line) => line.bits);
    assert.equal(await page.locator("#found .tile").count(), 5);
    assert.ok(lines.length === 5 && lines.every((line) => line.bits[0][30] === "1"));
    assert.match(await page.locator("code.command").innerText(), /-w 5x5 -n 5 --seed 4 --fix 1,2=1 -o/);
    if (pictures) await page.screenshot({ path: `${pictures}/generate.png` });
    const again = await open("#" + new URL(page.url()).hash.slice(1));
    await again.page.locator("#told", { hasText: "Click one" }).waitFor();
    const sources = (page) => page.locator("#found img").evaluateAll((images) => images.map((image) => image.src));
    assert.deepEqual(await sources(again.page), await sources(page));
    await again.close();
    await page.locator("#found .tile").nth(2).click();
    await ready(page, ".quilt");
    assert.equal(await page.evaluate(() => textsOf(ofRuns(get("bits"), bitsOf(index.levels)), index.levels)[0]), lines[2].bits[0]);
    await page.keyboard.press("Escape");
    await page.locator("#told", { hasText: "Click one" }).waitFor();
    assert.deepEqual(wrong, []);
    await close();
  },
  "a search without a sample says how it ended": async () => {
    // A checkerboard all over: no digit has one.
    const board = Array.from({ length: 60 }, (_, at) => `${200 + at}=${(at + Math.floor(at / 28)) % 2}`).join(",");
    const { page, wrong, close } = await open(`#page=generate&n=2&run=1&fix=${board}`);
    await page.locator(".tile.dead").nth(1).waitFor();
    assert.match(await page.locator(".tile.dead").first().innerText(), /proved: there is none|given up/);
    assert.deepEqual(wrong, []);
    await close();
  },
  "an address that is opened again shows the same view": async () => {
    for (const hash of ["#sort=information&reverse=1", "#sample=3&latent=1&view=picture", "#page=latent&id=12", "#page=context&id=1&at=300&window=7x7", "#page=index"]) {
      const seen = [];
      for (let time = 0; time < 2; time++) {
        const { page, wrong, close } = await open(hash);
        await page.waitForLoadState("networkidle");
        await page.locator("#app > *").first().waitFor();
        seen.push(await page.locator("#app").screenshot());
        assert.deepEqual(wrong, [], hash);
        await close();
      }
      assert.ok(seen[0].equals(seen[1]), hash);
    }
    for (const hash of ["#sample=999999", "#sample=x", "#page=latent&id=-1", "#page=latent&id=999999", "#page=context&id=x", "#set=nowhere&sample=1&level=77", "#%E0%A4%A", "#page=drawn", "#sort=constructor", "#page=constructor", "#page=context&at=99999999", "#page=generate&fix=9999999=1&w0=x&n=-5&seed=x&run=1"]) {
      const { page, wrong, close } = await open(hash);
      await page.waitForLoadState("networkidle");
      assert.ok((await page.locator("#app > *, #note:not(:empty)").count()) > 0, hash);
      // What the server refuses is told by the browser, too; nothing else goes wrong.
      assert.deepEqual(wrong.filter((text) => !text.includes("Failed to load resource")), [], hash);
      await close();
    }
  },
  "the keyboard is enough": async () => {
    const { page, wrong, close } = await open();
    await page.locator(".tile", { hasText: /sample \d+/ }).nth(12).waitFor();
    const order = (await page.locator(".tile").allInnerTexts()).map(number_of);
    await page.locator(".tile").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await ready(page, ".quilt");
    const shown = async (number) => page.locator(".bar strong", { hasText: new RegExp(`^sample ${number} `) }).waitFor();
    await shown(order[1]);
    await page.keyboard.press("ArrowRight");
    await shown(order[2]);
    await page.keyboard.press("ArrowLeft");
    await shown(order[1]);
    const card = page.locator(".card[id]").first();
    await card.focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.hash.includes("latent="));
    await page.locator(".card[id][aria-pressed=true]").waitFor();
    await page.keyboard.press("Escape");
    await ready(page, ".tile");
    await page.keyboard.press("Tab");
    await page.goto(address + "#page=context&id=3&at=400");
    await ready(page, "#painter");
    await page.locator("#painter").focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => location.hash.includes("at=1"));
    assert.deepEqual(wrong, []);
    await close();
  },
  "nothing leaves the server, and a name that looks like a script is text": async () => {
    const { page, asked, wrong, close } = await open("#sample=0&at=300");
    await ready(page, ".patches");
    assert.ok((await page.locator("code.command").first().innerText()).includes("<img src=x onerror=alert(1)>"));
    for (const hash of ["", "#page=latent&id=3", "#page=index", "#page=generate&run=1"]) {
      await page.goto(address + hash);
      await page.waitForLoadState("networkidle");
    }
    const elsewhere = asked.filter((url) => !url.startsWith(address) && !url.startsWith("data:"));
    assert.deepEqual(elsewhere, []);
    assert.ok(asked.length > 20);
    assert.deepEqual(wrong, []);
    await close();
  },
  "ten thousand samples scroll, and few of them are held at a time": async () => {
    const { page, wrong, close } = await open_at(of_many + "#sort=sample");
    await page.locator(".tile", { hasText: "sample 0 " }).waitFor();
    for (let part = 1; part <= 20; part++) {
      await page.evaluate((part) => window.scrollTo(0, (document.documentElement.scrollHeight * part) / 20), part);
      await page.waitForTimeout(30);
      assert.ok((await page.locator(".tile").count()) < 250);
    }
    await page.locator(".tile", { hasText: "sample 9999 " }).waitFor();
    const shown = await page.locator(".tile", { hasText: /sample \d+/ }).allInnerTexts();
    assert.deepEqual(shown.map(number_of), [...shown.map(number_of)].sort((a, b) => a - b));
    // Its picture is its own: the part of the sheet that stands behind the tile.
    await page.locator(".tile", { hasText: "sample 9990 " }).click();
    await ready(page, ".quilt");
    assert.equal(await looked_at(page, "sample"), "9990");
    await page.goBack();
    await page.locator(".tile", { hasText: "sample 9990 " }).waitFor();
    assert.deepEqual(wrong, []);
    await close();
  },
  "a phone shows it without scrolling sideways, in the dark too": async () => {
    for (const colorScheme of ["light", "dark"]) {
      for (const [name, hash] of [["wall", ""], ["sample", "#sample=1&at=300"], ["latent", "#page=latent&id=3"], ["context", "#page=context&id=3"], ["new", "#page=generate&run=1&painting=1"], ["index", "#page=index"]]) {
        const { page, close } = await open(hash, { viewport: { width: 360, height: 740 }, colorScheme, deviceScaleFactor: 2 });
        await page.waitForLoadState("networkidle");
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${colorScheme} ${name}`);
        if (pictures) await page.screenshot({ path: `${pictures}/phone-explorer-${colorScheme}-${name}.png` });
        await close();
      }
    }
    if (!pictures) return;
    for (const [name, hash] of [["wall", ""], ["sample", "#sample=0&at=300"], ["latent", "#page=latent&id=3"], ["context", "#page=context&id=3"], ["index", "#page=index"]]) {
      const { page, close } = await open(hash);
      await page.waitForLoadState("networkidle");
      await page.screenshot({ path: `${pictures}/explorer-${name}.png` });
      await close();
    }
  },
};

await run(tests);
