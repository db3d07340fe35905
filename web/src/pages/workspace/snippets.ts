export type Snippet = { name: string; text: string };

/** Ready to paste ways to send one event to a gateway with a write key. */
export function snippets(gateway: string, writeKey: string): Snippet[] {
  const url = gateway.replace(/\/+$/, "");
  const [protocol = "https", host = ""] = url.split("://");
  return [
    { name: "curl", text: curl(url, writeKey) },
    { name: "Node", text: node(url, writeKey) },
    { name: "Browser", text: browser(protocol, host, writeKey) },
  ];
}

const curl = (url: string, key: string) => `curl ${url}/v1/track -u '${key}:' \\
  -H 'Content-Type: application/json' \\
  -d '{"userId":"user-1","event":"Hello","properties":{"from":"curl"}}'`;

const node = (url: string, key: string) => `// npm install @segment/analytics-node
import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ host: "${url}", writeKey: "${key}" });
analytics.track({ userId: "user-1", event: "Hello", properties: { from: "node" } });
await analytics.closeAndFlush();`;

// With cdnSettings in the page the SDK needs no settings document from elsewhere.
const browser = (protocol: string, host: string, key: string) => `// npm install @segment/analytics-next
import { AnalyticsBrowser } from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load({
  writeKey: "${key}",
  cdnSettings: {
    integrations: {
      "Segment.io": { apiKey: "${key}", apiHost: "${host}/v1", protocol: "${protocol}" },
    },
  },
});
analytics.track("Hello", { from: "browser" });`;
