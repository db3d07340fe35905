import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "../../parts/button";
import { PlaneTrouble } from "../plane-trouble";

type Props = {
  label: string;
  /** What it is about, for those who do not see where the button stands. */
  of: string;
  act: () => Promise<unknown>;
  changed: QueryKey;
  /** The line that does the same in a terminal, for a browser that cannot reach the plane. */
  command: string;
  look?: "strong" | "plain" | "danger";
};

/** A button that has a plane do something, and says why it does not. */
export function Act({ label, of, act, changed, command, look = "plain" }: Props) {
  const client = useQueryClient();
  const begin = useMutation({ mutationFn: act, onSettled: () => client.invalidateQueries({ queryKey: changed }) });
  return (
    <span className="inline-flex flex-col gap-2">
      <Button look={look} disabled={begin.isPending} onClick={() => begin.mutate()}>
        <span className="whitespace-nowrap">
          {label} <span className="sr-only">{of}</span>
        </span>
      </Button>
      {begin.error ? <PlaneTrouble error={begin.error} command={command} onRetry={() => begin.mutate()} /> : null}
    </span>
  );
}
