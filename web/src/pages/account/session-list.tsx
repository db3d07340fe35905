import { useMutation, useQueryClient } from "@tanstack/react-query";
import { endOtherSessions, endSession, type Session } from "../../api/account";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { agentText } from "./agent";

const ways: Record<Session["by"], string> = {
  password: "Password",
  code: "Password and one-time code",
  provider: "Identity provider",
};

/** Where the account is signed in, with a way to end each. */
export function SessionList({ sessions }: { sessions: Session[] }) {
  const queries = useQueryClient();
  const again = { onSettled: () => queries.invalidateQueries({ queryKey: keys.sessions }) };
  const end = useMutation({ mutationFn: endSession, ...again });
  const others = useMutation({ mutationFn: endOtherSessions, ...again });
  return (
    <>
      {end.error ? <Trouble error={end.error} /> : null}
      {others.error ? <Trouble error={others.error} /> : null}
      <Table
        label="Sessions"
        rows={sessions}
        keyOf={(s) => s.id}
        empty={<p className="text-sm text-soft">You are signed in by a token, and nowhere by a session.</p>}
        columns={[
          {
            title: "Program",
            cell: (s) => (
              <span className="flex flex-wrap items-center gap-2">
                <span className="font-medium" title={s.agent}>
                  {agentText(s.agent ?? "")}
                </span>
                {s.current ? <Badge tone="good">This one</Badge> : null}
              </span>
            ),
          },
          { title: "From", cell: (s) => <span className="break-all">{s.address || "–"}</span> },
          { title: "By", wide: true, cell: (s) => ways[s.by] },
          { title: "Since", wide: true, cell: (s) => <When at={s.createdAt} /> },
          { title: "Last seen", wide: true, cell: (s) => <When at={s.lastSeenAt} /> },
          {
            title: "",
            right: true,
            cell: (s) =>
              s.current ? null : (
                <Button onClick={() => end.mutate(s.id)} disabled={end.isPending}>
                  End
                  <span className="sr-only">
                    {" "}
                    the session of {agentText(s.agent ?? "")} from {s.address || "an unknown address"}
                  </span>
                </Button>
              ),
          },
        ]}
      />
      {sessions.some((s) => !s.current) ? (
        <Button onClick={() => others.mutate()} disabled={others.isPending}>
          End every other session
        </Button>
      ) : null}
    </>
  );
}
