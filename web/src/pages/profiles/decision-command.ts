import { quoted } from "../plane-trouble";

type Said = {
  workspace: string;
  profile: string;
  entity: string;
  decision: { kind: string; a: string; b?: string | undefined; undo?: boolean | undefined };
};

/** The line that decides the same about identifiers in a terminal. */
export function decisionCommand({ workspace, profile, entity, decision: { kind, a, b, undo } }: Said): string {
  const ids = [a, ...(b ? [b] : [])].map(quoted);
  const at = `--workspace ${quoted(workspace)} --profiles ${quoted(profile)} --entity ${quoted(entity)}`;
  return [`weir profiles ${kind}`, ...ids, at, ...(undo ? ["--undo"] : [])].join(" ");
}
