import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { catalog } from "../../api/tenants";
import { lists } from "../../draft/edits";
import { Button } from "../../parts/button";
import { Input } from "../../parts/input";
import { Picks } from "../../parts/picks";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import type { Rules } from "./rules";

const operations = ["add", "change", "rename", "remove"];

/** Rules without Rego, as a form. */
export function RulesForm({ rules: r, onChange }: { rules: Rules; onChange: (rules: Rules) => void }) {
  const all = useQuery({ queryKey: keys.catalog, queryFn: ({ signal }) => catalog(signal) });
  const kinds = (all.data ?? [])
    .filter((k) => k.family !== "source")
    .map((k) => k.name)
    .sort();
  const put = (change: Partial<Rules>) => onChange({ ...r, ...change });
  return (
    <div className="space-y-8">
      <Section title="Kinds of destinations" hint="which of them a configuration may have">
        <Picks
          label="Forbidden everywhere"
          none="none"
          values={r.forbid}
          options={kinds}
          onChange={(forbid) => put({ forbid })}
        />
        <Rows
          name="region"
          rows={r.regions}
          fresh={{ region: "", kinds: [] }}
          onChange={(regions) => put({ regions })}
          row={(x, change) => (
            <>
              <Input label="Region" value={x.region} onChange={(e) => change({ region: e.target.value.trim() })} />
              <Picks
                label="Takes only"
                none="no kind at all"
                values={x.kinds}
                options={kinds}
                onChange={(k) => change({ kinds: k })}
              />
            </>
          )}
        />
        <Rows
          name="exception"
          rows={r.exceptions}
          fresh={{ workspace: "", destination: "", reason: "" }}
          onChange={(exceptions) => put({ exceptions })}
          row={(x, change) => (
            <div className="grid gap-3 sm:grid-cols-3">
              <Input
                label="Workspace"
                hint="* is any text"
                value={x.workspace}
                onChange={(e) => change({ workspace: e.target.value })}
              />
              <Input
                label="Destination"
                hint="may be of any kind"
                value={x.destination}
                onChange={(e) => change({ destination: e.target.value })}
              />
              <Input label="Reason" value={x.reason} onChange={(e) => change({ reason: e.target.value })} />
            </div>
          )}
        />
      </Section>
      <Section title="Masking" hint="what every connection has to carry a transformation for">
        <Rows
          name="masking"
          rows={r.masking}
          fresh={{ fields: [], by: [], exempt: [], exemptKinds: [] }}
          onChange={(masking) => put({ masking })}
          row={(x, change) => (
            <>
              <Picks label="Fields" none="none" values={x.fields} onChange={(fields) => change({ fields })} />
              <Picks
                label="Masked by one of these transformations"
                none="none"
                hint={
                  x.by.some((b) => b.sha256) ? "Their code is pinned; see it as text." : "By name; any code counts."
                }
                values={x.by.map((b) => b.transformation)}
                onChange={(names) =>
                  change({
                    by: names.map((n) => x.by.find((b) => b.transformation === n) ?? { transformation: n, sha256: "" }),
                  })
                }
              />
              <Picks
                label="But not to these destinations"
                none="all need it"
                values={x.exempt}
                onChange={(exempt) => change({ exempt })}
              />
              <Picks
                label="And not to these kinds"
                none="all need it"
                values={x.exemptKinds}
                options={kinds}
                onChange={(exemptKinds) => change({ exemptKinds })}
              />
            </>
          )}
        />
      </Section>
      <Section title="Approval" hint="which changes need another person">
        <Rows
          name="approval"
          rows={r.approval}
          fresh={{ workspaces: [], kinds: [], operations: [] }}
          onChange={(approval) => put({ approval })}
          row={(x, change) => (
            <>
              <Picks
                label="In workspaces"
                hint="* is any text, such as prod-*"
                none="all"
                values={x.workspaces}
                onChange={(workspaces) => change({ workspaces })}
              />
              <Picks
                label="Of objects"
                none="all"
                values={x.kinds}
                options={Object.keys(lists)}
                onChange={(k) => change({ kinds: k })}
              />
              <Picks
                label="That somebody would"
                none="do anything with"
                values={x.operations}
                options={operations}
                onChange={(o) => change({ operations: o })}
              />
            </>
          )}
        />
      </Section>
    </div>
  );
}

type RowsProps<T> = {
  name: string;
  rows: readonly T[];
  fresh: T;
  row: (row: T, change: (change: Partial<T>) => void) => ReactNode;
  onChange: (rows: T[]) => void;
};

/** A list of rules of one sort; each can be changed and taken away. */
function Rows<T>({ name, rows, fresh, row, onChange }: RowsProps<T>) {
  return (
    <div className="space-y-3">
      {rows.map((x, i) => (
        <fieldset
          // biome-ignore lint/suspicious/noArrayIndexKey: rules have no name but their place
          key={i}
          className="space-y-3 rounded-xl border border-line bg-card p-4"
        >
          <legend className="sr-only">
            {name} {i + 1}
          </legend>
          {row(x, (change) => onChange(rows.map((y, j) => (i === j ? { ...y, ...change } : y))))}
          <Button onClick={() => onChange(rows.filter((_, j) => j !== i))}>
            Remove
            <span className="sr-only">
              {" "}
              {name} {i + 1}
            </span>
          </Button>
        </fieldset>
      ))}
      <Button onClick={() => onChange([...rows, fresh])}>
        Add {/^[aeiou]/.test(name) ? "an" : "a"} {name} rule
      </Button>
    </div>
  );
}
