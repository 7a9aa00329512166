// A table of what a client may do wrong, section by section of RFC 9113 and RFC 7541, and what must
// become of it: the error's code on the stream or on the connection.
// Row 3 of the scoreboard of faults.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HEAD_BYTES, HTTP2_RESETS, HTTP2_STREAMS, HTTP2_WINDOW_BYTES } from "../../core/limits.ts";
import { ascii } from "../field_block.ts";
import {
  ACK,
  COMPRESSION_ERROR,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  FrameWriter,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  NO_ERROR,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_UPDATE,
} from "./frames.ts";
import { encodeFields, type Field } from "./hpack.ts";
import { Session } from "./session.ts";
import { TOO_LARGE } from "./stream_frames.ts";
import type { Stream, StreamUser } from "./stream.ts";

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const bytesOf = (...values: number[]) => Uint8Array.from(values);
const word = (value: number) =>
  [value >>> 24, value >>> 16, value >>> 8, value].map((x) => x & 255);
const codeOf = (payload: Uint8Array, at: number) =>
  new DataView(payload.buffer, payload.byteOffset)
    .getUint32(at);

const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/"],
  [":authority", "a.test"],
];
const POST: readonly Field[] = [[":method", "POST"], ...GET.slice(1)];

/** A server's session with a client that says what it likes. */
class Rig {
  readonly log: string[] = [];
  readonly opened: Stream[] = [];
  readonly frames: Frame[] = [];
  nowMs = 0;
  readonly session = new Session({ requested: (stream) => this.#serve(stream) });

  constructor(greet = true) {
    if (greet) this.raw(ascii(PREFACE)).say((out) => out.settings([]));
    this.frames.length = 0;
  }

  #serve(stream: Stream): StreamUser {
    this.opened.push(stream);
    const { log } = this;
    const { id } = stream;
    return {
      onFields: (fields, end) => log.push(`fields ${id}${end ? " end" : ""} ${fields.length}`),
      onData: (bytes, end) => log.push(`data ${id} ${bytes.length}${end ? " end" : ""}`),
      onReset: (code) => log.push(`reset ${id} ${code}`),
    };
  }

  raw(bytes: Uint8Array): this {
    this.session.feed(bytes, this.nowMs);
    return this.collect();
  }

  say(write: (out: FrameWriter) => void): this {
    const out = new FrameWriter();
    write(out);
    return this.raw(out.take() ?? bytesOf());
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array = bytesOf()): this {
    return this.say((out) => out.frame(type, flags, stream, payload));
  }

  headers(stream: number, fields: readonly Field[] = GET, flags = END_STREAM | END_HEADERS): this {
    return this.frame(HEADERS, flags, stream, encodeFields(fields));
  }

  collect(): this {
    for (let bytes = this.session.take(); bytes !== null; bytes = this.session.take()) {
      for (let at = 0; at < bytes.length;) {
        const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
        const from = at + 9;
        this.frames.push({
          type: bytes[at + 3]!,
          flags: bytes[at + 4]!,
          stream: codeOf(bytes, at + 5),
          payload: bytes.subarray(from, from + length),
        });
        at = from + length;
      }
    }
    return this;
  }

  /** What became of it: `goaway 1`, `reset 1 5`, or nothing. */
  get verdicts(): string[] {
    return this.frames.flatMap(({ type, stream, payload }) =>
      type === GOAWAY
        ? [`goaway ${codeOf(payload, 4)}`]
        : type === RST_STREAM
        ? [`reset ${stream} ${codeOf(payload, 0)}`]
        : []
    );
  }

  /** Requests that were handed on. */
  get requests(): number {
    return this.opened.length;
  }
}

const connection = (code: number) => `goaway ${code}`;
const stream = (code: number, id = 1) => `reset ${id} ${code}`;
const open = (rig: Rig) => rig.headers(1, POST, END_HEADERS);
const halfClosed = (rig: Rig) => rig.headers(1);
const answered = (rig: Rig) => {
  halfClosed(rig);
  rig.session.head(rig.opened[0]!, [[":status", "200"]], true);
  return rig.collect();
};
const without = (name: string) => GET.filter(([each]) => each !== name);
const setting = (id: number, value: number) => bytesOf(id >> 8, id & 255, ...word(value));

type Case = readonly [name: string, wanted: string, run: (rig: Rig) => unknown];

const cases: readonly Case[] = [
  // 4.1 and 4.2, 5.5
  ["4.1 an unknown frame is ignored", "", (rig) => rig.frame(0xff, 0xff, 0, bytesOf(1, 2, 3))],
  ["4.1 an unknown frame on a stream is ignored", "", (rig) => open(rig).frame(0x77, 1, 1)],
  [
    "4.1 unknown flags are ignored",
    "",
    (rig) => rig.frame(PING, 0x16 & ~ACK, 0, new Uint8Array(8)),
  ],
  ["4.1 the reserved bit is ignored", "", (rig) => rig.frame(PING, 0, 2 ** 31, new Uint8Array(8))],
  [
    "4.2 DATA above the frame size",
    connection(FRAME_SIZE_ERROR),
    (rig) => open(rig).frame(DATA, 0, 1, new Uint8Array(16_385)),
  ],
  [
    "4.2 HEADERS above the frame size",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(HEADERS, END_HEADERS, 1, new Uint8Array(16_385)),
  ],
  [
    "4.2 SETTINGS above the frame size",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, new Uint8Array(16_386)),
  ],
  // 4.3
  [
    "4.3 a field block that is none",
    connection(COMPRESSION_ERROR),
    (rig) => rig.frame(HEADERS, END_STREAM | END_HEADERS, 1, bytesOf(0x40, 0x0a, 0x61)),
  ],
  [
    "4.3 PRIORITY within a field block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).frame(PRIORITY, 0, 1, bytesOf(0, 0, 0, 0, 16)),
  ],
  [
    "4.3 PING within a field block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).frame(PING, 0, 0, new Uint8Array(8)),
  ],
  [
    "4.3 an unknown frame within a field block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).frame(0x42, 0, 1),
  ],
  [
    "4.3 HEADERS of another stream within a field block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).headers(3),
  ],
  [
    "4.3 HEADERS of the same stream within a field block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).headers(1),
  ],
  // 5.1
  ["5.1 DATA on an idle stream", connection(PROTOCOL_ERROR), (rig) => rig.frame(DATA, 1, 1)],
  [
    "5.1 RST_STREAM on an idle stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(RST_STREAM, 0, 1, bytesOf(...word(8))),
  ],
  [
    "5.1 WINDOW_UPDATE on an idle stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(100))),
  ],
  [
    "5.1 CONTINUATION on an idle stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(CONTINUATION, END_HEADERS, 1, encodeFields(GET)),
  ],
  [
    "5.1 PRIORITY on an idle stream is allowed",
    "",
    (rig) => rig.frame(PRIORITY, 0, 7, bytesOf(0, 0, 0, 0, 16)).headers(1),
  ],
  [
    "5.1 DATA on a half-closed stream",
    stream(STREAM_CLOSED),
    (rig) => halfClosed(rig).frame(DATA, 1, 1, bytesOf(1)),
  ],
  [
    "5.1 HEADERS on a half-closed stream",
    stream(STREAM_CLOSED),
    (rig) => halfClosed(rig).headers(1),
  ],
  [
    "5.1 CONTINUATION on a half-closed stream",
    connection(PROTOCOL_ERROR),
    (rig) => halfClosed(rig).frame(CONTINUATION, END_HEADERS, 1, encodeFields(GET)),
  ],
  [
    "5.1 WINDOW_UPDATE, PRIORITY on a half-closed stream are allowed",
    "",
    (rig) =>
      halfClosed(rig).frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(500)))
        .frame(PRIORITY, 0, 1, bytesOf(0, 0, 0, 0, 16)),
  ],
  [
    "5.1 DATA after RST_STREAM",
    stream(STREAM_CLOSED),
    (rig) => open(rig).frame(RST_STREAM, 0, 1, bytesOf(...word(8))).frame(DATA, 1, 1, bytesOf(1)),
  ],
  [
    "5.1 HEADERS after RST_STREAM",
    stream(STREAM_CLOSED),
    (rig) => open(rig).frame(RST_STREAM, 0, 1, bytesOf(...word(8))).headers(1),
  ],
  [
    "5.1 CONTINUATION after RST_STREAM",
    connection(PROTOCOL_ERROR),
    (rig) =>
      open(rig).frame(RST_STREAM, 0, 1, bytesOf(...word(8)))
        .frame(CONTINUATION, END_HEADERS, 1, encodeFields(GET)),
  ],
  [
    "5.1 WINDOW_UPDATE, RST_STREAM after RST_STREAM are ignored",
    "",
    (rig) =>
      open(rig).frame(RST_STREAM, 0, 1, bytesOf(...word(8)))
        .frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(500)))
        .frame(RST_STREAM, 0, 1, bytesOf(...word(8))),
  ],
  [
    "5.1 DATA on a closed stream",
    connection(STREAM_CLOSED),
    (rig) => answered(rig).frame(DATA, 1, 1, bytesOf(1)),
  ],
  ["5.1 HEADERS on a closed stream", connection(STREAM_CLOSED), (rig) => answered(rig).headers(1)],
  [
    "5.1 CONTINUATION on a closed stream",
    connection(PROTOCOL_ERROR),
    (rig) => answered(rig).frame(CONTINUATION, END_HEADERS, 1, encodeFields(GET)),
  ],
  // 5.1.1, 5.1.2
  ["5.1.1 a stream of an even number", connection(PROTOCOL_ERROR), (rig) => rig.headers(2)],
  ["5.1.1 a stream below the last", connection(PROTOCOL_ERROR), (rig) => rig.headers(5).headers(3)],
  ["5.1.2 more streams than allowed", stream(REFUSED_STREAM, 2 * HTTP2_STREAMS + 1), (rig) => {
    for (let at = 0; at <= HTTP2_STREAMS; at++) rig.headers(2 * at + 1, POST, END_HEADERS);
  }],
  // 5.3.1 of RFC 7540
  [
    "5.3 HEADERS of a stream that depends on itself",
    stream(PROTOCOL_ERROR),
    (rig) =>
      rig.frame(
        HEADERS,
        END_STREAM | END_HEADERS | HAS_PRIORITY,
        1,
        bytesOf(0, 0, 0, 1, 255, ...encodeFields(GET)),
      ),
  ],
  [
    "5.3 PRIORITY of a stream that depends on itself",
    stream(PROTOCOL_ERROR),
    (rig) => open(rig).frame(PRIORITY, 0, 1, bytesOf(0, 0, 0, 1, 255)),
  ],
  [
    "5.3 PRIORITY of an idle stream that depends on itself",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(PRIORITY, 0, 3, bytesOf(0, 0, 0, 3, 255)),
  ],
  // 6.1
  ["6.1 DATA on stream 0", connection(PROTOCOL_ERROR), (rig) => open(rig).frame(DATA, 1, 0)],
  [
    "6.1 padding as long as the frame",
    connection(PROTOCOL_ERROR),
    (rig) => open(rig).frame(DATA, END_STREAM | PADDED, 1, bytesOf(6, 1, 2, 3, 4, 5)),
  ],
  [
    "6.1 padded DATA of no bytes",
    connection(FRAME_SIZE_ERROR),
    (rig) => open(rig).frame(DATA, END_STREAM | PADDED, 1),
  ],
  // 6.2
  ["6.2 HEADERS on stream 0", connection(PROTOCOL_ERROR), (rig) => rig.headers(0)],
  [
    "6.2 padding longer than the frame",
    connection(PROTOCOL_ERROR),
    (rig) =>
      rig.frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytesOf(200, ...encodeFields(GET))),
  ],
  [
    "6.2 HEADERS too short for their priority",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY, 1, bytesOf(0, 0, 0)),
  ],
  // 6.3
  [
    "6.3 PRIORITY on stream 0",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(PRIORITY, 0, 0, bytesOf(0, 0, 0, 1, 16)),
  ],
  [
    "6.3 PRIORITY of another length",
    stream(FRAME_SIZE_ERROR),
    (rig) => open(rig).frame(PRIORITY, 0, 1, bytesOf(0, 0, 0, 3)),
  ],
  // 6.4
  [
    "6.4 RST_STREAM on stream 0",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(RST_STREAM, 0, 0, bytesOf(...word(8))),
  ],
  [
    "6.4 RST_STREAM of another length",
    connection(FRAME_SIZE_ERROR),
    (rig) => open(rig).frame(RST_STREAM, 0, 1, bytesOf(0, 0, 8)),
  ],
  // 6.5
  [
    "6.5 SETTINGS that acknowledge with content",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(SETTINGS, ACK, 0, bytesOf(0)),
  ],
  [
    "6.5 SETTINGS on a stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 1, setting(3, 1)),
  ],
  [
    "6.5 SETTINGS of another length",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, bytesOf(0, 3, 0)),
  ],
  [
    "6.5.2 ENABLE_PUSH of 2",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, setting(2, 2)),
  ],
  [
    "6.5.2 INITIAL_WINDOW_SIZE of 2^31",
    connection(FLOW_CONTROL_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, setting(4, 2 ** 31)),
  ],
  [
    "6.5.2 MAX_FRAME_SIZE below 2^14",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, setting(5, 16_383)),
  ],
  [
    "6.5.2 MAX_FRAME_SIZE of 2^24",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(SETTINGS, 0, 0, setting(5, 2 ** 24)),
  ],
  [
    "6.5.2 an unknown setting is ignored",
    "",
    (rig) => rig.frame(SETTINGS, 0, 0, setting(0x7777, 1)),
  ],
  // 6.6
  [
    "6.6 PUSH_PROMISE of a client",
    connection(PROTOCOL_ERROR),
    (rig) =>
      open(rig).frame(PUSH_PROMISE, END_HEADERS, 1, bytesOf(0, 0, 0, 2, ...encodeFields(GET))),
  ],
  // 6.7
  [
    "6.7 PING on a stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(PING, 0, 1, new Uint8Array(8)),
  ],
  [
    "6.7 PING of another length",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(PING, 0, 0, new Uint8Array(6)),
  ],
  [
    "6.7 an unasked acknowledgement of a PING is ignored",
    "",
    (rig) => rig.frame(PING, ACK, 0, new Uint8Array(8)),
  ],
  // 6.8
  [
    "6.8 GOAWAY on a stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(GOAWAY, 0, 1, new Uint8Array(8)),
  ],
  [
    "6.8 GOAWAY of another length",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(GOAWAY, 0, 0, new Uint8Array(7)),
  ],
  // 6.9
  [
    "6.9 WINDOW_UPDATE of 0 on the connection",
    connection(PROTOCOL_ERROR),
    (rig) => rig.frame(WINDOW_UPDATE, 0, 0, bytesOf(...word(0))),
  ],
  [
    "6.9 WINDOW_UPDATE of 0 on a stream",
    stream(PROTOCOL_ERROR),
    (rig) => open(rig).frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(0))),
  ],
  [
    "6.9 WINDOW_UPDATE of another length",
    connection(FRAME_SIZE_ERROR),
    (rig) => rig.frame(WINDOW_UPDATE, 0, 0, bytesOf(0, 0, 1)),
  ],
  [
    "6.9.1 a connection's window above 2^31-1",
    connection(FLOW_CONTROL_ERROR),
    (rig) => rig.frame(WINDOW_UPDATE, 0, 0, bytesOf(...word(2 ** 31 - 1))),
  ],
  [
    "6.9.1 a stream's window above 2^31-1",
    stream(FLOW_CONTROL_ERROR),
    (rig) => open(rig).frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(2 ** 31 - 1))),
  ],
  [
    "6.9.2 a setting that makes a window too large",
    connection(FLOW_CONTROL_ERROR),
    (rig) =>
      open(rig).frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(2 ** 31 - 1 - 65_535)))
        .frame(SETTINGS, 0, 0, setting(4, 65_536)),
  ],
  ["6.9.1 more DATA than the stream's window", stream(FLOW_CONTROL_ERROR), (rig) => {
    open(rig);
    for (let at = 0; at < 4; at++) rig.frame(DATA, 0, 1, new Uint8Array(16_384));
  }],
  ["6.9.1 more DATA than the connection's window", connection(FLOW_CONTROL_ERROR), (rig) => {
    const streams = Math.ceil(HTTP2_WINDOW_BYTES / 49_152) + 1;
    for (let at = 0; at < streams; at++) {
      rig.headers(2 * at + 1, POST, END_HEADERS);
      for (let time = 0; time < 3; time++) {
        rig.frame(DATA, 0, 2 * at + 1, new Uint8Array(16_384));
      }
    }
  }],
  // 6.10
  [
    "6.10 CONTINUATION on stream 0",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).frame(CONTINUATION, END_HEADERS, 0),
  ],
  [
    "6.10 CONTINUATION of another stream",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, GET, END_STREAM).frame(CONTINUATION, END_HEADERS, 3),
  ],
  [
    "6.10 CONTINUATION after the end of the block",
    connection(PROTOCOL_ERROR),
    (rig) => rig.headers(1, POST, END_HEADERS).frame(CONTINUATION, END_HEADERS, 1),
  ],
  [
    "6.10 CONTINUATION after DATA",
    connection(PROTOCOL_ERROR),
    (rig) => open(rig).frame(DATA, 0, 1, bytesOf(1)).frame(CONTINUATION, END_HEADERS, 1),
  ],
  ["6.10 CONTINUATION without end", connection(ENHANCE_YOUR_CALM), (rig) => {
    rig.headers(1, GET, END_STREAM);
    for (let at = 0; at < 100; at++) rig.frame(CONTINUATION, 0, 1, bytesOf(0x82));
  }],
  ["6.10 a field block of 40,000 bytes", connection(ENHANCE_YOUR_CALM), (rig) => {
    rig.headers(1, GET, END_STREAM);
    for (let at = 0; at < 4; at++) rig.frame(CONTINUATION, 0, 1, new Uint8Array(10_000));
  }],
  // 8.1
  [
    "8.1 a second HEADERS that does not end the stream",
    stream(PROTOCOL_ERROR),
    (rig) => open(rig).headers(1, [["x-a", "b"]], END_HEADERS),
  ],
  [
    "8.1 trailers with a pseudo-header field",
    stream(PROTOCOL_ERROR),
    (rig) => open(rig).headers(1, [[":path", "/"]]),
  ],
  [
    "8.1 trailers with a field of the connection",
    stream(PROTOCOL_ERROR),
    (rig) => open(rig).headers(1, [["transfer-encoding", "chunked"]]),
  ],
  // 8.1.1
  [
    "8.1.1 more content than announced",
    stream(PROTOCOL_ERROR),
    (rig) =>
      rig.headers(1, [...POST, ["content-length", "1"]], END_HEADERS)
        .frame(DATA, END_STREAM, 1, bytesOf(1, 2)),
  ],
  [
    "8.1.1 less content than announced",
    stream(PROTOCOL_ERROR),
    (rig) =>
      rig.headers(1, [...POST, ["content-length", "3"]], END_HEADERS)
        .frame(DATA, END_STREAM, 1, bytesOf(1, 2)),
  ],
  [
    "8.1.1 announced content that several frames do not bring",
    stream(PROTOCOL_ERROR),
    (rig) =>
      rig.headers(1, [...POST, ["content-length", "3"]], END_HEADERS)
        .frame(DATA, 0, 1, bytesOf(1)).frame(DATA, END_STREAM, 1, bytesOf(2)),
  ],
  [
    "8.1.1 announced content that trailers cut short",
    stream(PROTOCOL_ERROR),
    (rig) =>
      rig.headers(1, [...POST, ["content-length", "3"]], END_HEADERS)
        .frame(DATA, 0, 1, bytesOf(1)).headers(1, [["x-sum", "1"]]),
  ],
  [
    "8.1.1 announced content and none",
    stream(PROTOCOL_ERROR),
    (rig) => rig.headers(1, [...POST, ["content-length", "3"]]),
  ],
  // 8.2, 8.3
  ...([
    ["8.2 an upper-case name", [...GET, ["X-A", "b"]]],
    ["8.2 a space in a name", [...GET, ["x a", "b"]]],
    ["8.2 a colon in a name", [...GET, ["x:a", "b"]]],
    ["8.2 a NUL in a name", [...GET, ["x\0a", "b"]]],
    ["8.2 a byte above 0x7f in a name", [...GET, ["x\xe9", "b"]]],
    ["8.2 an empty name", [...GET, ["", "b"]]],
    ["8.2 a line break in a value", [...GET, ["x-a", "b\r\nx-b: c"]]],
    ["8.2 a CR in a value", [...GET, ["x-a", "b\rc"]]],
    ["8.2 an LF in a value", [...GET, ["x-a", "b\nc"]]],
    ["8.2 a NUL in a value", [...GET, ["x-a", "b\0c"]]],
    ["8.2 a space before a value", [...GET, ["x-a", " b"]]],
    ["8.2 a tab after a value", [...GET, ["x-a", "b\t"]]],
    ["8.2.2 connection", [...GET, ["connection", "close"]]],
    ["8.2.2 keep-alive", [...GET, ["keep-alive", "5"]]],
    ["8.2.2 proxy-connection", [...GET, ["proxy-connection", "close"]]],
    ["8.2.2 transfer-encoding", [...POST, ["transfer-encoding", "chunked"]]],
    ["8.2.2 upgrade", [...GET, ["upgrade", "h2c"]]],
    ["8.2.2 te other than trailers", [...GET, ["te", "trailers, deflate"]]],
    ["8.3 an unknown pseudo-header field", [...GET, [":test", "ok"]]],
    ["8.3 a pseudo-header field of responses", [...GET, [":status", "200"]]],
    ["8.3 a pseudo-header field behind a field", [...GET.slice(1), ["x-a", "b"], GET[0]!]],
    ["8.3 an empty pseudo-header field", [["", ""], ...GET]],
    ["8.3.1 :method missing", without(":method")],
    ["8.3.1 :scheme missing", without(":scheme")],
    ["8.3.1 :path missing", without(":path")],
    ["8.3.1 an empty :path", [...without(":path"), [":path", ""]]],
    ["8.3.1 a :path without a slash", [...without(":path"), [":path", "a"]]],
    ["8.3.1 a :path of a star for GET", [...without(":path"), [":path", "*"]]],
    ["8.3.1 a space in :path", [...without(":path"), [":path", "/a b"]]],
    ["8.3.1 a line break in :path", [...without(":path"), [":path", "/a\r\nx: y"]]],
    ["8.3.1 two :methods", [GET[0]!, ...GET]],
    ["8.3.1 two :schemes", [GET[1]!, ...GET]],
    ["8.3.1 two :paths", [GET[2]!, ...GET]],
    ["8.3.1 two :authorities", [GET[3]!, ...GET]],
    ["8.3.1 a space in :method", [...without(":method"), [":method", "GET /x"]]],
    ["8.3.1 an empty :method", [...without(":method"), [":method", ""]]],
    ["8.3.1 no authority at all", without(":authority")],
    ["8.3.1 user information in :authority", [...without(":authority"), [
      ":authority",
      "u@a.test",
    ]]],
    ["8.3.1 a host that is not :authority", [...GET, ["host", "b.test"]]],
    ["8.3.1 two hosts", [...without(":authority"), ["host", "a"], ["host", "a"]]],
    ["8.3.1 a content-length of letters", [...POST, ["content-length", "abc"]]],
    ["8.3.1 two content-lengths", [...POST, ["content-length", "0"], ["content-length", "1"]]],
    ["8.5 CONNECT with :path", [[":method", "CONNECT"], ...GET.slice(2)]],
    ["8.5 CONNECT without :authority", [[":method", "CONNECT"]]],
  ] as const).map((
    [name, fields],
  ): Case => [name, stream(PROTOCOL_ERROR), (rig) => rig.headers(1, fields as readonly Field[])]),
  // RFC 7541
  [
    "HPACK 2.3.3 an index beyond the tables",
    connection(COMPRESSION_ERROR),
    (rig) =>
      rig.frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        1,
        bytesOf(...encodeFields(GET), 0xff, 0x80, 0x01),
      ),
  ],
  [
    "HPACK 4.2 a table's size behind a field",
    connection(COMPRESSION_ERROR),
    (rig) => rig.frame(HEADERS, END_STREAM | END_HEADERS, 1, bytesOf(...encodeFields(GET), 0x20)),
  ],
  [
    "HPACK 5.2 padding of more than 7 bits",
    connection(COMPRESSION_ERROR),
    (rig) =>
      rig.frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        1,
        bytesOf(...encodeFields(GET), 0x00, 0x82, 0x1f, 0xff, 0x01, 0x61),
      ),
  ],
  [
    "HPACK 6.3 a table larger than allowed",
    connection(COMPRESSION_ERROR),
    (rig) =>
      rig.frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        1,
        bytesOf(0x3f, 0xe2, 0x1f, ...encodeFields(GET)),
      ),
  ],
  [
    "HPACK in trailers",
    connection(COMPRESSION_ERROR),
    (rig) => open(rig).frame(HEADERS, END_STREAM | END_HEADERS, 1, bytesOf(0x80)),
  ],
  // What costs more than it asks for.
  ["PING without end", connection(ENHANCE_YOUR_CALM), (rig) => {
    for (let at = 0; at < 3_000; at++) rig.frame(PING, 0, 0, new Uint8Array(8));
  }],
  ["SETTINGS without end", connection(ENHANCE_YOUR_CALM), (rig) => {
    for (let at = 0; at < 3_000; at++) rig.frame(SETTINGS, 0, 0, setting(1, at));
  }],
  ["empty DATA without end", connection(ENHANCE_YOUR_CALM), (rig) => {
    open(rig);
    for (let at = 0; at < 3_000; at++) rig.frame(DATA, 0, 1);
  }],
];

