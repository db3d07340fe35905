import { CopyButton } from "./copy-button";

/** Text for a terminal or a file, with a button that copies it. shown stands in for secrets in text. */
export function Command({ text, shown = text, name }: { text: string; shown?: string; name: string }) {
  return (
    <div className="flex items-start gap-2 rounded-lg border border-line bg-sunken p-2 text-left max-sm:flex-col">
      <section
        aria-label={name}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="w-full min-w-0 flex-1 overflow-x-auto px-1.5 py-1.5"
      >
        <pre className="font-mono text-[13px] leading-5 text-ink">{shown}</pre>
      </section>
      <CopyButton text={text} name={name} />
    </div>
  );
}
