import { Unreachable } from "../api/reach";
import { Command } from "../parts/command";
import { Trouble } from "./trouble";

/** Why a plane did not do what was asked; where this browser cannot reach it, the command that does the same. */
export function PlaneTrouble({ error, command, onRetry }: { error: Error; command: string; onRetry: () => void }) {
  return (
    <div className="space-y-3">
      <Trouble error={error} onRetry={onRetry} />
      {error instanceof Unreachable ? (
        <div className="space-y-2 text-sm text-soft">
          <p>Until then, paste this on a computer that reaches the plane:</p>
          <Command text={command} name="the command that shows the same" />
        </div>
      ) : null}
    </div>
  );
}

/** Text as one word of a shell. */
export function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
