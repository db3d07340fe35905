import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { apply, status } from "../../api/client";
import { Problem } from "../../api/problem";
import { useFollowing } from "../../draft/publish";
import { inOrganization, useHere } from "../../frame/place";
import { useWorkspaces } from "../../frame/workspaces";
import { Button } from "../../parts/button";
import { Check, Input, Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { keys } from "../../queries";
import { Trouble } from "../trouble";

const form = /^[a-z][a-z0-9-]{0,62}$/;

/** Makes a workspace, with its first source. */
export function NewWorkspacePage() {
  const { all, organization } = useHere();
  const queries = useQueryClient();
  const regions = [...new Set(all.planes.map((p) => p.region))];
  const [name, setName] = useState("");
  const [region, setRegion] = useState(regions[0] ?? "");
  const [source, setSource] = useState(true);
  const following = useFollowing(name);
  const workspaces = useWorkspaces();
  const taken = (workspaces.data ?? []).some((w) => w.name === name);
  const wrong =
    name === ""
      ? ""
      : taken
        ? "There is one of this name already."
        : form.test(name)
          ? ""
          : "Use small letters, digits and dashes, a letter first.";
  const make = useMutation({
    mutationFn: async () => {
      const document = { workspace: name, region, ...(source ? { sources: [{ name: "web", type: "http" }] } : {}) };
      const began = Date.now();
      const number = await apply({ document, etag: '"0"' });
      queries.setQueryData(keys.status(organization, name), await status(undefined, name));
      void queries.invalidateQueries({ queryKey: keys.workspaces() });
      return { number, began };
    },
    onSuccess: ({ number, began }) => {
      following(number, began);
      go(inOrganization(organization, "workspaces", name));
    },
  });
  return (
    <Page title="New workspace" hint="A workspace holds sources, destinations and what lies between, in one region.">
      {regions.length === 0 ? (
        <Notice tone="warn" title="No data plane has joined yet, so no workspace can run.">
          <Link href="/planes?invite=1">Invite a data plane first</Link>
        </Notice>
      ) : null}
      <form
        className="max-w-md space-y-5"
        onSubmit={(e) => {
          e.preventDefault();
          make.mutate();
        }}
      >
        <Input
          label="Name"
          hint="Such as shop, or shop-staging."
          value={name}
          onChange={(e) => setName(e.target.value)}
          {...(wrong ? { problem: wrong } : {})}
        />
        <Select
          label="Region"
          hint="Where its events are carried and kept. It never changes."
          value={region}
          values={regions.map((r) => ({ value: r, title: r }))}
          onChange={setRegion}
        />
        <Check
          label="Begin with a source named web"
          hint="It takes events of servers, apps and websites."
          checked={source}
          onChange={setSource}
        />
        {make.error ? <Failed error={make.error} /> : null}
        <Button look="strong" type="submit" disabled={name === "" || wrong !== "" || region === "" || make.isPending}>
          {make.isPending ? "Making it…" : "Make the workspace"}
        </Button>
      </form>
    </Page>
  );
}

function Failed({ error }: { error: Error }) {
  return (
    <>
      <Trouble error={error} />
      {error instanceof Problem
        ? error.fields.map((f) => (
            <p key={`${f.path} ${f.code}`} className="text-sm text-bad">
              {f.text}
            </p>
          ))
        : null}
    </>
  );
}
