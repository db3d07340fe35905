import { useWorkspace } from "../../frame/place";
import { LivePage } from "./live-page";

/** The page at its address. */
export function EventsRoute() {
  const workspace = useWorkspace();
  return <LivePage key={workspace.id} workspace={workspace} />;
}
