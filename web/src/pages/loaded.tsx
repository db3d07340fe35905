import type { ReactNode } from "react";
import { Problem } from "../api/problem";
import { Notice } from "../parts/notice";
import { Waiting } from "../parts/waiting";
import { Trouble } from "./trouble";

type Query<T> = { data: T | undefined; error: Error | null; isPending: boolean; refetch: () => unknown };

/** What a query gave, or why there is nothing yet: it is on its way, was refused, or failed. */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  query: Query<T>;
  what: string;
  children: (data: T) => ReactNode;
}) {
  const { data, error } = query;
  return (
    <>
      {error ? (
        isForbidden(error) ? (
          <Forbidden what={what} text={error.message} />
        ) : (
          <Trouble error={error} onRetry={() => query.refetch()} />
        )
      ) : null}
      {data === undefined && query.isPending ? <Waiting what={what} /> : null}
      {data === undefined ? null : children(data)}
    </>
  );
}

function isForbidden(e: Error): boolean {
  return e instanceof Problem && e.status === 403;
}

function Forbidden({ what, text }: { what: string; text: string }) {
  return (
    <Notice tone="calm" title={`You may not see ${what}.`}>
      <p>{text}</p>
      <p>An owner or admin of the organization can give you a role that may, on the page of members.</p>
    </Notice>
  );
}
