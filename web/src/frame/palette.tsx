import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { config } from "../api/client";
import { organizations } from "../api/tenants";
import { Icon, type IconName } from "../parts/icon";
import { go } from "../parts/path";
import { keys } from "../queries";
import { entries } from "./pages";
import { type Here, inOrganization, type Place } from "./place";
import { hrefOf } from "./sidebar";
import { useWorkspaces } from "./workspaces";

type Item = { title: string; about: string; icon: IconName; href: string };

const shownAtMost = 40;

/** Everything that has a name and an address here. */
function useItems(here: Here, place: Place, only: "all" | "workspaces"): Item[] {
  const workspace = here.workspace?.name;
  const orgs = useQuery({ queryKey: keys.organizations, queryFn: ({ signal }) => organizations(signal) });
  const now = useQuery({
    queryKey: keys.config(workspace ?? ""),
    queryFn: ({ signal }) => config(workspace ?? "", signal),
    enabled: workspace !== undefined && only === "all",
  });
  const to = (...parts: string[]) => inOrganization(place.organization, ...parts);
  const all = useWorkspaces();
  const workspaces: Item[] = (all.data ?? here.all.workspaces).map((w) => ({
    title: w.name,
    about: `Workspace, ${w.region}`,
    icon: "workspace",
    href: to("workspaces", w.name),
  }));
  const others: Item[] = (orgs.data ?? [])
    .filter((o) => (o.role ?? "") !== "" && o.name !== (place.organization || here.me.organizations?.[0]?.organization))
    .map((o) => ({ title: o.name, about: "Organization", icon: "members", href: inOrganization(o.name) }));
  const add: Item = { title: "New workspace", about: "", icon: "plus", href: to("new-workspace") };
  if (only === "workspaces") return [...workspaces, ...others, add];
  const pages: Item[] = [
    ...entries
      .filter((e) => e.of !== "workspace" || workspace !== undefined)
      .map((e): Item => ({ title: e.title, about: "Page", icon: e.icon, href: hrefOf(e, place, workspace) })),
    { title: "Account", about: "Page", icon: "user", href: "/account" },
  ];
  if (workspace === undefined) return [...pages, ...workspaces, ...others, add];
  const at = (...parts: string[]) => to("workspaces", workspace, ...parts);
  const doc = now.data?.document;
  const profiles = doc?.profiles ?? [];
  return [
    ...pages,
    { title: "New source", about: "", icon: "plus", href: at("sources", "new") },
    { title: "New destination", about: "", icon: "plus", href: at("destinations", "new") },
    { title: "New transformation", about: "", icon: "plus", href: `${at("transformations")}?new=1` },
    { title: "New model", about: "", icon: "plus", href: at("models", "new") },
    { title: "New sync", about: "", icon: "plus", href: at("syncs", "new") },
    { title: "New feature", about: "", icon: "plus", href: at("features", "new") },
    { title: "New score", about: "", icon: "plus", href: at("scores", "new") },
    { title: "New audience", about: "", icon: "plus", href: at("audiences", "new") },
    { title: "Problems of events", about: "Page", icon: "alert", href: `${at("events")}?tab=problems` },
    ...(here.workspace?.sources ?? []).map(
      (s): Item => ({ title: s.name, about: `Source, ${s.type}`, icon: "sources", href: at("sources", s.name) }),
    ),
    ...(here.workspace?.destinations ?? []).map(
      (d): Item => ({
        title: d.name,
        about: `Destination, ${d.type}`,
        icon: "destinations",
        href: at("destinations", d.name),
      }),
    ),
    ...(doc?.transformations ?? []).map(
      (t): Item => ({
        title: t.name,
        about: "Transformation",
        icon: "code",
        href: `${at("transformations")}?name=${encodeURIComponent(t.name)}`,
      }),
    ),
    ...(doc?.models ?? []).map(
      (m): Item => ({ title: m.name, about: "Model", icon: "table", href: at("models", m.name) }),
    ),
    ...(doc?.syncs ?? []).map(
      (s): Item => ({ title: s.name, about: `Sync to ${s.destination}`, icon: "sync", href: at("syncs", s.name) }),
    ),
    ...profiles.flatMap((p) => {
      const of = profiles.length > 1 ? `?of=${encodeURIComponent(p.name)}` : "";
      const list = (page: string, about: string, icon: IconName, members: readonly { name: string }[] = []) =>
        members.map((m): Item => ({ title: m.name, about, icon, href: `${at(page, m.name)}${of}` }));
      return [
        ...list("features", "Feature", "usage", p.features),
        ...list("scores", "Score", "gauge", p.scores),
        ...list("audiences", "Audience", "members", p.audiences),
      ];
    }),
    ...(doc?.connections ?? []).map(
      (c): Item => ({
        title: `${c.source} → ${c.destination}`,
        about: "Connection",
        icon: "connections",
        href: at("connections", c.source, c.destination),
      }),
    ),
    ...workspaces,
    ...others,
    add,
  ];
}

