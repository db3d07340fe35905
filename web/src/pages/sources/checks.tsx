import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { arrivals, type Sent, sendTest } from "../../api/arrivals";
import type { Source, Workspace } from "../../api/client";
import { useHere } from "../../frame/place";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { refusal } from "./refusals";

const refreshEvery = 3000; // ms

type State = "good" | "bad" | "open";
type Check = { name: string; state: State; text: React.ReactNode };

/** Whether events reach a source: each link of the way, with cause and remedy where one is broken. */
export function Checks({ source, workspace, events }: { source: Source; workspace: Workspace; events: string }) {
  const { all } = useHere();
  const queries = useQueryClient();
  const plane = all.planes.find((p) => p.id === workspace.plane);
  const came = useQuery({
    queryKey: keys.arrivals(workspace.name),
    queryFn: ({ signal }) => arrivals(workspace.name, signal),
    refetchInterval: refreshEvery,
    retry: false,
  });
  const test = useMutation({
    mutationFn: () => sendTest(workspace.gatewayUrl, source.writeKey, source.type),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.arrivals(workspace.name) }),
  });
  const mine = came.data?.sources.find((s) => s.source === source.name);
  const checks: Check[] = [runs(workspace, plane?.name), enabled(source), heard(plane), lastEvent(mine?.lastAccepted)];
  const reasons = Object.entries(mine?.reasons ?? {}).sort((a, b) => b[1] - a[1]);
  return (
    <Section title="Checks" hint="of the way from a sender to this source">
      <div className="space-y-4">
        <ul
          className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs"
          aria-label="Checks"
        >
          {checks.map((c) => (
            <Row key={c.name} check={c} />
          ))}
        </ul>
        {workspace.gatewayUrl ? (
          <div className="space-y-2 text-sm">
            <div className="flex flex-wrap items-center gap-3">
              <Button onClick={() => test.mutate()} disabled={test.isPending}>
                Send a test event
              </Button>
              <span className="text-soft">It goes from this browser to the plane, and on to the destinations.</span>
            </div>
            <div role="status">
              {test.isPending ? (
                <span className="flex items-center gap-2">
                  <Spinner /> Sending
                </span>
              ) : test.error ? (
                <Unanswered gateway={workspace.gatewayUrl} />
              ) : test.data ? (
                <Answer sent={test.data} events={`${events}?source=${encodeURIComponent(source.name)}`} />
              ) : null}
            </div>
          </div>
        ) : null}
        {came.error ? (
          <PlaneTrouble
            error={came.error}
            what="what came"
            command={`weir source status ${quoted(source.name)} --workspace ${quoted(workspace.name)}`}
            onRetry={() => came.refetch()}
          />
        ) : null}
        {reasons.length > 0 ? (
          <div className="space-y-2">
            <h3 className="text-sm font-medium">
              Refused since the plane started <When at={came.data?.since ?? ""} />
            </h3>
            <ul
              className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs"
              aria-label="Refused"
            >
              {reasons.map(([code, n]) => (
                <li key={code} className="flex flex-wrap gap-x-4 gap-y-1 px-4 py-2.5">
                  <span className="min-w-8 shrink-0 font-medium tabular-nums text-bad sm:w-16 sm:text-right">
                    {count(n)}
                  </span>
                  <span className="min-w-0 flex-1 basis-40">
                    {refusal(code).cause}. <span className="text-soft">{refusal(code).remedy}</span>
                  </span>
                  <code className="text-[13px] text-soft">{code}</code>
                </li>
              ))}
            </ul>
            {mine?.lastRefused ? (
              <p className="text-sm text-soft">
                The last one <When at={mine.lastRefused} />.
              </p>
            ) : null}
          </div>
        ) : null}
        <details className="text-sm">
          <summary className="cursor-pointer text-soft">The same in a terminal</summary>
          <div className="pt-2">
            <Command
              text={`weir source status ${quoted(source.name)} --workspace ${quoted(workspace.name)}`}
              name="the command that shows what came"
            />
          </div>
        </details>
      </div>
    </Section>
  );
}

function runs(w: Workspace, plane: string | undefined): Check {
  const name = "Its revision runs";
  if (!plane)
    return {
      name,
      state: "bad",
      text: (
        <>
          No data plane of region {w.region} runs this workspace. <Link href="/planes?invite=1">Invite one</Link>
        </>
      ),
    };
  if (w.state === "rejected")
    return {
      name,
      state: "bad",
      text: `${plane} refused revision ${w.number} and runs revision ${w.running}. The home page says why.`,
    };
  if (w.applied < w.number) return { name, state: "open", text: `Revision ${w.number} is on its way to ${plane}.` };
  return { name, state: "good", text: `Revision ${w.number} runs on ${plane}.` };
}

function enabled(s: Source): Check {
  const name = "It takes events";
  return s.disabled
    ? { name, state: "bad", text: "The source is disabled: senders get 404. Enable it in its settings and publish." }
    : { name, state: "good", text: "The source is enabled." };
}

function heard(
  plane: { name: string; healthy: boolean; lastBeat: string | null; alarms: { code: string }[] } | undefined,
): Check {
  const name = "Its plane is well";
  if (!plane?.lastBeat) return { name, state: "open", text: "The plane was not heard yet." };
  if (plane.alarms.some((a) => a.code === "plane_silent"))
    return {
      name,
      state: "bad",
      text: `${plane.name} is silent. It may take events nevertheless; look whether it runs.`,
    };
  if (!plane.healthy) return { name, state: "bad", text: `${plane.name} takes no events now. Its alarms say why.` };
  return { name, state: "good", text: `${plane.name} is healthy.` };
}

function lastEvent(at: string | undefined): Check {
  const name = "Events come";
  if (!at)
    return {
      name,
      state: "open",
      text: "None since the plane started. Send a test event: it shows whether the way is open or what blocks it.",
    };
  return {
    name,
    state: "good",
    text: (
      <>
        The last one was accepted <When at={at} />.
      </>
    ),
  };
}

const marks = {
  good: { icon: "check", colour: "text-good", say: "Good" },
  bad: { icon: "alert", colour: "text-bad", say: "Wrong" },
  open: { icon: "history", colour: "text-soft", say: "Open" },
} as const;

function Row({ check }: { check: Check }) {
  const mark = marks[check.state];
  return (
    <li className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-2.5">
      <span className={`self-center ${mark.colour}`}>
        <Icon name={mark.icon} />
        <span className="sr-only">{mark.say}:</span>
      </span>
      <span className="w-40 font-medium">{check.name}</span>
      <span className="min-w-0 flex-1 basis-64 text-soft">{check.text}</span>
    </li>
  );
}

function Answer({ sent, events }: { sent: Sent; events: string }) {
  if (sent.status === 200)
    return (
      <p className="text-good">
        Accepted and on the plane's disk. <Link href={events}>Watch it pass</Link>
      </p>
    );
  const { cause, remedy } = refusal(sent.code);
  return (
    <p className="text-bad">
      Refused with {sent.status}
      {sent.code ? ` ${sent.code}` : ""}. {cause}. {remedy}
    </p>
  );
}

function Unanswered({ gateway }: { gateway: string }) {
  return (
    <p className="text-bad">
      This browser got no answer from {gateway}. Check that the plane runs and that this computer reaches that address;
      where the plane joined after this page was loaded, reload the page. The curl line above says more on a computer
      that is near the plane.
    </p>
  );
}
