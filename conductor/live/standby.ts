// What a conductor answers that does not lead: who does.

/** Where whoever leads is reached, as far as is known. */
export interface Leads {
  readonly leads: boolean;
  /** 0: alone, without terms. */
  readonly term: number;
  /** `HOST:PORT`; `null` where nobody is known to lead. */
  readonly leader: string | null;
}

/** Paths that every conductor answers: about itself, the roster, and what all have copies of. */
const BY_ALL = ["/health", "/identity", "/leader", "/member", "/members", "/metrics", "/follow"];

/** Says whether whoever leads is to be asked instead of a standby. */
export function isForLeader(method: string, path: string): boolean {
  if (method === "GET" && path.startsWith("/artifacts/")) return false;
  return !BY_ALL.includes(path);
}

/** A standby's answer to what is for whoever leads. */
export function standbyAnswer({ leader }: Leads): Response {
  const error = leader === null
    ? "this conductor stands by, and nobody leads now: their store may be out of reach"
    : `this conductor stands by: ${leader} leads`;
  return Response.json({ error, leader }, { status: 503 });
}

/** The same in a datagram. */
export function standbyReply({ leader }: Leads): string {
  return `ERR|STANDBY|${leader ?? "nobody leads now"}`;
}
