// Every parser of what comes from outside. Each takes any bytes, and neither throws nor hangs.

import { parseOperatorCommand } from "../../core/command.ts";
import { checkEntry, EMPTY_HEAD } from "../../core/log.ts";
import { parseManifest } from "../../core/manifest/parse.ts";
import { parseCopy } from "../../core/copy.ts";
import { decodeMesh, followerShape, followShape, watcherShape } from "../../core/mesh.ts";
import { parsePacket } from "../../core/seal/packets.ts";
import { parseShaped } from "../../core/shape.ts";
import {
  decodeDatagram,
  parseMeshV1,
  parseNodeCommand,
  parseSigned,
  parseTowerCommand,
} from "../../core/wire.ts";
import { Failure } from "../../core/errors.ts";
import {
  formatTerms,
  formatToken,
  memberStreamShape,
  parseJoin,
  parseMembership,
  parseTerms,
  parseToken,
} from "../../core/seal/member.ts";
import { readTarHead, TAR_BLOCK, tarHead } from "../../core/tar.ts";
import { decrypt } from "../../conductor/live/at_rest.ts";
import { grantsOf, groupsOf, parseSsoSettings, personOf } from "../../conductor/trust/sso.ts";
import { loadState, saveState } from "../../conductor/snapshot.ts";
import { emptyState } from "../../conductor/state.ts";
import { ChunkedBody } from "../../ingress/chunked.ts";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  MAX_CONCURRENT_STREAMS,
  PING,
  RST_STREAM,
  WINDOW_UPDATE,
} from "../../ingress/h2/frames.ts";
import { encodeFields } from "../../ingress/h2/hpack.ts";
import { Session } from "../../ingress/h2/session.ts";
import { readProxyHeader } from "../../ingress/proxy_protocol.ts";
import { RequestHead } from "../../ingress/request_head.ts";
import { ResponseHead } from "../../ingress/response_head.ts";
import { readRanges } from "../../node/static/request.ts";
import { parseSaved } from "../../node/saved.ts";
import { replyTo } from "../../tower/live/dns_codec.ts";
import { COMMANDS, GET, hex, http2, INTRODUCTION, MEMBER, nodeId, signed, SSO } from "./samples.ts";

