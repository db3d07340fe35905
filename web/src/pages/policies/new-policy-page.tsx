import { useState } from "react";
import type { Language } from "../../api/policies";
import { inOrganization, useHere } from "../../frame/place";
import { Input, Select } from "../../parts/input";
import { Page } from "../../parts/page";
import { go, putQuery, useQueryText } from "../../parts/path";
import { PolicyEditor } from "./policy-editor";

const example = `package policies.names

deny contains {"path": path, "message": "a destination's name begins with team-", "code": "bad_team"} if {
	some i, d in input.after.destinations
	not startswith(d.name, "team-")
	path := sprintf("destinations[%d].name", [i])
}
`;
const validName = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Makes a policy: rules by a form, or Rego. */
export function NewPolicyPage() {
  const { organization, role } = useHere();
  const language: Language = new URLSearchParams(useQueryText()).get("as") === "rego" ? "rego" : "rules";
  const [name, setName] = useState("");
  const bad = name !== "" && !validName.test(name);
  return (
    <Page title="New policy" up={{ href: inOrganization(organization, "policies"), title: "Policies" }}>
      <div className="grid max-w-2xl gap-4 sm:grid-cols-2">
        <Input
          label="Name"
          value={name}
          onChange={(e) => setName(e.target.value)}
          {...(bad
            ? { problem: "Lower-case letters, digits, - and _, 63 at most; the first is a letter or digit." }
            : {})}
        />
        <Select
          label="Written as"
          value={language}
          values={[
            { value: "rules", title: "Rules, by a form" },
            { value: "rego", title: "Rego" },
          ]}
          onChange={(l) => putQuery("as", l === "rego" ? "rego" : "")}
        />
      </div>
      <PolicyEditor
        key={language}
        name={bad ? "" : name}
        language={language}
        initial=""
        start={language === "rego" ? example : ""}
        enabled
        owner={role === "owner"}
        onSaved={() => go(inOrganization(organization, "policies", name))}
      />
    </Page>
  );
}
