// Measures what people wait for in the console: node figures.mjs CHROMIUM URL EMAIL PASSWORD GATEWAY WRITE_KEY
// The write key's source is of the workspace acme. It prints a line of JSON, in ms: the first view after signing in; the
// slowest page when it is opened the first time and again; an event from its request to its row; a change from
// Publish to the plane's word that it runs.
import { launch, press } from "./session.mjs";

const [executablePath, url, email, password, gateway, writeKey] = process.argv.slice(2);
const { person, finish } = await launch(executablePath);
const page = await person();
const took = {};
const timed = async (act) => {
  const began = performance.now();
  await act();
  return Math.round(performance.now() - began);
};
/** When the page shows something for the first time: looked for in each frame, not by the test's own polling. */
const shown = (text) =>
  page.waitForFunction((t) => document.querySelector("main")?.textContent?.includes(t), text, { polling: "raf" });

await page.goto(url);
await page.getByLabel(/email/i).fill(email);
await page.getByLabel(/password/i).fill(password);
took.firstView = await timed(async () => {
  await press(page, "Sign in");
  await shown("What goes where");
});

/** Notes in the page how long it takes from the next click to the frame after a page's title is there: without the test's own way to it. */
function watchNextClick(title) {
  globalThis.navigated = new Promise((told) => {
    const clicked = ({ timeStamp: began }) => {
      const look = () => {
        if (document.querySelector("h1")?.textContent !== title) requestAnimationFrame(look);
        else requestAnimationFrame(() => told(Math.round(performance.now() - began)));
      };
      look();
    };
    addEventListener("click", clicked, { capture: true, once: true });
  });
}

const pages = ["Connections", "Sources", "Destinations", "Transformations", "Events", "Warehouses", "Syncs", "Customers", "Scores", "History"];
for (const round of ["firstNavigation", "navigation"]) {
  took[round] = 0;
  for (const name of pages) {
    await page.evaluate(watchNextClick, name);
    await page.getByRole("link", { name, exact: true }).first().click();
    const ms = await page.evaluate(() => globalThis.navigated);
    if (ms > took[round]) [took[round], took[`${round}Page`]] = [ms, name];
  }
}

await page.getByRole("link", { name: "Events", exact: true }).first().click();
await page.getByText("Connected: events appear as they pass").waitFor();
took.liveRow = await timed(async () => {
  const sent = fetch(`${gateway}/v1/track`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${writeKey}:`)}`, "Content-Type": "application/json" },
    body: JSON.stringify({ userId: "figures", event: "Measured Once" }),
  });
  await shown("Measured Once");
  await sent;
});

await page.getByRole("link", { name: "Sources", exact: true }).first().click();
await page.getByRole("link", { name: "New source" }).click();
await page.getByLabel(/^HTTP/).check();
await page.getByRole("textbox", { name: "Name" }).fill(`measured-${Date.now() % 100_000}`);
await press(page, "Add to the draft");
await page.getByRole("link", { name: "Review", exact: true }).first().click();
const publish = page.getByRole("button", { name: "Publish", exact: true });
await publish.and(page.locator(":enabled")).waitFor();
took.published = await timed(async () => {
  await publish.click();
  await page.waitForFunction(() => /Revision \d+ runs on /.test(document.body.textContent ?? ""), undefined, { polling: "raf" });
});
console.log(JSON.stringify(took));
await finish();
