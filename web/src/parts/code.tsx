/** Text as it is, in a box that scrolls and can be reached by keyboard. */
export function Code({ text, name }: { text: string; name: string }) {
  return (
    <section
      aria-label={name}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-lg border border-line bg-sunken p-3"
    >
      <pre className="font-mono text-[13px] leading-5 text-ink">{text}</pre>
    </section>
  );
}

/** A value as indented JSON; a string that was none stays as it is. */
export function pretty(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
