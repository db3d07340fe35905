import { Badge, type Tone } from "../../parts/badge";

const tones: Record<string, Tone> = {
  waiting: "good",
  published: "good",
  healthy: "good",
  completed: "good",
  warning: "warn",
  held: "warn",
  limited: "warn",
  interrupted: "warn",
  failing: "bad",
  failed: "bad",
};

/** How a job of a plane is, in a word, with the code that says why. */
export function State({ state, code }: { state: string; code?: string | undefined }) {
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      <Badge tone={tones[state] ?? "quiet"}>
        {state === "waiting" ? "Up to date" : state.charAt(0).toUpperCase() + state.slice(1)}
      </Badge>
      {code ? <code className="text-xs text-soft">{code}</code> : null}
    </span>
  );
}
