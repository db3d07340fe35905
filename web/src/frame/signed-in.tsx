import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import type { Me } from "../api/client";
import { newRouter } from "./router";

/** The console's pages for somebody who signed in. */
export function SignedIn({ me: who }: { me: Me }) {
  const [router] = useState(() => newRouter(who));
  return <RouterProvider router={router} />;
}
