import { Choice } from "../../parts/choice";
import { putQuery } from "../../parts/path";
import type { Profile } from "./use-set";

/** Which profiles a page is about, where a workspace has several. */
export function SetChoice({ all, profile }: { all: Profile[]; profile: Profile }) {
  if (all.length < 2) return null;
  return (
    <div className="max-w-60">
      <Choice
        label="Profiles"
        value={profile.name}
        values={all.map((p) => p.name)}
        onChange={(v) => putQuery("of", v)}
      />
    </div>
  );
}