for (const [name, wanted, run] of cases) {
  Deno.test(`Session, RFC 9113 ${name}`, () => {
    const rig = new Rig();
    run(rig);
    assertEquals(rig.verdicts.join(), wanted);
    assertEquals(rig.session.failed, wanted.startsWith("goaway"));
    // A stream's error leaves the connection as it was.
    if (rig.session.failed) return;
    const before = rig.requests;
    const id = 2 * HTTP2_STREAMS + 101;
    for (const each of rig.opened) rig.session.reset(each, NO_ERROR);
    rig.headers(id);
    assertEquals(rig.requests, before + 1, "the next request is served");
    rig.frame(PING, 0, 0, bytesOf(1, 2, 3, 4, 5, 6, 7, 8));
    assert(rig.frames.some((each) => each.type === PING && each.payload[7] === 8));
  });
}

Deno.test("Session serves no malformed request", () => {
  for (const [name, wanted, run] of cases) {
    if (!name.startsWith("8.2") && !name.startsWith("8.3")) continue;
    const rig = new Rig();
    run(rig);
    assertEquals([wanted, rig.requests], [stream(PROTOCOL_ERROR), 0], name);
  }
});

for (
  const [name, bytes] of [
    ["something else than the preface", ascii("GET / HTTP/1.1\r\nHost: a\r\n\r\n")],
    ["a preface with an error", ascii(PREFACE.replace("SM", "XX"))],
    ["HEADERS before SETTINGS", Uint8Array.from([...ascii(PREFACE), 0, 0, 0, 1, 5, 0, 0, 0, 1])],
    ["PING before SETTINGS", Uint8Array.from([...ascii(PREFACE), 0, 0, 8, 6, 0, 0, 0, 0, 0])],
  ] as const
) {
  Deno.test(`Session takes no ${name}`, () => {
    const rig = new Rig(false);
    rig.raw(bytes);
    if (!rig.session.failed) rig.raw(new Uint8Array(8));
    assertEquals(rig.verdicts, [connection(PROTOCOL_ERROR)]);
  });
}

