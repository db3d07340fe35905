import { cleanup, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { workspace } from "../fake/server";
import { type Here, HereContext, useWorkspace } from "./place";

function Name() {
  return <p>{useWorkspace().name}</p>;
}

test("a page that is left is drawn anew with its workspace while the next one is loaded", () => {
  const here = (of: Here["workspace"]) =>
    ({ me: {}, all: { workspaces: [], planes: [] }, organization: "", workspace: of, role: "" }) as unknown as Here;
  const draw = (of: Here["workspace"]) =>
    render(
      <HereContext value={here(of)}>
        <Name />
      </HereContext>,
    );
  draw(workspace({ name: "acme" }));
  cleanup();
  draw(undefined);
  expect(screen.getByText("acme")).toBeTruthy();
});
