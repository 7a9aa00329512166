import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Address } from "../../core/address.ts";
import type { Anchor } from "../../core/chain.ts";
import { Failure } from "../../core/errors.ts";
import { MemberSeal } from "../../core/live/member_seal.ts";
import { membershipPath, readMembership } from "../../core/live/membership_file.ts";
import { openSealKeys, sealKeysPath } from "../../core/live/seal_keys.ts";
import { dialSealed } from "../../core/live/sealed_channel.ts";
import { sealedFetch } from "../../core/live/sealed_http.ts";
import { sealUrl } from "../../core/live/seal_url.ts";
import { openMeshUdp } from "../../core/live/mesh_udp.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import { type JoinRole, parseAnchor } from "../../core/seal/member.ts";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { makeToken } from "../../cli/token.ts";
import { id, keys, post, signed, start, withFolder } from "./rig_test.ts";
import type { RunningConductor } from "./settings.ts";

interface Rig {
  readonly folder: string;
  readonly conductor: RunningConductor;
  readonly url: string;
  stop(): Promise<void>;
  token(
    role: JoinRole,
    more?: { ttlS?: number; secretKey?: Uint8Array; anchor?: Anchor },
  ): Promise<string>;
  join(name: string, role: JoinRole, token?: string): Promise<MemberSeal>;
}

