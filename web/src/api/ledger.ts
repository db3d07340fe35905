import { ask } from "./plane";

/** What became of a source's events, or of those of a source and destination; destination is "" in a source's row. */
export type LedgerRow = {
  source: string;
  destination: string;
  accepted: number;
  replayed: number;
  waiting: number;
  duplicate: number;
  quarantined: number;
  dropped: Record<string, number>;
  routed: number;
  unrouted: number;
  added: number;
  delivered: number;
  staged: number;
  parked: number;
  dead: number;
  inFlight: number;
  balanced: boolean;
  /** When the oldest delivery began to wait for the destination, of whichever source; absent where none waits, or it is not known. */
  waitingSince?: string;
};

/** The counts of a workspace, as its plane has them now. */
export async function ledger(workspace: string, signal: AbortSignal): Promise<LedgerRow[]> {
  const answer = await ask({ workspace, action: "ledger:read" }, { path: "/v1/ledger", signal });
  return ((await answer.json()) as { rows: LedgerRow[] }).rows;
}
