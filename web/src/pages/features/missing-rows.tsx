import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { memberState } from "../profiles/use-member";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";

type Props = { configured: Configured; profile: Profile; input: string; query: string };

/** What to do when the rows that somebody wants to count are not there: they are no input yet, or one that is not published. */
export function MissingRows({ configured, profile, input, query }: Props) {
  const workspace = useWorkspace();
  const add = `${workspace.path("identity", "inputs", "new")}${query === "" ? "?" : `${query}&`}then=features`;
  if (input !== "" && memberState(configured, profile, "inputs", input) === "new")
    return (
      <Notice tone="calm" title={`${plain(input)} is a draft.`}>
        <p>
          <Link href={workspace.path("review")}>Review and publish it</Link>, and the form knows its columns and the
          preview counts its rows. The feature can be added before that.
        </p>
      </Notice>
    );
  return (
    <p className="text-sm text-soft">
      The rows that you want to count are not there? <Link href={add}>Add a table as an input</Link>.
    </p>
  );
}
