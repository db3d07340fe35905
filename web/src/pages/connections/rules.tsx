import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { difference } from "../../api/drafts";
import type { Configured } from "../../draft/configured";
import { type Any, connectionKey, merge, type Objects, same, withEdit } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { Select, TextArea } from "../../parts/input";
import { Link } from "../../parts/link";
import { placeOf } from "../review/problems";
import { Trouble } from "../trouble";

type Connection = Objects["connection"];
type Props = { configured: Configured; connection: Connection; published: Any | null };

/** Which events a connection takes, what users have to have consented to, and the code that it runs. */
export function Rules({ configured, connection, published }: Props) {
  const workspace = useWorkspace();
  const [allow, setAllow] = useState((connection.events?.allow ?? []).join("\n"));
  const [deny, setDeny] = useState((connection.events?.deny ?? []).join("\n"));
  const [filter, setFilter] = useState(connection.filter ?? "");
  const [consent, setConsent] = useState<string[]>(connection.consent?.categories ?? []);
  const [require, setRequire] = useState<"all" | "any">(connection.consent?.require ?? "all");
  const [chain, setChain] = useState<string[]>(connection.transformations ?? []);
  const [problems, setProblems] = useState<Record<string, string>>({});
  const { document } = configured;
  const wanted: Connection = {
    source: connection.source,
    destination: connection.destination,
    ...(chain.length > 0 || connection.transformations ? { transformations: chain } : {}),
    ...(allow.trim() || deny.trim()
      ? {
          events: {
            ...(lines(allow).length > 0 ? { allow: lines(allow) } : {}),
            ...(lines(deny).length > 0 ? { deny: lines(deny) } : {}),
          },
        }
      : {}),
    ...(filter.trim() ? { filter: filter.trim() } : {}),
    ...(consent.length > 0 ? { consent: { categories: consent, ...(require === "any" ? { require } : {}) } } : {}),
  };
  const save = useMutation({
    mutationFn: async () => {
      const key = connectionKey(connection.source, connection.destination);
      const edits = withEdit(configured.draft.edits, { kind: "connection", key, base: published, next: wanted });
      const proposed = merge(configured.published, edits).document;
      const said = await difference({ document: proposed, discardParked: true });
      const found: Record<string, string> = {};
      for (const p of said.problems) {
        const at = placeOf(p.path, proposed);
        if (at?.kind === "connection" && at.key === key) found[at.field.split(/[.[]/)[0] ?? ""] ??= p.text;
      }
      setProblems(found);
      if (Object.keys(found).length === 0) configured.edit("connection", key, published, wanted);
    },
  });
  const categories = [...new Set([...(document.consentCategories ?? []).map((c) => c.name), ...consent])];
  const free = (document.transformations ?? []).map((t) => t.name).filter((t) => !chain.includes(t));
  const move = (i: number, by: number) => {
    const next = [...chain];
    const [one] = next.splice(i, 1);
    if (one !== undefined) next.splice(i + by, 0, one);
    setChain(next);
  };
  const problem = (field: string) => (problems[field] ? { problem: problems[field] } : {});
  return (
    <form
      className="max-w-2xl space-y-8"
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <fieldset className="space-y-4">
        <legend className="mb-2 text-base font-semibold">Which events it takes</legend>
        <TextArea
          label="Only these"
          optional
          rows={3}
          hint="Names of track calls, pages and screens, one a line. They may end in *; type:identify stands for a type of call."
          value={allow}
          onChange={(e) => setAllow(e.target.value)}
          {...problem("events")}
        />
        <TextArea label="Not these" optional rows={3} value={deny} onChange={(e) => setDeny(e.target.value)} />
        <TextArea
          label="Only if"
          optional
          mono
          rows={2}
          spellCheck={false}
          placeholder={`has(event.properties.total) && event.properties.total > 10.0`}
          hint="An expression in CEL over event. Events for which it is false are counted and go nowhere."
          value={filter}
          onChange={(e) => setFilter(e.target.value)}
          {...problem("filter")}
        />
      </fieldset>
      <fieldset className="space-y-3">
        <legend className="mb-2 text-base font-semibold">Consent</legend>
        {categories.length === 0 ? (
          <p className="text-sm text-soft">
            The workspace has no categories of consent.{" "}
            <Link href={workspace.path("settings")}>Name them in the settings</Link> to require them here.
          </p>
        ) : (
          <>
            <p className="text-sm text-soft">
              What users have to have consented to. Events that say nothing of consent are taken.
            </p>
            {categories.map((c) => (
              <label key={c} className="flex items-center gap-2.5 text-sm">
                <input
                  type="checkbox"
                  className="size-4 accent-accent"
                  checked={consent.includes(c)}
                  onChange={(e) => setConsent(e.target.checked ? [...consent, c] : consent.filter((x) => x !== c))}
                />
                {c}
              </label>
            ))}
            {consent.length > 1 ? (
              <Select
                label="How many of them"
                value={require}
                values={[
                  { value: "all", title: "All of them" },
                  { value: "any", title: "Any one of them" },
                ]}
                onChange={(v) => setRequire(v === "any" ? "any" : "all")}
              />
            ) : null}
          </>
        )}
        {problems.consent ? (
          <p role="alert" className="text-sm text-bad">
            {problems.consent}
          </p>
        ) : null}
      </fieldset>
      <fieldset className="space-y-3">
        <legend className="mb-2 text-base font-semibold">Transformations, in their order</legend>
        {chain.length === 0 ? <p className="text-sm text-soft">None: events arrive as they were sent.</p> : null}
        <ol className="space-y-2">
          {chain.map((t, i) => (
            <li key={t} className="flex items-center gap-2 rounded-lg border border-line bg-card px-3 py-1.5 text-sm">
              <span className="w-5 text-soft tabular-nums">{i + 1}</span>
              <Link href={`${workspace.path("transformations")}?name=${encodeURIComponent(t)}`}>{t}</Link>
              <span className="ml-auto flex gap-1">
                <Button onClick={() => move(i, -1)} disabled={i === 0} aria-label={`Move ${t} up`}>
                  ↑
                </Button>
                <Button onClick={() => move(i, 1)} disabled={i === chain.length - 1} aria-label={`Move ${t} down`}>
                  ↓
                </Button>
                <Button onClick={() => setChain(chain.filter((x) => x !== t))} aria-label={`Take ${t} out`}>
                  <Icon name="close" />
                </Button>
              </span>
            </li>
          ))}
        </ol>
        {free.length > 0 ? (
          <Select
            label="Add one"
            value=""
            values={[{ value: "", title: "Choose…" }, ...free.map((t) => ({ value: t, title: t }))]}
            onChange={(t) => setChain([...chain, t])}
          />
        ) : null}
      </fieldset>
      {save.error ? <Trouble error={save.error} /> : null}
      {Object.entries(problems)
        .filter(([f]) => !["events", "filter", "consent"].includes(f))
        .map(([f, text]) => (
          <p key={f} role="alert" className="text-sm text-bad">
            {text}
          </p>
        ))}
      <Button look="strong" type="submit" disabled={same(wanted, connection) || save.isPending}>
        {save.isPending ? "Checking…" : "Add to the draft"}
      </Button>
    </form>
  );
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((l) => l.trim())
    .filter((l) => l !== "");
}
