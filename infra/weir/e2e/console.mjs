// Signs in to the console in Chromium and looks around:
// node console.mjs CHROMIUM URL EMAIL PASSWORD SCREENSHOT
import { chromium } from "playwright-core";

const [executablePath, url, email, password, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
const trouble = [];
page.on("pageerror", (e) => trouble.push(String(e)));
page.on("console", (m) => {
  if (m.type() === "error" && !m.text().includes("401")) trouble.push(m.text());
});
page.setDefaultTimeout(180_000);
await page.goto(url);
await page.getByLabel(/email/i).fill(email);
await page.getByLabel(/password/i).fill("not this one");
await page.getByRole("button", { name: /sign in/i }).click();
await page.getByRole("alert").waitFor();
await page.getByLabel(/password/i).fill(password);
await page.getByRole("button", { name: /sign in/i }).click();
await page.getByRole("heading", { level: 1, name: "acme" }).waitFor();
for (const text of ["web", "hook"]) await page.getByText(text, { exact: true }).first().waitFor();
await page.getByRole("link", { name: "Sources", exact: true }).click();
await page.getByRole("heading", { level: 1, name: "Sources" }).waitFor(); // the page before has links of the same names
await page.getByRole("link", { name: "web", exact: true }).click();
await page.getByRole("heading", { level: 1, name: "web" }).waitFor();
await page.getByRole("button", { name: /reveal/i }).first().click();
await page.getByText("wk_web").first().waitFor();
await page.screenshot({ path: screenshot, fullPage: true });
await page.getByRole("button", { name: /signed in as/i }).click();
await page.getByRole("button", { name: /sign out/i }).click();
await page.getByRole("heading", { name: /sign in/i }).waitFor();
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
