// Sends every call with an unmodified server SDK and prints a JSON line of what
// it sent: node server.cjs SDK GATEWAY WRITE_KEY BURST SKEW_MS
const { calls, skew } = require("./calls.cjs");

const [sdk, host, writeKey, burst, skewed] = process.argv.slice(2);
skew(Number(skewed));

const sdks = {
  "@segment/analytics-node": () => {
    const { Analytics } = require("@segment/analytics-node");
    const client = new Analytics({ host, writeKey });
    client.on("error", (e) => failed(`${e.code} ${e.reason}`));
    return { client, end: () => client.closeAndFlush({ timeout: 120_000 }) };
  },
  "analytics-node": () => {
    const Analytics = require("analytics-node");
    const client = new Analytics(writeKey, { host, errorHandler: failed });
    return { client, end: () => drained(client) };
  },
  "@rudderstack/rudder-sdk-node": () => {
    const Rudder = require("@rudderstack/rudder-sdk-node");
    const client = new Rudder(writeKey, { dataPlaneUrl: host });
    return { client, end: () => drained(client) };
  },
};

function failed(why) {
  console.error(String(why));
  process.exit(1);
}

// Resolves when every call's callback was called, which is after its answer.
let waiting = 0;
let idle = () => {};
function answered(err) {
  if (err) failed(err);
  if (--waiting === 0) idle();
}
async function drained(client) {
  const done = new Promise((resolve) => {
    idle = resolve;
    if (waiting === 0) resolve();
  });
  client.flush();
  await done;
}

const { client, end } = sdks[sdk]();
const all = calls({
  burst: Number(burst),
  users: 7,
  nulls: true,
  types: ["identify", "track", "page", "screen", "group", "alias"],
});
for (const { n, type, content, ...call } of all) {
  const own = {
    identify: { traits: content },
    track: { event: "Called", properties: content },
    page: { name: "Home", properties: content },
    screen: { name: "Main", properties: content },
    group: { groupId: "group-1", traits: content },
    alias: {},
  }[type];
  const message = { ...call, ...own, context: { ip: "192.0.2.7", call: { n } }, integrations: { All: true } };
  console.log(JSON.stringify({ n, event: { type, ...message } }));
  waiting++;
  client[type](message, answered);
}
end().then(() => process.exit(0), failed);
