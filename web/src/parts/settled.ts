import { useEffect, useState } from "react";

/** A value once it stayed the same for a moment, in milliseconds. */
export function useSettled<T>(value: T, restsFor = 400): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), restsFor);
    return () => clearTimeout(timer);
  }, [value, restsFor]);
  return settled;
}
