/**
 * What a stream is to do: the `details` of a signed OPEN (core/command.ts), as JSON. They are signed,
 * and so is the key in them: only whoever made it, the operator's CLI, can hear or say anything in the
 * stream, whoever carries it.
 */

import { STREAM_LINE_CHARACTERS } from "../limits.ts";
import { flag, integer, maybe, oneOf, parseShaped, type Shaped, struct, text } from "../shape.ts";

/** A raw ML-KEM-768 key (1,184 bytes) in base64, made for this one stream. */
const key = text(1_580, /^[A-Za-z0-9+/]{1579}[A-Za-z0-9+/=]$/);

const size = { columns: integer(1, 10_000), rows: integer(1, 10_000) };

const execShape = struct({
  key,
  /** A line for the shell. */
  line: text(STREAM_LINE_CHARACTERS),
  /** The terminal to make for it; absent: none, and both channels apart. */
  tty: maybe(struct({ ...size, term: text(64, /^[A-Za-z0-9._+-]*$/) })),
});
const copyShape = struct({
  key,
  /** `in`: to the replica. */
  way: oneOf("in", "out"),
  /** Where there; relative to the folder that the replica runs in. */
  path: text(STREAM_LINE_CHARACTERS, /^[^\0\n]+$/),
  /** The name of what is copied in, for where `path` is a folder. */
  name: maybe(text(255, /^[^\0\n/]+$/)),
  isFolder: maybe(flag),
});
const forwardShape = struct({
  key,
  /** One of the replica's own ports; absent: the one it is asked at. */
  port: maybe(integer(1, 65_535)),
});

export type ExecDetails = Shaped<typeof execShape>;
export type CopyDetails = Shaped<typeof copyShape>;
export type ForwardDetails = Shaped<typeof forwardShape>;

export type StreamDetails =
  | ({ readonly kind: "exec" } & ExecDetails)
  | ({ readonly kind: "copy" } & CopyDetails)
  | ({ readonly kind: "forward" } & ForwardDetails);

export type StreamKind = StreamDetails["kind"];

/** Reads details; `null` where they are none of this kind. */
export function parseDetails(kind: StreamKind, json: string): StreamDetails | null {
  switch (kind) {
    case "exec": {
      const read = parseShaped(execShape, json);
      return read && { kind, ...read };
    }
    case "copy": {
      const read = parseShaped(copyShape, json);
      return read && { kind, ...read };
    }
    case "forward": {
      const read = parseShaped(forwardShape, json);
      return read && { kind, ...read };
    }
    default:
      return kind satisfies never;
  }
}

/** What a stream is for, as the audit says it. */
export function describeDetails(details: StreamDetails): string {
  switch (details.kind) {
    case "exec":
      return `exec${details.tty ? " in a terminal" : ""}: ${details.line}`;
    case "copy":
      return details.way === "in" ? `copy to ${details.path}` : `copy from ${details.path}`;
    case "forward":
      return `forward to ${details.port === undefined ? "its port" : `port ${details.port}`}`;
    default:
      return details satisfies never;
  }
}
