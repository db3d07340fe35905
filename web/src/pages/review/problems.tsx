import type { WorkspaceDocument } from "../../api/client";
import type { FieldProblem } from "../../api/problem";
import { type Kind, keyOf, lists } from "../../draft/edits";
import { fieldText, kinds } from "../../draft/words";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";

/** What stands against publishing, each with the object to mend. */
export function Problems({ problems, document }: { problems: FieldProblem[]; document: WorkspaceDocument }) {
  const workspace = useWorkspace();
  if (problems.length === 0) return null;
  return (
    <Notice
      tone="bad"
      title={
        problems.length === 1
          ? "One thing stands against publishing."
          : `${problems.length} things stand against publishing.`
      }
    >
      <ul className="space-y-1.5">
        {problems.map((p) => {
          const place = placeOf(p.path, document);
          return (
            <li key={`${p.path} ${p.code}`}>
              {place ? (
                <>
                  {kinds[place.kind]}{" "}
                  <Link href={addressOf(workspace.path, place.kind, place.key)}>
                    {place.key.replace(" -> ", " → ")}
                  </Link>
                  {place.field ? `, ${fieldText(place.field)}` : ""}:{" "}
                </>
              ) : null}
              {p.text}
            </li>
          );
        })}
      </ul>
    </Notice>
  );
}

/** The object that a path such as destinations[2].settings.url is in. */
export function placeOf(
  path: string,
  document: WorkspaceDocument,
): { kind: Kind; key: string; field: string } | undefined {
  const [, list, index, field] = /^(\w+)\[(\d+)\]\.?(.*)$/.exec(path) ?? [];
  const kind = (Object.keys(lists) as Kind[]).find((k) => lists[k] === list);
  const o = kind && document[lists[kind]]?.[Number(index)];
  return kind && o ? { kind, key: keyOf(o), field: field ?? "" } : undefined;
}

/** Where an object's page is in its workspace. */
export function addressOf(path: (...parts: string[]) => string, kind: Kind, key: string): string {
  switch (kind) {
    case "source":
      return path("sources", key);
    case "destination":
      return path("destinations", key);
    case "connection":
      return path("connections", ...key.split(" -> "));
    case "transformation":
      return `${path("transformations")}?name=${encodeURIComponent(key)}`;
    case "consentCategory":
      return path("settings");
    case "model":
      return path("models", key);
    case "sync":
      return path("syncs", key);
    case "profile":
      return path("identity");
    default:
      return path("transformations");
  }
}
