import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changePull, type Pull, pulls } from "../../api/pulls";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Input } from "../../parts/input";
import { Card } from "../../parts/section";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { Act } from "../object/act";
import { State } from "../object/state";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { Behind } from "./behind";
import { Fact } from "./fact";

type Props = { workspace: string; source: string };

/** The streams of a pulled source: how far each is, what holds it up, and what may be done to it. */
export function Streams({ workspace, source }: Props) {
  const all = useQuery({
    queryKey: keys.pulls(workspace),
    queryFn: ({ signal }) => pulls(workspace, signal),
    refetchInterval: 3000,
  });
  if (all.isPending) return <Waiting what="its streams" />;
  if (all.error)
    return (
      <PlaneTrouble
        error={all.error}
        what="its streams"
        command={`weir pull status --workspace ${quoted(workspace)}`}
        onRetry={() => all.refetch()}
      />
    );
  const mine = all.data.filter((p) => p.source === source);
  if (mine.length === 0)
    return (
      <Empty title="Its plane does not pull it yet.">
        <p>It begins a moment after the source is published.</p>
      </Empty>
    );
  return (
    <ul aria-label={`Streams of ${source}`} className="space-y-3">
      {mine.map((p) => (
        <li key={p.stream}>
          <Card>
            <Stream workspace={workspace} pull={p} />
          </Card>
        </li>
      ))}
    </ul>
  );
}

function Stream({ workspace, pull: p }: { workspace: string; pull: Pull }) {
  const [asking, setAsking] = useState<"" | "reset" | "backfill">("");
  const changed = keys.pulls(workspace);
  return (
    <div className="space-y-3 px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-3">
        <h2 className="font-medium">{p.stream}</h2>
        <State state={p.state} code={p.code} />
        <div className="ml-auto flex flex-wrap gap-2">
          <Act
            label="Pull now"
            of={p.stream}
            act={() => changePull(workspace, "run", p)}
            changed={changed}
            command={`weir pull run ${quoted(p.source)} ${quoted(p.stream)} --workspace ${quoted(workspace)}`}
          />
          <Act
            label={p.state === "paused" ? "Resume" : "Pause"}
            of={p.stream}
            act={() => changePull(workspace, p.state === "paused" ? "resume" : "pause", p)}
            command={`weir pull ${p.state === "paused" ? "resume" : "pause"} ${quoted(p.source)} ${quoted(p.stream)} --workspace ${quoted(workspace)}`}
            changed={changed}
          />
          <Button onClick={() => setAsking("backfill")}>
            Backfill… <span className="sr-only">{p.stream}</span>
          </Button>
          <Button onClick={() => setAsking("reset")}>
            Reset… <span className="sr-only">{p.stream}</span>
          </Button>
        </div>
      </div>
      {p.detail ? <p className="break-words text-bad">{p.detail}</p> : null}
      {p.done !== null && p.state === "running" ? (
        <div className="flex items-center gap-3">
          <progress aria-label={`How far ${p.stream} is`} value={p.done} max={1} className="h-2 flex-1 accent-accent" />
          <span className="tabular-nums text-soft">{Math.floor(p.done * 100)} %</span>
        </div>
      ) : null}
      <dl className="grid gap-x-6 gap-y-1 sm:grid-cols-2 lg:grid-cols-4">
        <Fact title="Rows" text={count(p.rows)} />
        <Fact title="Deleted" text={p.deletes === "unseen" ? "not seen here" : count(p.deleted ?? 0)} />
        <div>
          <dt className="text-xs text-soft">Read up to</dt>
          <dd>{moment(p.at || p.to)}</dd>
        </div>
        <div>
          <dt className="text-xs text-soft">Last window</dt>
          <dd>
            {p.from || p.to ? (
              <>
                {moment(p.from)} to {moment(p.to)}
              </>
            ) : (
              "–"
            )}
          </dd>
        </div>
        {p.behind ? <Behind behind={p.behind} /> : null}
        <div>
          <dt className="text-xs text-soft">Last read</dt>
          <dd>{p.ended ? <When at={p.ended} /> : "–"}</dd>
        </div>
        <div>
          <dt className="text-xs text-soft">Next</dt>
          <dd>{p.next ? <When at={p.next} whole /> : "–"}</dd>
        </div>
      </dl>
      {asking === "" ? null : <Asking workspace={workspace} pull={p} verb={asking} onClose={() => setAsking("")} />}
    </div>
  );
}

/** A time of a cursor; a cursor of another form stands for itself. */
function moment(at: string | undefined) {
  if (!at) return "the beginning";
  return Number.isNaN(Date.parse(at)) ? at : <When at={at} whole />;
}

function Asking({
  workspace,
  pull: p,
  verb,
  onClose,
}: {
  workspace: string;
  pull: Pull;
  verb: "reset" | "backfill";
  onClose: () => void;
}) {
  const [day, setDay] = useState("");
  const act = async () => {
    await changePull(workspace, verb, p, verb === "backfill" ? `${day}T00:00:00Z` : undefined);
    onClose();
  };
  const label = verb === "reset" ? "Begin anew" : "Read again";
  return (
    <Dialog title={verb === "reset" ? `Reset ${p.stream}` : `Backfill ${p.stream}`} onClose={onClose}>
      <p>
        {verb === "reset"
          ? `It begins anew, as if it had never been pulled. It has ${count(p.rows)} rows now; those that come again replace what warehouses have of them.`
          : "Rows that changed since a day are read again. Those that come again replace what warehouses have of them."}
      </p>
      <form className="space-y-4" onSubmit={(e: FormEvent) => e.preventDefault()}>
        {verb === "backfill" ? (
          <Input label="Since" type="date" value={day} onChange={(e) => setDay(e.target.value)} />
        ) : null}
        <div className="flex items-start gap-2">
          {verb === "backfill" && day === "" ? (
            <Button look="strong" disabled>
              {label}
            </Button>
          ) : (
            <Act
              look={verb === "reset" ? "danger" : "strong"}
              label={label}
              of={p.stream}
              act={act}
              command={`weir pull ${verb} ${quoted(p.source)} ${quoted(p.stream)}${verb === "backfill" ? ` --from ${day}` : ""} --workspace ${quoted(workspace)}`}
              changed={keys.pulls(workspace)}
            />
          )}
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Dialog>
  );
}
