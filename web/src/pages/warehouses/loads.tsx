import type { Load } from "../../api/warehouse";
import { Badge, type Tone } from "../../parts/badge";
import { Card } from "../../parts/section";
import { ago } from "../../parts/time";
import { reason } from "../live/reasons";
import { remedyOf } from "./remedies";

const states: Record<string, string> = {
  staging: "Being read",
  merging: "Being merged",
  done: "Loaded",
  failing: "Failing",
};
const tones: Record<string, Tone> = { done: "good", failing: "bad" };
const shown = 20;
const number = new Intl.NumberFormat("en");

/** The newest loads of a warehouse. */
export function Loads({ loads, name }: { loads: Load[]; name: string }) {
  const now = new Date();
  return (
    <Card>
      <section
        aria-label={`Loads of ${name}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="overflow-x-auto"
      >
        <table aria-label={`Loads of ${name}`} className="w-full text-left text-sm">
          <thead className="text-xs text-soft">
            <tr>
              {["State", "Rows", "Tables", "When"].map((h) => (
                <th key={h} scope="col" className="px-4 py-2 font-medium">
                  {h}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="divide-y divide-line border-t border-line">
            {loads.slice(0, shown).map((l) => (
              <tr key={l.id} className="align-top">
                <td className="px-4 py-2.5">
                  <Badge tone={tones[l.state] ?? "quiet"}>{states[l.state] ?? l.state}</Badge>
                  {l.code === "" ? null : <Failure load={l} />}
                </td>
                <td className="px-4 py-2.5 tabular-nums">{number.format(l.rows)}</td>
                <td className="px-4 py-2.5 break-words">{l.tables.map((t) => named(t, l)).join(", ")}</td>
                <td className="px-4 py-2.5 whitespace-nowrap text-soft">{ago(new Date(l.at), now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Card>
  );
}

/** A table, with its event where the name does not tell it. */
function named(table: string, { events }: Load): string {
  const event = events?.[table];
  return event === undefined ? table : `${table} (event “${event}”)`;
}

function Failure({ load: l }: { load: Load }) {
  const words = reason(l.code);
  return (
    <div className="mt-1.5 max-w-md space-y-1">
      <p className="font-medium">
        {words.charAt(0).toUpperCase() + words.slice(1)}
        {l.detail === "" ? "." : `: ${l.detail}`}
      </p>
      <p className="text-soft">{remedyOf(l.code)}</p>
      <p className="text-soft">
        Attempt {l.attempt}
        {l.next ? `, tried again at ${new Date(l.next).toLocaleTimeString("en-GB")}.` : "."}
      </p>
    </div>
  );
}