export interface Target {
  readonly name: string;
  /** Inputs that are right, or nearly. */
  readonly samples: readonly (string | Uint8Array)[];
  take(bytes: Uint8Array): void;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loose = new TextDecoder();
const text = (take: (text: string) => void) => (bytes: Uint8Array) => take(loose.decode(bytes));
const DIRECTORY = { ofApp: () => [], isComplete: true, revision: 1 };

export const TARGETS: readonly Target[] = [
  {
    name: "datagram",
    samples: [...COMMANDS.map(signed), "PING", "LIST", "LOGS|web"],
    take(bytes) {
      const content = decodeDatagram(bytes, (each) => strict.decode(each));
      if (content === null) return;
      const command = parseSigned(content);
      if (command) parseOperatorCommand(command.command);
    },
  },
  { name: "command", samples: COMMANDS, take: text(parseOperatorCommand) },
  {
    name: "v1",
    samples: [
      "REGISTER|web|10.0.0.7|8001",
      "LOOKUP|web",
      `HEARTBEAT|${nodeId}|12|2048|GPU=1`,
      `DIED|${nodeId}|web|12|1`,
      "LAUNCH|name=web|bin=/bin/web|port=8001|args=-x|env=A=B,C=D|restart=always|drain=5",
      "KILL|web",
    ],
    take: text((content) => {
      parseTowerCommand(content);
      parseNodeCommand(content);
      parseMeshV1(content);
    }),
  },
  {
    name: "mesh",
    samples: [
      `{"k":"run","node":"${nodeId}","replica":"web.1","app":"web","generation":1,"sequence":2,"index":0}`,
      `{"k":"stop","node":"${nodeId}","replica":"web.1"}`,
      `{"k":"beat-ok","conductor":"${hex("a", 16)}","node":"${nodeId}","beat":4,"everyMs":250}`,
      `{"k":"status-ok","node":"${nodeId}","replica":"web.1","version":3}`,
    ],
    take: text(decodeMesh),
  },
  {
    name: "streams",
    samples: [
      `{"k":"record","sequence":3,"text":"DOWN|x|1","signatureHex":"${hex("a", 6_618)}","key":"${
        hex("b", 64)
      }"}`,
      `{"k":"head","sequence":3,"chain":"${hex("b", 64)}"}`,
      `{"k":"hello","role":"ingress","name":"edge"}`,
      `{"k":"ack","revision":3,"busy":["web.1"]}`,
      `{"k":"want-secrets","node":"${nodeId}","replica":"web.1","publicKey":"${hex("A", 1_580)}"}`,
    ],
    take: text((content) => {
      parseShaped(followShape, content);
      parseShaped(followerShape, content);
      parseShaped(watcherShape, content);
    }),
  },
  {
    name: "members",
    samples: [
      formatToken({
        text: `${
          formatTerms({
            id: "token-01",
            role: "node",
            untilS: 1_895_177_690,
            conductor: hex("c", 64),
            staticHash: hex("d", 64),
            head: { sequence: 7, hash: hex("e", 64) },
            anchor: { log: hex("a", 64), sequence: 5, chain: hex("b", 64) },
          })
        }|1795177690`,
        signature: hex("a", 6_618),
        operator: hex("A", 2_604),
        conductor: INTRODUCTION,
        address: "10.0.0.1:7771",
      }),
      `JOIN|token-01|tower|1895177690|${hex("c", 64)}|${hex("d", 64)}|7:${hex("e", 64)}|1795177690`,
      JSON.stringify({
        token: "JOIN|x",
        signature: hex("a", 6_618),
        role: "node",
        name: "one",
        node: nodeId,
        introduction: INTRODUCTION,
      }),
      `{"k":"members","members":[${MEMBER}]}`,
      `{"k":"forgotten","identity":"${hex("c", 64)}"}`,
      `{"token":"x","conductor":${MEMBER},"operator":"${
        hex("A", 2_604)
      }","address":"x","members":[]}`,
    ],
    take: text((content) => {
      parseToken(content);
      parseTerms(content);
      parseJoin(content);
      parseMembership(content);
      parseShaped(memberStreamShape, content);
    }),
  },
  {
    name: "claims",
    samples: [
      '{"sub":"7","preferred_username":"ann","groups":["a","b"]}',
      '{"sub":7,"email":null,"groups":{"a":1}}',
      JSON.stringify(SSO),
    ],
    take: text((content) => {
      let value: unknown;
      try {
        value = JSON.parse(content);
        parseSsoSettings(content, "sso.json");
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof Failure)) throw error;
      }
      if (typeof value !== "object" || value === null) return;
      const claims = value as Record<string, unknown>;
      personOf(claims);
      grantsOf(groupsOf(claims, SSO) ?? [], SSO);
    }),
  },
  {
    name: "manifest",
    samples: [
      'app web\n  exec /bin/web\n  port 8001\n  env {\n    A "b c" # d\n  }\n',
      "app a { exec /a; health { check GET /x 200; interval 1s }; secret { K file n } }\n",
      "app b\n  exec /b\n  scale {\n    min 1\n    max 4\n    cpu-above 70%\n  }\n  route { host h; path /p; rate 10/s }\n",
    ],
    take: text(parseManifest),
  },
  {
    name: "copy",
    samples: [
      `{"k":"log","log":"${
        hex("c", 64)
      }"}\n{"k":"record","sequence":3,"text":"DOWN|x|1","signatureHex":"${
        hex("a", 6_618)
      }","key":"${hex("b", 64)}"}\n`,
      `{"node":"${nodeId}","name":"one","runs":[{"replica":"web.1","app":"web","generation":1,"sequence":2,"index":0}]}\n`,
    ],
    take: text(parseCopy),
  },
  {
    name: "store",
    samples: [
      saveState(emptyState()),
      `{"sequence":1,"wallMs":1,"previous":"${hex("0", 64)}","hash":"${
        hex("a", 64)
      }","body":{"kind":"node","node":"x","name":"y"}}`,
      `aes1:${btoa(hex("x", 60))}`,
    ],
    take: text((content) => {
      decrypt(new Uint8Array(32), content, "1 x");
      parseSaved(`${content}\n`);
      try {
        const value = JSON.parse(content);
        // An entry of the log: whatever stands in it, its hash is looked at first.
        if (value !== null && typeof value === "object") checkEntry(EMPTY_HEAD, value);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
      loadState(EMPTY_HEAD, content);
    }),
  },
  {
    name: "replica state",
    samples: [
      `{"format":1,"replica":"web.1","app":"web","generation":1,"sequence":2,"index":0,"instance":1,"stage":"ready","restarts":0,"stopOrdered":false,"dropped":false,"sinceWallMs":5}\n`,
    ],
    take: text(parseSaved),
  },
  {
    name: "http request",
    samples: [
      "GET /a?b HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n",
      "POST http://h:80/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd",
      "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n",
    ],
    take(bytes) {
      const head = new RequestHead();
      head.restart(0);
      const cut = bytes.length >> 1;
      // In two parts, as it may come.
      head.parse(bytes, cut);
      head.parse(bytes, bytes.length);
    },
  },
  {
    name: "http response",
    samples: [
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
      "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ],
    take(bytes) {
      const head = new ResponseHead();
      head.restart(0);
      head.parse(bytes, bytes.length, false);
    },
  },
  {
    name: "chunked",
    samples: ["4\r\nabcd\r\n0\r\n\r\n", 'a;x="y"\r\n0123456789\r\n0\r\nx: y\r\n\r\n'],
    take(bytes) {
      const body = new ChunkedBody();
      body.restart(false);
      body.feed(bytes.slice(), 0, bytes.length);
    },
  },
  {
    name: "proxy protocol",
    samples: [
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04",
    ],
    take: (bytes) => void readProxyHeader(bytes, bytes.length),
  },
  {
    name: "http2",
    samples: [
      http2((out) => out.frame(HEADERS, END_HEADERS | END_STREAM, 1, encodeFields(GET))),
      http2((out) => out.settings([[MAX_CONCURRENT_STREAMS, 9]])),
      http2((out) => {
        out.frame(HEADERS, 0, 1, encodeFields(GET).subarray(0, 3));
        out.frame(CONTINUATION, END_HEADERS, 1, encodeFields(GET).subarray(3));
        out.frame(DATA, END_STREAM, 1, new Uint8Array(9));
      }),
      http2((out) => {
        out.frame(WINDOW_UPDATE, 0, 0, Uint8Array.of(0, 0, 1, 0));
        out.frame(PING, 0, 0, new Uint8Array(8));
        out.frame(RST_STREAM, 0, 1, Uint8Array.of(0, 0, 0, 8));
        out.frame(GOAWAY, 0, 0, new Uint8Array(8));
      }),
    ],
    take(bytes) {
      const session = new Session({
        requested: () => ({ onFields: () => {}, onData: () => {}, onReset: () => {} }),
      });
      session.feed(bytes, 0);
      while (session.take() !== null);
    },
  },
  {
    name: "tar",
    samples: [
      tarHead({ kind: "file", path: "a/b.txt", bytes: 7, executable: true }),
      tarHead({ kind: "link", path: "a/c", target: "b.txt" }),
    ],
    take(bytes) {
      const head = new Uint8Array(TAR_BLOCK);
      head.set(bytes.subarray(0, TAR_BLOCK));
      readTarHead(head);
    },
  },
  {
    name: "ranges",
    samples: ["bytes=0-5,7-9", "bytes=-5", "bytes=5-"],
    take: text((content) => void readRanges(content, 1_000)),
  },
  {
    name: "dns",
    samples: [
      Uint8Array.of(
        0,
        1,
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        3,
        119,
        101,
        98,
        6,
        115,
        107,
        114,
        56,
        116,
        114,
        0,
        0,
        1,
        0,
        1,
      ),
    ],
    take: (bytes) => void replyTo(bytes.slice(), "udp", DIRECTORY, 0),
  },
  {
    name: "sealed packet",
    samples: [new Uint8Array(1_200).fill(7), Uint8Array.of(0xf5, 1, 0, 0, 0, 1, 0, 0, 0, 2)],
    take: (bytes) => void parsePacket(bytes),
  },
];
