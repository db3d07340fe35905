import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { me } from "./api/client";
import { askAhead } from "./frame/ahead";
import { expectSession, sessionExpected } from "./frame/known";
import { Login } from "./pages/login/login";
import { Renewed } from "./pages/renewed";
import { Trouble } from "./pages/trouble";
import { Waiting } from "./parts/waiting";
import { keys } from "./queries";

const signedIn = import("./frame/signed-in") // on its way while the control plane says who it is
  .then((m) => ({ default: m.SignedIn }))
  .catch(() => ({ default: Alone }));

const SignedIn = lazy(() => signedIn);

const AcceptPage = lazy(() => import("./pages/invitation/accept-page").then((m) => ({ default: m.AcceptPage })));

const DevicePage = lazy(() => import("./pages/device/device-page").then((m) => ({ default: m.DevicePage })));

const ResetPage = lazy(() => import("./pages/account/reset-page").then((m) => ({ default: m.ResetPage })));

const retryEvery = 3000; // ms, while the control plane does not answer

/** The console: a login, then its pages. */
export function App() {
  const queries = useQueryClient();
  useState(() => sessionExpected() && askAhead(queries, location.pathname));
  const session = useQuery({
    queryKey: keys.me,
    queryFn: ({ signal }) => me(signal),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: (q) => (q.state.status === "error" ? retryEvery : false),
  });
  useEffect(() => {
    if (session.data !== undefined) expectSession(session.data !== null);
  }, [session.data]);
  if (location.pathname === "/invitations/accept")
    return (
      <Suspense fallback={null}>
        <AcceptPage />
      </Suspense>
    );
  if (location.pathname === "/password/reset")
    return (
      <Suspense fallback={null}>
        <ResetPage />
      </Suspense>
    );
  if (session.data && location.pathname === "/device")
    return (
      <Suspense fallback={null}>
        <DevicePage email={session.data.email} />
      </Suspense>
    );
  if (session.data)
    return (
      <Suspense fallback={<Begins />}>
        <SignedIn me={session.data} />
      </Suspense>
    );
  if (session.data === null) return <Login />;
  if (!session.error) return <Begins />;
  return (
    <main className="mx-auto max-w-5xl px-4 py-16">
      <h1 className="sr-only">Weir</h1>
      <Trouble error={session.error} onRetry={() => session.refetch()} />
    </main>
  );
}

function Alone() {
  return (
    <main className="mx-auto max-w-5xl px-4 py-16">
      <Renewed />
    </main>
  );
}

function Begins() {
  return (
    <main className="mx-auto max-w-5xl px-4 py-16">
      <h1 className="sr-only">Weir</h1>
      <Waiting what="the console" />
    </main>
  );
}
