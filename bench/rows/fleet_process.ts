// Many nodes in one process, for the row `fleet`: each has an identity that has joined and a sealed
// session of its own, and beats as often as the conductor says. Prints a JSON line for each step.

import { sha256Hex } from "../../core/bytes.ts";
import { randomHex } from "../../core/live/clock.ts";
import { createKem, type Kem } from "../../core/live/seal_primitives.ts";
import { openSealedUdp } from "../../core/live/sealed_udp.ts";
import { dialSealed } from "../../core/live/sealed_channel.ts";
import { acceptSealed, isSealRequest, sealedFetch } from "../../core/live/sealed_http.ts";
import { sealUrl } from "../../core/live/seal_url.ts";
import { decodeMesh, encodeMesh } from "../../core/mesh.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import {
  certificateText,
  type JoinRequest,
  parseIntroduction,
  parseToken,
} from "../../core/seal/member.ts";
import { openSigner } from "../../cli/keys.ts";
import { makeToken } from "../../cli/token.ts";

const [conductorText, meshText, countText, keyPath] = Deno.args as [string, string, string, string];
const addressOf = (text: string) => {
  const [hostname = "", port] = text.split(":");
  return { hostname, port: Number(port) };
};
const conductor = addressOf(conductorText);
const mesh = addressOf(meshText);
const count = Number(countText);
const say = (step: object) => console.log(JSON.stringify(step));

const response = await fetch(`http://${conductorText}/identity`);
const introduction = parseIntroduction(await response.text())!;
const responder = Uint8Array.fromBase64(introduction.staticKey);
const conductorPeer = {
  role: "conductor",
  name: "conductor",
  identity: sha256Hex(Uint8Array.fromBase64(introduction.identityKey)),
} as const;
const signer = await openSigner(keyPath);
const publicKey = await Deno.readFile(keyPath.replace(/signing\.sec$/, "skrtrview.pub"));
const kem: Kem = await createKem();

interface DsaSubtle {
  generateKey(name: string, extractable: boolean, usages: string[]): Promise<CryptoKeyPair>;
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>;
  sign(name: string, key: CryptoKey, data: Uint8Array): Promise<ArrayBuffer>;
}
const subtle = crypto.subtle as unknown as DsaSubtle;

/** One node's keys, admitted by a token of its own. */
async function join(number: number) {
  const { publicKey: staticKey, secret } = await kem.fromSeed(
    crypto.getRandomValues(new Uint8Array(64)),
  );
  const pair = await subtle.generateKey("ML-DSA-65", true, ["sign", "verify"]);
  const identityKey = new Uint8Array(await subtle.exportKey("raw-public", pair.publicKey));
  const text = new TextEncoder().encode(certificateText(staticKey));
  const certificate = new Uint8Array(await subtle.sign("ML-DSA-65", pair.privateKey, text));
  const introduced = {
    identityKey: identityKey.toBase64(),
    staticKey: staticKey.toBase64(),
    certificate: certificate.toHex(),
  };
  const token = parseToken(
    await makeToken({
      role: "node",
      ttlS: 3_600,
      conductor: introduction,
      address: conductorText,
      head: EMPTY_HEAD,
      publicKey,
      signer,
      wallMs: Date.now(),
    }),
  )!;
  const node = randomHex(32);
  const request: JoinRequest = {
    token: token.text,
    signature: token.signature,
    role: "node",
    name: `sim-${number}`,
    node,
    introduction: introduced,
  };
  const keys = { kem, staticKey, secret };
  const dial = () => dialSealed(sealUrl(conductor), { keys, responder });
  const body = JSON.stringify(request);
  const answer = await sealedFetch(dial, "/join", { method: "POST", body });
  if (!answer.ok) throw new Error(`sim-${number} cannot join: ${await answer.text()}`);
  await answer.body?.cancel();
  return { node, name: `sim-${number}`, keys };
}

type Joined = Awaited<ReturnType<typeof join>>;

const joined: Joined[] = [];
let next = 0;
await Promise.all(Array.from({ length: 16 }, async () => {
  while (next < count) {
    joined.push(await join(next++));
    if (joined.length % 250 === 0) say({ joined: joined.length });
  }
}));

const END_OF_PAST = new TextEncoder().encode("\n");
let answered = 0;

/** Beats for as long as the process lives. */
function live({ node, name, keys }: Joined): void {
  const number = Number(name.slice("sim-".length));
  const hostname = `127.26.${number % 250}.1`;
  // So often a conductor of this many wants to hear from each; it will say so itself.
  let everyMs = count / 800 * 1_000;
  let beats = 0;
  const boot = randomHex(16);
  const bootWallMs = Date.now();
  const udp = openSealedUdp({
    hostname,
    port: 0,
    keys,
    admit: () => null,
    receive(text, from) {
      const message = decodeMesh(text);
      if (message?.k === "probe") {
        udp.send(encodeMesh({ k: "probe-ok", by: node, boot, request: message.request }), from);
      }
      if (message?.k !== "beat-ok") return;
      everyMs = message.everyMs;
      answered++;
      if (message.reportPlease === undefined) return;
      const request = message.reportPlease;
      const report = { k: "report", node, boot, request, page: 0, pages: 1, statuses: [] } as const;
      udp.send(encodeMesh(report), mesh);
    },
  });
  // A conductor follows the logs of some of its nodes: these have none to tell.
  const followed = () =>
    new Response(new ReadableStream({ start: (stream) => stream.enqueue(END_OF_PAST) }), {
      headers: { "skr8tr-boot": boot },
    });
  Deno.serve(
    { hostname, port: udp.address.port, onListen: () => {} },
    (request) =>
      isSealRequest(request)
        ? acceptSealed(request, { keys, admit: () => conductorPeer }, followed)
        : new Response(null, { status: 404 }),
  );
  udp.contact(mesh, { staticKey: responder, peer: conductorPeer });
  const beat = () => {
    udp.send(
      encodeMesh({
        k: "beat",
        node,
        boot,
        bootWallMs,
        beat: ++beats,
        name,
        host: hostname,
        port: udp.address.port,
        cpuPercent: 10,
        cores: 64,
        ramTotalBytes: 64 * 2 ** 30,
        ramFreeBytes: 32 * 2 ** 30,
        gpu: false,
        labels: {},
        replicas: 0,
        digest: 0,
        sequence: 0,
      }),
      mesh,
    );
    setTimeout(beat, everyMs);
  };
  setTimeout(beat, Math.random() * 10_000);
}

for (const each of joined) live(each);
say({ joined: joined.length });
setInterval(() => {
  say({ answered });
  answered = 0;
}, 1_000);
