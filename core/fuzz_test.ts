// No bytes crash a parser of what arrives from outside. The seed is printed; SKR8TR_FUZZ_SEED
// repeats a run, SKR8TR_FUZZ_INPUTS makes it longer.

import { assert } from "@std/assert";
import { toBytes, toText } from "./bytes.ts";
import { formatOperatorCommand, parseOperatorCommand } from "./command.ts";
import { randomSeed } from "./live/clock.ts";
import { decodeMesh, encodeMesh } from "./mesh.ts";
import { createPrng, type Prng } from "./prng.ts";
import {
  decodeDatagram,
  formatSigned,
  parseMeshV1,
  parseNodeCommand,
  parseSigned,
  parseTowerCommand,
  SIGNATURE_HEX,
} from "./wire.ts";

const env = (name: string) =>
  Deno.permissions.querySync({ name: "env", variable: name }).state === "granted"
    ? Deno.env.get(name)
    : undefined;
const INPUTS = Number(env("SKR8TR_FUZZ_INPUTS") ?? 100_000);

const PIECES = [
  ...["|", "||", "=", ",", " ", "\n", "\0", "-", ".", ":", "/", "0", "1", "-1", "1e9", "65536"],
  ...[
    "999999999999999999999",
    "127.0.0.1",
    "::1",
    "web",
    "a".repeat(64),
    "0".repeat(32),
    "ü",
    "💥",
  ],
  ...[
    "\ud800",
    "\u2028",
    "__proto__",
    "constructor",
    "name=",
    "bin=/x",
    "port=",
    "env=A=",
    "GPU=1",
  ],
  ...["APPLY|", "DOWN|", "SUBMIT|", "ROLLOUT|", "EVICT|", "EXEC|", "REGISTER|", "DEREGISTER|"],
  ...["LOOKUP|", "LIST", "PING", "STATUS", "LOGS|", "KILL|", "LAUNCH|", "HEARTBEAT|", "DIED|"],
  ...["RELAUNCHED|", "{", "}", "[", "]", '"', '{"k":"', "beat", "status", "report", "run", "lease"],
  ...['"node":', '"boot":', '"statuses":[', '"whole":{', "null", "true", "1e400", "\\u0000", "==="],
  ...["YXBwIHdlYiB7fQo=", "f".repeat(SIGNATURE_HEX), "|1795177690|"],
];

/** Bytes without order, or pieces of real messages put together, or a real message with a bit turned. */
function input(prng: Prng): Uint8Array {
  const kind = prng.below(4);
  if (kind === 0) return Uint8Array.from({ length: prng.below(80) }, () => prng.below(256));
  let text = "";
  for (let count = prng.below(10); count > 0; count--) text += PIECES[prng.below(PIECES.length)];
  const bytes = toBytes(text);
  if (kind === 1 && bytes.length > 0) {
    bytes[prng.below(bytes.length)]! ^= 1 << prng.below(8);
  }
  return bytes;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const parsers: [name: string, parse: (text: string) => void][] = [
  ["parseSigned", (text) => {
    const signed = parseSigned(text);
    if (!signed) return;
    assert(signed.text === `${signed.command}|${text.slice(signed.command.length + 1, -6619)}`);
    assert(Number.isSafeInteger(signed.unixS) && signed.signatureHex.length === SIGNATURE_HEX);
    assert(formatSigned(signed.text, signed.signatureHex).toLowerCase() === text.toLowerCase());
  }],
  ["parseTowerCommand", (text) => known(parseTowerCommand(text))],
  ["parseNodeCommand", (text) => known(parseNodeCommand(text))],
  ["parseMeshV1", (text) => known(parseMeshV1(text))],
  ["parseOperatorCommand", (text) => {
    const command = parseOperatorCommand(text);
    known(command);
    if ("error" in command) return;
    const again = parseOperatorCommand(formatOperatorCommand(command));
    assert(JSON.stringify(again) === JSON.stringify(command), text);
  }],
  ["decodeMesh", (text) => {
    const message = decodeMesh(text);
    if (message) {
      assert(JSON.stringify(decodeMesh(encodeMesh(message))) === JSON.stringify(message));
    }
  }],
];

function known(result: { readonly verb: string } | { readonly error: string }): void {
  assert("verb" in result ? result.verb !== "" : result.error !== "");
}

for (const [name, parse] of parsers) {
  Deno.test(`${name}() takes ${INPUTS} inputs of any bytes`, () => {
    const seed = Number(env("SKR8TR_FUZZ_SEED") ?? randomSeed());
    console.log(`seed ${seed}`);
    const prng = createPrng(seed);
    for (let count = 0; count < INPUTS; count++) {
      const bytes = input(prng);
      const text = decodeDatagram(bytes, (each) => strict.decode(each)) ?? toText(bytes) ??
        new TextDecoder("latin1").decode(bytes);
      try {
        parse(text);
      } catch (error) {
        throw new Error(`seed ${seed}, input ${count}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
  });
}

Deno.test("decodeMesh() survives nesting and length without bounds", () => {
  for (
    const text of ["[".repeat(1e6), `{"k":`.repeat(1e5), `{"k":"beat","node":${"9".repeat(1e6)}}`]
  ) {
    assert(decodeMesh(text) === null);
  }
});
