// Who may take the place of a lost conductor, and who may come over to it.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../core/bytes.ts";
import { dialSealed } from "../../core/live/sealed_channel.ts";
import { sealedFetch } from "../../core/live/sealed_http.ts";
import { openSealKeys, type SealKeys } from "../../core/live/seal_keys.ts";
import { sealUrl } from "../../core/live/seal_url.ts";
import { findSuccessor } from "../../core/live/successor.ts";
import { EMPTY_HEAD, nextEntry } from "../../core/log.ts";
import { type Admission, formatTerms, type Membership } from "../../core/seal/member.ts";
import { admissionText } from "../../core/seal/succession.ts";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import { id, keys, post, signed, start, withFolder } from "./rig_test.ts";
import { SqliteStore } from "./store_sqlite.ts";

const NOW_S = Math.floor(Date.now() / 1_000);
const stranger = keyPairFromSeed(new Uint8Array(32).fill(99));

function succeed(log: string, { identity, staticKey }: SealKeys, unixS = NOW_S, by = keys) {
  const text = `SUCCEED|${id()}-succeed|${log}|${identity}|${sha256Hex(staticKey)}|${unixS}`;
  return { text, signature: sign(by.secretKey, text), operator: by.publicKey.toBase64() };
}

Deno.test("a recovered conductor takes over whom the lost one let in, and nobody else", async () => {
  await withFolder(async (folder) => {
    const [lost, own, den] = await Promise.all(
      ["lost", "own", "den"].map((name) => openSealKeys(`${folder}/${name}`, "conductor")),
    );
    let conductor = await start(`${folder}/own`, { keys: own! });
    let url = `http://${conductor.commands.hostname}:${conductor.commands.port}`;
    await post(url, signed(`QUOTA|${id()}|shop|5|-|-`));
    const { log } = (await (await fetch(`${url}/identity`)).json()).anchor;
    await conductor.stop("its log is to name it");
    const store = new SqliteStore(`${folder}/own/log.db`);
    const word = succeed(log, own!);
    await store.append(nextEntry(await store.head(), Date.now(), {
      kind: "command",
      signed: {
        text: word.text,
        signatureHex: word.signature,
        key: fingerprint(keys.publicKey),
      },
      reply: "OK|SUCCEEDED",
      audit: "as recover --succeed writes it",
    }));
    await store.close();
    conductor = await start(`${folder}/own`, { keys: own! });
    url = `http://${conductor.commands.hostname}:${conductor.commands.port}`;

    const node = "a".repeat(32);
    const token = (by: SealKeys, untilS = NOW_S - 100) => {
      const terms = {
        id: "token-of-den",
        role: "node",
        untilS,
        conductor: by.identity,
        staticHash: sha256Hex(by.staticKey),
        head: EMPTY_HEAD,
      } as const;
      return `${formatTerms(terms)}|${NOW_S - 1_000}`;
    };
    const admission = async (by: SealKeys, over: object = {}): Promise<Admission> => {
      const { identity } = den!;
      const atS = NOW_S - 200;
      const about = { token: "token-of-den", identity, role: "node", name: "den", node, atS };
      const text = admissionText({ ...about, ...over });
      const { identityKey } = by.introduction;
      return { atS, ...over, conductor: identityKey, signature: await by.sign(text) };
    };
    const join = async (shown: Admission | undefined, text = token(lost!)) => {
      const dial = () =>
        dialSealed(sealUrl(conductor.commands), { keys: den!, responder: own!.staticKey });
      const body = JSON.stringify({
        token: text,
        signature: sign(keys.secretKey, text),
        role: "node",
        name: "den",
        node,
        introduction: den!.introduction,
        ...(shown ? { admission: shown } : {}),
      });
      const response = await sealedFetch(dial, "/join", { method: "POST", body });
      const answer = await response.json();
      return response.ok ? "in" : answer.error as string;
    };
    assertStringIncludes(await join(undefined), "another conductor's");
    assertStringIncludes(await join(await admission(den!)), "did not let it in");
    const other = { identity: "b".repeat(64) };
    assertStringIncludes(await join(await admission(lost!, other)), "did not let it in");
    assertStringIncludes(await join(await admission(lost!, { name: "eve" })), "did not let it in");
    const later = await admission(lost!, { atS: NOW_S + 10 });
    assertStringIncludes(await join(later), "did not let it in");
    // Its token had run out before it came.
    const late = await join(await admission(lost!), token(lost!, NOW_S - 500));
    assertStringIncludes(late, "expired");
    assertEquals(await join(await admission(lost!)), "in");
    assertEquals(await post(url, signed(`FORGET|${id()}|den`)), "OK|FORGOTTEN|den");
    assertStringIncludes(await join(await admission(lost!)), "forgotten");
    await conductor.stop("the test is over");
  });
});

Deno.test("a daemon takes nobody for its conductor's successor without a later word of an operator", async () => {
  await withFolder(async (folder) => {
    const [lost, own] = await Promise.all(
      ["lost", "own"].map((name) => openSealKeys(`${folder}/${name}`, "conductor")),
    );
    const log = "c".repeat(64);
    const member = (of: SealKeys) => ({
      role: "conductor",
      name: "conductor",
      identity: of.identity,
      staticKey: of.staticKey.toBase64(),
    } as const);
    const known: Membership = {
      token: "token-of-den",
      conductor: member(lost!),
      operator: keys.publicKey.toBase64(),
      address: "127.0.9.75:1",
      members: [],
      anchor: { log, sequence: 0, chain: log },
      leadsS: NOW_S - 10,
    };
    let said: unknown = {};
    await using server = Deno.serve(
      { hostname: "127.0.9.75", port: 0, onListen: () => {} },
      () => Response.json(said),
    );
    const { port } = server.addr;
    const ask = async (word: unknown, of = own!, over: Partial<Membership> = {}) => {
      said = { ...of.introduction, succession: word };
      const trusts = (key: string) => key === keys.publicKey.toBase64();
      const at = { hostname: "127.0.9.75", port };
      return (await findSuccessor(at, { ...known, ...over }, trusts))?.conductor.identity ?? null;
    };
    const good = succeed(log, own!);
    assertEquals(await ask(good), own!.identity);
    assertEquals(await ask(undefined), null, "nobody names it");
    assertEquals(await ask(succeed(log, own!, NOW_S, stranger)), null, "a stranger does");
    const passedOff = { ...succeed(log, own!, NOW_S, stranger), operator: good.operator };
    assertEquals(await ask(passedOff), null, "a stranger does in an operator's name");
    assertEquals(await ask(succeed("d".repeat(64), own!)), null, "of another log");
    assertEquals(await ask(succeed(log, own!, NOW_S - 10)), null, "an older word");
    assertEquals(await ask(good, lost!), null, "it is another's");
    assertEquals(await ask(good, own!, { leadsS: NOW_S + 1 }), null, "a later word is known");
    const { anchor: _, ...unanchored } = known;
    said = { ...own!.introduction, succession: good };
    assertEquals(
      await findSuccessor({ hostname: "127.0.9.75", port }, unanchored, () => true),
      null,
      "it does not know its log",
    );
    const foreign = { ...own!.introduction, staticKey: lost!.introduction.staticKey };
    said = { ...foreign, succession: good };
    assertEquals(await findSuccessor({ hostname: "127.0.9.75", port }, known, () => true), null);
  });
});
