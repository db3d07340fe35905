// Makes a source, a destination with a secret, and one of a kind of its own in the console, without a file or a command, and
// sees an event arrive at each:
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
  if (m.type() === "error" && !/status of (401|422)/.test(m.text())) trouble.push(m.text());
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
await page.getByRole("textbox", { name: "Name" }).fill("kiosk");
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
const send = async (messageId) => {
  const answer = await fetch(`${gateway}/v1/track`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${key}:`)}`, "Content-Type": "application/json" },
    body: JSON.stringify({ userId: "ada", event: "Told", messageId }),
  });
  if (!answer.ok) trouble.push(`the gateway answered ${answer.status}`);
};
await send("story-1");
await page.getByText("Accepted").waitFor();
await follow("Destinations");
const row = page.getByRole("row", { name: /story/ });
await row.getByText("Healthy").waitFor();
await row.getByRole("cell", { name: "1", exact: true }).waitFor();

const spec = `family: destination
name: crm
title: Our CRM
doc: Ours.
base: { any: https://crm.example }
auth: [{ type: header, name: Authorization, value: "{secrets.key}" }]
secrets: [{ name: key, type: string, title: Key, required: true }]
test: { path: /me }
calls: [{ on: { type: [track] }, WAY: /events, body: { name: event } }]
`;
const editor = page.getByRole("textbox", { name: "Spec" });
const write = async (text) => {
  await editor.press("ControlOrMeta+a");
  await editor.evaluate((e, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    e.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
};
await page.getByRole("link", { name: "New destination" }).click();
await page.getByRole("link", { name: /^Your own/ }).click();
await page.getByText("The spec of Our CRM is right.").waitFor(); // the example
await write(spec);
await page.getByText(/^Line 9, calls\[0\]\.WAY: /).waitFor();
await write(spec.replace("WAY", "path"));
await page.getByText("The spec of Our CRM is right. It reaches").waitFor();
await page.getByLabel("Key", { exact: true }).fill(secret);
await page.getByText("More settings").click();
await page.getByLabel("Address (optional)", { exact: true }).fill(hook);
await button("Continue");
await page.getByText("See what it would be sent").click();
await button("Preview");
await page.getByText(`${hook}events`).waitFor();
await button("Publish it alone and test");
await page.getByRole("button", { name: /Test the connection/ }).click();
await page.getByText("It accepts").waitFor();
await page.getByRole("checkbox", { name: /kiosk/ }).check();
await button("Review and publish");
await page.getByRole("list", { name: "Changes" }).getByText("kiosk → crm").waitFor();
await button("Publish");
await page.getByText(/^Revision \d+ runs on /).waitFor();
await send("story-2");
await follow("Destinations");
await page.getByRole("row", { name: /crm/ }).getByRole("cell", { name: "1", exact: true }).waitFor();
if ((await page.evaluate(() => JSON.stringify(localStorage))).includes(secret))
  trouble.push("the browser keeps the secret in clear");
if (sealed === 0) trouble.push("no sealed secret was sent");
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
