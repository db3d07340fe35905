import { parse, stringify } from "yaml";

/** Rules without Rego, as docs/policies.md has them. */
export type Rules = {
  regions: { region: string; kinds: string[] }[];
  forbid: string[];
  exceptions: { workspace: string; destination: string; reason: string }[];
  masking: Masking[];
  approval: Approval[];
};
export type Masking = { fields: string[]; by: Masker[]; exempt: string[]; exemptKinds: string[] };
export type Masker = { transformation: string; sha256: string };
export type Approval = { workspaces: string[]; kinds: string[]; operations: string[] };

type Bag = Record<string, unknown>;

/** Reads rules; undefined where they have a shape that no form shows. */
export function readRules(text: string): Rules | undefined {
  try {
    const all: unknown = parse(text) ?? {};
    if (!isBag(all)) return undefined;
    const known = ["regions", "forbid", "exceptions", "masking", "approval"];
    if (Object.keys(all).some((k) => !known.includes(k))) return undefined;
    return {
      regions: Object.entries(isBag(all.regions) ? all.regions : {}).map(([region, kinds]) => ({
        region,
        kinds: texts(kinds),
      })),
      forbid: texts(all.forbid),
      exceptions: bags(all.exceptions).map((e) => ({
        workspace: text1(e.workspace),
        destination: text1(e.destination),
        reason: text1(e.reason),
      })),
      masking: bags(all.masking).map((m) => ({
        fields: texts(m.fields),
        by: bags(m.by).map((b) => ({ transformation: text1(b.transformation), sha256: text1(b.sha256) })),
        exempt: texts(m.exempt),
        exemptKinds: texts(m.exemptKinds),
      })),
      approval: bags(all.approval).map((a) => ({
        workspaces: texts(a.workspaces),
        kinds: texts(a.kinds),
        operations: texts(a.operations),
      })),
    };
  } catch {
    return undefined;
  }
}

/** Writes rules; what is empty is left out. */
export function writeRules(r: Rules): string {
  const all = bare({
    regions: Object.fromEntries(r.regions.map((x) => [x.region, x.kinds])),
    forbid: r.forbid,
    exceptions: r.exceptions.map(bare),
    masking: r.masking.map((m) => bare({ ...m, by: m.by.map(bare) })),
    approval: r.approval.map(bare),
  });
  return Object.keys(all).length === 0 ? "" : stringify(all, { lineWidth: 0 });
}

/** What is not empty of an object. A region without kinds takes none, so it stays. */
function bare(o: Bag): Bag {
  return Object.fromEntries(
    Object.entries(o).filter(([, v]) =>
      Array.isArray(v) ? v.length > 0 : isBag(v) ? Object.keys(v).length > 0 : v !== "",
    ),
  );
}

function isBag(v: unknown): v is Bag {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

function bags(v: unknown): Bag[] {
  return Array.isArray(v) ? v.filter(isBag) : [];
}

function texts(v: unknown): string[] {
  return Array.isArray(v) ? v.map(String) : [];
}

function text1(v: unknown): string {
  return v === undefined || v === null ? "" : String(v);
}
