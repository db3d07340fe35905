import type { Plane } from "../../api/client";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";

/** What to do on an installation without workspaces. */
export function FirstWorkspace({ planes }: { planes: Plane[] }) {
  return (
    <Empty title="There is no workspace yet.">
      {planes.length === 0 ? (
        <p>
          A workspace needs a data plane that carries its events, and none has joined yet.{" "}
          <Link href="/planes?invite=1">Invite one</Link> first.
        </p>
      ) : (
        <p>Make one here, or apply a file from a terminal; it appears by itself.</p>
      )}
      <Command text="weir apply -f weir.yaml" name="the command that applies a file" />
    </Empty>
  );
}
