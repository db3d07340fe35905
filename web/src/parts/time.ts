const units: [limit: number, size: number, name: string][] = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [172800, 3600, "h"],
];

/** How long ago at was, in the largest unit that fits: "12 s ago". Times ahead of the clock are "now". */
export function ago(at: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - at.getTime()) / 1000);
  return seconds < 2 ? "now" : `${long(seconds)} ago`;
}

/** So many seconds in the largest unit that fits: "12 s". */
export function long(seconds: number): string {
  for (const [limit, size, name] of units) if (seconds < limit) return `${Math.floor(seconds / size)} ${name}`;
  return `${Math.floor(seconds / 86400)} days`;
}
