// What the tests of pages share: a browser in which everything that a page asks for, and everything that goes wrong in it, is told.
import { createRequire } from "node:module";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT);
export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });

/** Opens an address in a fresh profile. */
export async function open(address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1300, height: 900 }, ...options });
  const page = await context.newPage();
  const asked = [], wrong = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("dialog", (dialog) => { wrong.push("a dialog"); dialog.dismiss(); });
  page.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });
  await page.goto(address);
  return { page, asked, wrong, close: () => context.close() };
}

/** Something that the address says. Asked of the page itself: what the driver knows of its address comes later. */
export const looked_at = (page, name) => page.evaluate((name) => new URLSearchParams(location.hash.slice(1)).get(name), name);

/** Where the middle of a site of a canvas is. */
export async function at(page, canvas, site, [height, width]) {
  const box = await page.locator(canvas).boundingBox();
  return [box.x + ((site % width) + 0.5) * box.width / width, box.y + (Math.floor(site / width) + 0.5) * box.height / height];
}

/** Runs tests by their names and ends the process. */
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
}
