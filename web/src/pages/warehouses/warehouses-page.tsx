import type { Workspace } from "../../api/client";
import { chosenOrganization } from "../../api/organization";
import { inOrganization } from "../../frame/place";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { warehouseTypes } from "./kinds";
import { Warehouse } from "./warehouse";

/** The warehouses of a workspace: what was loaded, and a place to ask them. */
export function WarehousesPage({ workspace }: { workspace: Workspace }) {
  const all = workspace.destinations.filter((d) => warehouseTypes.includes(d.type));
  return (
    <Page
      title="Warehouses"
      of={workspace.name}
      hint="A row for every event, in databases of yours. What you ask here goes from your browser to the data plane alone."
    >
      {all.length === 0 ? (
        <Empty title="No warehouse yet.">
          <p>
            A warehouse keeps a row of every event.{" "}
            <Link
              href={`${inOrganization(chosenOrganization(), "workspaces", workspace.name, "destinations", "new")}?category=warehouse`}
            >
              Choose one from the catalogue
            </Link>
            . As code, this one needs no server:
          </p>
          <Command text={example(workspace.sources[0]?.name ?? "web")} name="an example of a warehouse" />
          <p>Then apply it:</p>
          <Command text="weir apply -f weir.yaml" name="the command that applies the warehouse" />
        </Empty>
      ) : null}
      {all.map((d) => (
        <Warehouse key={d.id} workspace={workspace.name} destination={d} />
      ))}
    </Page>
  );
}

const example = (source: string) => `destinations:
  - name: lake
    type: duckdb
    settings: { path: lake.duckdb, schema: events }
connections:
  - { source: ${source}, destination: lake }
`;
