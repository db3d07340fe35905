import { ask } from "./plane";
import type { components } from "./schema.gen";

type Schemas = components["schemas"];
export type Feature = Schemas["Feature"];
export type Score = Schemas["Score"];
export type Audience = Schemas["Audience"];
export type Where = Audience["where"];

/** What a feature, a score or an audience would be. */
export type Preview = {
  persons: number;
  known: number;
  values: { value: string | null; persons: number }[] | null;
  rows: { weir_id: string; value: string }[] | null;
  lineage: string[] | null;
  sampled: boolean;
  numbers?: Numbers;
  /** How many persons fulfil each of the conditions that were given. */
  parts?: number[];
};

/** How numbers are spread: how many persons are in each of equally wide steps from the least to the greatest; step is how many whole numbers each has, where all are whole. */
export type Numbers = { min: number; max: number; mean: number; step?: number; persons: number[] };

/** How a score lies over customers since the last run; numbers are null before one computed it. */
export type Spread = { name: string; persons: number; known: number; numbers: Numbers | null };

/** What is previewed in place of what is published. */
export type Unsaved = { features?: Feature[]; scores?: Score[]; audiences?: Audience[]; conditions?: Where[] };

export type ColumnType = "text" | "number" | "time" | "boolean" | "other";

/** The columns of an input; none when its table is not there. */
export type InputColumns = { name: string; columns: { name: string; type: ColumnType }[] };

/** How large an audience is, and how it became so; moves are oldest first. */
export type Size = {
  name: string;
  persons: number;
  moves: { at: string; entered: number; left: number; persons: number }[];
};

/** What a warehouse knows of one person. */
export type Person = {
  weirId: string;
  traits: Record<string, unknown>;
  asOf: string | null;
  identifiers: { type: string; value: string; firstSeen: string; lastSeen: string }[];
  links: PersonLink[];
  truncated: boolean;
  audiences: { name: string; since: string }[];
  events: { input: string; event: string; at: string }[];
  past: { kind: string; weirId: string; other?: string; ids: number; at: string | null }[];
  decisions: Decision[];
};

/** Two identifiers, type:value, that were seen together. */
export type PersonLink = { from: string; to: string; firstSeen: string; lastSeen: string };

export type Decision = { kind: "block" | "link" | "unlink"; a: string; b?: string };

type Action = "profiles:read" | "profiles:lookup" | "profiles:decide";

async function post<T>(workspace: string, action: Action, what: string, body: unknown, signal?: AbortSignal) {
  const call = { path: `/v1/profiles/${what}`, body, ...(signal ? { signal } : {}) };
  return (await (await ask({ workspace, action }, call)).json()) as T;
}

/** How many there are under one set of rules; apart counts identifiers that are nobody's, by why. */
export type Totals = { ids: number; persons: number; largest: number; apart: Record<string, number> };

/** The identifiers of one customer: how many, of how many customers on the other side, and some as type:value. */
export type IdentifierSet = { ids: number; of: number; examples: string[] };

/** What other rules would make of the newest rows. */
export type Comparison = {
  sampled: string[];
  before: Totals;
  after: Totals;
  moved: number;
  gone: number;
  joined: number;
  parted: number;
  held: string[];
  largest: IdentifierSet[];
  joins: IdentifierSet[];
  parts: IdentifierSet[];
  movers: Mover[];
};

/** An identifier that would leave the customer of another one for that of a third, or for nobody. */
export type Mover = { id: string; with: string; from: string };

/** Compares customers by rules that are not saved with those that are published, and writes nothing. */
export function compareRules(
  workspace: string,
  profile: string,
  entity: string,
  rules: { entities: Schemas["Profile"]["entities"]; inputs: Schemas["Profile"]["inputs"] | undefined },
  signal?: AbortSignal,
): Promise<Comparison> {
  return post(workspace, "profiles:lookup", "rules", { profile, entity, ...rules }, signal);
}

/** Computes a feature, a score or an audience without writing anything. */
export function previewOf(
  workspace: string,
  profile: string,
  name: string,
  unsaved: Unsaved,
  signal: AbortSignal,
): Promise<Preview> {
  return post(workspace, "profiles:lookup", "preview", { profile, name, ...unsaved }, signal);
}

export async function inputColumns(workspace: string, profile: string, signal: AbortSignal): Promise<InputColumns[]> {
  const answer = await post<{ inputs: InputColumns[] }>(workspace, "profiles:read", "inputs", { profile }, signal);
  return answer.inputs;
}

