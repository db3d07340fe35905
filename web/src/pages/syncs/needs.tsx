import { actOn, type Sync } from "../../api/syncs";
import { Notice } from "../../parts/notice";
import { keys } from "../../queries";
import { count } from "../flow";
import { Act } from "../object/act";
import { quoted } from "../plane-trouble";

/** What a held, failed or half refused sync needs, with the buttons for it. */
export function Needs({ workspace, sync }: { workspace: string; sync: Sync }) {
  const run = sync.run;
  const changed = keys.syncs(workspace);
  const approve = `weir sync approve ${quoted(sync.name)} --workspace ${quoted(workspace)}`;
  if (!run) return null;
  if (run.code === "sync_removals")
    return (
      <Notice
        tone="warn"
        title={`It would remove ${count(run.removed)} records, more than a fifth, and sends nothing.`}
      >
        <p>Look at what the model gives now. If these rows are meant to go, agree to it.</p>
        <Act
          look="danger"
          label={`Remove ${count(run.removed)} records`}
          of={`by ${sync.name}`}
          act={() => actOn(workspace, sync.name, "approve")}
          command={approve}
          changed={changed}
        />
      </Notice>
    );
  if (run.code === "sync_mapping")
    return (
      <Notice tone="warn" title="Which column goes into which field has changed, and it sends nothing.">
        <p>Say what the destination has of the rows that were sent before.</p>
        <div className="flex flex-wrap gap-2">
          <Act
            label="Send all rows again"
            of={`by ${sync.name}`}
            act={() => actOn(workspace, sync.name, "approve", { mapping: "resend" })}
            command={`${approve} --mapping resend`}
            changed={changed}
          />
          <Act
            label="Take them as sent"
            of={`by ${sync.name}`}
            act={() => actOn(workspace, sync.name, "approve", { mapping: "assume" })}
            command={`${approve} --mapping assume`}
            changed={changed}
          />
        </div>
      </Notice>
    );
  const texts: Record<string, string> = {
    sync_model: "The warehouse refuses the model, or a column of the sync.",
    sync_gone: "The model, its warehouse or the destination is not there, or disabled.",
    sync_unexplained: "Not all rows of the run are accounted for; the next run compares anew.",
  };
  if (sync.state === "failed" || texts[run.code])
    return (
      <Notice tone="bad" title={texts[run.code] ?? "Its last run failed; it is tried again by itself."}>
        {sync.detail ? <p className="break-words">{sync.detail}</p> : null}
      </Notice>
    );
  if (run.invalid > 0)
    return (
      <Notice tone="warn" title={`${count(run.invalid)} rows of the model have no key, or one that others have.`}>
        <p>They are not sent. Mend the model so that its key names one row each.</p>
      </Notice>
    );
  return null;
}
