import { Empty } from "../../parts/empty";

/** Says that there are no profiles yet, which features and audiences belong to. */
export function NoProfiles() {
  return (
    <Empty title="No profiles yet.">
      <p>Profiles make one row for each customer out of ids, e-mails and devices. Add them to the workspace's file.</p>
    </Empty>
  );
}
