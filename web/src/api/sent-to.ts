import type { components } from "./schema.gen";

type Spec = components["schemas"]["Spec"];

/**
 * Where the secrets of an object with these settings are sent, in one form: the text that secrets are sealed for.
 * It is what catalog.SentTo in shared/catalog gives; testdata/sentto.json in the folders of kinds holds both to it.
 */
export function sentTo(spec: Spec, settings: Readonly<Record<string, unknown>>): string {
  let text = spec.private ? `custom${places(spec)}` : spec.name;
  for (const name of spec.sentTo ?? []) {
    const field = spec.fields?.find((f) => f.name === name);
    const value = settings[name] ?? field?.default;
    if (field === undefined || value === undefined || value === null) continue;
    const plain = String(value);
    text += ` ${name}=${escaped(field.type === "url" ? origin(plain) : plain)}`;
  }
  return text;
}

/** Where the secrets of a private spec are sent beside what its settings say: whoever changes that would get them. */
function places(spec: Spec): string {
  const bases = Object.entries(spec.base ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const tokens = (spec.auth ?? []).flatMap((a) => (a.tokenUrl ? [a.tokenUrl] : []));
  return [
    ...bases.map(([key, address]) => ` base.${key}=${escaped(address)}`),
    ...tokens.map((address) => ` tokenUrl=${escaped(address)}`),
  ].join("");
}

/** Scheme, host and port of an address, in lower case; URL would also write hosts in other ways than a plane does. */
function origin(address: string): string {
  const parts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)/.exec(address);
  if (parts === null) return address;
  const scheme = lower(parts[1] ?? "");
  let host = lower(parts[2] ?? "");
  if (!/:[0-9]*$/.test(host)) host += ":";
  if (host.endsWith(":")) host += { http: "80", https: "443" }[scheme] ?? "";
  return `${scheme}://${host}`;
}

/** ASCII letters alone: others have rules of their own in every language. */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function escaped(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    out += /[0-9A-Za-z._:/[\]-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
