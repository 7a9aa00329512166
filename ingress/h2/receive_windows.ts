import { HTTP2_WINDOW_BYTES } from "../../core/limits.ts";
import { type FrameWriter, WINDOW_DEFAULT } from "./frames.ts";
import type { Stream } from "./stream.ts";

/** What the peer may send on one stream before it is told to go on. */
export const STREAM_WINDOW = WINDOW_DEFAULT;

/** What the peer may still send, and when it is told of more: each taken byte is given back once. */
export class ReceiveWindows {
  private window = HTTP2_WINDOW_BYTES;
  private taken = 0;

  constructor(private readonly frames: FrameWriter) {}

  /** Counts content that came; false if it is more than the connection's window. */
  take(bytes: number): boolean {
    if (bytes > this.window) return false;
    this.window -= bytes;
    return true;
  }

  /** So many bytes were taken; the connection's window opens again. */
  credit(bytes: number): void {
    this.taken += bytes;
    if (this.taken < HTTP2_WINDOW_BYTES / 4) return;
    this.window += this.taken;
    this.frames.windowUpdate(0, this.taken);
    this.taken = 0;
  }

  /** So many bytes were taken of a stream from which more may come. */
  creditStream(stream: Stream, bytes: number): void {
    stream.taken += bytes;
    if (stream.taken < STREAM_WINDOW / 2) return;
    stream.receiveWindow += stream.taken;
    this.frames.windowUpdate(stream.id, stream.taken);
    stream.taken = 0;
  }
}
