import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import type { Use } from "./uses";

/** What uses something, each with a link. */
export function UsedBy({ uses }: { uses: Use[] }) {
  const workspace = useWorkspace();
  if (uses.length === 0) return <>Nothing uses it yet.</>;
  return (
    <>
      Used by{" "}
      {uses.map((u, i) => (
        <span key={u.text}>
          {i > 0 ? ", " : ""}
          <Link href={workspace.path(...u.at)}>{u.text}</Link>
        </span>
      ))}
      .
    </>
  );
}
