/** A number of a stream with its name. */
export function Fact({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <dt className="text-xs text-soft">{title}</dt>
      <dd className="tabular-nums">{text}</dd>
    </div>
  );
}
