import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Role, setRole } from "../../api/roles";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Check, Input, Select } from "../../parts/input";
import { keys } from "../../queries";
import { problemAt } from "../problem-at";
import { Trouble } from "../trouble";
import { groups, isCommon } from "./actions";

type Props = { role: Role | null; roles: readonly Role[]; onClose: () => void };

/** Makes a role of the organization's own, or gives one other actions. */
export function RoleForm({ role, roles, onClose }: Props) {
  const queries = useQueryClient();
  const [name, setName] = useState(role?.name ?? "");
  const [chosen, setChosen] = useState<string[]>(role?.actions.filter((a) => !isCommon(a)) ?? []);
  const save = useMutation({
    mutationFn: () => setRole(name.trim(), chosen),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.roles() });
      onClose();
    },
  });
  const from = (of: string) => {
    const found = roles.find((r) => r.name === of);
    if (found) setChosen(found.actions.filter((a) => !isCommon(a)));
  };
  return (
    <Dialog title={role ? `Role ${role.name}` : "New role"} onClose={onClose} wide>
      <form
        className="space-y-5"
        onSubmit={(e) => {
          e.preventDefault();
          save.mutate();
        }}
      >
        {role ? (
          <p className="text-soft">Whoever has the role may what it says from the moment it is saved.</p>
        ) : (
          <div className="grid gap-4 sm:grid-cols-2">
            <Input
              label="Name"
              value={name}
              onChange={(e) => setName(e.target.value)}
              {...problemAt(save.error, "name")}
            />
            <Select
              label="Begin with what another role may"
              value=""
              values={[{ value: "", title: "Nothing" }, ...roles.map((r) => ({ value: r.name, title: r.name }))]}
              onChange={from}
            />
          </div>
        )}
        <div className="grid gap-6 md:grid-cols-2">
          {groups.map((g) => (
            <fieldset key={g.title} className="space-y-2">
              <legend className="pb-1 font-medium">{g.title}</legend>
              {Object.entries(g.actions).map(([action, words]) => (
                <Check
                  key={action}
                  label={<span className="font-normal">{words}</span>}
                  checked={chosen.includes(action)}
                  onChange={(on) => setChosen(on ? [...chosen, action] : chosen.filter((a) => a !== action))}
                />
              ))}
            </fieldset>
          ))}
        </div>
        {save.error ? <Trouble error={save.error} /> : null}
        <div className="flex gap-2">
          <Button look="strong" type="submit" disabled={save.isPending || name.trim() === "" || chosen.length === 0}>
            Save the role
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
      <Command
        text={`weir role set ${name.trim() || "NAME"} ${chosen.join(" ")}`}
        name="the command that does the same"
      />
    </Dialog>
  );
}