Deno.test("Session acknowledges settings and pings, and gives back windows as content is taken", () => {
  const rig = new Rig();
  rig.frame(SETTINGS, 0, 0, setting(4, 10)).frame(PING, 0, 0, bytesOf(8, 7, 6, 5, 4, 3, 2, 1));
  assertEquals(rig.frames.map(({ type, flags }) => [type, flags]), [[SETTINGS, ACK], [PING, ACK]]);
  assertEquals([...rig.frames[1]!.payload], [8, 7, 6, 5, 4, 3, 2, 1]);
  open(rig);
  rig.frames.length = 0;
  for (let at = 0; at < 3; at++) rig.frame(DATA, 0, 1, new Uint8Array(16_384));
  assertEquals(rig.frames, [], "nothing was taken yet");
  rig.session.consumed(rig.opened[0]!, 49_152);
  rig.collect();
  assertEquals(rig.frames.map((each) => [each.type, each.stream, codeOf(each.payload, 0)]), [
    [WINDOW_UPDATE, 1, 49_152],
  ]);
  // Over and over it adds up to what was sent, padding included.
  let connectionCredit = 0;
  rig.frames.length = 0;
  for (let at = 0; at < 64; at++) {
    rig.frame(DATA, PADDED, 1, bytesOf(255, ...new Uint8Array(8_000 + 255)));
    rig.session.consumed(rig.opened[0]!, 8_000);
    rig.collect();
  }
  for (const each of rig.frames) {
    if (each.type === WINDOW_UPDATE && each.stream === 0) {
      connectionCredit += codeOf(each.payload, 0);
    }
  }
  const sent = 49_152 + 64 * (8_000 + 256);
  assert(connectionCredit <= sent && connectionCredit > sent - HTTP2_WINDOW_BYTES / 4);
  assertEquals(rig.verdicts, []);
});

