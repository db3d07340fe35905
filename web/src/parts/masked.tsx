import { Button } from "./button";
import { CopyButton } from "./copy-button";
import { Icon } from "./icon";

/** What a value looks like while it is hidden: its first letters and dots, of one length for all. */
export function mask(value: string): string {
  return `${value.slice(0, 3)}${"•".repeat(12)}`;
}

/** A value that is hidden until asked for. */
export function Masked({
  value,
  name,
  revealed,
  onReveal,
}: {
  value: string;
  name: string;
  revealed: boolean;
  onReveal: (revealed: boolean) => void;
}) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <code className="min-w-0 rounded-md bg-sunken px-2 py-1 font-mono text-[13px] break-all text-ink">
        {revealed ? value : mask(value)}
      </code>
      <Button onClick={() => onReveal(!revealed)}>
        <Icon name={revealed ? "hidden" : "eye"} />
        {revealed ? "Hide" : "Reveal"} <span className="sr-only">{name}</span>
      </Button>
      <CopyButton text={value} name={name} />
    </div>
  );
}
