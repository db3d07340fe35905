// Makes a source and a destination with a secret in the console, without a file or a command, and sees an event arrive:
// node story.mjs CHROMIUM URL EMAIL PASSWORD HOOK SECRET
// It prints what of the browser's traffic or storage shows the secret.
import { chromium } from "playwright-core";

const [executablePath, url, email, password, hook, secret] = process.argv.slice(2);
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
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
const trouble = [];
page.on("pageerror", (e) => trouble.push(String(e)));
page.on("console", (m) => {
  if (m.type() === "error" && !m.text().includes("401")) trouble.push(m.text());
});
let sealed = 0;
page.on("request", (r) => {
  const said = `${r.url()} ${JSON.stringify(r.headers())} ${r.postData() ?? ""}`;
  if (said.includes(secret)) trouble.push(`the secret went out in clear: ${r.method()} ${r.url()}`);
  if (r.method() === "PUT" && said.includes('"sealed"')) sealed += 1;
});
page.setDefaultTimeout(120_000);
// The page before may have links of the same names, until the next one is there.
const follow = async (name) => {
  await page.getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
};
const button = (name) => page.getByRole("button", { name, exact: true }).click();
await page.goto(url);
await page.getByLabel(/email/i).fill(email);
await page.getByLabel(/password/i).fill(password);
await button("Sign in");
await page.getByRole("heading", { level: 1, name: "acme" }).waitFor();

await follow("Sources");
await page.getByRole("link", { name: "New source" }).click();
await page.getByLabel(/^HTTP/).check();
await page.getByLabel("Name").fill("kiosk");
await button("Add to the draft");
await page.getByText("This source is a draft").waitFor();
await page.reload(); // a draft outlives the page
await page.getByText("This source is a draft").waitFor();

await follow("Destinations");
await page.getByRole("link", { name: "New destination" }).click();
await page.getByRole("link", { name: /^Webhook/ }).click();
await page.getByLabel("Name", { exact: true }).fill("story");
await page.getByLabel("URL").fill(hook);
await button("Add to Headers");
await page.getByLabel("Name 1 of Headers").fill("Authorization");
await page.getByLabel("Value 1 of Headers").fill(secret);
await button("Continue");
await button("Publish it alone and test");
await page.getByRole("button", { name: /Test the connection/ }).click();
await page.getByText(/The plane reaches it|It accepts/).waitFor();
await page.getByRole("checkbox", { name: /kiosk/ }).check();
await button("Review and publish");
await page.getByRole("list", { name: "Changes" }).getByText("kiosk → story").waitFor();
await button("Publish");
await page.getByText(/^Revision \d+ runs on /).waitFor();

await follow("Sources");
await page.getByRole("link", { name: "kiosk", exact: true }).click();
await page.getByText("Waiting for the first event").waitFor();
await button("Reveal write key of kiosk");
const key = await page.getByText(/^wk_/).first().textContent();
const gateway = await page
  .getByText(/^http:\/\/127\.0\.0\.1:\d+$/)
  .first()
  .textContent();
const answer = await fetch(`${gateway}/v1/track`, {
  method: "POST",
  headers: { Authorization: `Basic ${btoa(`${key}:`)}`, "Content-Type": "application/json" },
  body: JSON.stringify({ userId: "ada", event: "Told", messageId: "story-1" }),
});
if (!answer.ok) trouble.push(`the gateway answered ${answer.status}`);
await page.getByText("Accepted").waitFor();
await follow("Destinations");
const row = page.getByRole("row", { name: /story/ });
await row.getByText("Healthy").waitFor();
await row.getByRole("cell", { name: "1", exact: true }).waitFor();
if ((await page.evaluate(() => JSON.stringify(localStorage))).includes(secret))
  trouble.push("the browser keeps the secret in clear");
if (sealed === 0) trouble.push("no sealed secret was sent");
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
