import type { Spec } from "../../api/tenants";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { putQuery, useQueryText } from "../../parts/path";
import { Search } from "../../parts/table";
import { Loaded } from "../loaded";
import { categories, categoryOf, categoryTitle, useCatalog } from "../object/kinds";

/** Every kind of destination and warehouse, to choose from. */
export function CataloguePage() {
  const workspace = useWorkspace();
  const kinds = useCatalog();
  const query = new URLSearchParams(useQueryText());
  const [wanted, category] = [query.get("q")?.toLowerCase() ?? "", query.get("category") ?? ""];
  return (
    <Page
      title="New destination"
      of={workspace.name}
      up={{ href: workspace.path("destinations"), title: "Destinations" }}
      hint="Choose where events should go."
    >
      <Loaded query={kinds} what="the catalogue">
        {(all) => {
          const mine = all.filter((s) => s.family !== "source");
          const found = mine.filter(
            (s) =>
              (category === "" || categoryOf(s) === category) &&
              `${s.title} ${s.name} ${s.doc} ${categoryTitle(categoryOf(s))}`.toLowerCase().includes(wanted),
          );
          const shown = categories.filter((c) => mine.some((s) => categoryOf(s) === c));
          return (
            <>
              <div className="flex flex-wrap items-center gap-3">
                <Search label="Search the catalogue" value={query.get("q") ?? ""} />
                <fieldset aria-label="Categories" className="flex flex-wrap gap-1">
                  {["", ...shown].map((c) => (
                    <button
                      key={c}
                      type="button"
                      aria-pressed={c === category}
                      onClick={() => putQuery("category", c)}
                      className="rounded-full px-3 py-1 text-sm text-soft hover:bg-sunken hover:text-ink aria-pressed:bg-accent-wash aria-pressed:font-medium aria-pressed:text-accent"
                    >
                      {c === "" ? "All" : categoryTitle(c)}
                    </button>
                  ))}
                </fieldset>
              </div>
              {shown
                .filter((c) => found.some((s) => categoryOf(s) === c))
                .map((c) => (
                  <section key={c} aria-label={categoryTitle(c)} className="space-y-3">
                    <h2 className="text-sm font-semibold text-soft">{categoryTitle(c)}</h2>
                    <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
                      {found
                        .filter((s) => categoryOf(s) === c)
                        .map((s) => (
                          <Kind key={s.name} spec={s} href={workspace.path("destinations", "new", s.name)} />
                        ))}
                    </ul>
                  </section>
                ))}
              {found.length === 0 ? (
                <p className="text-sm text-soft">
                  Nothing fits. A webhook or HTTP request reaches whatever has an address, and a kind of your own can be
                  declared in a file.
                </p>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Kind({ spec, href }: { spec: Spec; href: string }) {
  return (
    <li>
      <Link
        href={href}
        look="plain"
        className="flex h-full gap-3 rounded-xl border border-line bg-card p-4 shadow-xs transition-colors hover:border-accent"
      >
        <Initials title={spec.title} />
        <span className="min-w-0">
          <span className="block text-sm font-medium">{spec.title}</span>
          <span className="line-clamp-2 block text-sm text-soft">{spec.doc}</span>
        </span>
      </Link>
    </li>
  );
}

/** Two letters in place of a vendor's mark. */
export function Initials({ title }: { title: string }) {
  const words = title.split(/[\s-]+/).filter((w) => /^[A-Za-z0-9]/.test(w));
  const letters = words.length > 1 ? `${words[0]?.[0] ?? ""}${words[1]?.[0] ?? ""}` : title.slice(0, 2);
  return (
    <span
      aria-hidden="true"
      className="flex size-9 shrink-0 items-center justify-center rounded-lg bg-sunken text-xs font-semibold text-soft"
    >
      {letters.toUpperCase()}
    </span>
  );
}
