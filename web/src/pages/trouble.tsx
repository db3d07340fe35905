import { Problem } from "../api/problem";
import { Button } from "../parts/button";
import { Notice } from "../parts/notice";

/** Why something failed, what to do about it, and a way to try again. */
export function Trouble({ error, onRetry }: { error: Error; onRetry?: () => void }) {
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
