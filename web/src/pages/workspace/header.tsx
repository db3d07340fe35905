import { useMutation, useQueryClient } from "@tanstack/react-query";
import { logout, type Me, type Workspace } from "../../api/client";
import { forgetCapabilities } from "../../api/plane";
import { Button } from "../../parts/button";
import { Mark } from "../../parts/mark";
import { follow } from "../../parts/path";
import { keys } from "../../queries";
import { Trouble } from "../trouble";

/** The bar above every page: the workspaces, who is signed in, and the way out. */
export function Header({ me, workspaces, chosen }: { me: Me; workspaces: Workspace[]; chosen: string | undefined }) {
  const queries = useQueryClient();
  const leave = useMutation({
    mutationFn: logout,
    onSuccess: () => {
      forgetCapabilities();
      queries.removeQueries({ predicate: (q) => q.queryKey[0] !== keys.me[0] });
      queries.setQueryData(keys.me, null);
    },
  });
  return (
    <header className="border-b border-line bg-card">
      <div className="mx-auto flex max-w-5xl flex-wrap items-center gap-x-6 gap-y-2 px-4 py-3">
        <Mark />
        <nav
          aria-label="Workspaces"
          className="order-last flex w-full min-w-0 flex-wrap gap-1 sm:order-none sm:w-auto sm:flex-1"
        >
          {workspaces.map((w) => (
            <a
              key={w.id}
              href={`/workspaces/${encodeURIComponent(w.name)}`}
              onClick={follow}
              aria-current={w.name === chosen ? "page" : undefined}
              className="rounded-lg px-3 py-1.5 text-sm text-soft transition-colors hover:text-ink aria-[current=page]:bg-sunken aria-[current=page]:font-medium aria-[current=page]:text-ink"
            >
              {w.name}
            </a>
          ))}
        </nav>
        <div className="ml-auto flex min-w-0 items-center gap-3">
          <span className="truncate text-sm text-soft max-sm:sr-only">{me.email}</span>
          <Button onClick={() => leave.mutate()} disabled={leave.isPending}>
            Sign out
          </Button>
        </div>
      </div>
      {leave.error ? (
        <div className="mx-auto max-w-5xl px-4 pb-3">
          <Trouble error={leave.error} />
        </div>
      ) : null}
    </header>
  );
}
