import type { Field } from "./hpack.ts";

/** Who gets what comes on a stream. */
export interface StreamUser {
  /** A field section: a request's or response's head (interim ones, too), or the trailers. */
  onFields(fields: readonly Field[], endStream: boolean): void;
  /** The bytes are the session's: they are to be copied. `Session.consumed` follows some time. */
  onData(bytes: Uint8Array, endStream: boolean): void;
  /** The stream is over before its time. */
  onReset(code: number): void;
}

/** What waits to be sent on a stream. */
export interface Pending {
  readonly bytes: Uint8Array;
  at: number;
  readonly endStream: boolean;
  /** All of it has been handed to the connection. */
  readonly sent: () => void;
}

/** One stream of a session: two halves, two windows. */
export class Stream {
  user: StreamUser | null = null;
  /** What may still be sent; below 0 after a peer has lessened its windows. */
  sendWindow: number;
  /** What the peer may still send. */
  receiveWindow: number;
  /** Received and taken by the user, not yet said to the peer. */
  taken = 0;
  /** Received and not yet taken. */
  buffered = 0;
  /** The peer, and we, have said our last. */
  remoteEnded = false;
  localEnded = false;
  /** The first field section has come. */
  headed = false;
  /** Content that is announced, and that has come. */
  announced: number | null = null;
  received = 0;
  pending: Pending | null = null;
  queued = false;
  /** Sent behind the content, and then the end. */
  trailers: readonly Field[] | null = null;

  constructor(readonly id: number, sendWindow: number, receiveWindow: number) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }
}
