import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Me } from "../api/client";
import { failedSignIn } from "../pages/login/failures";
import { leadsTo } from "./ahead";
import { entries } from "./pages";
import { inOrganization, placeIn } from "./place";
import { newRouter, preload } from "./router";
import { hrefOf } from "./sidebar";

void preload(location.pathname); // on its way while the control plane says who it is

/** The console's pages for somebody who signed in. */
export function SignedIn({ me: who }: { me: Me }) {
  const [router] = useState(() => {
    beginAtLast();
    return newRouter(who);
  });
  useEffect(onIntent, []);
  useEffect(whileIdle, []);
  return <RouterProvider router={router} />;
}

/** Goes on where one was last, when the address is that of no page. */
function beginAtLast(): void {
  const { organization, workspace, page } = leadsTo(location.pathname);
  if (page !== "" || workspace === undefined || failedSignIn()) return;
  history.replaceState(null, "", `${inOrganization(organization, "workspaces", workspace)}${location.search}`);
}

/** Loads the page of a link when somebody points at it, touches it, or comes to it by the keyboard. */
function onIntent(): () => void {
  const look = (e: Event) => {
    const link = e.target instanceof Element ? e.target.closest("a") : null;
    if (link && link.origin === location.origin && link.pathname !== location.pathname) void preload(link.pathname);
  };
  const events = ["pointerover", "touchstart", "focusin"] as const;
  for (const e of events) document.addEventListener(e, look, { passive: true });
  return () => {
    for (const e of events) document.removeEventListener(e, look);
  };
}

const afterFirst = 2000; // ms, for the first page and its data

/** Loads the pages of the sidebar one after the other while the browser has nothing else to do. */
function whileIdle(): (() => void) | undefined {
  if (typeof requestIdleCallback === "undefined" || savesData()) return undefined;
  const left = entries.map((e) => hrefOf(e, placeIn(location.pathname), "any"));
  let asked = 0;
  const next = () => {
    asked = requestIdleCallback(async () => {
      const path = left.shift();
      if (path === undefined) return;
      await preload(path);
      if (asked !== 0) next();
    });
  };
  const begin = setTimeout(next, afterFirst);
  return () => {
    clearTimeout(begin);
    cancelIdleCallback(asked);
    asked = 0;
  };
}

/** Whether the person asked the browser to load little. */
function savesData(): boolean {
  const connection: unknown = Reflect.get(navigator, "connection");
  return typeof connection === "object" && connection !== null && Reflect.get(connection, "saveData") === true;
}
