import { Problem } from "./problem";

const longestLine = 8 << 20; // characters; an event is at most 4 MiB

/**
 * The objects of a stream with a JSON value a line, as they come; empty lines are passed over.
 * It throws a Problem when a line is no JSON or longer than any plane writes, and what the stream throws.
 */
export async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const whole = rest.split("\n");
      rest = done ? "" : (whole.pop() ?? "");
      for (const line of whole) if (line.trim() !== "") yield parse(line);
      if (done) return;
      if (rest.length > longestLine) throw foreign();
    }
  } finally {
    await reader.cancel().catch(() => {}); // it is over either way
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw foreign();
  }
}

function foreign(): Problem {
  return new Problem(
    0,
    "The answer is not one of a data plane.",
    "Check what stands between this browser and the plane.",
  );
}
