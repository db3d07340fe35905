import type { Need } from "../../api/changes";
import { sentence } from "../../api/problem";
import { inOrganization, useHere } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";

/** Why a change needs another person. */
export function Needs({ needs }: { needs: readonly Need[] }) {
  const { organization } = useHere();
  if (needs.length === 0) return null;
  return (
    <Notice tone="warn" title="It needs another person.">
      <ul className="space-y-1">
        {needs.map((n) => (
          <li key={`${n.policy} ${n.text}`}>
            {sentence(n.text)}{" "}
            <span className="text-soft">
              Policy <Link href={inOrganization(organization, "policies", n.policy)}>{n.policy}</Link>
            </span>
          </li>
        ))}
      </ul>
    </Notice>
  );
}
