/** Grey shapes in place of content that is on its way. */
export function Waiting({ what }: { what: string }) {
  return (
    <div role="status" aria-label={`Loading ${what}`} className="motion-safe:animate-pulse space-y-6">
      <div className="h-7 w-48 rounded-lg bg-line" />
      <div className="h-32 rounded-xl bg-line/70" />
      <div className="h-24 rounded-xl bg-line/70" />
      <div className="h-24 rounded-xl bg-line/70" />
    </div>
  );
}
