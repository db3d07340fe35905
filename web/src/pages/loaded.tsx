import type { ComponentProps, ReactNode } from "react";
import { Problem } from "../api/problem";
import { Page } from "../parts/page";
import { Waiting } from "../parts/waiting";
import { Denied } from "./denied";
import { PlaneTrouble } from "./plane-trouble";
import { Trouble } from "./trouble";

type Query<T> = { data: T | undefined; error: Error | null; isPending: boolean; refetch: () => unknown };

type Props<T> = {
  query: Query<T>;
  what: string;
  /** The page that stands around it while there is nothing yet, where children bring one of their own. */
  page?: Omit<ComponentProps<typeof Page>, "children">;
  /** Of what a plane tells: the line that shows the same in a terminal. */
  command?: string;
  children: (data: T) => ReactNode;
};

/** What a query gave, or why there is nothing yet: it is on its way, was refused, or failed. */
export function Loaded<T>({ query, what, page, command, children }: Props<T>) {
  const { data, error } = query;
  const again = () => void query.refetch();
  const instead = (
    <>
      {error instanceof Problem && error.status === 403 ? (
        <Denied error={error} what={what} />
      ) : error && command !== undefined ? (
        <PlaneTrouble error={error} command={command} onRetry={again} />
      ) : error ? (
        <Trouble error={error} onRetry={again} />
      ) : null}
      {data === undefined && query.isPending ? <Waiting what={what} /> : null}
    </>
  );
  return (
    <>
      {page && data === undefined ? <Page {...page}>{instead}</Page> : instead}
      {data === undefined ? null : children(data)}
    </>
  );
}