Deno.test("Session sends as much as the windows allow, streams in turn, the rest when they open", () => {
  const rig = new Rig();
  rig.frame(SETTINGS, 0, 0, setting(4, 1)).headers(1).headers(3);
  rig.frames.length = 0;
  const done: number[] = [];
  const [one, three] = rig.opened as [Stream, Stream];
  for (const each of [one, three]) {
    rig.session.head(each, [[":status", "200"]], false);
    rig.session.data(each, new Uint8Array(40_000), true, () => done.push(each.id));
  }
  rig.collect();
  const sizes = () =>
    rig.frames.filter((each) => each.type === DATA).map((each) => [
      each.stream,
      each.payload.length,
    ]);
  assertEquals(sizes(), [[1, 1], [3, 1]]);
  rig.frames.length = 0;
  rig.frame(SETTINGS, 0, 0, setting(4, 20_001));
  assertEquals(sizes(), [[1, 16_384], [3, 16_384], [1, 3_616], [3, 3_616]]);
  // The windows are negative now; opening them by less changes nothing.
  rig.frames.length = 0;
  rig.frame(SETTINGS, 0, 0, setting(4, 0));
  rig.frame(WINDOW_UPDATE, 0, 3, bytesOf(...word(20_001)));
  assertEquals(sizes(), []);
  rig.frame(WINDOW_UPDATE, 0, 3, bytesOf(...word(30_000)));
  // 65,535 of the connection are 40,002 less.
  assertEquals(sizes(), [[3, 16_384], [3, 3_615]]);
  assertEquals(done, [3]);
  rig.frames.length = 0;
  rig.frame(WINDOW_UPDATE, 0, 1, bytesOf(...word(100_000)));
  assertEquals(sizes(), [[1, 65_535 - 40_002 - 19_999]]);
  rig.frame(WINDOW_UPDATE, 0, 0, bytesOf(...word(100_000)));
  assertEquals(done, [3, 1]);
  assertEquals(rig.frames.at(-1)!.flags, END_STREAM);
});

