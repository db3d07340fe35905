/** An object among what differs between revisions, which is kept by kind and identifier. */
export function objectIn(side: unknown, kind: string, name: string): unknown {
  const found: unknown[] = [];
  const look = (v: unknown, depth: number) => {
    if (typeof v !== "object" || v === null || depth > 3) return;
    const o = v as Record<string, unknown>;
    if (o.name === name || `${String(o.source)} -> ${String(o.destination)}` === name) found.push(o);
    else for (const x of Object.values(o)) look(x, depth + 1);
  };
  const all = (side ?? {}) as Record<string, unknown>;
  look(all[kind] ?? all[`${kind}s`] ?? all, 0);
  return found[0];
}
