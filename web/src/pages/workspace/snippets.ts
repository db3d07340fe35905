export type Snippet = { name: string; text: string };

/** Ready to paste ways to send one event to a gateway with a write key of a source of this type. */
export function snippets(gateway: string, writeKey: string, type = "http"): Snippet[] {
  const url = gateway.replace(/\/+$/, "");
  if (type === "webhook") {
    const address = `${url}/v1/webhook?writeKey=${encodeURIComponent(writeKey)}`;
    return [
      { name: "Address", text: address },
      { name: "curl", text: webhookCurl(address) },
    ];
  }
  const [protocol = "https", host = ""] = url.split("://");
  return [
    { name: "curl", text: curl(url, writeKey) },
    { name: "Node", text: node(url, writeKey) },
    { name: "Node (RudderStack)", text: rudderNode(url, writeKey) },
    { name: "Browser", text: browser(protocol, host, writeKey) },
    { name: "Browser (RudderStack)", text: rudderBrowser(url, writeKey) },
    { name: "Beacon", text: beacon(url, writeKey) },
    { name: "Pixel", text: pixel(url, writeKey) },
  ];
}

const webhookCurl = (address: string) => `curl '${address}' \\
  -H 'Content-Type: application/json' \\
  -d '{"hello":"from curl"}'`;

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

const rudderNode = (url: string, key: string) => `// npm install @rudderstack/rudder-sdk-node
import Analytics from "@rudderstack/rudder-sdk-node";

const analytics = new Analytics("${key}", { dataPlaneUrl: "${url}" });
analytics.track({ userId: "user-1", event: "Hello", properties: { from: "rudder-node" } });
analytics.flush();`;

// The bundled build loads no plugins from elsewhere.
const rudderBrowser = (url: string, key: string) => `// npm install @rudderstack/analytics-js
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

const analytics = new RudderAnalytics();
analytics.load("${key}", "${url}", { configUrl: "${url}" });
analytics.track("Hello", { from: "rudder-browser" });`;

const beacon = (url: string, key: string) => `const event = {
  type: "track",
  messageId: crypto.randomUUID(),
  userId: "user-1",
  event: "Hello",
  properties: { from: "beacon" },
};
navigator.sendBeacon(
  "${url}/beacon/v1/batch?writeKey=${encodeURIComponent(key)}",
  JSON.stringify({ batch: [event], sentAt: new Date() }),
);`;

const pixel = (url: string, key: string) =>
  `<img src="${url}/pixel/v1/track?writeKey=${encodeURIComponent(key)}&userId=user-1&event=Hello" width="1" height="1" alt="">`;
