import { Problem } from "../api/problem";

/** What a refusal says of one field, or of what is in it, for a control of that field. */
export function problemAt(error: unknown, path: string): { problem?: string } {
  if (!(error instanceof Problem)) return {};
  const found = error.fields.find((f) => f.path === path || f.path.startsWith(`${path}[`));
  return found ? { problem: found.text } : {};
}
