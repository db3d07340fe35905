import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";

/** Says that there are no profiles yet, which features and audiences belong to. */
export function NoProfiles() {
  const workspace = useWorkspace();
  return (
    <Empty title="No profiles yet.">
      <p>
        Profiles make one row for each customer out of ids, e-mails and devices. They say first how a customer is
        recognized.
      </p>
      <Link href={workspace.path("identity")} look="strong">
        Set up identity
      </Link>
    </Empty>
  );
}
