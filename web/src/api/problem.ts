/** One thing wrong with input: where, and a sentence with cause and remedy. */
export type FieldProblem = { path: string; code: string; text: string };

/** Why a call failed, in words for a person. Status 0: nothing answered. */
export class Problem extends Error {
  readonly status: number;
  readonly remedy: string;
  readonly fields: FieldProblem[];
  /** Whether it is an answer of a data plane; else of the control plane, or of nobody. */
  ofPlane = false;

  constructor(status: number, text: string, remedy: string, fields: FieldProblem[] = []) {
    super(text);
    this.name = "Problem";
    this.status = status;
    this.remedy = remedy;
    this.fields = fields;
  }
}

const remedies: Record<number, string> = {
  0: "Check that the control plane is running and that this computer can reach it. This page tries again by itself.",
  401: "Sign in again.",
  403: "Ask an administrator of this installation for access.",
  409: "Load the page again to see what is there now, then repeat your change.",
  412: "Load the page again to see what is there now, then repeat your change.",
  429: "Wait a moment, then try again.",
};

/** Makes a Problem of an answer's status and body, whatever the body is. who answered: "control plane" or "data plane". */
export function problemOf(status: number, body: unknown, who = "control plane"): Problem {
  const detail = textIn(body, "detail") ?? textIn(body, "title");
  const remedy = remedies[status] ?? (status >= 500 ? `Try again; if it stays, look into the ${who}'s log.` : "");
  const problem = new Problem(
    status,
    detail ? sentence(detail) : `The ${who} answered with status ${status} and no explanation.`,
    remedy,
    fieldsIn(body),
  );
  problem.ofPlane = who === "data plane";
  return problem;
}

/** The problems that an answer lists; what does not look like one is left out. */
function fieldsIn(body: unknown): FieldProblem[] {
  if (typeof body !== "object" || body === null || !("problems" in body) || !Array.isArray(body.problems)) return [];
  return body.problems.flatMap((p: unknown) => {
    const [path, code, text] = ["path", "code", "text"].map((key) => textIn(p, key));
    return text === undefined ? [] : [{ path: path ?? "", code: code ?? "", text }];
  });
}

/** A text as a sentence of its own: with a capital and an end. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

/** The Problem of a call that got no answer. */
export function unreachable(): Problem {
  return new Problem(0, "The control plane does not answer.", remedies[0] ?? "");
}

function textIn(body: unknown, key: string): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const value = Object.entries(body).find(([k]) => k === key)?.[1];
  return typeof value === "string" && value !== "" ? value : undefined;
}
