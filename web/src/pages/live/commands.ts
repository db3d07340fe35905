import type { Selection, Verb } from "../../api/jobs";
import { quoted } from "../plane-trouble";

const begins: Record<Verb, string> = {
  redrive: "weir dlq redrive",
  discard: "weir dlq discard",
  replay: "weir replay",
  "discard-quarantined": "weir dlq discard --quarantined",
};

/** The line that begins the same job in a terminal. */
export function commandOf(workspace: string, verb: Verb, s: Selection): string {
  const narrow = [
    ...(s.source ? [`--source ${quoted(s.source)}`] : []),
    ...(s.destination ? [`--destination ${quoted(s.destination)}`] : []),
    s.code ? `--code ${quoted(s.code)}` : "--all",
    ...(s.rate > 0 ? [`--rate ${s.rate}`] : []),
    ...(s.retransform ? ["--retransform"] : []),
  ];
  return [begins[verb], `--workspace ${quoted(workspace)}`, ...narrow].join(" ");
}
