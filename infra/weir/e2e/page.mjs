// Makes every call with an unmodified browser SDK and logs a JSON line of what
// it sent. window.settings: { sdk, gateway, writeKey, burst, skew }
import { calls, skew } from "./calls.cjs";

const { sdk, gateway, writeKey, burst, skew: skewed } = window.settings;
skew(skewed); // before an SDK is loaded

async function segment() {
  const { AnalyticsBrowser } = await import("@segment/analytics-next");
  const [analytics] = await AnalyticsBrowser.load({ writeKey, cdnURL: gateway });
  return analytics;
}

async function rudder(options) {
  const { RudderAnalytics } = await import("@rudderstack/analytics-js/bundled");
  const analytics = new RudderAnalytics();
  await new Promise((onLoaded) => {
    analytics.load(writeKey, gateway, { configUrl: gateway, onLoaded, ...options });
  });
  return analytics;
}

const sdks = {
  segment: { load: segment, nulls: true, types: ["identify", "track", "page", "screen", "group", "alias"] },
  rudder: {
    load: () => rudder({ queueOptions: { maxItems: 1000 } }),
    nulls: false,
    types: ["identify", "track", "page", "group", "alias"],
  },
  beacon: {
    load: () => rudder({ useBeacon: true, beaconQueueOptions: { maxItems: 10, flushQueueInterval: 500 } }),
    nulls: false,
    types: ["identify", "track", "page", "group", "alias"],
  },
};

const beacons = () => performance.getEntriesByType("resource").filter((e) => e.initiatorType === "beacon").length;

const { load, nulls, types } = sdks[sdk];
const analytics = await load();
for (const { n, type, userId, content, previousId } of calls({ burst, users: 1, nulls, types })) {
  const call = { n };
  const options = { context: { call } };
  const made = {
    identify: [[userId, content, options], { userId, traits: content }],
    track: [["Called", content, options], { event: "Called", properties: content }],
    page: [["Docs", "Home", content, options], { name: "Home", properties: content }],
    screen: [["Docs", "Main", content, options], { name: "Main", properties: content }],
    group: [["group-1", content, options], { groupId: "group-1", traits: content }],
    alias: [["user-0", previousId, options], { previousId, userId: "user-0" }],
  }[type];
  console.log(JSON.stringify({ n, event: { type, ...made[1], context: { call } } }));
  const before = beacons();
  analytics[type](...made[0]);
  // A browser holds 64 KB of beacons at a time; the SDK drops what does not fit.
  while (sdk === "beacon" && n % 10 === 9 && beacons() === before) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
console.log("made every call");
