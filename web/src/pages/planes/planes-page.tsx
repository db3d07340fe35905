import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { invitePlane } from "../../api/tenants";
import { useHere } from "../../frame/place";
import { useWholeStatus } from "../../frame/workspaces";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Input, Select } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { putQuery, useQueryText } from "../../parts/path";
import { Spinner } from "../../parts/spinner";
import { When } from "../../parts/when";
import { Trouble } from "../trouble";
import { PlaneCard } from "./plane-card";

/** The data planes: how each is, what it runs, and how another one joins. */
export function PlanesPage() {
  const { all } = useHere();
  const named = useWholeStatus(all.planes.some((p) => p.alarms.some((a) => (a.objects ?? []).length > 0)));
  const inviting = new URLSearchParams(useQueryText()).has("invite");
  const invite = (
    <Button look="strong" onClick={() => putQuery("invite", "1")}>
      <Icon name="plus" />
      Invite a plane
    </Button>
  );
  return (
    <Page title="Data planes" of="Installation" hint="Where events are carried, and nowhere else." actions={invite}>
      {all.planes.length === 0 ? (
        <Empty title="No data plane has joined yet, so nothing can carry events.">
          <p>Make an invitation, then run the line that it shows on the machine of the plane.</p>
          <Command text="weir plane invite --region eu" name="the command that invites a plane" />
        </Empty>
      ) : (
        <ul className="space-y-4">
          {all.planes.map((p) => (
            <li key={p.id}>
              <PlaneCard plane={p} workspaces={named.data?.workspaces ?? []} now={new Date()} />
            </li>
          ))}
        </ul>
      )}
      {inviting ? <Inviting onClose={() => putQuery("invite", "")} /> : null}
    </Page>
  );
}

function Inviting({ onClose }: { onClose: () => void }) {
  const { all } = useHere();
  const [region, setRegion] = useState(all.planes[0]?.region ?? "eu");
  const [kind, setKind] = useState<"regional" | "private">("regional");
  const [name, setName] = useState("");
  const [before] = useState(() => new Set(all.planes.map((p) => p.id)));
  const make = useMutation({ mutationFn: () => invitePlane(region.trim(), kind) });
  const joined = all.planes.find((p) => !before.has(p.id));
  const given = name.trim() || `${region.trim()}-1`;
  return (
    <Dialog title="Invite a data plane" onClose={onClose} wide>
      {make.data ? (
        <div className="space-y-4">
          <p>
            Run this on the machine of the plane. It makes the plane's keys there and is good once, until{" "}
            <When at={make.data.expiresAt} whole />.
          </p>
          <Command
            text={`weir dataplane join --token ${make.data.token} --control ${location.origin} --name ${given} --data-dir /var/lib/weir`}
            name="the command that joins the plane"
          />
          <p>Then start it:</p>
          <Command text="weir dataplane --data-dir /var/lib/weir" name="the command that starts the plane" />
          {joined ? (
            <Notice tone="calm" title={`${joined.name} has joined.`}>
              <p>
                Compare its identity with the one that its machine shows:{" "}
                <span className="font-mono break-all">{joined.fingerprint}</span>
              </p>
            </Notice>
          ) : (
            <p role="status" className="flex items-center gap-2 text-soft">
              <Spinner /> Waiting for it to join
            </p>
          )}
          <Button onClick={onClose}>{joined ? "Done" : "Close"}</Button>
        </div>
      ) : (
        <form
          className="space-y-4"
          onSubmit={(e) => {
            e.preventDefault();
            make.mutate();
          }}
        >
          <Input
            label="Region"
            hint="Where it stands, such as eu. Workspaces of the region can run on it."
            value={region}
            onChange={(e) => setRegion(e.target.value)}
          />
          <Input label="Name" optional placeholder={given} value={name} onChange={(e) => setName(e.target.value)} />
          <Select
            label="Kind"
            value={kind}
            values={[
              { value: "regional", title: "Regional: for every organization" },
              { value: "private", title: "Private: for one organization" },
            ]}
            onChange={(v) => setKind(v === "private" ? "private" : "regional")}
          />
          {make.error ? <Trouble error={make.error} /> : null}
          <div className="flex gap-2">
            <Button look="strong" type="submit" disabled={make.isPending || region.trim() === ""}>
              Make the invitation
            </Button>
            <Button onClick={onClose}>Cancel</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
