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
import { decrypt } from "../../conductor/live/at_rest.ts";
import { emptyState, loadState, saveState } from "../../conductor/state.ts";
import { ChunkedBody } from "../../ingress/chunked.ts";
import { readProxyHeader } from "../../ingress/proxy_protocol.ts";
import { RequestHead } from "../../ingress/request_head.ts";
import { ResponseHead } from "../../ingress/response_head.ts";
import { parseSaved } from "../../node/saved.ts";
import { replyTo } from "../../tower/live/dns_codec.ts";

export interface Target {
  readonly name: string;
  /** Inputs that are right, or nearly. */
  readonly samples: readonly (string | Uint8Array)[];
  take(bytes: Uint8Array): void;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loose = new TextDecoder();
const text = (take: (text: string) => void) => (bytes: Uint8Array) => take(loose.decode(bytes));
const hex = (digit: string, length: number) => digit.repeat(length);
const nodeId = hex("0", 32);
const signed = (command: string) => `${command}|1795177690|${hex("a", 6_618)}`;

const COMMANDS = [
  "APPLY|command-1|web|1|-|YXBwIHdlYgogIGV4ZWMgL2Jpbi90cnVlCg==",
  "DOWN|command-1|web",
  "EXEC|web|echo hi",
  "SUBMIT|/srv/web.skr8tr",
  "EVICT|web",
  `OPERATOR|command-1|ann|deployer|shop,bank|*|1895177690|${hex("A", 2_604)}`,
  "GRANT|command-1|ann|exec|*|web|-",
  "UNGRANT|command-1|ann|17",
  "REVOKE|command-1|ann",
  "QUOTA|command-1|shop|4|512|-",
  `SECRET|command-1|shop|a/b|${hex("Q", 1_600)}`,
];

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
      // A snapshot is read only under its digest; other versions count as none.
      if (content === "" || !content.includes('"version":2')) loadState(EMPTY_HEAD, content);
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
