import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Plane, removePlane } from "../../api/client";
import { Button } from "../../parts/button";
import { keys } from "../../queries";

/** Removes a plane that runs no workspace, once a person has said so twice. */
export function PlaneRemoval({ plane }: { plane: Plane }) {
  const [asking, setAsking] = useState(false);
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => removePlane(plane.id),
    onSettled: () => {
      setAsking(false);
      return queries.invalidateQueries({ queryKey: keys.status() });
    },
  });
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line px-5 py-3 text-sm">
      {asking ? (
        <>
          <p>Remove {plane.name}? It is admitted no more, and to come back it has to join anew.</p>
          <span className="flex gap-2">
            <Button onClick={() => remove.mutate()} disabled={remove.isPending}>
              Remove for good
            </Button>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
          </span>
        </>
      ) : (
        <Button onClick={() => setAsking(true)} disabled={remove.isPending} aria-label={`Remove ${plane.name}…`}>
          Remove…
        </Button>
      )}
      {remove.error ? (
        <p role="alert" className="text-bad">
          {remove.error.message}
        </p>
      ) : null}
    </div>
  );
}
