const remedies: Record<string, string> = {
  connect_failed: "Check host and port in its settings, and that a firewall lets the plane through.",
  egress_denied:
    "The plane may not talk to that address: its operator can allow private addresses with --allow-private.",
  guard_denied: "The plane's own rules forbid it: ask the plane's operator.",
  load_auth: "Check user and password in its settings, then apply them again.",
  load_failed: "Nothing is lost: it is tried again. If it stays, look at what the warehouse said.",
  load_schema: "Give the user the right to make and change tables in the schema.",
  load_stage: "Look into the plane's log, and check its disk.",
  load_unreachable: "Check host, port and firewall, and that the warehouse runs. It is tried again.",
  load_unsupported: "The warehouse cannot hold such a value; a transformation can change it.",
  no_address: "It has no address to test.",
  no_answer: "It answers, but takes no requests now; deliveries wait. Test again in a while.",
  resolve_failed: "Check the host's name in its settings: the plane finds no address for it.",
  sign_in_failed: "Check its user, secrets and what they belong to in its settings, then apply them again.",
  test_refused:
    "Its address answers, but not as expected: check the settings that say which account and address are meant.",
  timeout: "It did not answer in time: check the firewall, and that it is not overloaded.",
  tls_failed: "Check its certificate, and what its settings say of TLS, such as sslMode.",
  table_refused:
    "Other tables are loaded. Mend the table, such as a constraint, a trigger or a right, and replay its events from quarantine.",
  warehouse_slow:
    "It did not answer in time, and gets more time at the next attempt: check that it is not overloaded and that no one locks its tables.",
};

/** What to do about a code of a load or a test. */
export function remedyOf(code: string): string {
  return remedies[code] ?? "Look into the plane's log for more.";
}
