// Looks at the pages of an organization with axe, asks who changed a source, and restores what was before:
// node organization.mjs CHROMIUM URL EMAIL PASSWORD
// The workspace acme has two revisions, of which the second disabled the source web.
import { chromium } from "playwright-core";
import { findings } from "./session.mjs";

const [executablePath, url, email, password] = process.argv.slice(2);
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
  // 401 before the sign-in; 404: there is no identity provider
  if (m.type() === "error" && !/401|404/.test(m.text())) trouble.push(m.text());
});
page.setDefaultTimeout(120_000);
const look = async (where) => {
  for (const found of await findings(page)) trouble.push(`${where}: ${found}`);
};
const button = (name) => page.getByRole("button", { name, exact: true }).click();
await page.goto(url);
await page.getByLabel(/email/i).fill(email);
await page.getByLabel(/password/i).fill(password);
await button("Sign in");
await page.getByRole("heading", { level: 1, name: "acme" }).waitFor();

for (const [path, title, shows] of [
  ["/account", "Account", page.getByText("This one")],
  ["/sign-in", "Sign-in", page.getByText("People sign in with a password.")],
  ["/alerts", "Alerts", page.getByRole("heading", { name: "Alerts" })],
  ["/usage", "Usage", page.getByRole("heading", { name: "Usage" })],
  ["/changes", "Changes", page.getByText("Nothing waits for another person.")],
  ["/policies", "Policies", page.getByText("The organization has no policy of its own.")],
  ["/new-policy", "New policy", page.getByRole("button", { name: "Test it" })],
  ["/new-policy?as=rego", "New policy", page.getByRole("textbox", { name: "The policy in Rego" })],
  ["/roles", "Roles", page.getByText("May do everything, and give every role.")],
]) {
  await page.goto(url + path);
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
  await shows.first().waitFor();
  await look(path);
}

// A policy is refused with its line, mended, tried, and set.
await page.goto(`${url}/new-policy?as=rego`);
const editor = page.getByRole("textbox", { name: "The policy in Rego" });
await page.getByLabel("Name", { exact: true }).fill("names");
await button("Test it");
await page.getByText("It denies acme.").waitFor();
await editor.click();
await page.keyboard.press("Control+Home");
await page.keyboard.insertText("broken(\n");
await button("Save");
await page.getByText(/^Line \d+/).first().waitFor();
trouble.splice(0, trouble.length, ...trouble.filter((t) => !t.includes("422"))); // the refusal
await page.keyboard.press("Control+Home");
await editor.click();
await page.keyboard.press("Control+a");
await page.keyboard.insertText(
  'package policies.names\n\ndeny contains {"message": "no source is called shop"} if {\n\tsome s in input.after.sources\n\ts.name == "shop"\n}\n',
);
await button("Test it");
await page.getByText("It lets acme pass.").waitFor();
await button("Save");
await page.getByRole("heading", { level: 1, name: "names" }).waitFor();

// Who changed it, and back to what was before.
await page.goto(`${url}/workspaces/acme/sources/web?tab=history`);
await page.getByRole("main").getByRole("link", { name: "Revision 2", exact: true }).click();
await page.getByRole("heading", { level: 1, name: "Revision 2" }).waitFor();
await page.getByText(/^By .*: switched off by mistake/).waitFor();
await page.goto(`${url}/workspaces/acme/history/1`);
await button("Restore this revision…");
await page.getByLabel(/^Why/).fill("it was a mistake");
await button("Restore");
await page.getByRole("main").getByRole("link", { name: "3", exact: true }).waitFor();
await page.getByText("it was a mistake").waitFor();
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
