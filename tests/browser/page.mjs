// The page of a trace in a real browser: what people do with it, and what it must not do.
// usage: node tests/browser/page.mjs PAGE.html TRACE.json      tools/check-pages makes both and hands in where playwright-core is
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at as at_canvas, browser, looked_at, open as open_at, run } from "./browser.mjs";

const [page_file, trace_file, pictures] = process.argv.slice(2);
const trace = JSON.parse(readFileSync(trace_file, "utf8"));
const address = pathToFileURL(page_file).href;
const shape = trace.levels.at(-1).shape;
const open = (hash = "", options = {}) => open_at(address + hash, options);

const sample = (number) => trace.samples.find((each) => each.sample === number);
const shown = async (page) => Number(await looked_at(page, "sample"));
/** Where the middle of a site of the quilt is. */
const at = (page, site) => at_canvas(page, ".quilt > canvas", site, shape);

const tests = {
  "the wall shows every sample, and what is opened is what was clicked, however they are sorted": async () => {
    const { page, wrong, close } = await open();
    assert.equal(await page.locator(".tile").count(), trace.samples.length);
    for (const sort of ["sample", "p", "information", "distance"]) {
      await page.selectOption("select >> nth=0", sort);
      const tile = page.locator(".tile").nth(3);
      const number = Number(/sample (\d+)/.exec(await tile.innerText())[1]);
      await tile.click();
      assert.equal(await shown(page), number);
      assert.match(await page.locator(".bar strong").innerText(), new RegExp(`^sample ${number} `));
      await page.keyboard.press("Escape");
      await page.locator(".tile").first().waitFor();
      assert.equal(await page.locator(".tile").count(), trace.samples.length);
    }
    const ranks = [];
    await page.selectOption("select >> nth=0", "p");
    for (const text of await page.locator(".tile").allInnerTexts()) ranks.push(sample(Number(/sample (\d+)/.exec(text)[1])).verdict.p);
    assert.deepEqual(ranks, [...ranks].sort((a, b) => a - b));
    await page.selectOption("select >> nth=1", "copies");
    assert.equal(await page.locator(".tile").count(), trace.samples.filter((each) => each.verdict.copy).length);
    assert.deepEqual(wrong, []);
    await close();
  },
  "a click on a region chooses the training latent that it comes from, and a card its regions": async () => {
    for (const { sample: number, regions, bits } of trace.samples.slice(0, 6)) {
      const { page, wrong, close } = await open(`#sample=${number}`);
      for (const [place, region] of regions.entries()) {
        if (region.information < 1) continue;
        const site = bits.region.indexOf(place);
        if (site < 0) continue;
        const card = page.locator(`#latent-${region.latent}`);
        await page.mouse.move(...(await at(page, site)));
        assert.match(await card.getAttribute("class"), /\bon\b/);
        assert.match(await page.locator(".told").innerText(), new RegExp(`latent ${region.latent}\\b`));
        assert.equal(await page.locator(".card.on").count(), 1);
      }
      const first = regions[0].latent;
      await page.mouse.click(...(await at(page, bits.region.indexOf(0))));
      assert.equal(await looked_at(page, "latent"), String(first));
      await page.mouse.move(5, 5);
      assert.match(await page.locator(`#latent-${first}`).getAttribute("class"), /\bon\b/);
      assert.match(await page.locator(`#latent-${first}`).innerText(), new RegExp(`latent ${first}`));
      assert.deepEqual(wrong, []);
      await close();
    }
  },
  "less than is asked for is background": async () => {
    const { sample: number, regions } = trace.samples[0];
    const least = Math.ceil(regions[0].information);
    const cards = async (min) => {
      const { page, close } = await open(`#sample=${number}&min=${min}`);
      const found = await page.locator(".card[id]").count();
      await close();
      return found;
    };
    assert.equal(await cards(1), new Set(regions.filter((each) => each.information >= 1).map((each) => each.latent)).size);
    assert.equal(await cards(least + 1), 0);
  },
  "an address that is opened again shows the same view": async () => {
    const { page, close } = await open(`#sample=${trace.samples[2].sample}`);
    await page.getByRole("button", { name: "picture" }).click();
    assert.equal(await page.getByRole("button", { name: "picture" }).getAttribute("aria-pressed"), "true");
    await page.mouse.move(5, 5);
    const [hash, seen] = [await page.evaluate(() => location.hash), await page.locator("#app").screenshot()];
    await close();
    const again = await open(hash);
    await again.page.mouse.move(5, 5);
    assert.ok(seen.equals(await again.page.locator("#app").screenshot()));
    await again.close();
    for (const hash of ["#sample=999999", "#sample=x&sort=constructor&level=77", "#%E0%A4%A", "#show=label-<b>"]) {
      const { page, wrong, close } = await open(hash);
      assert.equal(await page.locator(".bar").count(), 1, hash);
      assert.deepEqual(wrong, [], hash);
      await close();
    }
  },
  "the keyboard is enough": async () => {
    const { page, wrong, close } = await open();
    const order = (await page.locator(".tile").allInnerTexts()).map((text) => Number(/sample (\d+)/.exec(text)[1]));
    await page.locator(".tile").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".quilt").waitFor();
    assert.equal(await shown(page), order[0]);
    await page.keyboard.press("ArrowRight");
    assert.equal(await shown(page), order[1]);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await shown(page), order[0]);
    await page.goBack();
    assert.equal(await shown(page), order[1]);
    await page.locator(".bar strong", { hasText: new RegExp(`^sample ${order[1]} `) }).waitFor();
    await page.goForward();
    await page.locator(".bar strong", { hasText: new RegExp(`^sample ${order[0]} `) }).waitFor();
    const card = page.locator(".card[id]").first();
    await card.focus();
    assert.match(await card.getAttribute("class"), /\bon\b/);
    await page.keyboard.press("Enter");
    assert.ok(await looked_at(page, "latent"));
    assert.equal(await card.evaluate((element) => element === document.activeElement), true);
    await page.keyboard.press("Escape");
    await page.locator(".tile").first().waitFor();
    assert.equal(await page.locator(".tile").count(), order.length);
    assert.deepEqual(wrong, []);
    await close();
  },
  "nothing is fetched, and a name that looks like a script is text": async () => {
    const { page, asked, wrong, close } = await open();
    await page.locator(".tile").first().click();
    assert.deepEqual(asked.filter((url) => !url.startsWith("data:")), [address]);
    assert.equal(await page.locator("h1").innerText(), `Where samples come from: ${trace.samples_file}`);
    assert.ok(trace.samples_file.includes("<img"), "the test names its samples so");
    assert.deepEqual(wrong, []);
    await close();
  },
  "within a notebook's frame it goes from sample to sample, and leaves the notebook's address alone": async () => {
    const context = await browser.newContext({ viewport: { width: 1300, height: 900 } });
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    await page.route("**/notebook", (route) => route.fulfill({ contentType: "text/html", body: "<iframe style='width:100%;height:800px'></iframe>" }));
    await page.goto("http://notebook.invalid/notebook");
    await page.evaluate((text) => { document.querySelector("iframe").srcdoc = text; }, readFileSync(page_file, "utf8"));
    const frame = page.frameLocator("iframe");
    await frame.locator(".tile").nth(2).click();
    const first = await frame.locator(".bar strong").innerText();
    await frame.getByText("next →").click();
    await frame.getByText(first, { exact: true }).waitFor({ state: "detached" });
    await frame.locator(".card[id]").first().click();
    assert.equal(await frame.locator(".card[id]").first().getAttribute("aria-pressed"), "true");
    await frame.getByRole("button", { name: "picture" }).click();
    await frame.getByText("all samples").click();
    assert.equal(await frame.locator(".tile").count(), trace.samples.length);
    assert.equal(page.url(), "http://notebook.invalid/notebook");
    assert.deepEqual(wrong, []);
    await context.close();
  },
  "a phone shows it without scrolling sideways, in the dark too": async () => {
    for (const colorScheme of ["light", "dark"]) {
      for (const hash of ["", `#sample=${trace.samples[1].sample}`]) {
        const { page, close } = await open(hash, { viewport: { width: 360, height: 740 }, colorScheme, deviceScaleFactor: 2 });
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${colorScheme} ${hash}`);
        if (pictures) await page.screenshot({ path: `${pictures}/phone-${colorScheme}${hash ? "-sample" : ""}.png` });
        await close();
      }
    }
    if (!pictures) return;
    const { page, close } = await open(`#sample=${trace.samples[0].sample}`);
    await page.mouse.move(...(await at(page, trace.samples[0].bits.region.indexOf(0))));
    await page.screenshot({ path: `${pictures}/sample.png` });
    await close();
  },
};

await run(tests);
