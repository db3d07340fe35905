const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const sizes = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in the largest unit that fits, in steps of 1000: "38.2 GB". */
export function bytes(n: number): string {
  let at = 0;
  let left = n;
  while (left >= 999.5 && at < sizes.length - 1) {
    left /= 1000;
    at++;
  }
  return `${number.format(left)} ${sizes[at]}`;
}

/** How long something lasts, in the largest unit that fits: "90 ms", "12 s", "3 h", "5 days". */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
