import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type ChangeRequest, changeRequest } from "../../api/changes";
import { statusAt } from "../../frame/known";
import { inOrganization, useHere } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { ChangeList } from "../review/change-list";
import { Decision } from "./decision";
import { Needs } from "./needs";
import { states } from "./states";

/** One commit that waits for another person: what it changes, why it waits, and the decision. */
export function ChangePage() {
  const { organization } = useHere();
  const { workspace = "", number = "" } = useParams({ strict: false });
  const one = useQuery({
    queryKey: keys.change(workspace, Number(number)),
    queryFn: ({ signal }) => changeRequest(workspace, Number(number), signal),
  });
  return (
    <Page
      title={`Change ${number}`}
      of={workspace}
      up={{ href: inOrganization(organization, "changes"), title: "Changes" }}
      beside={one.data ? <Badge tone={states[one.data.state].tone}>{states[one.data.state].word}</Badge> : null}
    >
      <Loaded query={one} what="the change">
        {(c) => (
          <>
            <Said change={c} />
            {c.state === "waiting" ? <Needs needs={c.needs} /> : null}
            <Section title="What it changes">
              <ChangeList changes={c.changes} before={c.before} after={c.after} />
            </Section>
            {c.state === "waiting" ? <Decision change={c} /> : null}
          </>
        )}
      </Loaded>
    </Page>
  );
}

/** Who asked for it, and what became of it. */
function Said({ change: c }: { change: ChangeRequest }) {
  const { organization } = useHere();
  const now = useQuery(statusAt({ organization, workspace: c.workspace }, useQueryClient()));
  const at = now.data?.workspaces.find((w) => w.name === c.workspace);
  const to = (...parts: string[]) => inOrganization(organization, "workspaces", c.workspace, ...parts);
  return (
    <>
      <p className="text-sm text-soft">
        {actorText(c.author)}, <When at={c.at} whole />, in {at ? <Link href={to()}>{c.workspace}</Link> : c.workspace}
        {now.data && !now.isPlaceholderData && !at ? ", which is not there yet" : ""}
        {c.base > 0 ? `, on revision ${c.base}` : ""}
        {c.reason ? `: ${c.reason}` : ""}
      </p>
      {c.state === "waiting" ? null : (
        <Notice
          tone={c.state === "approved" ? "calm" : "warn"}
          title={`${states[c.state].word} by ${actorText(c.decidedBy ?? "") || "its author"}${c.note ? `: ${c.note}` : ""}`}
        >
          <p>
            {c.decidedAt ? <When at={c.decidedAt} whole /> : null}
            {c.revision ? (
              <>
                {" "}
                It is <Link href={to("history", String(c.revision))}>revision {c.revision}</Link>.
              </>
            ) : null}
          </p>
        </Notice>
      )}
      {c.state === "waiting" && at && at.number > c.base ? (
        <Notice tone="warn" title="Somebody published since; this change cannot be approved any more.">
          <p>
            It was made on revision {c.base}, and revision {at.number} is there. Its author publishes it again, and what
            both changed is merged then.
          </p>
        </Notice>
      ) : null}
    </>
  );
}
