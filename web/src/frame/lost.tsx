import { Link } from "../parts/link";
import { Notice } from "../parts/notice";
import { Page } from "../parts/page";

/** Says that an address leads to no page. */
export function Lost() {
  return (
    <Page title="There is no such page">
      <Notice tone="warn" title="The address leads nowhere.">
        <p>
          What it was about may have been renamed or removed. <Link href="/">Go to the first page</Link>, or find it by
          its name with Ctrl K.
        </p>
      </Notice>
    </Page>
  );
}