Deno.test("Session says once that it keeps no table, to a peer that wants a smaller one", () => {
  const rig = new Rig();
  rig.frame(SETTINGS, 0, 0, setting(1, 65_536)).headers(1).headers(3).headers(5);
  const blocks = rig.opened.map((each, at) => {
    if (at === 1) rig.frame(SETTINGS, 0, 0, setting(1, 100));
    rig.frames.length = 0;
    rig.session.head(each, [[":status", "200"]], true);
    return [...rig.collect().frames[0]!.payload];
  });
  assertEquals(blocks, [[0x88], [0x20, 0x88], [0x88]]);
});

Deno.test("Session makes large heads into CONTINUATION, and reads them in any pieces", () => {
  const rig = new Rig();
  const fields: Field[] = [...GET, ["x-a", "b".repeat(12_000)]];
  const block = encodeFields(fields);
  const out = new FrameWriter();
  out.fields(1, block, true, 100);
  const bytes = out.take()!;
  for (const byte of bytes) rig.raw(bytesOf(byte));
  assertEquals(rig.verdicts, [connection(ENHANCE_YOUR_CALM)], "too many pieces");
  const again = new Rig();
  out.fields(1, block, true, 1_000);
  for (const byte of out.take()!) again.raw(bytesOf(byte));
  assertEquals(again.log, ["fields 1 end 5"]);
});

