import { stringify } from "yaml";
import type { Objects } from "../../draft/edits";
import { quoted } from "../plane-trouble";

const end = "END";

/** The lines that show in a terminal what a destination would be sent for some events. Secrets are not among its settings. */
export function previewCommand(
  d: Pick<Objects["destination"], "type" | "spec" | "settings">,
  events: unknown[],
): string {
  const file = (name: string, text: string) => `cat > ${name} <<'${end}'\n${text.trimEnd()}\n${end}`;
  const lines = events.map((e) => JSON.stringify(e)).join("\n");
  return [
    file("settings.yaml", stringify({ settings: d.settings ?? {} })),
    ...(d.spec ? [file("spec.yaml", d.spec)] : []),
    `weir preview destination ${quoted(d.type)} --settings settings.yaml${d.spec ? " --spec spec.yaml" : ""} <<'${end}'`,
    lines,
    end,
  ].join("\n");
}
