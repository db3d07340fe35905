/** What a call is answered with; a text is a stream of JSON lines. */
export type Reply = { status: number; body?: unknown; etag?: string } | string | "never" | "down";

export function reply(r: Reply): Promise<Response> {
  if (r === "never") return new Promise(() => {});
  if (r === "down") return Promise.reject(new TypeError("Failed to fetch"));
  if (typeof r === "string")
    return Promise.resolve(new Response(r, { headers: { "Content-Type": "application/x-ndjson" } }));
  return Promise.resolve(Response.json(r.body, { status: r.status, headers: r.etag ? { ETag: r.etag } : {} }));
}

/** Problem details as both planes write them. */
export function refusal(status: number, detail: string, problems: unknown[] = []): Reply {
  return { status, body: { type: "about:blank", title: "Refused", status, detail, kind: "unavailable", problems } };
}
