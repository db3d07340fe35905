import { useState } from "react";
import type { Held } from "../../api/events";
import { Code, pretty } from "../../parts/code";
import { Command } from "../../parts/command";
import { Card } from "../../parts/section";
import { ago } from "../../parts/time";
import { quoted } from "../plane-trouble";
import { reason } from "./reasons";

/** Events that a plane keeps, each with the reason; redrive is the workspace where they can be sent again. */
export function HeldList({ items, redrive }: { items: Held[]; redrive: string | undefined }) {
  const now = new Date();
  return (
    <Card>
      <ul aria-label="Events that are kept" className="divide-y divide-line">
        {items.map((h) => (
          <HeldEvent key={h.place} held={h} now={now} redrive={redrive} />
        ))}
      </ul>
    </Card>
  );
}

function HeldEvent({ held: h, now, redrive }: { held: Held; now: Date; redrive: string | undefined }) {
  const [open, setOpen] = useState(false);
  const words = h.code === "" ? "no reason is given" : reason(h.code);
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="w-full space-y-1 px-4 py-3 text-left text-sm hover:bg-sunken"
      >
        <span className="flex flex-wrap gap-x-3">
          <span className="font-medium">
            {h.source}
            {h.destination === "" ? "" : ` → ${h.destination}`}
          </span>
          <span>{words.charAt(0).toUpperCase() + words.slice(1)}</span>
          <time dateTime={h.at} className="ml-auto text-soft">
            {ago(new Date(h.at), now)}
          </time>
        </span>
        {h.detail === "" ? null : <span className="block break-words text-soft">{h.detail}</span>}
      </button>
      {open ? (
        <div className="space-y-2 px-4 pb-3 text-sm">
          <p className="font-mono text-xs break-all text-soft">
            {h.messageId} · {h.code}
            {h.status ? ` · status ${h.status}` : ""}
          </p>
          <Code text={pretty(h.event)} name={`Event ${h.messageId}`} />
          {redrive ? (
            <Command
              text={`weir dlq redrive --workspace ${quoted(redrive)} --destination ${quoted(h.destination)} --place ${h.place}`}
              name={`the command that sends ${h.messageId} again`}
            />
          ) : null}
        </div>
      ) : null}
    </li>
  );
}
