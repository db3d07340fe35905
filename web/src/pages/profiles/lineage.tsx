/** From which columns of the warehouse something is made. */
export function Lineage({ columns }: { columns: string[] | null }) {
  if (!columns || columns.length === 0) return null;
  return (
    <details className="text-sm">
      <summary className="cursor-pointer text-soft">
        Made from {columns.length === 1 ? "one column" : `${columns.length} columns and tables`} of the warehouse
      </summary>
      <ul className="mt-1.5 space-y-0.5 pl-4">
        {columns.map((c) => (
          <li key={c}>
            <code className="text-xs break-all">{c}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
