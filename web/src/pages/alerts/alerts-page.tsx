import { inOrganization, useHere } from "../../frame/place";
import { useWholeStatus } from "../../frame/workspaces";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { Loaded } from "../loaded";
import { alertsOf } from "./alerts";

/** Everything that is wrong now, with cause, remedy and the way to where it is mended. */
export function AlertsPage() {
  const { organization, me } = useHere();
  const all = useWholeStatus();
  return (
    <Page
      title="Alerts"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="What is wrong now in the workspaces that you see and on their data planes, the worst first."
    >
      <Loaded query={all} what="what is wrong">
        {(all) => (
          <Table
            label="Alerts"
            rows={alertsOf(all)}
            keyOf={(a) => a.key}
            text={(a) => `${a.what} ${a.where} ${a.plane} ${a.code} ${a.text}`}
            empty={
              <Empty title="Nothing is wrong.">
                <p>An alert stands here for as long as its cause does.</p>
              </Empty>
            }
            columns={[
              {
                title: "What",
                by: (a) => a.what.toLowerCase(),
                cell: (a) => (
                  <Link
                    look="name"
                    className="block min-w-24"
                    href={`${typeof a.to === "string" ? a.to : inOrganization(organization, ...a.to)}${a.query ? `?${a.query}` : ""}`}
                  >
                    {a.what}
                  </Link>
                ),
              },
              {
                title: "Cause and remedy",
                cell: (a) => (
                  <span className="block min-w-40 space-y-1">
                    <Badge tone={a.tone}>
                      {a.code}
                      {a.count > 1 ? ` ×${a.count}` : ""}
                    </Badge>
                    <span className="block text-soft">{a.text}</span>
                  </span>
                ),
              },
              { title: "Workspace", wide: true, by: (a) => a.where, cell: (a) => a.where || "–" },
              { title: "Data plane", wide: true, by: (a) => a.plane, cell: (a) => a.plane || "–" },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
