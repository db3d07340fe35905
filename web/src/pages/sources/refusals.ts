/** Why a gateway refused events, and what mends it. */
type Refusal = { cause: string; remedy: string };

const known: Record<string, Refusal> = {
  bad_encoding: {
    cause: "The body is not in the encoding that its header names",
    remedy: "Send it as Content-Encoding says: gzip, deflate, br or zstd, or without the header.",
  },
  bad_signature: {
    cause: "The signature over the body is missing or does not fit",
    remedy: "Give the sender the secret of the source's settings, or take the secret out of them.",
  },
  disk_low: {
    cause: "The disk of the plane is nearly full",
    remedy: "Make room there; senders repeat what was refused.",
  },
  invalid_json: { cause: "The body is no JSON", remedy: "Send one JSON object, with Content-Type: application/json." },
  invalid_utf8: { cause: "The body is no UTF-8 text", remedy: "Send it as UTF-8." },
  no_valid_event: {
    cause: "No event of the batch could be kept",
    remedy: "The answer to the sender says for each event why; they are in quarantine too.",
  },
  not_an_object: { cause: "The body is no JSON object", remedy: 'Send one object for an event, or {"batch":[…]}.' },
  no_batch: {
    cause: "The body holds no batch",
    remedy: 'Send {"batch":[…]} to /v1/batch, single events to /v1/track.',
  },
  overloaded: {
    cause: "The plane had too many requests under way",
    remedy: "Senders repeat it. When it lasts, give the plane more memory or another process.",
  },
  rate_limited: {
    cause: "More came than the rate in the source's settings allows",
    remedy: "Raise the rate there, or send less; senders wait as Retry-After says.",
  },
  request_timeout: { cause: "The body did not come in time", remedy: "Check the sender's network; senders repeat it." },
  request_too_large: { cause: "The body has more than 4 MiB", remedy: "Send smaller batches." },
  event_too_large: { cause: "An event has more than 1 MiB", remedy: "Send smaller events." },
  source_disabled: { cause: "The source is disabled", remedy: "Enable it in its settings and publish." },
  unavailable: {
    cause: "The plane could not write events to its disk",
    remedy: "Look at the alarms of the plane; senders repeat what was refused.",
  },
  unknown_write_key: {
    cause: "No source of the plane has this write key",
    remedy: "Publish the source, wait until its revision runs, and send with its newest key.",
  },
  unreadable_body: {
    cause: "The body could not be read to its end",
    remedy: "The sender went away too early: check its timeout and the proxies between.",
  },
  unsupported_encoding: {
    cause: "The body is in an encoding that is not known",
    remedy: "Send it plain, or as gzip, deflate, br or zstd.",
  },
  workspace_unloaded: {
    cause: "The workspace cannot be loaded by its plane now",
    remedy: "Look at the alarms of the plane; senders repeat what was refused.",
  },
};

/** Why events were refused for a code, and what mends it. */
export function refusal(code: string): Refusal {
  const found = known[code];
  if (found) return found;
  if (/_full$/.test(code))
    return {
      cause: "A destination of the source, or the source, has more stored than its share",
      remedy: "Mend the destination that does not take its events, or discard what waits for it.",
    };
  return { cause: `The answer was ${code}`, remedy: "The sender's log has the whole answer of the gateway." };
}
