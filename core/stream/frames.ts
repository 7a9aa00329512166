/**
 * What goes through an open stream: frames on numbered channels, each sealed as one record.
 *
 * | kind | what it carries |
 * |---|---|
 * | `data` | bytes of a channel, at most `STREAM_PART_BYTES` |
 * | `credit` | 4 bytes, big-endian: so many more bytes may come on the channel |
 * | `end` | nothing: no more bytes will come on the channel; the other way goes on |
 * | `reset` | why the channel is over, both ways, as text |
 * | `open` | nothing: a connection, to a port that is forwarded |
 * | `exit` | JSON, see `ExitFrame`: all is over |
 * | `size` | 2 and 2 bytes: columns and rows of the terminal |
 * | `signal` | the name of a signal for the command, such as SIGINT |
 * | `ping`, `pong` | nothing |
 */

import { toBytes, toText } from "../bytes.ts";
import { integer, maybe, parseShaped, type Shaped, struct, text } from "../shape.ts";

export const FRAMES = {
  data: 1,
  credit: 2,
  end: 3,
  reset: 4,
  open: 5,
  exit: 6,
  size: 7,
  signal: 8,
  ping: 9,
  pong: 10,
} as const;
export type FrameKind = keyof typeof FRAMES;

const KINDS = new Map(Object.entries(FRAMES).map(([name, code]) => [code as number, name]));

export interface Frame {
  readonly kind: FrameKind;
  /** 0: standard input and output, or the archive; 1: standard error; from 2 on: connections. */
  readonly channel: number;
  readonly content: Uint8Array;
}

const NOTHING = new Uint8Array();

/** Kind and content of the sealed record that a frame is. */
export function formatFrame(
  kind: FrameKind,
  channel: number,
  content: Uint8Array = NOTHING,
): { readonly code: number; readonly body: Uint8Array } {
  const body = new Uint8Array(4 + content.length);
  new DataView(body.buffer).setUint32(0, channel);
  body.set(content, 4);
  return { code: FRAMES[kind], body };
}

/** Reads a record; `null` where it is no frame. */
export function parseFrame(code: number, body: Uint8Array): Frame | null {
  const kind = KINDS.get(code) as FrameKind | undefined;
  if (!kind || body.length < 4) return null;
  const channel = new DataView(body.buffer, body.byteOffset).getUint32(0);
  return { kind, channel, content: body.subarray(4) };
}

/** The content of `credit`. */
export function creditContent(bytes: number): Uint8Array {
  const content = new Uint8Array(4);
  new DataView(content.buffer).setUint32(0, bytes);
  return content;
}

/** How many bytes a `credit` grants; `null` where it is malformed. */
export function creditOf({ content }: Frame): number | null {
  if (content.length !== 4) return null;
  return new DataView(content.buffer, content.byteOffset).getUint32(0);
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The content of `size`. */
export function sizeContent({ columns, rows }: Size): Uint8Array {
  const content = new Uint8Array(4);
  const view = new DataView(content.buffer);
  view.setUint16(0, columns);
  view.setUint16(2, rows);
  return content;
}

/** The size of a terminal; `null` where it is malformed. */
export function sizeOf({ content }: Frame): Size | null {
  if (content.length !== 4) return null;
  const view = new DataView(content.buffer, content.byteOffset);
  const [columns, rows] = [view.getUint16(0), view.getUint16(2)];
  return columns > 0 && rows > 0 ? { columns, rows } : null;
}

const exitShape = struct({
  /** The command's exit code; 128 and the signal's number where one ended it. */
  code: integer(0, 255),
  /** Why it could not be done, or was ended, in words. */
  error: maybe(text(2_000)),
});
export type ExitFrame = Shaped<typeof exitShape>;

/** The content of `exit`. */
export function exitContent(exit: ExitFrame): Uint8Array {
  return toBytes(JSON.stringify({ ...exit, error: exit.error?.slice(0, 2_000) }));
}

/** How it ended; `null` where the frame is malformed. */
export function exitOf({ content }: Frame): ExitFrame | null {
  return parseShaped(exitShape, toText(content) ?? "");
}
