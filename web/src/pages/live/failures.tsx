import type { Workspace } from "../../api/client";
import { ProblemGroups } from "./problem-groups";

/** What a destination did not take, grouped by the reason. */
export function Failures({ workspace, destination }: { workspace: Workspace; destination: string }) {
  return <ProblemGroups workspace={workspace} only={destination} />;
}
