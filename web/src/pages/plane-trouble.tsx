import { Unreachable } from "../api/reach";
import { Command } from "../parts/command";
import { Trouble } from "./trouble";

type Props = {
  error: Error;
  /** The line that does the same in a terminal. */
  command: string;
  onRetry: () => void;
  /** What cannot be seen, such as "the runs". */
  what?: string;
};

/** Why a plane did not do what was asked; where this browser cannot reach it, the command that does the same. */
export function PlaneTrouble({ error, command, onRetry, what }: Props) {
  return (
    <div className="space-y-3">
      <Trouble error={error} onRetry={onRetry} {...(what ? { what } : {})} />
      {error instanceof Unreachable ? (
        <div className="space-y-2 text-sm text-soft">
          <p>Until then, paste this on a computer that reaches the plane:</p>
          <Command text={command} name={nameOf(command)} />
        </div>
      ) : null}
    </div>
  );
}

/** What a line does, such as the command weir dlq list, for those who hear it beside others. */
export function nameOf(command: string): string {
  return `the command ${command.split(" ").slice(0, 3).join(" ")}`;
}

/** Text as one word of a shell. */
export function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