async function withSealed(work: (rig: Rig) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const state = `${folder}/conductor`;
    const own = await openSealKeys(state, "conductor");
    const conductor = await start(state, { keys: own });
    const { hostname, port } = conductor.commands;
    const seals: MemberSeal[] = [];
    let stopped: Promise<void> | undefined;
    const rig: Rig = {
      folder,
      stop: () => stopped ??= conductor.stop("the test is over"),
      conductor,
      url: `http://${hostname}:${port}`,
      token: (role, { ttlS = 60, secretKey = keys.secretKey, anchor } = {}) =>
        makeToken({
          role,
          ttlS,
          conductor: own.introduction,
          address: `${hostname}:${port}`,
          head: EMPTY_HEAD,
          ...(anchor ? { anchor } : {}),
          publicKey: keys.publicKey,
          signer: {
            provider: "noble",
            sign: (text) => Promise.resolve(sign(secretKey, text)),
          },
          wallMs: Date.now(),
        }),
      async join(name, role, token) {
        const seal = await MemberSeal.open({
          state: `${folder}/${name}`,
          role,
          name,
          join: token ?? await rig.token(role),
          ...(role === "node" ? { node: id().padEnd(32, "0") } : {}),
        });
        seals.push(seal);
        return seal;
      },
    };
    try {
      await work(rig);
    } finally {
      for (const seal of seals) seal[Symbol.dispose]();
      await rig.stop();
    }
  });
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!await isSo()) {
    assert(performance.now() < end, "waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a daemon joins with a token, knows the others, and comes back without one", async () => {
  await withSealed(async ({ join, folder, stop }) => {
    const tower = await join("tower", "tower");
    const node = await join("den", "node");
    assertEquals(node.membersOf("tower").map(({ name }) => name), ["tower"]);
    assertEquals(node.membersOf("conductor").length, 1);
    await until(() => tower.membersOf("node").some(({ name }) => name === "den"));
    assertEquals(tower.admitMember(node.keys.staticKey)?.role, "node");
    assertEquals(node.operators[0], keys.publicKey);
    const kept = await readMembership(membershipPath(`${folder}/den`, "node"));
    assertEquals(kept?.members.map(({ name }) => name), ["conductor", "tower"]);
    for (
      const path of [
        sealKeysPath(`${folder}/den`, "node"),
        sealKeysPath(`${folder}/conductor`, "conductor"),
      ]
    ) {
      assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    }
    await stop();
    const again = await MemberSeal.open({ state: `${folder}/den`, role: "node", name: "den" });
    assertEquals(again.membersOf("tower").length, 1);
    again[Symbol.dispose]();
  });
});

Deno.test("a token lets one daemon in, of its role, before it expires, if an admin signed it", async () => {
  await withSealed(async ({ join, token }) => {
    const refused = async (name: string, role: JoinRole, word: string, why: string) => {
      const error = await assertRejects(() => join(name, role, word), Failure);
      assertStringIncludes(error.message, why);
    };
    const once = await token("node");
    await join("a", "node", once);
    await refused("b", "node", once, "used already");
    await refused("c", "tower", await token("node"), "for a node");
    await refused("d", "node", await token("node", { ttlS: -10 }), "expired");
    const other = keyPairFromSeed(new Uint8Array(32).fill(9)).secretKey;
    await refused("e", "node", await token("node", { secretKey: other }), "altered");
    await refused("a2", "node", (await token("node")).slice(0, -40), "no token");
    const named = await token("node");
    const error = await assertRejects(
      () =>
        MemberSeal.open({
          state: `/tmp/skr8tr-${id()}`,
          role: "node",
          name: "a",
          join: named,
          node: "f".repeat(32),
        }),
      Failure,
    );
    assertStringIncludes(error.message, "the name a is taken");
  });
});

Deno.test("a token says where the chain of signed commands ended, and its daemon remembers", async () => {
  await withSealed(async ({ join, token, url, folder }) => {
    await post(url, signed(`QUOTA|${id()}|shop|5|-|-`));
    const anchor = parseAnchor((await (await fetch(`${url}/identity`)).json()).anchor)!;
    assert(anchor.sequence >= 1);
    const seal = await join("den", "node", await token("node", { anchor }));
    assertEquals(seal.anchor, anchor);
    using again = await MemberSeal.open({ state: `${folder}/den`, role: "node", name: "den" });
    assertEquals(again.anchor, anchor);
  });
});

Deno.test("a daemon without a token is told what to do", async () => {
  await withFolder(async (folder) => {
    const error = await assertRejects(
      () => MemberSeal.open({ state: folder, role: "node", name: "den" }),
      Failure,
    );
    assertStringIncludes(error.message, "skr8tr token create --role node");
  });
});

Deno.test("what a forgotten daemon says is heard by nobody any more", async () => {
  await withSealed(async ({ join, conductor, url }) => {
    const tower = await join("tower", "tower");
    const node = await join("den", "node");
    await until(() => tower.membersOf("node").length === 1);
    const heard: string[] = [];
    const hostname = "127.0.0.9";
    const receive = (text: string) => void heard.push(text);
    await using at = openMeshUdp({ hostname, port: 0, receive }, tower);
    const contacts = [{ address: at.address as Address, role: "tower" as const }];
    await using from = openMeshUdp({ hostname, port: 0, receive() {} }, node, contacts);
    from.send('{"k":"one"}', at.address);
    await until(() => heard.length === 1);
    const reply = await post(url, signed(`FORGET|${id()}|den`));
    assertEquals(reply, "OK|FORGOTTEN|den");
    await until(() => tower.membersOf("node").length === 0);
    for (let each = 0; each < 5; each++) {
      from.send('{"k":"two"}', at.address);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(heard, ['{"k":"one"}']);
    const dial = () =>
      dialSealed(sealUrl(conductor.commands), {
        keys: node.keys,
        responder: Uint8Array.fromBase64(node.membersOf("conductor")[0]!.staticKey),
      });
    assertEquals((await sealedFetch(dial, "/members")).status, 403);
    assertEquals(
      await post(url, signed(`FORGET|${id()}|den`)),
      "ERR|MEMBER|no daemon is named den",
    );
  });
});

Deno.test("a joined daemon is known to a conductor that starts again", async () => {
  await withFolder(async (folder) => {
    const own = await openSealKeys(folder, "conductor");
    let conductor = await start(folder, { keys: own });
    const { port, hostname } = conductor.commands;
    const word = await makeToken({
      role: "tower",
      ttlS: 60,
      conductor: own.introduction,
      address: `${hostname}:${port}`,
      head: EMPTY_HEAD,
      publicKey: keys.publicKey,
      signer: { provider: "noble", sign: (text) => Promise.resolve(sign(keys.secretKey, text)) },
      wallMs: Date.now(),
    });
    using tower = await MemberSeal.open({
      state: `${folder}/tower`,
      role: "tower",
      name: "tower",
      join: word,
    });
    await conductor.stop("again");
    conductor = await start(folder, { keys: await openSealKeys(folder, "conductor"), port });
    const { identity } = tower.membersOf("conductor")[0]!;
    const response = await tower.fetch({ hostname, port }, { identity }, "/member?node=nobody");
    assertEquals(response.status, 404);
    assertEquals(await response.json(), { error: "no such member" });
    await conductor.stop("the test is over");
  });
});
