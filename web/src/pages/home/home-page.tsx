import { useEffect } from "react";
import { useConfigured } from "../../draft/configured";
import { remember } from "../../frame/known";
import { useHere, useWorkspace } from "../../frame/place";
import { RevisionBadge } from "../../frame/top-bar";
import { Badge } from "../../parts/badge";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { count, rateOf, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { Loaded } from "../loaded";
import { Stats } from "../object/stats";
import { Picture } from "../picture/picture";
import { Beginning } from "./beginning";
import { problemsOf, type Trouble } from "./problems";

/** A workspace at one look: what is wrong, then what goes through. */
export function HomePage() {
  const { all } = useHere();
  const workspace = useWorkspace();
  const flow = useFlow(workspace.name);
  const configured = useConfigured(workspace.name);
  useEffect(() => remember(workspace.name), [workspace.name]);
  const problems = problemsOf(workspace, all, new Date());
  const total = sum(flow.data, (r) => r.destination === "", "accepted");
  const out = sum(flow.data, (r) => r.destination !== "", "routed");
  const balanced = flow.data?.rows.every((r) => r.balanced) ?? true;
  const begun = out.delivered > 0;
  return (
    <Page
      title={workspace.name}
      of="Home"
      beside={
        <>
          <span className="lg:hidden">
            <RevisionBadge state={workspace.state} number={workspace.number} />
          </span>
          <span className="text-sm text-soft">Region {workspace.region}</span>
        </>
      }
    >
      {problems.length > 0 ? (
        <Section title={problems.length === 1 ? "One problem" : `${problems.length} problems`}>
          <Problems all={problems.length > atOnce + 1 ? problems.slice(0, atOnce) : problems} />
          {problems.length > atOnce + 1 ? (
            <details className="space-y-2">
              <summary className="cursor-pointer text-sm text-soft">{problems.length - atOnce} more problems</summary>
              <div className="pt-2">
                <Problems all={problems.slice(atOnce)} />
              </div>
            </details>
          ) : null}
        </Section>
      ) : null}
      {flow.data && !begun ? <Beginning workspace={workspace} flow={flow.data} /> : null}
      <FlowTrouble workspace={workspace.name} flow={flow} />
      {flow.isPending && (configured.data?.document.connections ?? []).length > 0 ? (
        <>
          <Stats stats={titles.map((title) => ({ title, value: "…" }))} />
          <p className="h-5.5" />
        </>
      ) : null}
      {flow.data && total.accepted > 0 ? (
        <>
          <Stats
            stats={[
              { title: "Now", value: rateOf(flow.data, total) },
              { title: "Accepted", value: count(total.accepted) },
              { title: "Delivered", value: count(out.delivered), tone: "good" },
              {
                title: "Waiting",
                value: count(out.parked + out.staged + out.inFlight + total.waiting),
                tone: out.parked > 0 ? "warn" : "plain",
              },
              {
                title: "Quarantined",
                value: count(total.quarantined + out.quarantined),
                tone: total.quarantined + out.quarantined > 0 ? "bad" : "plain",
              },
              { title: "Failed for good", value: count(out.dead), tone: out.dead > 0 ? "bad" : "plain" },
            ]}
          />
          <p className="flex flex-wrap items-center gap-2 text-sm text-soft">
            {balanced ? <Badge tone="good">Balanced</Badge> : <Badge tone="bad">Not balanced</Badge>}
            {balanced
              ? "Every accepted event is delivered, waiting, or set aside with its reason."
              : "An event is unaccounted for. Keep the plane's logs and report this."}
          </p>
        </>
      ) : null}
      <Loaded query={configured} what="the workspace">
        {(c) =>
          (c.document.connections ?? []).length > 0 ? (
            <Section title="What goes where">
              <Picture document={c.document} connections={c.document.connections ?? []} flow={flow.data}>
                <Link href={workspace.path("connections")}>The same as a table</Link>
              </Picture>
            </Section>
          ) : null
        }
      </Loaded>
    </Page>
  );
}

/** What stands in the place of the numbers until they are there, so that nothing moves when they come. */
const titles = ["Now", "Accepted", "Delivered", "Waiting", "Quarantined", "Failed for good"];

const atOnce = 4; // problems; more of them would hide the picture

function Problems({ all }: { all: Trouble[] }) {
  return (
    <ul className="space-y-2">
      {all.map((p) => (
        <ProblemRow key={p.key} problem={p} />
      ))}
    </ul>
  );
}

function ProblemRow({ problem: p }: { problem: Trouble }) {
  const workspace = useWorkspace();
  const href =
    typeof p.to === "string" ? p.to : `${workspace.path(...p.to.parts)}${p.to.query ? `?${p.to.query}` : ""}`;
  return (
    <li
      className={`flex flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border px-4 py-3 text-sm ${p.tone === "bad" ? "border-bad/40 bg-bad-wash" : "border-warn/40 bg-warn-wash"}`}
    >
      <span className={p.tone === "bad" ? "text-bad" : "text-warn"}>
        <Icon name="alert" large />
      </span>
      <span className="min-w-0 flex-1 basis-64">
        <span className="block font-medium break-words">{p.title}</span>
        <span className="block">{p.cause}</span>
      </span>
      <Link href={href} look="button">
        {p.act}
      </Link>
    </li>
  );
}
