// Begins profiles in the console, adds support tickets as an input, a feature and an audience as a marketer does, counting
// what she does, and sees who is in the audience change with a ticket: node profiles.mjs CHROMIUM URL EMAIL PASSWORD ASK
// The workspace acme has events and the rows of zendesk in its warehouse, and no profiles; Ann has two open tickets and Ben
// one. A request to ASK opens another one of Ben's.
import { chromium } from "playwright-core";
import { findings } from "./session.mjs";

const [executablePath, url, email, password, ask] = process.argv.slice(2);
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
  const unknown = m.text().includes("404") && m.location().url.endsWith("/person"); // nobody is known before a build
  if (m.type() === "error" && !m.text().includes("401") && !unknown) trouble.push(`${m.text()} ${m.location().url}`);
});
page.setDefaultTimeout(180_000);
const look = async (where) => {
  for (const found of await findings(page)) trouble.push(`${where}: ${found}`);
};

let acts = 0;
const click = async (role, name) => {
  acts += 1;
  await page.getByRole(role, { name, exact: true }).first().click(); // an empty list has its button twice
};
const choose = async (label, value) => {
  acts += 1;
  await page.getByLabel(label, { exact: true }).selectOption(value);
};
const type = async (label, text) => {
  acts += 1;
  await page.getByLabel(label, { exact: true }).fill(text);
};
const heading = (name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const publish = async () => {
  await click("link", "Review");
  await page.getByRole("list", { name: "Changes" }).getByText("customers").first().waitFor();
  await click("button", "Publish");
  await page.getByText(/^Revision \d+ runs on /).waitFor();
};
const within = (most, what) => {
  if (acts > most) trouble.push(`${what} took ${acts} acts, and ${most} are the most`);
  console.log(`${what}: ${acts} acts`);
  acts = 0;
};

await page.goto(url);
await page.getByLabel(/email/i).fill(email);
await page.getByLabel(/password/i).fill(password);
await page.getByRole("button", { name: "Sign in", exact: true }).click();
await heading("acme");

await click("link", "Identity");
await heading("Identity");
await click("button", "Begin with these rules");
await click("link", "Add an input");
await heading("New input");
await page.getByRole("option", { name: "zendesk: tickets" }).waitFor({ state: "attached" });
await choose("Which rows", "from:zendesk_tickets");
await page.getByText("2 of 2 values are in zendesk_users.id").waitFor();
await page.getByText("4 (100 %)").waitFor();
await look("the form of an input");
await click("button", "Add to the draft");
await heading("Identity");
await page.getByRole("row", { name: /zendesk_users/ }).waitFor();
await look("inputs");
await publish();
within(8, "profiles with support tickets");

const build = async () => {
  await page.getByRole("link", { name: "Customers", exact: true }).click();
  await heading("Customers");
  await page.getByRole("button", { name: "Run now customers" }).click();
};
// A build is there once a customer is: Ann's address is known from the app and from Zendesk.
const known = async () => {
  await build();
  await page.getByLabel("Kind of identifier").selectOption("email");
  await page.getByLabel("Find a customer").fill("ann@acme.example");
  await page.getByRole("button", { name: "Find", exact: true }).click();
  return page
    .getByRole("tab", { name: "Identifiers" })
    .waitFor({ timeout: 20_000 })
    .then(
      () => true,
      () => false,
    );
};
for (let tries = 0; !(await known()) && tries < 10; tries++);
await page.getByRole("tab", { name: "Identifiers" }).click();
await page.getByRole("button", { name: /^Show how\s+user_id:u1 is/ }).click();
const way = page.getByRole("list", { name: "The way between them" });
await way.getByText("main.zendesk_users").waitFor();
await way.getByText("main.identifies").first().waitFor();
await look("why somebody is one person");

await click("link", "Features");
await heading("Features");
await click("link", "New feature");
await choose("Of which rows", "tickets");
await choose("How far back: days or ever", "d");
await click("button", "Add a condition");
await choose("Condition 1: what", "status");
await type("Condition 1: value", "open");
const preview = page.getByRole("region", { name: "Preview" });
await preview.getByText(/of 2 customers have a value/).waitFor();
await preview.getByRole("link", { name: /^user_/ }).first().waitFor();
await look("the form of a feature");
await click("button", "Add to the draft");
await heading("Features");
await publish();
within(12, "a feature");

await click("link", "Audiences");
await heading("Audiences");
await click("link", "New audience");
await type("Name", "in_need");
await click("button", "What is known of them");
await choose("Condition 1: what", "tickets_7d");
await type("Condition 1: value", "2");
await preview.getByText("of 2 customers, 50%").waitFor();
await look("the form of an audience");
await click("button", "Add to the draft");
await heading("Audiences");
await publish();
within(10, "an audience");

const row = page.getByRole("row", { name: /in_need/ });
const size = async (n) => {
  await page.getByRole("link", { name: "Audiences", exact: true }).click();
  await heading("Audiences");
  return row
    .getByRole("cell", { name: n, exact: true })
    .first()
    .waitFor({ timeout: 30_000 })
    .then(
      () => true,
      () => false,
    );
};
const grows = async (n) => {
  for (let tries = 0; tries < 10; tries++) {
    await build();
    if (await size(n)) return;
  }
  trouble.push(`the audience never had ${n} customers`);
};
await grows("1");
const answer = await fetch(ask, { method: "POST" });
if (!answer.ok) trouble.push(`the desk answered ${answer.status}`);
await page.getByRole("link", { name: "Customers", exact: true }).click();
await heading("Customers");
await page.getByRole("button", { name: /^Pull now zendesk tickets/ }).click();
await grows("2");
await row.getByRole("link", { name: "in_need" }).click();
await page.getByRole("tab", { name: "Size" }).click();
await page.getByRole("img", { name: "From 1 to 2 customers" }).waitFor();
await look("an audience's size");
await browser.close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
