/** A turning ring beside words that say what goes on. */
export function Spinner() {
  return (
    <span
      aria-hidden="true"
      className="shrink-0 size-3.5 rounded-full border-2 border-line border-t-accent motion-safe:animate-spin"
    />
  );
}
