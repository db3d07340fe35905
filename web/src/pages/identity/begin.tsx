import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Adding } from "../object/adding";
import { freeName } from "../object/kinds";
import { useAdd } from "../object/use-add";
import type { Profile } from "../profiles/use-set";

/** Begins profiles in a warehouse, with the identifiers that events of websites and apps have. */
export function Begin({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const warehouses = (configured.document.destinations ?? []).filter(
    (d) => d.type === "duckdb" || d.type === "postgres",
  );
  const [chosen, setChosen] = useState(warehouses[0]?.name ?? "");
  const { add, problems } = useAdd({ kind: "profile", configured, key: "customers", isNew: true });
  if (warehouses.length === 0)
    return (
      <Empty title="No warehouse yet.">
        <p>Profiles live in your own warehouse, of the kind DuckDB or PostgreSQL.</p>
        <Link href={workspace.path("destinations", "new")} look="strong">
          Add a warehouse
        </Link>
      </Empty>
    );
  const profile: Profile = {
    name: freeName("customers", []),
    warehouse: chosen,
    entities: [
      {
        name: "user",
        ids: [
          { name: "user_id", unique: true },
          { name: "email", clean: "email", limit: { user_id: 3 } },
          { name: "anonymous_id", limit: { user_id: 3 }, expire: "400d" },
        ],
        gate: { largest: 200, moved: "2%", gone: "1%", reviewed: { precision: "98%", recall: "95%" } },
      },
    ],
    inputs: [
      { name: "events", events: "*" },
      { name: "traits", events: "identify" },
    ],
  };
  return (
    <form
      noValidate
      className="max-w-xl space-y-5"
      onSubmit={(e) => {
        e.preventDefault();
        add.mutate({ object: profile, found: {} });
      }}
    >
      <Empty title="No profiles yet.">
        <p>
          Profiles make one row for each customer out of user ids, e-mails and devices. These rules are what most begin
          with: a user id is one customer's alone, and what many share is nobody's. You can change them afterwards.
        </p>
      </Empty>
      <Select
        label="Warehouse"
        value={chosen}
        values={warehouses.map((d) => ({ value: d.name, title: d.name }))}
        onChange={setChosen}
        {...(problems.warehouse ? { problem: problems.warehouse } : {})}
      />
      <Adding
        act="Begin with these rules"
        pending={add.isPending}
        error={add.error}
        others={Object.entries(problems)
          .filter(([at]) => at !== "warehouse")
          .map(([, text]) => text)}
      />
    </form>
  );
}
