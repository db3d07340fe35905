import { useQuery } from "@tanstack/react-query";
import type { WorkspaceDocument } from "../../api/client";
import { query } from "../../api/warehouse";
import { useWorkspace } from "../../frame/place";
import { keys } from "../../queries";
import type { Profile } from "../profiles/use-set";
import { quotedName, type Table, tablesIn } from "../warehouses/tables";
import { type Choice, choicesOf, named } from "./choices";
import { candidates, type Match, type Proposal, propose, type Target, targetsOf } from "./propose";

const sampled = 200; // rows
const compared = 500; // values of a column

/** What profiles on a warehouse can be made of. */
export function useChoices(document: WorkspaceDocument, warehouse: string) {
  const { name } = useWorkspace();
  const tables = useQuery({
    queryKey: [...keys.loads(name, warehouse), "tables"],
    queryFn: () => tablesIn(name, warehouse),
    staleTime: 60_000,
  });
  return { ...tables, data: tables.data, choices: choicesOf(document, warehouse, tables.data ?? []) };
}

export type Looked = {
  rows: Record<string, unknown>[];
  proposal: Proposal;
  /** The name of the event as it is sent, of rows of one event. */
  event: string;
};

/** Some rows of a choice, straight from the plane, and what its columns are most likely. */
export function useLook(profile: Profile, choice: Choice | undefined, choices: Choice[], tables: Table[]) {
  const { name: workspace } = useWorkspace();
  return useQuery({
    queryKey: [...keys.loads(workspace, profile.warehouse), "rows", profile.name, choice?.rows, profile.inputs.length],
    queryFn: () => look(workspace, profile, choice as Choice, choices, tables),
    enabled: choice?.table !== undefined,
    staleTime: 60_000,
  });
}

async function look(
  workspace: string,
  profile: Profile,
  choice: Choice,
  choices: Choice[],
  tables: Table[],
): Promise<Looked> {
  const { table } = choice;
  if (!table) return { rows: [], proposal: propose(choice, [], profile.entities, [], []), event: "" };
  const list = table.columns.map((c) => quotedName(c.name)).join(", ");
  const read = `select ${list} from ${named(table)} limit ${sampled}`;
  const { rows } = await query(workspace, profile.warehouse, read, sampled + 1);
  const targets = targetsOf(choice, choices, tables, profile.entities, profile.inputs, named);
  const ask = comparison(table, targets);
  const matches = ask === "" ? [] : (await query(workspace, profile.warehouse, ask, 200)).rows.map(matchOf);
  const text = rows[0]?.event_text;
  return {
    rows,
    proposal: propose(choice, rows, profile.entities, targets, matches),
    event: typeof text === "string" ? text : "",
  };
}

/** The statement that counts which values of columns are values of targets; "" when there is nothing to compare. */
function comparison(table: Table, targets: readonly Target[]): string {
  return candidates(table)
    .flatMap((column) =>
      targets.map((t) => {
        const own = `select distinct cast(${quotedName(column)} as varchar) as v from ${named(table)} where ${quotedName(column)} is not null limit ${compared}`;
        return `select '${column.replaceAll("'", "''")}' as c, '${t.name.replaceAll("'", "''")}' as t, count(*) as n, count(case when v in (${t.values}) then 1 end) as hit from (${own}) s`;
      }),
    )
    .slice(0, 40)
    .join("\nunion all ");
}

function matchOf(row: Record<string, unknown>): Match {
  return { column: String(row.c), target: String(row.t), hit: Number(row.hit), of: Number(row.n) };
}
