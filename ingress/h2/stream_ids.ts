/** Streams remembered after their end, to tell a late frame from a wrong one. */
const PAST_STREAMS = 512;

/** How a stream that is past has ended. */
export const BOTH_ENDED = 1;
export const RESET_BY_PEER = 2;
export const RESET_BY_US = 3;

/** Which ids have been used, by whom, and how the streams that are past ended (RFC 9113 5.1). */
export class StreamIds {
  /** The last that the peer has opened. */
  lastOfPeer = 0;
  /** The next that we open. */
  next = 1;
  private readonly past = new Map<number, number>();

  constructor(private readonly isServer: boolean) {}

  /** Whether it is for the peer to open. */
  isTheirs(id: number): boolean {
    return (id % 2 === 1) === this.isServer;
  }

  /** Whether nobody has opened it yet. */
  isIdle(id: number): boolean {
    return this.isTheirs(id) ? id > this.lastOfPeer : id >= this.next;
  }

  /** How the stream ended, if it is remembered. */
  howEnded(id: number): number | undefined {
    return this.past.get(id);
  }

  remember(id: number, how: number): void {
    this.past.set(id, how);
    if (this.past.size > PAST_STREAMS) this.past.delete(this.past.keys().next().value!);
  }
}
