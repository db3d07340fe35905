import type { Plane, Workspace } from "../../api/client";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Section } from "../../parts/section";
import { PlaneCard } from "./plane-card";

/** All data planes, the one that runs the chosen workspace first. */
export function Planes({ planes, chosen, now }: { planes: Plane[]; chosen: Workspace | undefined; now: Date }) {
  if (planes.length === 0) {
    return (
      <Section title="Data planes">
        <Empty title="No data plane has joined yet, so nothing can carry events.">
          <p>Make an invitation, then run the line that it prints on the machine of the plane:</p>
          <Command
            text={`weir plane invite --region ${chosen?.region ?? "eu"}`}
            name="the command that invites a plane"
          />
        </Empty>
      </Section>
    );
  }
  const own = (p: Plane) => (p.id === chosen?.plane ? 0 : 1);
  return (
    <Section title="Data planes" hint="where events are carried, and nowhere else">
      <ul className="space-y-4">
        {[...planes]
          .sort((a, b) => own(a) - own(b))
          .map((p) => (
            <li key={p.id}>
              <PlaneCard plane={p} chosen={chosen} now={now} />
            </li>
          ))}
      </ul>
    </Section>
  );
}
