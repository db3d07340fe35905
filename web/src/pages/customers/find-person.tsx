import { useState } from "react";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { fragment, go } from "../../parts/path";
import { Pick, pickLook } from "../profiles/pick";
import { useSet } from "../profiles/use-set";
import { plain } from "../profiles/words";

/** Finds a customer by any identifier, where a workspace has profiles. */
export function FindPerson() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return configured.data ? <Form configured={configured.data} /> : null;
}

function Form({ configured }: { configured: NonNullable<ReturnType<typeof useConfigured>["data"]> }) {
  const workspace = useWorkspace();
  const { profile, query } = useSet(configured);
  const types = profile?.entities.flatMap((e) => e.ids.map((t) => t.name)) ?? [];
  const [chosen, setChosen] = useState("");
  const [value, setValue] = useState("");
  const type = chosen || (types.includes("email") ? "email" : (types[0] ?? ""));
  if (!profile) return null;
  return (
    <search>
      <form
        className="flex flex-wrap items-center gap-2"
        onSubmit={(e) => {
          e.preventDefault();
          if (value.trim() !== "")
            go(`${workspace.path("customers", "find")}${query()}${fragment("id", `${type}:${value.trim()}`)}`);
        }}
      >
        <Pick
          label="Kind of identifier"
          value={type}
          values={types.map((t) => ({ value: t, title: plain(t) }))}
          onChange={setChosen}
        />
        <input
          type="search"
          aria-label="Find a customer"
          placeholder="Find a customer"
          value={value}
          onChange={(e) => setValue(e.target.value)}
          className={`${pickLook} w-72 max-sm:flex-1`}
        />
        <Button type="submit">Find</Button>
      </form>
    </search>
  );
}