Deno.test("Session hands on what it can of a head too large, marked, and goes on", () => {
  const rig = new Rig();
  const out = new FrameWriter();
  const big: Field[] = [...GET, ["x-a", "b".repeat(HEAD_BYTES)], ["x-b", "c"]];
  out.fields(1, encodeFields(big), true, 16_384);
  let last: Field | undefined;
  const session = new Session({
    requested: () => ({ onFields: (fields) => last = fields.at(-1), onData() {}, onReset() {} }),
  });
  session.feed(ascii(PREFACE), 0);
  const greeting = new FrameWriter();
  greeting.settings([]);
  session.feed(greeting.take()!, 0);
  session.feed(out.take()!, 0);
  assertEquals(last, TOO_LARGE);
  assertEquals(session.failed, false);
  assertEquals(rig.requests, 0);
});

Deno.test("Session ends a peer that resets streams again and again, not one that also lets them end", () => {
  const rig = new Rig();
  let id = 1;
  const reset = () => {
    rig.headers(id, POST, END_HEADERS).frame(RST_STREAM, 0, id, bytesOf(...word(8)));
    id += 2;
  };
  for (let at = 0; at < HTTP2_RESETS; at++) reset();
  assertEquals(rig.verdicts, []);
  for (let at = 0; at < 50; at++) {
    rig.headers(id);
    rig.session.head(rig.opened.at(-1)!, [[":status", "200"]], true);
    id += 2;
  }
  for (let at = 0; at < 50; at++) reset();
  assertEquals(rig.verdicts, []);
  reset();
  assertEquals(rig.verdicts, [connection(ENHANCE_YOUR_CALM)]);
  assertEquals(rig.session.streams.size, 0);
});

