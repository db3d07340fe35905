import { useState } from "react";
import type { Source } from "../../api/client";
import { Command } from "../../parts/command";
import { Masked, mask } from "../../parts/masked";
import { Card } from "../../parts/section";
import { Tabs } from "../../parts/tabs";
import { snippets } from "../workspace/snippets";

/** A source with its write key and how to send it a first event. */
export function SourceSetup({ source, gateway }: { source: Source; gateway: string }) {
  const [revealed, setRevealed] = useState(false);
  const shown = (text: string) => (revealed ? text : text.replaceAll(source.writeKey, mask(source.writeKey)));
  return (
    <Card>
      <div className="space-y-4 p-4 sm:p-5">
        <dl className="grid gap-x-6 gap-y-3 text-sm sm:grid-cols-[auto_1fr] sm:items-center">
          <dt className="text-soft">Write key</dt>
          <dd>
            <Masked
              value={source.writeKey}
              name={`write key of ${source.name}`}
              revealed={revealed}
              onReveal={setRevealed}
            />
          </dd>
          <dt className="text-soft">Gateway</dt>
          <dd className="font-mono text-[13px] break-all">{gateway || "none until a plane runs this workspace"}</dd>
        </dl>
      </div>
      {gateway ? (
        <div className="border-t border-line px-4 pt-3 pb-4 sm:px-5 sm:pb-5">
          <Tabs
            label={source.type === "webhook" ? `Where to call ${source.name}` : `Send an event to ${source.name}`}
            tabs={snippets(gateway, source.writeKey, source.type).map((s) => ({
              name: s.name,
              panel: <Command text={s.text} shown={shown(s.text)} name={`${s.name} example for ${source.name}`} />,
            }))}
          />
        </div>
      ) : null}
    </Card>
  );
}
