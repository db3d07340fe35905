import { useMutation } from "@tanstack/react-query";
import { type Test, testDestination } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { Spinner } from "../../parts/spinner";
import { Trouble } from "../trouble";
import { remedyOf } from "./remedies";

/** Tests the way from the plane to a destination. */
export function ConnectionTest({ workspace, destination }: { workspace: string; destination: string }) {
  const test = useMutation({ mutationFn: () => testDestination(workspace, destination) });
  return (
    <div className="w-full space-y-2">
      <Button disabled={test.isPending} onClick={() => test.mutate()}>
        {test.isPending ? <Spinner /> : null}
        {test.isPending ? "Testing…" : "Test the connection"} <span className="sr-only">to {destination}</span>
      </Button>
      {test.error ? <Trouble error={test.error} /> : null}
      {test.data?.ok && !test.isPending ? <Notice tone="calm" title={good(test.data)} /> : null}
      {test.data && !test.data.ok && !test.isPending ? (
        <Notice tone="bad" title={`The plane cannot use it: ${test.data.detail || test.data.code}`}>
          <p>{remedyOf(test.data.code)}</p>
        </Notice>
      ) : null}
    </div>
  );
}

function good({ tried, ms }: Test): string {
  const took = ms === undefined ? "" : ` It took ${ms} ms.`;
  if (tried === "request") return `It accepts the plane's credentials.${took}`;
  if (tried === "connection")
    return `The plane reaches it.${took} Whether its credentials are right shows with the first event.`;
  return `The plane signs in to it.${took}`;
}
