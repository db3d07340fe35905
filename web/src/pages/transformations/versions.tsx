import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { revision } from "../../api/drafts";
import { useWorkspace } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Difference } from "../../parts/difference";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { changesOf, useRevisions } from "../history/history-of";
import { objectIn } from "../history/object-in";
import { Loaded } from "../loaded";

type Props = { name: string; code: string; onTake: (code: string) => void; onClose: () => void };

/** The published versions of a transformation; any of them can come back into the editor. */
export function Versions({ name, code, onTake, onClose }: Props) {
  const workspace = useWorkspace();
  const all = useRevisions(workspace.name);
  const [chosen, setChosen] = useState(0);
  return (
    <Dialog title={`Versions of ${name}`} onClose={onClose} wide>
      <Loaded query={all} what="its versions">
        {({ pages }) => {
          const mine = changesOf(
            pages.flatMap((p) => p.revisions),
            "transformation",
            name,
          ).filter((r) => r.changes.some((c) => c.op !== "remove"));
          return (
            <div className="space-y-4">
              {mine.length === 0 ? <p className="text-soft">No revision among those looked at changed it.</p> : null}
              <ul
                aria-label="Versions"
                className="max-h-48 divide-y divide-line overflow-y-auto rounded-lg border border-line"
              >
                {mine.map((r) => (
                  <li key={r.number}>
                    <button
                      type="button"
                      aria-pressed={chosen === r.number}
                      onClick={() => setChosen(r.number)}
                      className="flex w-full flex-wrap gap-x-4 px-3 py-2 text-left hover:bg-sunken aria-pressed:bg-accent-wash"
                    >
                      <span className="font-medium">Revision {r.number}</span>
                      <span className="min-w-0 flex-1 break-words text-soft">{r.reason}</span>
                      <span className="text-soft">
                        {actorText(r.by)}, <When at={r.at} />
                      </span>
                    </button>
                  </li>
                ))}
              </ul>
              {all.hasNextPage ? (
                <Button onClick={() => all.fetchNextPage()} disabled={all.isFetchingNextPage}>
                  Look further back
                </Button>
              ) : null}
              {chosen > 0 ? (
                <Version
                  key={chosen}
                  number={chosen}
                  name={mine.find((r) => r.number === chosen)?.changes[0]?.name ?? name}
                  code={code}
                  onTake={onTake}
                />
              ) : null}
            </div>
          );
        }}
      </Loaded>
    </Dialog>
  );
}

/** One version against the code that is in the editor. */
function Version({
  number,
  name,
  code,
  onTake,
}: {
  number: number;
  name: string;
  code: string;
  onTake: (code: string) => void;
}) {
  const workspace = useWorkspace();
  const one = useQuery({
    queryKey: keys.revision(workspace.name, number),
    queryFn: ({ signal }) => revision(workspace.name, number, signal),
  });
  return (
    <Loaded query={one} what="the version">
      {(r) => {
        const then = objectIn(r.after, "transformation", name);
        if (typeof then !== "object" || then === null || !("code" in then) || typeof then.code !== "string")
          return <p className="text-soft">Its code in that revision is not kept.</p>;
        const old = then.code;
        return (
          <div className="space-y-3">
            <p className="text-soft">What would change in the editor:</p>
            <Difference before={code} after={old} name={`Revision ${number} against the editor`} />
            <Button look="strong" disabled={old === code} onClick={() => onTake(old)}>
              Put it into the editor
            </Button>
          </div>
        );
      }}
    </Loaded>
  );
}
