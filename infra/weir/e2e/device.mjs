// Lets a program in as a person who signs in at the identity provider of the organization default, looking at the
// page with axe: node device.mjs CHROMIUM ADDRESS CODE [FOLDER]
// Into FOLDER it takes pictures of the page, wide and narrow, light and dark.
import { chromium } from "playwright-core";
import { findings } from "./session.mjs";

const [executablePath, address, code, folder] = process.argv.slice(2);
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
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const trouble = [];
page.on("pageerror", (e) => trouble.push(String(e)));
page.setDefaultTimeout(120_000);
const look = async (where) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1400, 400]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      for (const found of await findings(page)) trouble.push(`${where}, ${colorScheme}, ${width}: ${found}`);
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth))
        trouble.push(`${where}, ${width}: wider than the window`);
      if (folder) await page.screenshot({ path: `${folder}/${where}-${colorScheme}-${width}.png` });
    }
  }
};
await page.goto(address);
await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
await page.getByRole("button", { name: /identity provider/ }).click();
await page.getByLabel("Organization").fill("default");
await look("sign-in");
await page.getByRole("button", { name: "Go to its identity provider" }).click();
await page.locator("input[name=username]").fill("ann");
await page.locator("input[name=password]").fill("verysecure");
await page.locator("input[name=password]").press("Enter");
await page.getByRole("heading", { level: 1, name: "Let a program in" }).waitFor();
await page.getByText(code, { exact: true }).waitFor();
await page.getByText("ann@acme.example").waitFor();
await page.getByText("weir", { exact: true }).last().waitFor(); // the program's name
await look("asks");
await page.getByRole("button", { name: "Allow", exact: true }).click();
await page.getByText("The program is in.").waitFor();
await look("allowed");
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
