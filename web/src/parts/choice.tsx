import { useId } from "react";

/** One value of a list, or all of them: "". Without all, one must be chosen. */
export function Choice({
  label,
  value,
  values,
  all,
  onChange,
}: {
  label: string;
  value: string;
  values: readonly string[];
  all?: string;
  onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <div className="min-w-36 flex-1 space-y-1">
      <label htmlFor={id} className="block text-xs font-medium text-soft">
        {label}
      </label>
      <select
        id={id}
        value={value}
        onChange={(e) => onChange(e.target.value)}
        className="h-9 w-full rounded-lg border border-edge bg-card px-2 text-sm text-ink"
      >
        {all === undefined ? null : <option value="">{all}</option>}
        {values.map((v) => (
          <option key={v} value={v}>
            {v}
          </option>
        ))}
      </select>
    </div>
  );
}
