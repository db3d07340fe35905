// Takes the pictures of docs/story.md in the console: node pictures.mjs CHROMIUM URL EMAIL PASSWORD FOLDER
// The workspace is acme, at the end of the story. Each picture is a small WebP file of what is on the page, without what is around it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch, signIn } from "./session.mjs";

const [executablePath, url, email, password, folder] = process.argv.slice(2);
const { trouble, person, finish } = await launch(executablePath);
const page = await person(/401/, { viewport: { width: 1400, height: 900 }, colorScheme: "light", reducedMotion: "reduce" });
page.setDefaultTimeout(60_000);
await signIn(page, url, email, password);
const cdp = await page.context().newCDPSession(page);

const most = 80_000; // bytes
const take = async (name, path, shown, height) => {
  await page.goto(`${url}/workspaces/acme/${path}`);
  await page.setViewportSize({ width: 1400, height });
  await shown().catch((e) => trouble.push(`${name}: ${e}`));
  // What is on its way is grey, turns round, or is three points.
  await page.waitForFunction(() => !document.querySelector("[aria-label^=Loading]") && !/…\s*$|^…/m.test(document.querySelector("main")?.innerText.replace(/Remove…/g, "") ?? "…"), undefined, { timeout: 30_000 }).catch(() => trouble.push(`${name} does not end loading`));
  await page.evaluate(() => document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))));
  const { data } = await cdp.send("Page.captureScreenshot", { format: "webp", quality: 72 });
  const bytes = Buffer.from(data, "base64");
  if (bytes.length > most) trouble.push(`${name} has ${bytes.length} bytes, and ${most} are the most`);
  writeFileSync(join(folder, `story-${name}.webp`), bytes);
};
const text = (t) => page.getByText(t).first().waitFor();

await take("person", "customers/find#id=email%3Aann%40acme.example", () => text("paying_with_trouble"), 900);
await take("feature", "features/open_tickets", () => text(/customers have a value/), 520);
await take("score", "scores/churn", () => text(/customers have it/), 640);
await take("audience", "audiences/paying_with_trouble", () => text(/of 3 customers/), 560);
await take("sync", "syncs/contacts", () => page.getByRole("table").first().waitFor(), 560);
await finish();
