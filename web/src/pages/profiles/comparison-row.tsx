import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { type ColumnType, valuesOf } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { keys } from "../../queries";
import { type Comparison, type Op, ops } from "./conditions";
import { Pick, pickLook } from "./pick";

export type Name = { name: string; title: string; type: ColumnType };

type Props = {
  /** What stands before the labels, for those who do not see the row. */
  label: string;
  row: Comparison;
  names: readonly Name[];
  onChange: (row: Comparison) => void;
  /** Where a column's values are, to offer them; absent for features. */
  values?: { profile: string; input: string };
};

/** One comparison: a column or a feature, how it is compared, and with what. */
export function ComparisonRow({ label, row, names, onChange, values }: Props) {
  const type = names.find((n) => n.name === row.name)?.type ?? "other";
  const fits = ops.filter((o) => o.of.includes(type) || o.op === row.op);
  const known = names.some((n) => n.name === row.name);
  const rename = (name: string) => {
    const next = names.find((n) => n.name === name)?.type ?? "other";
    const usual: Op = next === "number" ? "atLeast" : next === "time" ? "known" : "is";
    const fitting = row.name !== "" && ops.some((o) => o.op === row.op && o.of.includes(next));
    const value = next === "boolean" ? "true" : type === "boolean" ? "" : row.value;
    onChange({ ...row, name, op: fitting ? row.op : usual, value });
  };
  return (
    <>
      <Pick
        label={`${label}: what`}
        value={row.name}
        values={[
          ...(known ? [] : [{ value: row.name, title: row.name === "" ? "choose…" : row.name }]),
          ...names.map((n) => ({ value: n.name, title: n.title })),
        ]}
        onChange={rename}
      />
      <Pick
        label={`${label}: how`}
        value={row.op}
        values={fits.map((o) => ({ value: o.op, title: o.title }))}
        onChange={(op) => onChange({ ...row, op: op as Op })}
      />
      {row.op === "known" || row.op === "unknown" ? null : type === "boolean" ? (
        <Pick
          label={`${label}: value`}
          value={row.value}
          values={[
            { value: "true", title: "true" },
            { value: "false", title: "false" },
          ]}
          onChange={(value) => onChange({ ...row, value })}
        />
      ) : (
        <Value label={`${label}: value`} row={row} type={type} onChange={onChange} {...(values ? { values } : {})} />
      )}
    </>
  );
}

function Value({
  label,
  row,
  type,
  onChange,
  values,
}: {
  label: string;
  row: Comparison;
  type: ColumnType;
  onChange: (row: Comparison) => void;
  values?: { profile: string; input: string };
}) {
  const { name: workspace } = useWorkspace();
  const id = useId();
  const offered = useQuery({
    queryKey: [...keys.profiles(workspace), "values", values, row.name],
    queryFn: ({ signal }) => valuesOf(workspace, values?.profile ?? "", values?.input ?? "", row.name, signal),
    enabled: values !== undefined && row.name !== "" && type !== "time",
    staleTime: 60_000,
  });
  const number = ["over", "atLeast", "under", "atMost"].includes(row.op);
  return (
    <>
      <input
        aria-label={label}
        list={offered.data ? id : undefined}
        inputMode={number ? "decimal" : undefined}
        autoComplete="off"
        placeholder={row.op === "oneOf" ? "a, b, c" : number ? "0" : "value"}
        value={row.value}
        onChange={(e) => onChange({ ...row, value: e.target.value })}
        className={`${pickLook} ${number ? "w-24" : "w-40"}`}
      />
      {offered.data ? (
        <datalist id={id}>
          {offered.data.map((v) => (
            <option key={v} value={v} />
          ))}
        </datalist>
      ) : null}
    </>
  );
}
