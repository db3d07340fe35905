// Prints the console's snippets as JSON: node snippets.mjs GATEWAY WRITE_KEY
import { build } from "esbuild";

const [gateway, writeKey] = process.argv.slice(2);
const { outputFiles } = await build({
  entryPoints: ["../../../web/src/pages/workspace/snippets.ts"],
  bundle: true,
  write: false,
  format: "esm",
});
const { snippets } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
console.log(JSON.stringify(snippets(gateway, writeKey)));
