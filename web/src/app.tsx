import { useQuery } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { type Me, me } from "./api/client";
import { newRouter } from "./frame/router";
import { Login } from "./pages/login/login";
import { Trouble } from "./pages/trouble";
import { Waiting } from "./parts/waiting";
import { keys } from "./queries";

const AcceptPage = lazy(() => import("./pages/invitation/accept-page").then((m) => ({ default: m.AcceptPage })));

const DevicePage = lazy(() => import("./pages/device/device-page").then((m) => ({ default: m.DevicePage })));

const ResetPage = lazy(() => import("./pages/account/reset-page").then((m) => ({ default: m.ResetPage })));

const retryEvery = 3000; // ms, while the control plane does not answer

/** The console: a login, then its pages. */
export function App() {
  const session = useQuery({
    queryKey: keys.me,
    queryFn: ({ signal }) => me(signal),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: (q) => (q.state.status === "error" ? retryEvery : false),
  });
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
  if (session.data) return <SignedIn me={session.data} />;
  if (session.data === null) return <Login />;
  return (
    <main className="mx-auto max-w-5xl px-4 py-16">
      <h1 className="sr-only">Weir</h1>
      {session.error ? (
        <Trouble error={session.error} onRetry={() => session.refetch()} />
      ) : (
        <Waiting what="the console" />
      )}
    </main>
  );
}

function SignedIn({ me: who }: { me: Me }) {
  const [router] = useState(() => newRouter(who));
  return <RouterProvider router={router} />;
}
