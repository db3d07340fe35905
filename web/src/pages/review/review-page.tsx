import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { difference } from "../../api/drafts";
import { Problem } from "../../api/problem";
import { type Configured, useConfigured } from "../../draft/configured";
import { usePublish } from "../../draft/publish";
import { asYaml } from "../../draft/yaml";
import { changeAddress, useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Check, Input } from "../../parts/input";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Section } from "../../parts/section";
import { Tabs } from "../../parts/tabs";
import { Waiting } from "../../parts/waiting";
import { Needs } from "../changes/needs";
import { Loaded } from "../loaded";
import { quoted } from "../plane-trouble";
import { Trouble } from "../trouble";
import { Changes } from "./changes";
import { Clashes } from "./clashes";
import { Problems } from "./problems";

/** What publishing the draft would change, and the way to do it. */
export function ReviewPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Page
      title="Review"
      of={workspace.name}
      hint="What publishing changes. Until then nothing of it reaches a data plane."
    >
      <Loaded query={configured} what="the changes">
        {(c) => <Review configured={c} />}
      </Loaded>
    </Page>
  );
}

function Review({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const { organization } = useHere();
  const { draft, document, change, clear, etag } = configured;
  const [dropping, setDropping] = useState(false);
  const proposal = { document, discardParked: draft.discardParked };
  const diff = useQuery({
    queryKey: ["difference", workspace.id, etag, proposal],
    queryFn: ({ signal }) => difference(proposal, signal),
    enabled: draft.edits.length > 0,
    staleTime: 5000,
    placeholderData: keepPreviousData,
  });
  const publishing = usePublish(workspace.name);
  if (draft.edits.length === 0 && !publishing.isPending)
    return (
      <Empty title="There is nothing to publish.">
        <p>
          What you change on the pages of <Link href={workspace.path("sources")}>sources</Link>,{" "}
          <Link href={workspace.path("destinations")}>destinations</Link> and{" "}
          <Link href={workspace.path("connections")}>connections</Link> is gathered here first.
        </p>
      </Empty>
    );
  const problems = diff.data?.problems ?? [];
  const needs = diff.data?.needs ?? [];
  const waiting = problems.some((p) => p.code === "parked_deliveries" || p.code === "plane_away");
  const overtaken = publishing.error instanceof Problem && publishing.error.status === 412;
  const file = `${workspace.name}.yaml`;
  return (
    <div className="space-y-6">
      {overtaken ? (
        <Notice tone="warn" title="Somebody published meanwhile; nothing of yours is lost.">
          <p>{publishing.error?.message}</p>
          <p>Your changes are merged with that below. Look at them once more, then publish.</p>
        </Notice>
      ) : null}
      {publishing.error && !overtaken ? <Trouble error={publishing.error} /> : null}
      <Clashes configured={configured} />
      <Tabs
        label="How to show the changes"
        tabs={[
          {
            name: "Changes",
            panel: (
              <div className="space-y-4 pt-2">
                {diff.isPending ? <Waiting what="the difference" /> : null}
                {diff.error ? <Trouble error={diff.error} onRetry={() => diff.refetch()} /> : null}
                {diff.data ? <Changes changes={diff.data.changes} configured={configured} /> : null}
              </div>
            ),
          },
          {
            name: "As YAML",
            panel: (
              <div className="space-y-2 pt-2">
                <p className="text-sm text-soft">
                  The whole workspace as it would be, for a file under version control.
                </p>
                <Command text={asYaml(document)} name={`${workspace.name} as YAML`} />
              </div>
            ),
          },
          {
            name: "As command",
            panel: (
              <div className="space-y-2 pt-2">
                <p className="text-sm text-soft">
                  Save the YAML as {file}; secrets come from the variables that it names.
                </p>
                <Command text={`weir diff -f ${quoted(file)}`} name="the command that shows the same difference" />
                <Command
                  text={`weir apply -f ${quoted(file)}${draft.discardParked ? " --discard-parked" : ""}${draft.reason ? ` --message ${quoted(draft.reason)}` : ""}`}
                  name="the command that publishes the same"
                />
              </div>
            ),
          },
        ]}
      />
      <Problems problems={problems} document={document} />
      {waiting || draft.discardParked ? (
        <Check
          label="Remove them although deliveries wait"
          hint="What waits for them is discarded and cannot be brought back."
          checked={draft.discardParked}
          onChange={(discardParked) => change({ discardParked })}
        />
      ) : null}
      <Needs needs={needs} />
      <Section
        title={needs.length > 0 ? "Ask for approval" : "Publish"}
        {...(needs.length > 0
          ? { hint: "it waits on the page of changes, and runs once somebody else approved it" }
          : {})}
      >
        <form
          className="max-w-xl space-y-4"
          onSubmit={(e) => {
            e.preventDefault();
            publishing.mutate(configured, {
              onSuccess: ({ waits }) =>
                go(waits ? changeAddress(organization, workspace.name, waits.change) : workspace.path()),
            });
          }}
        >
          <Input
            label="Why"
            optional
            hint="Kept with the revision, for those who look at the history."
            value={draft.reason}
            maxLength={500}
            onChange={(e) => change({ reason: e.target.value })}
          />
          <div className="flex flex-wrap gap-2">
            <Button
              look="strong"
              type="submit"
              disabled={
                publishing.isPending || diff.isPending || diff.data?.changes.length === 0 || problems.length > 0
              }
            >
              {publishing.isPending ? "Publishing…" : needs.length > 0 ? "Ask for approval" : "Publish"}
            </Button>
            {dropping ? (
              <>
                <Button
                  onClick={() => {
                    clear();
                    setDropping(false);
                  }}
                >
                  Discard all changes for good
                </Button>
                <Button onClick={() => setDropping(false)}>Keep them</Button>
              </>
            ) : (
              <Button onClick={() => setDropping(true)}>Discard all…</Button>
            )}
          </div>
        </form>
      </Section>
    </div>
  );
}
