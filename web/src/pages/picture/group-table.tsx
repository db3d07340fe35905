import { Link } from "../../parts/link";
import { count, errorShare, type Flow, rateOf } from "../flow";
import type { Pair } from "./bands";

type Props = {
  pairs: readonly Pair[];
  flow: Flow | undefined;
  /** The titles at both ends of a pair. */
  ends: (p: Pair) => string[];
  /** Where a pair leads. */
  to: (p: Pair) => string;
};

/** The same as a grouped picture, in words and numbers. */
export function GroupTable({ pairs, flow, ends, to }: Props) {
  const heads = ["From", "To", "Connections", "Rate", "Delivered", "Errors"];
  return (
    <details className="col-span-3 pt-3 text-sm">
      <summary className="cursor-pointer text-xs text-soft">What is drawn, as a table</summary>
      <div className="mt-2 overflow-x-auto">
        <table className="w-full text-left">
          <caption className="sr-only">What is drawn</caption>
          <thead className="text-xs text-soft">
            <tr>
              {heads.map((h, i) => (
                <th key={h} scope="col" className={`py-1.5 pr-3 font-medium ${i > 1 ? "text-right" : ""}`}>
                  {h}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {pairs.map((p) => {
              const [from = "", into = ""] = ends(p);
              return (
                <tr key={`${p.from} ${p.to}`} className="border-t border-line tabular-nums">
                  <td className="py-1.5 pr-3">{from}</td>
                  <td className="py-1.5 pr-3">{into}</td>
                  <td className="py-1.5 pr-3 text-right">
                    <Link href={to(p)}>
                      {count(p.connections)} <span className="sr-only">from {`${from} to ${into}`}</span>
                    </Link>
                  </td>
                  <td className="py-1.5 pr-3 text-right whitespace-nowrap">{rateOf(flow, p.n)}</td>
                  <td className="py-1.5 pr-3 text-right">{flow ? count(p.n.delivered) : "–"}</td>
                  <td className="py-1.5 pr-3 text-right whitespace-nowrap">{errorShare(p.n) || "–"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}