Deno.test("Session leaves in two steps and serves what was asked before it was heard", () => {
  const rig = new Rig();
  rig.headers(1);
  rig.session.leave();
  rig.collect();
  assertEquals(rig.verdicts, [connection(NO_ERROR)]);
  rig.headers(3);
  assertEquals(rig.requests, 2, "it was on its way");
  rig.frame(PING, ACK, 0, new Uint8Array(8));
  rig.headers(5);
  assertEquals(rig.requests, 2);
  assertEquals(rig.verdicts.slice(1), [connection(NO_ERROR), stream(REFUSED_STREAM, 5)]);
  for (const each of rig.opened) rig.session.head(each, [[":status", "200"]], true);
  assertEquals(rig.session.left, true);
});

Deno.test("Session as a client talks to Session as a server, content and trailers both ways", () => {
  const heard: string[] = [];
  const server = new Session({
    requested: (each) => ({
      onFields(fields, end) {
        heard.push(`request ${fields.length}${end ? " end" : ""}`);
        if (!end) server.head(each, [[":status", "100"]], false);
      },
      onData: (bytes) => {
        heard.push(`data ${bytes.length}`);
        server.consumed(each, bytes.length);
      },
      onReset: (code) => heard.push(`reset ${code}`),
    }),
  });
  const client = new Session(null);
  const exchange = () => {
    for (let moved = true; moved;) {
      moved = false;
      for (const [from, to] of [[client, server], [server, client]] as const) {
        const bytes = from.take();
        if (bytes === null) continue;
        moved = true;
        to.feed(bytes, 0);
      }
    }
  };
  const said: string[] = [];
  const asked = client.open(
    {
      onFields: (fields, end) => said.push(`${fields.map((each) => each.join("=")).join()} ${end}`),
      onData(bytes) {
        said.push(`data ${bytes.length}`);
        client.consumed(asked, bytes.length);
      },
      onReset: (code) => said.push(`reset ${code}`),
    },
    POST,
    false,
  );
  client.data(asked, new Uint8Array(200_000), false, () => said.push("sent"));
  exchange();
  assert(said.includes("sent"));
  client.trailers(asked, [["x-sum", "1"]]);
  exchange();
  const served = [...server.streams.values()][0]!;
  server.head(served, [[":status", "200"], ["content-type", "application/grpc"]], false);
  server.data(served, new Uint8Array(5), false, () => {});
  exchange();
  server.trailers(served, [["grpc-status", "0"]]);
  exchange();
  assertEquals(heard[0], "request 4");
  assertEquals(heard.at(-1), "request 1 end");
  assertEquals(said.filter((each) => each !== "sent"), [
    ":status=100 false",
    ":status=200,content-type=application/grpc false",
    "data 5",
    "grpc-status=0 true",
  ]);
  assertEquals([server.streams.size, client.streams.size], [0, 0]);
  assertEquals([server.failed, client.failed], [false, false]);
});