type Props = { here: Here; place: Place; only: "all" | "workspaces"; onClose: () => void };

/** Finds every page and object by name; arrow keys choose, Enter goes there. */
export function Palette({ here, place, only, onClose }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const items = useItems(here, place, only);
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== "");
  const found = items
    .filter((i) => words.every((w) => `${i.title} ${i.about}`.toLowerCase().includes(w)))
    .sort((a, b) => rank(a, text) - rank(b, text))
    .slice(0, shownAtMost);
  useEffect(() => {
    const dialog = box.current;
    if (typeof dialog?.showModal === "function") dialog.showModal();
    else dialog?.setAttribute("open", "");
  }, []);
  const choose = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    go(item.href);
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === "Enter") choose(found[at]);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[e.key];
    if (to === undefined || found.length === 0) return;
    e.preventDefault();
    const next = (to + found.length) % found.length;
    setAt(next);
    document.getElementById(`found-${next}`)?.scrollIntoView?.({ block: "nearest" });
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, which the browser tells by onCancel
    <dialog
      ref={box}
      aria-label={only === "all" ? "Find anything" : "Switch workspace"}
      onCancel={onClose}
      onClick={(e) => {
        if (e.target === box.current) onClose();
      }}
      className="mx-auto mt-[12vh] mb-auto w-[calc(100%-2rem)] max-w-xl overflow-hidden rounded-xl border border-line bg-card p-0 text-ink shadow-2xl backdrop:bg-black/40"
    >
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <span className="text-soft">
          <Icon name="search" />
        </span>
        <input
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="found"
          aria-activedescendant={found.length > 0 ? `found-${at}` : undefined}
          aria-label={only === "all" ? "Find a page or an object" : "Find a workspace or an organization"}
          placeholder={only === "all" ? "Find a page or an object" : "Find a workspace or an organization"}
          value={text}
          onChange={(e) => {
            setText(e.target.value);
            setAt(0);
          }}
          onKeyDown={key}
          className="h-12 w-full bg-transparent text-base outline-none placeholder:text-soft focus-visible:outline-none"
        />
        <kbd className="rounded border border-line px-1.5 text-xs text-soft">Esc</kbd>
      </div>
      <div id="found" role="listbox" aria-label="What was found" className="max-h-[50vh] overflow-y-auto p-1.5">
        {found.map((item, i) => (
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          // biome-ignore lint/a11y/useKeyWithClickEvents: as above
          <div
            key={`${item.href} ${item.title}`}
            id={`found-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => choose(item)}
            onPointerMove={() => setAt(i)}
            className="flex h-9 cursor-pointer items-center gap-3 rounded-lg px-2.5 text-sm aria-selected:bg-accent-wash"
          >
            <span className="text-soft">
              <Icon name={item.icon} />
            </span>
            <span className="truncate">{item.title}</span>
            <span className="ml-auto truncate text-xs text-soft">{item.about}</span>
          </div>
        ))}
      </div>
      {found.length === 0 ? <p className="px-4 pb-5 text-sm text-soft">Nothing has such a name.</p> : null}
    </dialog>
  );
}

/** What begins with the text comes first. */
function rank(item: Item, text: string): number {
  const [title, wanted] = [item.title.toLowerCase(), text.trim().toLowerCase()];
  if (wanted === "") return 0;
  if (title === wanted) return 0;
  return title.startsWith(wanted) ? 1 : 2;
}
