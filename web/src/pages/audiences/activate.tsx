import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { go } from "../../parts/path";
import { freeName } from "../object/kinds";
import type { Profile } from "../profiles/use-set";

type Props = { configured: Configured; profile: Profile; audience: string };

/** Leads to a new sync of an audience, with the model that it reads; a model that is not there is drafted. */
export function Activate({ configured, profile, audience }: Props) {
  const workspace = useWorkspace();
  const activate = () => {
    const models = configured.document.models ?? [];
    const there = models.find((m) => m.warehouse === profile.warehouse && m.audience === audience);
    const name =
      there?.name ??
      freeName(
        audience,
        models.map((m) => m.name),
      );
    if (!there) configured.edit("model", name, null, { name, warehouse: profile.warehouse, key: "weir_id", audience });
    go(`${workspace.path("syncs", "new")}?model=${encodeURIComponent(name)}&after=profiles`);
  };
  return (
    <Button look="strong" onClick={activate}>
      <Icon name="sync" />
      Activate
    </Button>
  );
}
