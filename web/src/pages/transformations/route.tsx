import { useWorkspace } from "../../frame/place";
import { TransformationsPage } from "./transformations-page";

/** The page at its address. */
export function TransformationsRoute() {
  const workspace = useWorkspace();
  return <TransformationsPage key={workspace.id} workspace={workspace} />;
}
