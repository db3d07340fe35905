import { lazy, Suspense, useEffect } from "react";
import { failedSignIn } from "../pages/login/failures";
import { FirstWorkspace } from "../pages/workspace/first-workspace";
import { Link } from "../parts/link";
import { Page } from "../parts/page";
import { Waiting } from "../parts/waiting";
import { remembered } from "./known";
import { inOrganization, useHere } from "./place";

const FailedPage = lazy(() => import("../pages/sign-in/failed-page").then((m) => ({ default: m.FailedPage })));

/** The first page of an organization: the workspace that one was in last, or how to make one. */
export function First() {
  const { all, organization } = useHere();
  const failed = failedSignIn();
  const to = remembered(organization) ?? all.workspaces[0]?.name;
  useEffect(() => {
    if (to === undefined || failed) return;
    history.replaceState(null, "", inOrganization(organization, "workspaces", to));
    dispatchEvent(new Event("weir:moved"));
  }, [to, organization, failed]);
  if (failed)
    return (
      <Suspense fallback={null}>
        <FailedPage problem={failed} />
      </Suspense>
    );
  if (to !== undefined || all.next) return <Waiting what="the workspaces" />;
  return (
    <Page
      title="Make your first workspace"
      hint="A workspace holds sources, destinations and what lies between, in one region."
      actions={
        <Link href={inOrganization(organization, "new-workspace")} look="strong">
          New workspace
        </Link>
      }
    >
      <FirstWorkspace planes={all.planes} />
    </Page>
  );
}
