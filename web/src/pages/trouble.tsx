import { Problem } from "../api/problem";
import { Button } from "../parts/button";
import { Notice } from "../parts/notice";
import { Denied, isDenied } from "./denied";

/** Why something failed, what to do about it, and a way to try again. what: what it was that cannot be seen. */
export function Trouble({ error, onRetry, what }: { error: Error; onRetry?: (() => void) | undefined; what?: string }) {
  if (isDenied(error)) return <Denied error={error} what={what} />;
  const remedy =
    error instanceof Problem ? error.remedy : "Reload the page; if it stays, this is a mistake in the console.";
  const text = error instanceof Problem ? error.message : "The console cannot show this.";
  return (
    <Notice tone="bad" title={text}>
      {remedy ? <p>{remedy}</p> : null}
      {onRetry ? <Button onClick={onRetry}>Try again now</Button> : null}
    </Notice>
  );
}
