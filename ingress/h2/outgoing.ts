import {
  DATA,
  END_STREAM,
  FRAME_BYTES,
  FrameWriter,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from "./frames.ts";
import { encodeFields, type Field, TABLE_BYTES } from "./hpack.ts";
import type { Pending, Stream } from "./stream.ts";

/** Content is made into frames up to so much at a time. */
const SEND_BYTES = 65_536;
/** In a field block: the table is to hold no bytes. */
const NO_TABLE = 0x20;
const NOTHING = new Uint8Array(0);

/** Who keeps the streams. */
export interface StreamKeeper {
  /** Whether something may still be sent on it. */
  isOpen(stream: Stream): boolean;
  /** We have said our last on it. */
  ended(stream: Stream): void;
}

/** What a session sends on its streams: field blocks at once, content as the peer's windows allow. */
export class Outgoing {
  readonly frames = new FrameWriter();
  /** What the peer lets a new stream send. */
  streamWindow = WINDOW_DEFAULT;
  private window = WINDOW_DEFAULT;
  private ready: Stream[] = [];
  /** A table of no bytes is to be said before the next block; it was. */
  private tableGoes = false;
  private tableGone = false;

  constructor(private readonly keeper: StreamKeeper) {}

  /** Sends a field section: a head, or trailers. */
  fields(stream: Stream, fields: Iterable<Field>, endStream: boolean): void {
    // A peer may take larger frames (SETTINGS_MAX_FRAME_SIZE); none has to be sent any.
    this.frames.fields(stream.id, this.encode(fields), endStream, FRAME_BYTES);
    if (endStream) this.keeper.ended(stream);
  }

  /** Content to be sent; `sent` is called when it is gone. */
  data(stream: Stream, bytes: Uint8Array, endStream: boolean, sent: () => void): void {
    stream.pending = { bytes, at: 0, endStream, sent };
    this.queue(stream);
  }

  /** Sends the end alone, behind what is pending. */
  end(stream: Stream): void {
    this.data(stream, NOTHING, true, () => {});
  }

  /** The peer lets all streams together send so much more; false if that is more than may be. */
  widen(more: number): boolean {
    this.window += more;
    return this.window <= WINDOW_MAX;
  }

  /** The same of one stream. */
  widenStream(stream: Stream, more: number): boolean {
    stream.sendWindow += more;
    if (stream.sendWindow > WINDOW_MAX) return false;
    this.queue(stream);
    return true;
  }

  /** The peer changes the window of every stream; false if one gets larger than may be. */
  setStreamWindow(value: number, streams: Iterable<Stream>): boolean {
    const more = value - this.streamWindow;
    this.streamWindow = value;
    for (const stream of streams) if (!this.widenStream(stream, more)) return false;
    return true;
  }

  /** The peer keeps a table of so many bytes for our fields. */
  setTable(bytes: number): void {
    // We keep no table, but a peer that wants a smaller one waits for us to say so (7541, 4.2).
    if (bytes < TABLE_BYTES) this.tableGoes ||= !this.tableGone;
  }

  /** Makes frames of what is pending, one of each stream in turn, until the windows or we are full. */
  sendContent(): void {
    const { ready } = this;
    let at = 0;
    for (; at < ready.length && this.frames.length < SEND_BYTES; at++) {
      const stream = ready[at]!;
      const { pending } = stream;
      if (pending === null || !this.keeper.isOpen(stream)) {
        stream.queued = false;
        continue;
      }
      const rest = pending.bytes.length - pending.at;
      const may = rest === 0 ? 0 : Math.min(rest, stream.sendWindow, this.window, FRAME_BYTES);
      if (rest > 0 && may <= 0) {
        // Its own window is shut: it is queued again when that opens.
        if (stream.sendWindow <= 0) {
          stream.queued = false;
          continue;
        }
        break;
      }
      this.sendPiece(stream, pending, may);
      if (stream.pending === null) stream.queued = false;
      else ready.push(stream);
    }
    if (at > 0) this.ready = ready.slice(at);
  }

  private sendPiece(stream: Stream, pending: Pending, length: number): void {
    const { bytes, at } = pending;
    const last = at + length === bytes.length;
    const endStream = last && pending.endStream;
    const piece = bytes.subarray(at, at + length);
    this.frames.frame(DATA, endStream ? END_STREAM : 0, stream.id, piece);
    pending.at += length;
    stream.sendWindow -= length;
    this.window -= length;
    if (!last) return;
    stream.pending = null;
    if (endStream) this.keeper.ended(stream);
    pending.sent();
  }

  private queue(stream: Stream): void {
    if (stream.pending === null || stream.queued) return;
    stream.queued = true;
    this.ready.push(stream);
  }

  private encode(fields: Iterable<Field>): Uint8Array {
    const block = encodeFields(fields);
    if (!this.tableGoes) return block;
    this.tableGoes = false;
    this.tableGone = true;
    return Uint8Array.of(NO_TABLE, ...block);
  }
}
