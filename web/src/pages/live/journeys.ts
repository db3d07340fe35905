import type { Sighting } from "../../api/events";

const stepsAtMost = 60; // of one event: a fan-out may have a thousand outputs

/** A sighting with a number of its own, for lists. */
export type Step = Sighting & { row: number };

/** What was seen of one event, oldest first; outputs of a fan-out belong to the event that they were made of. */
export type Journey = {
  key: string;
  messageId: string;
  source: string;
  /** RFC 3339, of the first step that was seen. */
  at: string;
  /** What the event calls itself, and whose it is; "" while that is not known. */
  name: string;
  user: string;
  steps: Step[];
  /** How many further steps there were. */
  more: number;
};

/** The messageId of the event that a fan-out made several of: those from the second on have ":" and their number. */
export function baseOf(messageId: string): string {
  return messageId.replace(/(?<=.):\d+$/, "");
}

/** Journeys with what was seen since, newest event first, at most so many; journeys that nothing happened to stay the same objects. */
export function addSteps(before: readonly Journey[], steps: readonly Step[], most: number): Journey[] {
  const known = new Map(before.map((j) => [j.key, j]));
  const changed = new Map<string, Journey>();
  const made: string[] = [];
  for (const s of steps) {
    const messageId = baseOf(s.messageId);
    const key = `${s.source} ${messageId}`;
    let j = changed.get(key);
    if (!j) {
      const old = known.get(key);
      if (!old) made.push(key);
      j = old
        ? { ...old, steps: [...old.steps] }
        : { key, messageId, source: s.source, at: s.at, name: "", user: "", steps: [], more: 0 };
      changed.set(key, j);
    }
    if (j.steps.length < stepsAtMost) j.steps.push(s);
    else j.more += 1;
    j.name ||= nameOf(s.event);
    j.user ||= member(s.event, "userId") || member(s.event, "anonymousId");
  }
  const all = [...made.reverse(), ...known.keys()].slice(0, most);
  return all.flatMap((key) => changed.get(key) ?? known.get(key) ?? []);
}

/** Where an event stands: at each destination it reached, or at its source when it reached none. */
export type Stand = { destination: string; outcome: string; code: string; at: string };

const ends = ["quarantined", "dropped", "duplicate", "unrouted"];
const ranks: Record<string, number> = { dead: 3, quarantined: 3, parked: 2, retrying: 2 };

/** How an event stands now, in the order in which its destinations came. */
export function standsOf(j: Journey): Stand[] {
  const of = new Map<string, Map<string, Stand>>();
  let source: Stand | undefined;
  for (const s of j.steps) {
    const stand = { destination: s.destination, outcome: s.outcome, code: s.code, at: s.at };
    if (s.destination === "") {
      if (!source || !ends.includes(source.outcome)) source = stand;
      continue;
    }
    const outputs = of.get(s.destination) ?? new Map<string, Stand>();
    outputs.set(s.messageId, stand);
    of.set(s.destination, outputs);
  }
  const all = [...of.values()].map((outputs) => [...outputs.values()].reduce(worse));
  return source && (all.length === 0 || ends.includes(source.outcome)) ? [source, ...all] : all;
}

/** The one of two outputs of a fan-out that more has to be done about, or the later one. */
function worse(a: Stand, b: Stand): Stand {
  return (ranks[a.outcome] ?? 0) > (ranks[b.outcome] ?? 0) ? a : b;
}

const order = ["gateway", "pipeline", "transform", "deliver"];

/** Steps in the order of an event's way; two that follow at once may be told the other way round. */
export function inOrder(steps: readonly Step[]): Step[] {
  const rank = (s: Step) => (order.includes(s.stage) ? order.indexOf(s.stage) : order.length - 1);
  return [...steps].sort((a, b) => rank(a) - rank(b) || Date.parse(a.at) - Date.parse(b.at) || a.row - b.row);
}

/** ms from the first step of a journey to a time of it. */
export function since(j: Journey, at: string): number {
  return Math.max(0, Date.parse(at) - Date.parse(j.at));
}

function nameOf(event: unknown): string {
  return member(event, "event") || member(event, "name") || member(event, "type");
}

function member(event: unknown, name: string): string {
  if (typeof event !== "object" || event === null || !(name in event)) return "";
  const value: unknown = Reflect.get(event, name);
  return typeof value === "string" ? value : "";
}
