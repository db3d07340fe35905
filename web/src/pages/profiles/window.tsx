import { Pick, pickLook } from "./pick";

const units = [
  { value: "", title: "ever" },
  { value: "d", title: "days" },
  { value: "h", title: "hours" },
  { value: "w", title: "weeks" },
  { value: "m", title: "minutes" },
];

/** How far back rows count, within a sentence: "ever", or a number of days. */
export function Window({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const [, n = "", unit = ""] = /^(\d*)([mhdw])$/.exec(value) ?? [];
  return (
    <>
      {unit === "" ? null : (
        <>
          <span>in the last</span>
          <input
            aria-label={`${label}: how many`}
            inputMode="numeric"
            value={n}
            onChange={(e) => onChange(`${e.target.value.replace(/\D/g, "").slice(0, 5)}${unit}`)}
            className={`${pickLook} w-16`}
          />
        </>
      )}
      <Pick
        label={`${label}: days or ever`}
        value={unit}
        values={units}
        onChange={(u) => onChange(u === "" ? "" : `${n === "" ? "7" : n}${u}`)}
      />
    </>
  );
}
