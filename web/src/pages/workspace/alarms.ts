const texts: Record<string, string> = {
  ack_failed: "It could not report what it applied. It tries again; check its way to the hub.",
  bad_full: "The log of events that nobody could read is nearly full. Check the disk.",
  beat_forged: "Somebody sent a sign of life in this plane's name without its key. Find out who can reach the hub.",
  ack_forged: "Somebody reported in this plane's name without its key. Find out who can reach the hub.",
  body_damaged: "A configuration arrived damaged and was refused; the former one goes on.",
  clock_jump: "Its clock jumped, so old dedupe keys are kept. Check the machine's time.",
  code_costly:
    "The control plane takes long to check its code, or refused it as too complex; others do not wait for it. Make the code simpler.",
  code_slow:
    "Transformations are slower than the events that come; they wait in order. Make their code cheaper, or give the plane more cores.",
  dead_full:
    "A destination has more dead letters than its share, so the sources that feed it are refused. Redrive or discard them.",
  dedupe_blocked: "Dedupe keys cannot be written, so a part of its events waits. Make room on its disk, or repair it.",
  dedupe_damaged:
    "Dedupe keys were damaged on its disk: retries of older events may be delivered twice. Check the disk.",
  dedupe_window_short:
    "A workspace sends so many events that its dedupe keys are forgotten before seven days. Give the plane more disk and memory, or send less.",
  dead_letters: "Deliveries failed for good. See why with weir dlq list.",
  destination_down: "A destination does not answer; its deliveries wait in order.",
  destination_slow:
    "A destination takes events more slowly than they come. Raise its concurrency if it bears more; what waits is kept.",
  egress_denied:
    "A destination's name leads to addresses that the plane may not talk to; its deliveries wait in order. Check its name in DNS; the plane's operator allows private addresses with --allow-private.",
  destination_unloaded:
    "It cannot read the spec of a custom destination, so its events wait in order. Upgrade the plane, or apply a spec that it takes.",
  disk_full: "Its disk is full, so new events are refused. Make room now.",
  disk_low: "Its disk is nearly full. Make room before events are refused.",
  events_unsynced:
    "Servers of its event cluster sync to their disks only now and then, so a power cut loses acknowledged events. Write sync_interval: always into their configuration.",
  events_degraded:
    "Servers of its event cluster are away. Events are taken and delivered while most of them are there; bring them back before another one fails.",
  frame_damaged: "Stored events could not be read and were set aside. Check the disk.",
  hub_denied: "The hub refused one of its calls. Let it join anew if this stays.",
  journal_damaged: "Its journal could not be read. Check the disk.",
  journal_full: "Its journal is nearly full, so events are refused. Give its disk more room.",
  lease_lost: "It lost its hold on a partition; another process may use the same data.",
  ledger_unbalanced: "Its books do not balance: an event is unaccounted for. Keep the logs and report this.",
  load_auth: "A warehouse refuses to sign in; its events wait. Check user and password, then apply with --reseal.",
  load_failed: "A warehouse refuses a load; its events wait. The page of warehouses says what it said.",
  load_schema:
    "A table of a warehouse does not take what is loaded; its events wait. The page of warehouses says which.",
  load_stage: "Staged events could not be read or written. Check the disk.",
  load_unreachable: "A warehouse does not answer; its events wait. Check its address and that it runs.",
  parked_full:
    "More deliveries of a destination wait than its share, so the sources that feed it are refused. Bring it back, or remove it.",
  partition_stopped: "A part of the event log stands still. Look into the plane's log.",
  pointer_foreign: "A configuration that was changed or not meant for it was refused.",
  pointer_stale: "An older configuration than it has was refused.",
  pointer_too_new: "A configuration needs a newer version of Weir. Upgrade the plane.",
  pointer_unsigned: "A configuration without signature was refused. Find out who can reach the hub.",
  processor_busy: "Its processors are busy all the time, so everything takes longer. Give it more cores.",
  profiles_failed: "A run of profiles failed; those of before stand. weir profiles status says why.",
  profiles_held:
    "A run of profiles changes more than its gate allows, so those of before stand. weir profiles status says what; weir profiles publish overrides it.",
  pull_behind:
    "Changes of a source are pulled more slowly than they come, or its server has given changes up and its tables are read anew. weir pull status says how far it is.",
  pull_failed:
    "Rows of a source cannot be pulled. weir pull status says why; where the vendor refuses to sign in, give the source credentials that it takes.",
  quarantine_full:
    "A source has more events in quarantine than its share, so it is refused. Mend what it sends, then replay or discard them.",
  plane_silent:
    "The control plane has not heard it for a while. It goes on with what it has and loses nothing; look on its machine whether it runs and reaches the control plane: weir status, and its log.",
  queue_unavailable: "Its event log does not take events. Look into the plane's log.",
  secret_damaged: "A secret arrived damaged and was refused. Apply with --reseal.",
  senders_slow: "Many requests come so slowly that the gateway ends them. Its log names their addresses.",
  stage_full:
    "More events wait for a warehouse than its share, so the sources that feed it are refused. Bring it back, or remove it.",
  state_damaged: "Files of its state could not be read. Check the disk.",
  sync_failed: "A sync failed. weir sync list and weir sync rejects say why.",
  sync_held: "A sync waits for a person to agree to what it would remove or send anew: weir sync approve.",
  table_refused:
    "A table of a warehouse refuses rows; others are loaded. The page of warehouses names it; its events are in quarantine and can be replayed when it is mended.",
  view_slow:
    "A workspace's queries, previews, connection tests or lists take so long that others have to wait. They go on beside the others.",
  warehouse_slow:
    "A warehouse takes too long to answer; its events wait, and it gets more time at the next attempt. Check that it is not overloaded.",
  workspace_unloaded:
    "It cannot load the workspace, so its sources are refused and events that it had accepted wait. Apply a revision that it takes.",
};

/** What an alarm means and what to do about it. */
export function alarmText(code: string): string {
  return texts[code] ?? "It raised an alarm. Look into the plane's log.";
}
