import { useQuery } from "@tanstack/react-query";
import { type ColumnType, type Feature, inputColumns } from "../../api/profiles";
import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { useQueryText } from "../../parts/path";
import { keys } from "../../queries";
import { aggregateOf } from "./words";

export type Profile = Objects["profile"];

/** The set of profiles that a page is about: the one that the address names, else the first; with what leads to others. */
export function useSet(c: Configured): {
  all: Profile[];
  profile: Profile | undefined;
  query: (of?: Profile) => string;
} {
  const wanted = new URLSearchParams(useQueryText()).get("of");
  const all = c.document.profiles ?? [];
  const profile = all.find((p) => p.name === wanted) ?? all[0];
  return {
    all,
    profile,
    query: (of = profile) => (of && all.length > 1 ? `?of=${encodeURIComponent(of.name)}` : ""),
  };
}

/** The columns of a profile's inputs, as its plane's warehouse has them. */
export function useColumns(profile: Profile | undefined) {
  const { name } = useWorkspace();
  return useQuery({
    queryKey: [...keys.profiles(name), "columns", profile?.name],
    queryFn: ({ signal }) => inputColumns(name, profile?.name ?? "", signal),
    enabled: profile !== undefined,
    staleTime: 60_000,
  });
}

export type Columns = ReturnType<typeof useColumns>["data"];

/** What a column of an input is; other when nobody knows. */
export function columnType(columns: Columns, input: string, name: string): ColumnType {
  const found = columns?.find((i) => i.name === input)?.columns.find((c) => c.name === name);
  return found?.type ?? "other";
}

/** What the values of a feature are. */
export function featureType(features: readonly Feature[], columns: Columns, name: string): ColumnType {
  const f = features.find((x) => x.name === name);
  const a = f && aggregateOf(f);
  if (!f || !a) return "other";
  if (a.gives) return a.gives;
  const given = f[a.kind];
  const [input = "", column = ""] = (Array.isArray(given) ? (given[0] ?? "") : (given ?? "")).split(".");
  return a.of === "column" ? columnType(columns, input, column) : "other";
}
