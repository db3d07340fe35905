import type { Numbers, Preview } from "../../api/profiles";
import { count } from "../flow";

type Bar = { value: string; name: string; persons: number };

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });

/** How the values of a feature are spread over persons, as bars that are numbers too. */
export function Distribution({ preview }: { preview: Preview }) {
  const bars = barsOf(preview);
  if (bars.length === 0) return <p className="text-sm text-soft">Nobody has a value.</p>;
  const most = Math.max(1, ...bars.map((b) => b.persons));
  return (
    <table className="w-full text-sm">
      <caption className="sr-only">Values, and how many customers have them</caption>
      <thead className="sr-only">
        <tr>
          <th scope="col">Value</th>
          <th scope="col">Customers</th>
        </tr>
      </thead>
      <tbody>
        {bars.map((b) => (
          <tr key={b.value}>
            <th scope="row" className="w-px max-w-40 truncate py-1 pr-3 text-left font-normal whitespace-nowrap">
              {b.name}
            </th>
            <td className="py-1">
              <span className="flex items-center gap-2">
                <span
                  aria-hidden="true"
                  className="h-4 rounded-sm bg-accent"
                  style={{ width: `max(2px, calc((100% - 5rem) * ${b.persons / most}))` }}
                />
                <span className="text-soft tabular-nums">{count(b.persons)}</span>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Bars of values where there are few, else of steps between the smallest and the largest number. */
function barsOf({ values, numbers }: Preview): Bar[] {
  const known = (values ?? []).filter((v) => v.value !== null);
  if (numbers && known.length > 12) {
    return numbers.persons.map((persons, i) => ({ value: String(i), name: stepName(numbers, i), persons }));
  }
  const bars = known.map((v) => ({
    value: v.value ?? "",
    name: shown(v.value ?? "", numbers !== undefined),
    persons: v.persons,
  }));
  if (numbers) bars.sort((a, b) => Number(a.value) - Number(b.value));
  return bars.slice(0, 12);
}

/** From where to where a step goes; steps of whole numbers have none in common with the next. */
function stepName({ min, max, step, persons }: Numbers, i: number): string {
  if (step === undefined) {
    const wide = (max - min) / persons.length;
    return `${number.format(min + i * wide)} – ${number.format(min + (i + 1) * wide)}`;
  }
  const [from, to] = [min + i * step, Math.min(max, min + (i + 1) * step - 1)];
  return from === to ? count(from) : `${count(from)} – ${count(to)}`;
}

/** A value as people read it; numbers come as texts such as 2.0. */
function shown(value: string, isNumber: boolean): string {
  if (isNumber) return Number.isInteger(Number(value)) ? count(Number(value)) : number.format(Number(value));
  return { true: "yes", false: "no", "": "(empty)" }[value] ?? value;
}
