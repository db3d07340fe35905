// Sends N events of user sdk-1 and one of each other call with an unmodified
// SDK, then ends: node segment.cjs GATEWAY WRITE_KEY N
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey, n] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey });
let failed = 0;
analytics.on("error", (e) => {
  failed++;
  console.error(e.code, e.reason);
});
analytics.identify({ userId: "sdk-1", traits: { name: "Ada" } });
analytics.page({ userId: "sdk-1", name: "Home" });
analytics.group({ userId: "sdk-1", groupId: "g1" });
analytics.alias({ userId: "sdk-1", previousId: "anon-1" });
for (let i = 0; i < Number(n); i++) {
  analytics.track({ userId: "sdk-1", event: "Counted", properties: { i } });
}
analytics.closeAndFlush({ timeout: 120_000 }).then(() => process.exit(failed === 0 ? 0 : 1));
