import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";

/** Rows of warehouses that syncs keep in tools. */
export function ModelsPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const add = (
    <Link href={workspace.path("models", "new")} look="strong">
      <Icon name="plus" />
      New model
    </Link>
  );
  return (
    <Page
      title="Models"
      of={workspace.name}
      hint="Rows of a warehouse that are known by a key: a table, or a statement. Syncs keep them in tools."
      actions={add}
    >
      <Loaded query={configured} what="the models">
        {(c) => (
          <Table
            label="Models"
            rows={c.document.models ?? []}
            keyOf={(m) => m.id ?? m.name}
            text={(m) => `${m.name} ${m.warehouse} ${m.table ?? ""} ${m.sql ?? ""}`}
            empty={
              <Empty title="No model yet.">
                <p>
                  A model is where syncs read from: one row for each customer, account or whatever a tool shall know.
                </p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (m) => m.name.toLowerCase(),
                cell: (m) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={workspace.path("models", m.name)} look="name">
                      {m.name}
                    </Link>
                    <Drafted configured={c} kind="model" name={m.name} />
                  </span>
                ),
              },
              { title: "Warehouse", by: (m) => m.warehouse, cell: (m) => m.warehouse },
              {
                title: "Rows",
                wide: true,
                cell: (m) => (
                  <code className="block max-w-md truncate text-xs text-soft">
                    {m.audience ? `audience ${m.audience}` : (m.table ?? (m.sql ?? "").replace(/\s+/g, " "))}
                  </code>
                ),
              },
              { title: "Key", cell: (m) => m.key, wide: true },
              {
                title: "Syncs",
                right: true,
                cell: (m) => (c.document.syncs ?? []).filter((s) => s.model === m.name).length,
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
