import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Member, setRole } from "../../api/tenants";
import { inOrganization, useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import { roleHint, useRoleChoices } from "../members/roles";
import { Trouble } from "../trouble";

/** Gives a member a role on one object alone. */
export function Giving({ kind, id, members }: { kind: string; id: string; members: readonly Member[] }) {
  const { organization } = useHere();
  const workspace = useWorkspace();
  const queries = useQueryClient();
  const roles = useRoleChoices();
  const [chosen, setChosen] = useState("");
  const [role, setTheRole] = useState("editor");
  const give = useMutation({
    mutationFn: () => setRole(chosen, role, workspace.name, id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.members() });
      setChosen("");
    },
  });
  return (
    <Section title={`Give a role on this ${kind} alone`}>
      <form
        className="grid max-w-2xl gap-4 sm:grid-cols-2"
        onSubmit={(e) => {
          e.preventDefault();
          if (chosen !== "") give.mutate();
        }}
      >
        <Select
          label="Member"
          value={chosen}
          values={[
            { value: "", title: "Choose…" },
            ...members.map((m) => ({ value: m.id, title: m.kind === "service" ? `${m.name} (service)` : m.name })),
          ]}
          onChange={setChosen}
        />
        <Select label="Role" value={role} values={roles} hint={roleHint(role)} onChange={setTheRole} />
        <div className="space-y-3 sm:col-span-2">
          {give.error ? <Trouble error={give.error} /> : null}
          <Button look="strong" type="submit" disabled={chosen === "" || give.isPending}>
            Give the role
          </Button>
          <p className="text-sm text-soft">
            Somebody who is not a member yet is invited on the page of{" "}
            <Link href={inOrganization(organization, "members")}>members</Link>.
          </p>
        </div>
      </form>
    </Section>
  );
}
