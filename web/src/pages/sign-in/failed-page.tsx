import type { Problem } from "../../api/problem";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Trouble } from "../trouble";

/** Says to somebody who is signed in why another sign-in failed. */
export function FailedPage({ problem }: { problem: Problem }) {
  return (
    <Page title="The sign-in failed" hint="You are still signed in as before.">
      <Trouble error={problem} />
      <Link href="/">To the first page</Link>
    </Page>
  );
}
