import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Configured, useConfigured } from "../../draft/configured";
import { find, type Objects } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Loaded } from "../loaded";

/** The page above one, which lists all of its kind. */
export type Up = { href: string; title: string };

type Paged = "source" | "destination" | "model" | "sync";

type Props<K extends Paged> = {
  kind: K;
  /** The page of a new one, where the address names none. */
  fresh?: (configured: Configured, up: Up) => ReactNode;
  children: (configured: Configured, object: Objects[K], up: Up) => ReactNode;
};

/** The page of the object that the address names, or what stands in its place: its configuration is on its way, or has no such object. */
export function ObjectPage<K extends Paged>({ kind, fresh, children }: Props<K>) {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const up = upOf(`${kind}s`, workspace.path(`${kind}s`));
  const title = name ?? `New ${kind}`;
  return (
    <Loaded query={configured} what={`the ${kind}`} page={{ title, up }}>
      {(c) => {
        if (name === undefined && fresh) return fresh(c, up);
        const object = find(c.document, kind, name ?? "");
        return object ? children(c, object, up) : <Missing kind={kind} name={title} within={workspace.name} up={up} />;
      }}
    </Loaded>
  );
}

/** The list of a kind, by its plural. */
export function upOf(list: string, href: string): Up {
  return { href, title: list.charAt(0).toUpperCase() + list.slice(1) };
}

/** Says that nothing has the name that the address names. */
export function Missing({ kind, name, within, up }: { kind: string; name: string; within: string; up: Up }) {
  return (
    <Page title={name} up={up}>
      <Notice tone="warn" title={`There is no ${kind} ${name} in ${within}.`}>
        <p>It may have been renamed or removed; the history says when.</p>
      </Notice>
    </Page>
  );
}
