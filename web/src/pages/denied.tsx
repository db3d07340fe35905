import { useQuery } from "@tanstack/react-query";
import { useContext } from "react";
import { Problem } from "../api/problem";
import { roles } from "../api/roles";
import { HereContext, inOrganization } from "../frame/place";
import { Link } from "../parts/link";
import { Notice } from "../parts/notice";
import { keys } from "../queries";
import { actionWords } from "./roles/actions";

/** Whether an error says that the caller's roles do not allow something; a wrong password is refused as well, and no such thing. */
export function isDenied(error: Error): error is Problem {
  return error instanceof Problem && error.status === 403 && (error.ofPlane || missing(error) !== "");
}

/** The action that a refusal names, such as token:read; "" where it names none. */
function missing(error: Problem): string {
  return /(?:does not allow |do not have |^)([a-z]+(?::[a-z_-]+)+)/i.exec(error.message)?.[1]?.toLowerCase() ?? "";
}

const anyOf = new Intl.ListFormat("en", { type: "disjunction" });

/** That somebody may not see or do something: what it takes, which roles have that, and whom to ask. */
export function Denied({ error, what }: { error: Problem; what?: string | undefined }) {
  const here = useContext(HereContext);
  const action = missing(error);
  const all = useQuery({
    queryKey: keys.roles(),
    queryFn: ({ signal }) => roles(signal),
    enabled: here !== null && action !== "",
    staleTime: 60_000, // ms
    retryOnMount: false, // the page of roles asks for the same
  });
  const able = (all.data ?? []).filter((r) => r.actions.includes(action)).map((r) => r.name);
  const words = actionWords(action);
  return (
    <Notice tone={what ? "calm" : "bad"} title={what ? `You may not see ${what}.` : "You may not do this."}>
      <p>{error.message}</p>
      {words !== action ? (
        <p>
          It takes a role that may “{words}”{able.length > 0 ? `, such as ${anyOf.format(able)}` : ""}.
        </p>
      ) : null}
      <p>
        An owner or admin of the organization can give you such a role
        {here ? (
          <>
            ; who they are stands under <Link href={inOrganization(here.organization, "members")}>Members</Link>.
          </>
        ) : (
          "."
        )}
      </p>
    </Notice>
  );
}
