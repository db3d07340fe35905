import type { Spec } from "../../api/tenants";
import { Button } from "../../parts/button";
import { putQuery, useQueryText } from "../../parts/path";
import { Search } from "../../parts/table";
import { categories, categoryOf, categoryTitle } from "../object/kinds";

type Props = { kinds: readonly Spec[]; chosen: string; onChoose: (name: string) => void };

/** The kinds of sources by what people look for them under; the chosen one alone, once there is one. */
export function KindChoice({ kinds, chosen, onChoose }: Props) {
  const query = new URLSearchParams(useQueryText()).get("q") ?? "";
  const wanted = query.trim().toLowerCase();
  const isShown = (s: Spec) =>
    chosen === ""
      ? `${s.title} ${s.name} ${s.doc} ${titleOf(categoryOf(s))}`.toLowerCase().includes(wanted)
      : s.name === chosen;
  const groups = [...new Set(["generic", ...categories])].flatMap((c) => {
    const found = kinds.filter((s) => categoryOf(s) === c && isShown(s));
    return found.length > 0 ? [{ name: c, kinds: found }] : [];
  });
  return (
    <div className="space-y-5">
      {chosen === "" ? (
        <Search label="Search the kinds of sources" value={query} />
      ) : (
        <Button onClick={() => onChoose("")}>Choose another kind</Button>
      )}
      <fieldset className="space-y-5">
        <legend className="sr-only">Kind of source</legend>
        {groups.map((g) => (
          <section key={g.name} aria-label={titleOf(g.name)} className="space-y-3">
            {chosen === "" ? <h2 className="text-sm font-semibold text-soft">{titleOf(g.name)}</h2> : null}
            <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
              {g.kinds.map((s) => (
                <label
                  key={s.name}
                  className="flex cursor-pointer items-start gap-3 rounded-xl border border-line bg-card p-4 shadow-xs hover:border-edge has-checked:border-accent has-checked:bg-accent-wash"
                >
                  <input
                    type="radio"
                    name="type"
                    value={s.name}
                    checked={chosen === s.name}
                    onChange={() => onChoose(s.name)}
                    className="mt-1 accent-accent"
                  />
                  <span>
                    <span className="block text-sm font-medium">{s.title}</span>
                    <span className="block text-sm text-soft">{s.doc}</span>
                  </span>
                </label>
              ))}
            </div>
          </section>
        ))}
      </fieldset>
      {groups.length === 0 ? (
        <p className="text-sm text-soft">
          Nothing fits. What can send a request reaches the HTTP API or a webhook, and an HTTP API of any vendor can be
          declared in a file of your own. <Button onClick={() => putQuery("q", "")}>Show all</Button>
        </p>
      ) : null}
    </div>
  );
}

/** Sources of these categories are called otherwise than destinations of them. */
const titleOf = (category: string) =>
  ({ generic: "Your apps, sites and servers", warehouse: "Databases", stream: "Files and connectors" })[category] ??
  categoryTitle(category);
