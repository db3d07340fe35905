import type { Numbers } from "../../api/profiles";

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

/** How a score lies over customers, as small bars from its least to its greatest value. */
export function Bars({ name, numbers }: { name: string; numbers: Numbers }) {
  const most = Math.max(1, ...numbers.persons);
  const range = `${number.format(numbers.min)} to ${number.format(numbers.max)}`;
  return (
    <span className="inline-flex items-center gap-2 align-middle">
      <svg
        role="img"
        aria-label={`${name} lies from ${range}, ${number.format(numbers.mean)} in the mean`}
        viewBox={`0 0 ${numbers.persons.length * 8} 28`}
        className="h-7 w-24 shrink-0 text-accent"
        preserveAspectRatio="none"
      >
        {numbers.persons.map((n, i) => {
          const height = n === 0 ? 1 : Math.max(2, (27 * n) / most);
          // biome-ignore lint/suspicious/noArrayIndexKey: steps have no name and never move
          return <rect key={i} x={i * 8} y={28 - height} width="6.5" height={height} fill="currentColor" />;
        })}
      </svg>
      <span aria-hidden="true" className="text-xs whitespace-nowrap text-soft tabular-nums max-lg:hidden">
        {range}
      </span>
    </span>
  );
}