Deno.test("Session survives any frames, answers within bounds, and says how it ended", () => {
  const frame = fc.record({
    type: fc.nat(11),
    flags: fc.constantFrom(0, 1, 4, 5, 8, 9, 0x20, 0x25, 0x2d),
    stream: fc.nat(9),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(encodeFields(GET), encodeFields(POST), bytesOf(...word(100))),
    ),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 60 }), (frames) => {
      const rig = new Rig();
      for (const each of frames) rig.frame(each.type, each.flags, each.stream, each.payload);
      assertEquals(rig.session.failed, rig.verdicts.some((each) => each.startsWith("goaway")));
      assert(rig.session.streams.size <= HTTP2_STREAMS);
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("Session survives any bytes in any pieces, and a valid session cut and bent anywhere", () => {
  const out = new FrameWriter();
  out.raw(ascii(PREFACE));
  out.settings([]);
  out.fields(1, encodeFields(POST), false, 20);
  out.frame(DATA, 0, 1, bytesOf(1, 2, 3));
  out.fields(1, encodeFields([["x-sum", "1"]]), true, 100);
  out.fields(3, encodeFields(GET), true, 100);
  out.frame(PING, 0, 0, new Uint8Array(8));
  const whole = out.take()!;
  const bend = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 200 }).map((more) => Uint8Array.of(...whole, ...more)),
    fc.array(bend, { maxLength: 6 }).map((bends) => {
      const copy = whole.slice();
      for (const [at, by] of bends) copy[at] = by;
      return copy;
    }),
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(bytes, sizes, (input, pieces) => {
      const rig = new Rig(false);
      for (let at = 0, turn = 0; at < input.length; turn++) {
        const size = pieces[turn % pieces.length]!;
        rig.raw(input.subarray(at, at + size));
        at += size;
      }
      // In one piece it is the same.
      const again = new Rig(false);
      again.raw(input);
      assertEquals(again.log, rig.log);
      assertEquals(again.verdicts, rig.verdicts);
    }),
    { numRuns: 4_000 },
  );
});
