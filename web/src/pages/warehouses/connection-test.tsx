import { useMutation } from "@tanstack/react-query";
import { testDestination } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { Trouble } from "../trouble";
import { remedyOf } from "./remedies";

/** Tests the way from the plane to a destination. */
export function ConnectionTest({ workspace, destination }: { workspace: string; destination: string }) {
  const test = useMutation({ mutationFn: () => testDestination(workspace, destination) });
  return (
    <div className="space-y-2">
      <Button disabled={test.isPending} onClick={() => test.mutate()}>
        {test.isPending ? "Testing…" : "Test the connection"} <span className="sr-only">to {destination}</span>
      </Button>
      {test.error ? <Trouble error={test.error} /> : null}
      {test.data?.ok ? <Notice tone="calm" title="The plane signs in to it." /> : null}
      {test.data && !test.data.ok ? (
        <Notice tone="bad" title={`The plane cannot use it: ${test.data.detail || test.data.code}`}>
          <p>{remedyOf(test.data.code)}</p>
        </Notice>
      ) : null}
    </div>
  );
}
