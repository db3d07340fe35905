export const pickLook =
  "h-9 max-w-full rounded-lg border border-edge bg-card px-2.5 text-sm text-ink placeholder:text-soft/80";

type Props = {
  label: string;
  value: string;
  values: readonly { value: string; title: string }[];
  onChange: (value: string) => void;
};

/** One of several values within a sentence; its label is for those who do not see the sentence. */
export function Pick({ label, value, values, onChange }: Props) {
  return (
    <select aria-label={label} value={value} onChange={(e) => onChange(e.target.value)} className={pickLook}>
      {values.map((v) => (
        <option key={v.value} value={v.value}>
          {v.title}
        </option>
      ))}
    </select>
  );
}
