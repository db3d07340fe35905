import { useWorkspace } from "../../frame/place";
import { WarehousesPage } from "./warehouses-page";

/** The page at its address. */
export function WarehousesRoute() {
  const workspace = useWorkspace();
  return <WarehousesPage key={workspace.id} workspace={workspace} />;
}