/** The most frequent values of a column. */
export async function valuesOf(
  workspace: string,
  profile: string,
  input: string,
  column: string,
  signal: AbortSignal,
): Promise<string[]> {
  const body = { profile, input, column };
  return (await post<{ values: string[] }>(workspace, "profiles:lookup", "values", body, signal)).values;
}

export async function sizes(workspace: string, profile: string, signal: AbortSignal): Promise<Size[]> {
  const answer = await post<{ audiences: Size[] }>(workspace, "profiles:read", "sizes", { profile }, signal);
  return answer.audiences;
}

export async function spreads(workspace: string, profile: string, signal: AbortSignal): Promise<Spread[]> {
  const answer = await post<{ scores: Spread[] }>(workspace, "profiles:read", "scores", { profile }, signal);
  return answer.scores;
}

/** What is known of who has an identifier, type:value. */
export async function person(
  workspace: string,
  profile: string,
  entity: string,
  identifier: string,
  signal: AbortSignal,
): Promise<Person> {
  const body = { profile, entity, a: identifier };
  return (await post<{ person: Person }>(workspace, "profiles:lookup", "person", body, signal)).person;
}

/** A link on the way between two identifiers, with the oldest events that made it: none where their rows are gone. */
export type Hop = PersonLink & {
  events?: Made[];
  /** There are further events. */
  more?: boolean;
  /** When somebody decided it, of a link that no event made. */
  rule?: { at: string };
};

/** A row in which both identifiers of a link stand. */
export type Made = {
  /** schema.table */
  table: string;
  event?: string;
  /** Of the message, or of the input's row. */
  id?: string;
  at: string;
  receivedAt?: string;
};

/** Whose two identifiers are, and the shortest way of links between them where both are of one person. */
export type Explained = { person?: string; other?: string; path?: Hop[]; unfinished?: boolean };

/** Why two identifiers, type:value, are one person's. It reads the rows of inputs, for 20 seconds at most. */
export function explain(
  workspace: string,
  profile: string,
  entity: string,
  [a, b]: readonly [string, string],
  signal: AbortSignal,
): Promise<Explained> {
  return post(workspace, "profiles:lookup", "explain", { profile, entity, a, b }, signal);
}

/** Two identifiers, type:value, and what somebody said of them; alike and seen are of pairs that nobody reviewed. */
export type Pair = {
  a: string;
  b: string;
  /** Whether the last build has them as one person. */
  one: boolean;
  said?: "same" | "different";
  at?: string;
  /** How many identifiers of this type the one person has. */
  alike?: number;
  /** When the two were last seen together. */
  seen?: string;
  /** One of them is no longer there. */
  missing?: boolean;
};

export type Reviews = {
  queue: Pair[];
  reviewed: Pair[];
  measures: { pairs: number; broken: number; precision: number; recall: number };
};

/** Pairs of identifiers that people reviewed, and those worth a look. */
export async function reviews(
  workspace: string,
  profile: string,
  entity: string,
  signal: AbortSignal,
): Promise<Reviews> {
  const answer = await post<{ reviews: Reviews }>(workspace, "profiles:lookup", "reviews", { profile, entity }, signal);
  return answer.reviews;
}

/** What a build that is held would change of one kind of customers; by says what its gate forbids. */
export type Held = {
  by: string[];
  /** Reviewed pairs that it breaks, and that are as somebody said until it is published. */
  pairs: { a: string; b: string; said: "same" | "different" }[];
  movers: Mover[];
  joins: IdentifierSet[];
  largest: IdentifierSet[];
};

/** What a build that is held would change; null when it is not held for these customers. */
export async function heldChanges(
  workspace: string,
  profile: string,
  entity: string,
  signal: AbortSignal,
): Promise<Held | null> {
  const answer = await post<{ held: Held | null }>(workspace, "profiles:lookup", "held", { profile, entity }, signal);
  return answer.held;
}

/** What somebody says of a pair of identifiers that they reviewed. */
type Review = { kind: "same" | "different"; a: string; b: string };

/** Keeps a decision about identifiers, or takes it back; it counts from the next run on. */
export async function decide(
  workspace: string,
  profile: string,
  entity: string,
  decision: (Decision | Review) & { undo?: boolean },
): Promise<void> {
  await post(workspace, "profiles:decide", "decide", { profile, entity, ...decision });
}

/** Publishes what a gate holds. */
export async function publishHeld(workspace: string, profile: string): Promise<void> {
  await post(workspace, "profiles:decide", "publish", { profile });
}
