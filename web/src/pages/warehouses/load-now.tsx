import { useMutation, useQueryClient } from "@tanstack/react-query";
import { loadNow } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";

/** Loads what waits for a warehouse without delay. */
export function LoadNow({ workspace, destination }: { workspace: string; destination: string }) {
  const client = useQueryClient();
  const load = useMutation({
    mutationFn: () => loadNow(workspace, destination),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.loads(workspace, destination) }),
  });
  return (
    <div className="space-y-2">
      <Button disabled={load.isPending} onClick={() => load.mutate()}>
        {load.isPending ? "Asking…" : "Load now"} <span className="sr-only">into {destination}</span>
      </Button>
      {load.error ? (
        <PlaneTrouble
          error={load.error}
          command={`weir load now ${quoted(destination)} --workspace ${quoted(workspace)}`}
          onRetry={() => load.mutate()}
        />
      ) : null}
      {load.data ? <Notice tone="calm" title="The plane loads what waits; its loads are listed here." /> : null}
    </div>
  );
}
