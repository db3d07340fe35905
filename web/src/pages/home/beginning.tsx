import type { ReactNode } from "react";
import type { Workspace } from "../../api/client";
import { useWorkspace } from "../../frame/place";
import { Command } from "../../parts/command";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { mask } from "../../parts/masked";
import { Card, Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { count, type Flow, sum } from "../flow";
import { snippets } from "../workspace/snippets";

/** The first steps of a workspace; each ticks by itself when it is done. */
export function Beginning({ workspace, flow }: { workspace: Workspace; flow: Flow }) {
  const { path } = useWorkspace();
  const total = sum(flow, (r) => r.destination === "", "accepted");
  const out = sum(flow, (r) => r.destination !== "", "routed");
  const source = workspace.sources.find((s) => !s.disabled);
  const sent = total.accepted > 0;
  const connected = flow.rows.some((r) => r.destination !== "") || workspace.destinations.length > 0;
  const snippet = source
    ? snippets(workspace.gatewayUrl, source.writeKey, source.type).find((s) => s.name === "curl")
    : undefined;
  return (
    <Section title="Three steps to the first delivered event">
      <Card>
        <ol className="divide-y divide-line">
          <Step n={1} done={sent} title="Send an event" said={sent ? `${count(total.accepted)} came.` : ""}>
            {source && snippet && workspace.gatewayUrl ? (
              <>
                <p>
                  Paste this into a terminal, or see <Link href={path("sources", source.name)}>{source.name}</Link> for
                  code in other languages.
                </p>
                <Command
                  text={snippet.text}
                  shown={snippet.text.replaceAll(source.writeKey, mask(source.writeKey))}
                  name="a command that sends an event"
                />
                <p className="flex items-center gap-2 text-soft" role="status">
                  <Spinner /> Waiting for the first event
                </p>
              </>
            ) : (
              <p>
                {source ? "Its data plane is not there yet." : <Link href={path("sources", "new")}>Make a source</Link>}
              </p>
            )}
          </Step>
          <Step n={2} done={connected} title="Connect a destination" said="">
            <p>
              <Link href={path("destinations", "new")}>Choose one from the catalogue</Link>: a tool, a stream, a
              warehouse, or any address.
            </p>
          </Step>
          <Step n={3} done={out.delivered > 0} title="See it arrive" said="">
            <p>
              {out.parked > 0 ? (
                <>{count(out.parked)} wait because the destination does not take them; the problems above say why.</>
              ) : (
                <>
                  This ticks when the destination took an event. Watch it on its way on the page of{" "}
                  <Link href={path("events")}>events</Link>.
                </>
              )}
            </p>
          </Step>
        </ol>
      </Card>
    </Section>
  );
}

type StepProps = { n: number; done: boolean; title: string; said: string; children: ReactNode };

function Step({ n, done, title, said, children }: StepProps) {
  return (
    <li className="flex gap-4 px-4 py-4 text-sm sm:px-5">
      <span
        aria-hidden="true"
        className={`flex size-7 shrink-0 items-center justify-center rounded-full text-sm ${done ? "bg-good-wash text-good" : "bg-sunken text-soft"}`}
      >
        {done ? <Icon name="check" /> : n}
      </span>
      <div className="min-w-0 flex-1 space-y-2">
        <p className="pt-1 font-medium">
          {title}
          {done ? <span className="font-normal text-soft">: done. {said}</span> : null}
        </p>
        {done ? null : children}
      </div>
    </li>
  );
}
