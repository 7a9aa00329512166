// What the inputs are made of: texts and bytes that are right.

import type { SsoSettings } from "../../conductor/trust/sso.ts";
import { ascii } from "../../ingress/field_block.ts";
import { FrameWriter, PREFACE } from "../../ingress/h2/frames.ts";
import type { Field } from "../../ingress/h2/hpack.ts";

export const hex = (digit: string, length: number) => digit.repeat(length);
export const nodeId = hex("0", 32);
export const signed = (command: string) => `${command}|1795177690|${hex("a", 6_618)}`;

export const COMMANDS = [
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

export const INTRODUCTION = {
  identityKey: hex("A", 2_604),
  staticKey: hex("A", 1_580),
  certificate: hex("a", 6_618),
};

export const MEMBER = JSON.stringify({
  role: "node",
  name: "one",
  identity: hex("c", 64),
  staticKey: hex("A", 1_580),
  node: nodeId,
});

export const SSO: SsoSettings = {
  issuer: "https://login.example",
  client: "deck",
  deck: "https://deck.example",
  groups: { a: { role: "viewer", namespaces: ["shop"] } },
};

export const GET: readonly Field[] = [[":method", "GET"], [":scheme", "https"], [":path", "/"]];

/** What a client of HTTP/2 says after its greeting. */
export function http2(write: (out: FrameWriter) => void): Uint8Array {
  const out = new FrameWriter();
  out.settings([]);
  write(out);
  const frames = out.take() ?? new Uint8Array();
  const preface = ascii(PREFACE);
  const all = new Uint8Array(preface.length + frames.length);
  all.set(preface);
  all.set(frames, preface.length);
  return all;
}
