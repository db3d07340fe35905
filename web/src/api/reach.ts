import { Problem } from "./problem";

/** A Problem of a plane that this browser cannot reach, with the reason in its words. */
export class Unreachable extends Problem {
  constructor(text: string, remedy: string) {
    super(0, text, remedy);
    this.name = "Unreachable";
  }
}

/** Finds out why a call to a plane's view at url got no answer. It asks the plane's health once more, for 5 s at most. */
export async function whyUnreachable(url: string): Promise<Unreachable> {
  const view = addressOf(url);
  if (!view)
    return new Unreachable("The plane has no address for browsers.", "Start it with --view, and join it anew.");
  const { host, origin } = view;
  if (location.protocol === "https:" && view.protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(host))
    return new Unreachable(
      `This page came over TLS, and the plane listens without it at ${host}; browsers block that.`,
      "Give the plane a certificate, so that its address begins with https.",
    );
  const found = await probe(origin);
  if (found === "answers")
    return new Unreachable(
      `The plane at ${host} answers, but not to pages of ${location.origin}.`,
      "It knows the console's addresses since it joined. Open the console at one of them, or join the plane anew.",
    );
  if (found === "forbidden")
    return new Unreachable(
      `This page may not talk to ${host} yet: the plane came after the page was loaded.`,
      "Reload the page.",
    );
  return new Unreachable(
    `Nothing answers at ${host}, where the plane shows its events.`,
    "Check that the plane runs and that this computer may reach that address: it may be on another network or behind a firewall.",
  );
}

/** Asks without reading, which no origin rule forbids. */
async function probe(origin: string): Promise<"answers" | "forbidden" | "silent"> {
  let forbidden = false;
  const notice = (e: Event) => {
    if (e instanceof SecurityPolicyViolationEvent && e.blockedURI.startsWith(origin)) forbidden = true;
  };
  document.addEventListener("securitypolicyviolation", notice);
  try {
    await globalThis.fetch(
      new Request(`${origin}/v1/health`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(5000) }),
    );
    return "answers";
  } catch {
    return forbidden ? "forbidden" : "silent";
  } finally {
    document.removeEventListener("securitypolicyviolation", notice);
  }
}

function addressOf(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
