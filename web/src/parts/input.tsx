import { type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes, useId } from "react";

type Common = { label: string; hint?: ReactNode; problem?: string; optional?: boolean };

const box =
  "w-full rounded-lg border bg-card px-3 text-sm text-ink placeholder:text-soft/80 disabled:bg-sunken disabled:text-soft";

function edge(problem: string | undefined) {
  return problem ? "border-bad" : "border-edge";
}

/** What stands around a control: its label above, a hint and what is wrong below. */
export function Labelled({
  id,
  label,
  hint,
  problem,
  optional,
  children,
}: Common & { id: string; children: ReactNode }) {
  return (
    <div className="space-y-1.5">
      <label htmlFor={id} className="block text-sm font-medium">
        {label}
        {optional ? <span className="font-normal text-soft"> (optional)</span> : null}
      </label>
      {children}
      {problem ? (
        <p id={`${id}-problem`} role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
      {hint ? (
        <p id={`${id}-hint`} className="text-sm text-soft">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

function described(id: string, { hint, problem }: Common): string | undefined {
  const ids = [problem ? `${id}-problem` : "", hint ? `${id}-hint` : ""].filter((s) => s !== "").join(" ");
  return ids === "" ? undefined : ids;
}

/** A line of text under its label. */
export function Input({
  label,
  hint,
  problem,
  optional = false,
  ...rest
}: Common & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  const common = { label, hint, optional, ...(problem ? { problem } : {}) };
  return (
    <Labelled id={id} {...common}>
      <input
        id={id}
        autoComplete="off"
        {...rest}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, common)}
        className={`${box} h-9 ${edge(problem)}`}
      />
    </Labelled>
  );
}

/** Some lines of text under their label. */
export function TextArea({
  label,
  hint,
  problem,
  optional = false,
  mono = false,
  ...rest
}: Common & TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean }) {
  const id = useId();
  const common = { label, hint, optional, ...(problem ? { problem } : {}) };
  return (
    <Labelled id={id} {...common}>
      <textarea
        id={id}
        rows={4}
        {...rest}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, common)}
        className={`${box} py-2 ${mono ? "font-mono text-[13px]" : ""} ${edge(problem)}`}
      />
    </Labelled>
  );
}

/** One of several values under its label. */
export function Select({
  label,
  hint,
  problem,
  optional = false,
  value,
  values,
  onChange,
}: Common & { value: string; values: readonly { value: string; title: string }[]; onChange: (value: string) => void }) {
  const id = useId();
  const common = { label, hint, optional, ...(problem ? { problem } : {}) };
  return (
    <Labelled id={id} {...common}>
      <select
        id={id}
        value={value}
        onChange={(e) => onChange(e.target.value)}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, common)}
        className={`${box} h-9 ${edge(problem)}`}
      >
        {values.map((v) => (
          <option key={v.value} value={v.value}>
            {v.title}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

/** Yes or no, with its label behind it. */
export function Check({
  label,
  hint,
  problem,
  checked,
  onChange,
}: {
  label: ReactNode;
  hint?: string | undefined;
  problem?: string | undefined;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="flex gap-2.5">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        onChange={(e) => onChange(e.target.checked)}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, { label: "", hint, ...(problem ? { problem } : {}) })}
        className="mt-0.5 size-4 shrink-0 accent-accent"
      />
      <div className="min-w-0 space-y-0.5">
        <label htmlFor={id} className="block text-sm font-medium">
          {label}
        </label>
        {problem ? (
          <p id={`${id}-problem`} role="alert" className="text-sm text-bad">
            {problem}
          </p>
        ) : null}
        {hint ? (
          <p id={`${id}-hint`} className="text-sm text-soft">
            {hint}
          </p>
        ) : null}
      </div>
    </div>
  );
}
