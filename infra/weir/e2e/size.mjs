// Looks for one connection among many and one workspace among many, and measures what the browser's main thread did:
// node size.mjs CHROMIUM URL EMAIL PASSWORD CONNECTION WORKSPACE
// CONNECTION is "source destination" of the workspace acme. It prints a line of JSON: how long each took and the longest task, in
// ms, and how much moved while the first pages loaded, in thousandths of what browsers measure as layout shift.
import { launch, signIn } from "./session.mjs";

const [executablePath, url, email, password, connection, workspace] = process.argv.slice(2);
const { person, finish } = await launch(executablePath);
const page = await person();
const [source, destination] = connection.split(" ");
await page.addInitScript(() => {
  globalThis.tasks = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) globalThis.tasks.push(e.duration);
  }).observe({ type: "longtask", buffered: true });
  globalThis.moved = 0;
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (!e.hadRecentInput) globalThis.moved += e.value;
  }).observe({ type: "layout-shift", buffered: true });
});
const longest = () => page.evaluate(() => Math.round(Math.max(0, ...globalThis.tasks.splice(0))));
const took = {};
const timed = async (name, act) => {
  const began = performance.now();
  await act();
  took[name] = Math.round(performance.now() - began);
  took[`${name}Task`] = await longest();
};
await signIn(page, url, email, password);
await page.goto(`${url}/workspaces/acme`);
await page.getByRole("heading", { name: "What goes where" }).waitFor();
took.moved = await page.evaluate(() => Math.round(1000 * globalThis.moved));
await timed("loadConnections", async () => {
  await page.goto(`${url}/workspaces/acme/connections?view=table`);
  await page.getByRole("table").first().getByRole("row").nth(5).waitFor();
});
took.moved = Math.max(took.moved, await page.evaluate(() => Math.round(1000 * globalThis.moved)));
await timed("findConnection", async () => {
  await page.getByRole("searchbox").first().fill(destination);
  await page.getByRole("link", { name: `${source} → ${destination}` }).first().click();
  await page.getByRole("heading", { level: 1 }).and(page.getByText(destination)).waitFor();
});
await timed("findWorkspace", async () => {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill(workspace);
  await page.getByRole("option", { name: new RegExp(workspace) }).first().click();
  await page.getByRole("heading", { level: 1, name: workspace, exact: true }).waitFor();
});
console.log(JSON.stringify(took));
await finish();
