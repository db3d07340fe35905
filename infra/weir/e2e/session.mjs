// A browser of a story in the console: pages whose errors are gathered, people who sign in, and axe.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const axe = new URL("../../../web/node_modules/axe-core/axe.min.js", import.meta.url);

/** A browser with the list of what went wrong in it; finish() closes it and ends the process with that. */
export async function launch(executablePath) {
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const trouble = [];
  /** A page of somebody with cookies of their own. expected: errors of requests that belong to the story. */
  const person = async (expected = /401/, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (e) => trouble.push(String(e)));
    page.on("console", (m) => {
      if (m.type() === "error" && !expected.test(m.text())) trouble.push(m.text());
    });
    return page;
  };
  const finish = async () => {
    await browser.close();
    if (trouble.length > 0) console.error(trouble.join("\n"));
    process.exit(trouble.length > 0 ? 1 : 0);
  };
  return { browser, trouble, person, finish };
}

export async function signIn(page, url, email, password) {
  await page.goto(url);
  await page.getByLabel(/email/i).fill(email);
  await page.getByLabel(/password/i).fill(password);
  await press(page, "Sign in");
  await page.getByRole("heading", { level: 1 }).and(page.getByText(/^(acme|first)$/)).waitFor();
}

export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** What axe finds on the page as it is, when colours that change have faded: on their way they have less contrast. */
export async function findings(page) {
  await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ending = document.getAnimations().filter((a) => a.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map((a) => a.finished));
  });
  await page.evaluate(readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
}
