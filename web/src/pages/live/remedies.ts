import type { Shelf } from "../../api/events";

const remedies: Record<string, string> = {
  bad_request: "Look at what it answered, change its settings or the events by a transformation, then send them again.",
  busy: "Nothing to do: it is tried again at the pace that it allows.",
  destination_disabled: "Enable the destination in its settings.",
  dns: "Check the host's name in its settings.",
  egress_denied: "The plane's operator can allow private addresses with --allow-private.",
  event_too_large: "Send smaller events, or cut them with a transformation.",
  missing_field: "Add the field where the event is sent, or by a transformation, then send them again.",
  network: "Check that it runs and that the plane reaches it; its test says more.",
  refused: "Check its port, and that it runs.",
  server_error: "Nothing to do if it recovers: it is tried again.",
  timeout: "Check that it is not overloaded; its test says more.",
  tls: "Check its certificate, and what its settings say of TLS.",
  token_refused: "Check its secrets: they may be out of date.",
  transformation_failed: "Correct the transformation, then replay them.",
  transformation_killed: "Make the transformation's code cheaper, then replay them.",
  transformation_memory: "Let the transformation keep less, then replay them.",
  transformation_output: "Let the transformation make fewer or smaller events, then replay them.",
  transformation_timeout: "Make the transformation's code faster, then replay them.",
  transformation_suspended: "Correct the transformation; a new revision of it runs again.",
  tracking_plan: "Change what is sent, or the plan, then replay them.",
};

/** What to do about events that did not arrive. */
export function remedy(code: string, shelf: Shelf): string {
  const known = remedies[code];
  if (known) return known;
  if (/^rejected_40[13]$/.test(code)) return "Check its secrets and what they may do, then send them again.";
  if (/^rejected_404$/.test(code)) return "Check the address in its settings, then send them again.";
  if (/^rejected_/.test(code)) return "Look at what it answered, mend the cause, then send them again.";
  if (shelf === "parked") return "They are kept in order and sent when it can take them.";
  if (shelf === "quarantine") return "Correct what is sent, then replay them.";
  return "Mend the cause, then send them again.";
}
