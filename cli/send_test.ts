import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { keyPairFromSeed, sign } from "../core/sign.ts";
import { conductorAt } from "./conductor.ts";
import type { Signer } from "./keys.ts";
import {
  commandId,
  parseReply,
  refusal,
  sendSigned,
  sendUntilAnswered,
  signCommand,
} from "./send.ts";
import { type FakeConductor, fakeConductor, type FakeOptions } from "./testing/conductor.ts";
import { askUdp } from "./udp.ts";

const keys = keyPairFromSeed(new Uint8Array(32).fill(7));
const signer: Signer = {
  provider: "noble",
  sign: (text) => Promise.resolve(sign(keys.secretKey, text)),
};

const apply = (manifest = "app api\n") =>
  signCommand(signer, {
    verb: "APPLY",
    id: commandId(),
    app: "api",
    generation: 1,
    manifest,
  });

/** Meanwhile no time passes for timers: what a busy machine takes decides nothing. */
async function withoutTimers<T>(work: () => Promise<T>): Promise<T> {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (() => real(() => {}, 0)) as unknown as typeof setTimeout;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = real;
  }
}

async function send(options: FakeOptions, signed: string) {
  await using fake = fakeConductor({ publicKey: keys.publicKey, ...options });
  const conductor = conductorAt({ hostname: "127.0.0.1", port: fake.port }, 5_000);
  const reply = await sendSigned(conductor, signed, 5_000);
  return { reply, by: fake.received.map((each) => each.by), executed: fake.executed };
}

Deno.test("sendSigned() goes by UDP alone when that is answered", async () => {
  const signed = await apply();
  const { reply, by, executed } = await withoutTimers(() => send({}, signed));
  assertEquals(reply, "OK|APPLIED|api|1");
  assertEquals(by, ["udp"]);
  assertEquals(executed.length, 1);
});

Deno.test("sendSigned() also goes by TCP when UDP is not answered, and is executed once", async () => {
  const { reply, by, executed } = await send({ deafUdp: true }, await apply());
  assertEquals(reply, "OK|APPLIED|api|1");
  assertEquals(by, ["tcp"]);
  assertEquals(executed.length, 1);
});

Deno.test("sendSigned() goes by TCP alone when a datagram is too small for it", async () => {
  const { reply, by } = await send({}, await apply(`app api\n${"# padding\n".repeat(2_000)}`));
  assertEquals(reply, "OK|APPLIED|api|1");
  assertEquals(by, ["tcp"]);
});

Deno.test("sendSigned() takes the answer of UDP where there is no TCP", async () => {
  const { reply, by } = await send({ noHttp: true }, await apply());
  assertEquals(reply, "OK|APPLIED|api|1");
  assertEquals(by, ["udp"]);
});

Deno.test("sendSigned() says that nobody answers, within its time", async () => {
  const signed = await apply();
  await using fake = fakeConductor({ noHttp: true, deafUdp: true });
  const conductor = conductorAt({ hostname: "127.0.0.1", port: fake.port }, 400);
  const begun = performance.now();
  const error = await assertRejects(() => sendSigned(conductor, signed, 400), Failure) as Failure;
  assertEquals(error.code, "unreachable");
  assert(performance.now() - begun < 3_000);
});

Deno.test("sendUntilAnswered() sends under one id, signed anew in time, until it hears what became of it", async () => {
  await using fake = fakeConductor({ publicKey: keys.publicKey, noHttp: true, losing: 2 });
  const conductor = conductorAt({ hostname: "127.0.0.1", port: fake.port }, 300);
  const real = performance.now;
  let aheadMs = 0;
  let signatures = 0;
  let lost = 0;
  performance.now = () => real.call(performance) + aheadMs;
  try {
    const reply = await sendUntilAnswered(
      { verb: "APPLY", id: commandId(), app: "api", generation: 1, manifest: "app api\n" },
      {
        conductor,
        timeoutMs: 300,
        patienceMs: Infinity,
        signer: {
          ...signer,
          sign(text) {
            signatures++;
            return signer.sign(text);
          },
        },
        onLost() {
          lost++;
          aheadMs += 20_000;
        },
      },
    );
    assertEquals(reply, "OK|APPLIED|api|1");
  } finally {
    performance.now = real;
  }
  // Once more where the answer itself takes longer than the CLI waits for it.
  assert(fake.received.length >= 3, `sent ${fake.received.length} times`);
  assertEquals(fake.executed.length, 1);
  assertEquals(new Set(fake.received.map((each) => each.command)).size, 1);
  assertEquals([signatures, lost], [2, 1]);
});

/** Takes connections at the port of a fake conductor, and says nothing to anybody. */
function silentConductor(): { readonly fake: FakeConductor; readonly listener: Deno.TcpListener } {
  for (let attempt = 0;; attempt++) {
    const fake = fakeConductor({ noHttp: true, datagrams: { PING: "PONG" } });
    try {
      return { fake, listener: Deno.listen({ hostname: "127.0.0.1", port: fake.port }) };
    } catch (error) {
      fake[Symbol.asyncDispose]();
      if (!(error instanceof Deno.errors.AddrInUse) || attempt > 20) throw error;
    }
  }
}

Deno.test("a conductor that takes connections and says nothing is sent no command", async () => {
  // Stopped, say: what it gets it would execute when it goes on.
  const silent = silentConductor();
  await using fake = silent.fake;
  using _listener = silent.listener;
  const address = { hostname: "127.0.0.1", port: fake.port };
  const conductor = conductorAt({ ...address, seal: {} }, 300);
  const command = { verb: "DOWN", id: commandId(), app: "api" } as const;
  const options = { conductor, signer, timeoutMs: 300 };
  const error = await assertRejects(() => sendUntilAnswered(command, options), Failure) as Failure;
  assertStringIncludes(error.message, `the conductor does not answer: 127.0.0.1:${fake.port}: no`);
  // Whatever it was sent has come before this.
  const patience = { timeoutMs: 10_000, repeat: true };
  assertEquals(await askUdp(address, "PING", patience), "PONG");
  assertEquals(fake.received, []);
});

Deno.test("sendUntilAnswered() gives up when its patience is over", async () => {
  await using fake = fakeConductor({ noHttp: true, deafUdp: true });
  const conductor = conductorAt({ hostname: "127.0.0.1", port: fake.port }, 100);
  const options = { conductor, signer, timeoutMs: 100, patienceMs: 600 };
  const command = { verb: "RUN", id: commandId(), app: "api" } as const;
  const error = await assertRejects(() => sendUntilAnswered(command, options), Failure) as Failure;
  assertEquals(error.code, "unreachable");
});

Deno.test("refusal() says the conductor's words without the code, which is for programs", () => {
  const parsed = parseReply("ERR|NAMESPACE|namespace shop may have 2 replicas | 3");
  assert(!parsed.ok);
  const { message } = refusal(parsed, "/keys/signing.sec");
  assertEquals(message, "the conductor refused: namespace shop may have 2 replicas | 3");
});

Deno.test("refusal() says what to check when the signature is not accepted", async () => {
  const { reply } = await send({ publicKey: undefined }, await apply());
  const parsed = parseReply(reply);
  assert(!parsed.ok);
  const failure = refusal(parsed, "/keys/signing.sec");
  assertEquals(failure.code, "unauthorized");
  for (const part of ["/keys/signing.sec", "--pubkey", "clock"]) {
    assertStringIncludes(failure.message, part);
  }
});
