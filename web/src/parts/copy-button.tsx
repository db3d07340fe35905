import { useEffect, useState } from "react";
import { Button } from "./button";
import { Icon } from "./icon";

type Outcome = { state: "ready" } | { state: "copied" } | { state: "refused" };

const shownFor = 2500; // ms

/** Copies text. Its name says what; its words say whether it worked. */
export function CopyButton({ text, name }: { text: string; name: string }) {
  const [outcome, setOutcome] = useState<Outcome>({ state: "ready" });
  useEffect(() => {
    if (outcome.state === "ready") return;
    const timer = setTimeout(() => setOutcome({ state: "ready" }), shownFor);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text); // absent on pages without TLS, but for localhost
      setOutcome({ state: "copied" });
    } catch {
      setOutcome({ state: "refused" });
    }
  };
  return (
    <Button onClick={copy}>
      <Icon name={outcome.state === "copied" ? "check" : "copy"} />
      <span aria-live="polite">
        {labels[outcome.state]} <span className="sr-only">{name}</span>
      </span>
    </Button>
  );
}

const labels = { ready: "Copy", copied: "Copied", refused: "Select it by hand" };
