// Opens a page in Chromium with a script or an HTML file and prints what it logs
// until its standard input ends:
// node browser.mjs CHROMIUM FILE SETTINGS_JSON
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [executablePath, file, settings] = process.argv.slice(2);
const html = file.endsWith(".html");
const bundle = async () => {
  const { outputFiles } = await build({
    stdin: { contents: readFileSync(file, "utf8"), resolveDir: import.meta.dirname, sourcefile: file },
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
  });
  return outputFiles[0].text;
};
const script = html ? "" : await bundle();
const body = html ? readFileSync(file, "utf8") : '<script type="module" src="/page.js"></script>';
const server = createServer((request, response) => {
  const path = new URL(request.url, "http://page").pathname;
  response.writeHead(path === "/favicon.ico" ? 404 : 200, {
    "Content-Type": path === "/page.js" ? "text/javascript" : "text/html; charset=utf-8",
  });
  response.end(path === "/page.js" ? script : `<!doctype html><meta charset="utf-8"><title>Shop</title>${body}`);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
let trouble = false;
page.on("pageerror", (e) => {
  trouble = true;
  console.error(`page error: ${e.stack}`);
});
page.on("console", (m) => console.log(m.text()));
await page.addInitScript(`window.settings = ${settings};`);
await page.goto(`http://127.0.0.1:${server.address().port}/?q=1`);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("end", resolve));
await browser.close();
process.exit(trouble ? 1 : 0);
