import { useCallback, useState } from "react";
import { chosenOrganization } from "../api/organization";

type Kept<T> = { value: T; at: string };

/**
 * What somebody types on a page and has not put into the draft yet. This browser keeps it, so that a closed window
 * loses nothing: former is what was left here the last time, until it is taken or dropped.
 */
export function useUnsaved<T>(workspace: string, what: string) {
  const place = `weir unsaved ${chosenOrganization()}/${workspace}/${what}`;
  const [former, setFormer] = useState(() => read<T>(place));
  const keep = useCallback(
    (value: T | undefined) => {
      if (value === undefined) localStorage.removeItem(place);
      else
        try {
          localStorage.setItem(place, JSON.stringify({ value, at: new Date().toISOString() }));
        } catch {
          // the browser keeps no more; the page still has it
        }
    },
    [place],
  );
  return { former, keep, dropFormer: () => setFormer(undefined) };
}

function read<T>(place: string): Kept<T> | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? "null");
    if (typeof kept === "object" && kept !== null && "value" in kept && "at" in kept) return kept as Kept<T>;
  } catch {
    // what cannot be read is as good as absent
  }
  return undefined;
}
