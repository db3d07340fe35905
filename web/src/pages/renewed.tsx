import { Button } from "../parts/button";
import { Notice } from "../parts/notice";

/** Says that code of a page is not there, as after the console was built anew. */
export function Renewed() {
  return (
    <div className="space-y-4">
      <h1 className="sr-only">Weir</h1>
      <Notice tone="warn" title="A part of the console could not be loaded.">
        <p>It may have been built anew, or the control plane is away for a moment.</p>
        <Button onClick={() => location.reload()}>Load the page again</Button>
      </Notice>
    </div>
  );
}
