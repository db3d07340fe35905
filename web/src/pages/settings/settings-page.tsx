import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { WorkspaceDocument } from "../../api/client";
import { deleteWorkspace } from "../../api/tenants";
import { type Configured, useConfigured } from "../../draft/configured";
import { find } from "../../draft/edits";
import { asYaml } from "../../draft/yaml";
import { forget } from "../../frame/known";
import { inOrganization, useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Check, Input } from "../../parts/input";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Card, Section } from "../../parts/section";
import { keys } from "../../queries";
import { count, sum, useFlow } from "../flow";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { wrongName } from "../object/kinds";
import { Trouble } from "../trouble";

/** What concerns a workspace as a whole. */
export function SettingsPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Page title="Settings" of={workspace.name}>
      <dl className="grid max-w-2xl gap-x-6 gap-y-1.5 text-sm sm:grid-cols-[10rem_1fr]">
        <dt className="text-soft">Name</dt>
        <dd>{workspace.name}</dd>
        <dt className="text-soft">Region</dt>
        <dd>{workspace.region}; it never changes</dd>
        <dt className="text-soft">Gateway</dt>
        <dd className="font-mono text-[13px] break-all">{workspace.gatewayUrl || "none until a plane runs it"}</dd>
        <dt className="text-soft">Identifier</dt>
        <dd className="font-mono text-[13px] break-all">{workspace.id}</dd>
      </dl>
      <Loaded query={configured} what="the workspace">
        {(c) => (
          <>
            <Consent configured={c} />
            <Section title="As a file" hint="for version control and weir apply">
              <AsFile document={c.published} />
            </Section>
          </>
        )}
      </Loaded>
      {configured.isPending ? null : <Removing />}
    </Page>
  );
}

function Consent({ configured }: { configured: Configured }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const all = configured.document.consentCategories ?? [];
  const used = (category: string) =>
    (configured.document.connections ?? []).filter((c) => c.consent?.categories.includes(category));
  const bad =
    name === ""
      ? ""
      : wrongName(
          name,
          all.map((c) => c.name),
        );
  return (
    <Section title="Consent categories" hint="what users can consent to; connections require them">
      <Card>
        {all.length === 0 ? (
          <p className="px-4 py-3 text-sm text-soft">
            None yet. Name what your consent banner asks for, such as analytics or marketing.
          </p>
        ) : (
          <ul className="divide-y divide-line text-sm">
            {all.map((c) => (
              <li key={c.name} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5">
                <span className="font-medium">{c.name}</span>
                <Drafted configured={configured} kind="consentCategory" name={c.name} />
                <span className="text-soft">{c.description}</span>
                <span className="ml-auto flex items-center gap-3 text-soft">
                  {used(c.name).length > 0 ? `required by ${used(c.name).length} connections` : "not required yet"}
                  <Button
                    disabled={used(c.name).length > 0}
                    onClick={() =>
                      configured.edit(
                        "consentCategory",
                        c.name,
                        find(configured.published, "consentCategory", c.name) ?? null,
                        null,
                      )
                    }
                  >
                    Remove<span className="sr-only"> {c.name}</span>
                  </Button>
                </span>
              </li>
            ))}
          </ul>
        )}
        <form
          className="flex flex-wrap items-end gap-3 border-t border-line px-4 py-3"
          onSubmit={(e) => {
            e.preventDefault();
            if (name === "" || bad) return;
            configured.edit("consentCategory", name, null, { name, ...(description ? { description } : {}) });
            setName("");
            setDescription("");
          }}
        >
          <div className="min-w-40 flex-1">
            <Input
              label="Name"
              value={name}
              onChange={(e) => setName(e.target.value)}
              {...(bad ? { problem: bad } : {})}
            />
          </div>
          <div className="min-w-52 flex-2">
            <Input
              label="What users consent to"
              optional
              value={description}
              onChange={(e) => setDescription(e.target.value)}
            />
          </div>
          <Button look="strong" type="submit" disabled={name === "" || bad !== ""}>
            Add
          </Button>
        </form>
      </Card>
    </Section>
  );
}

/** The configuration as a file, which is only written when somebody looks: with many connections it takes a while. */
function AsFile({ document }: { document: WorkspaceDocument }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="rounded-xl border border-line" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary className="cursor-pointer px-4 py-3 text-sm font-medium">What is published, as YAML</summary>
      {open ? (
        <div className="border-t border-line p-4">
          <Command text={asYaml(document)} name={`${document.workspace} as YAML`} />
        </div>
      ) : null}
    </details>
  );
}

function Removing() {
  const workspace = useWorkspace();
  const { organization } = useHere();
  const queries = useQueryClient();
  const flow = useFlow(workspace.name);
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const [discard, setDiscard] = useState(false);
  const remove = useMutation({
    mutationFn: () => deleteWorkspace(workspace.name, workspace.number, discard),
    onSuccess: async () => {
      forget(workspace.name);
      await Promise.all([
        queries.invalidateQueries({ queryKey: keys.status() }),
        queries.invalidateQueries({ queryKey: keys.workspaces() }),
      ]);
      go(inOrganization(organization));
    },
  });
  const out = sum(flow.data, (r) => r.destination !== "", "routed");
  return (
    <Section title="Remove the workspace">
      <p className="text-sm text-soft">
        Its sources are refused from then on, and its plane forgets what it keeps for it.
      </p>
      <Button onClick={() => setAsking(true)}>Remove {workspace.name}…</Button>
      {asking ? (
        <Dialog title={`Remove workspace ${workspace.name}`} onClose={() => setAsking(false)}>
          <p>
            {flow.data
              ? `${count(out.parked + out.inFlight + out.staged)} deliveries wait at this moment, ${count(out.dead)} failed for good; they are discarded with it.`
              : "Its plane does not say what waits."}
          </p>
          <form
            className="space-y-4"
            onSubmit={(e) => {
              e.preventDefault();
              if (typed === workspace.name) remove.mutate();
            }}
          >
            <Check label="Also if deliveries wait" checked={discard} onChange={setDiscard} />
            <Input
              label={`Type ${workspace.name} to remove it`}
              value={typed}
              onChange={(e) => setTyped(e.target.value)}
            />
            {remove.error ? <Trouble error={remove.error} /> : null}
            <div className="flex gap-2">
              <Button look="danger" type="submit" disabled={typed !== workspace.name || remove.isPending}>
                Remove for good
              </Button>
              <Button onClick={() => setAsking(false)}>Keep it</Button>
            </div>
          </form>
        </Dialog>
      ) : null}
    </Section>
  );
}
