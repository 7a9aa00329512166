// `rollback`, `rollout undo` and the short verbs, against a stand-in conductor.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatOperatorCommand } from "../core/command.ts";
import { keyPairFromSeed, sign } from "../core/sign.ts";
import { fingerprint } from "../core/signed.ts";
import type { HistoryView, SignedGenerationView } from "../core/view.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import { appView, fakeConductor } from "./testing/conductor.ts";
import { keptOutput } from "./testing/output.ts";

const MANIFEST = "app api {\n  exec /bin/api\n  port 8001\n}\n";

interface Forged {
  /** What the record's command holds, in place of the manifest that is shown. */
  readonly signed?: string;
  readonly signedGeneration?: number;
  readonly by?: Uint8Array;
}

/** So many answers to commands are lost. */
interface Losses {
  readonly losing?: number;
}

/** Runs a command against a conductor that tells of generation 1 like this. */
async function ask(line: string, forged: Forged & Losses = {}) {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-cli-" });
  try {
    const key = `${folder}/signing.sec`;
    await makeKeys(key, `${folder}/own.pub`);
    const publicKey = await Deno.readFile(`${folder}/own.pub`);
    const secret = forged.by ?? await Deno.readFile(key);
    const command = formatOperatorCommand({
      verb: "APPLY",
      id: "some-id-1",
      app: "api",
      generation: forged.signedGeneration ?? 1,
      manifest: forged.signed ?? MANIFEST,
    });
    const text = `${command}|1700000000`;
    const generation: SignedGenerationView = {
      generation: 1,
      sequence: 4,
      signedBy: fingerprint(publicKey),
      signedWallMs: 1,
      digest: "d".repeat(64),
      current: false,
      outcome: { result: "done", reason: "1 of 1 are ready", wallMs: 2 },
      manifest: MANIFEST,
      record: { text, signatureHex: sign(secret, text) },
    };
    const { manifest: _manifest, record: _record, ...line1 } = generation;
    const history: HistoryView = {
      app: "api",
      generations: [{ ...line1, generation: 2, current: true }, line1],
    };
    await using fake = fakeConductor({
      publicKey,
      losing: forged.losing ?? 0,
      pages: {
        "/api/apps/api": JSON.stringify(appView("api", { generation: 2, state: "ready" })),
        "/api/apps/api/history": JSON.stringify(history),
        "/api/apps/api/generations/1": JSON.stringify(generation),
      },
      story: (app, at) => [
        appView(app, {
          generation: at,
          state: "ready",
          newest: { generation: at, outcome: { result: "done", reason: "", wallMs: 3 } },
        }),
      ],
    });
    const output = keptOutput();
    const args = ["--conductor", `127.0.0.1:${fake.port}`, "--key", key, ...line.split(" ")];
    const code = await main(args, output);
    return {
      code,
      out: output.printed.join("\n"),
      err: output.noted.join("\n"),
      executed: [...fake.executed],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const line of ["rollback api --to 1", "rollout undo api"]) {
  Deno.test(`${line} signs the old manifest anew`, async () => {
    const { code, out, executed, err } = await ask(line);
    assertEquals(code, 0, err);
    assertMatch(out, /^api generation 1 ready/);
    assertEquals(executed.length, 1);
    assertMatch(executed[0]!, /^APPLY\|[^|]+\|api\|1\|-\|/);
  });
}

for (const line of ["rollback api --to 1", "rollout undo api"]) {
  Deno.test(`${line} is executed once though its answers are lost`, async () => {
    const { code, executed, err } = await ask(line, { losing: 2 });
    assertEquals([code, executed.length], [0, 1], err);
  });
}

for (
  const [what, forged, says] of [
    ["whose signature is another operator's", {
      by: keyPairFromSeed(new Uint8Array(32).fill(7)).secretKey,
    }, "whose key is not yours"],
    ["that differs from what was signed", {
      signed: MANIFEST.replace("/bin/api", "/bin/other"),
    }, "is forged"],
    ["that was signed as another generation", { signedGeneration: 9 }, "is forged"],
  ] as const
) {
  Deno.test(`rollback signs no manifest ${what}`, async () => {
    const { code, err, executed } = await ask("rollback api --to 1", forged);
    assertEquals(code, 1);
    assertStringIncludes(err, says);
    assertEquals(executed, []);
  });
}

Deno.test("rollback without --to says what lists the generations", async () => {
  const { code, err } = await ask("rollback api");
  assertEquals(code, 2);
  assertStringIncludes(err, "skr8tr history api");
});

Deno.test("scale, stop and restart tell each app, and say what one refuses", async () => {
  const scaled = await ask("scale api=3 web=-");
  assertEquals([scaled.code, scaled.out], [0, "api scaled\nweb scaled"]);
  assertMatch(scaled.executed.join(" "), /SCALE\|[^|]+\|api\|3 SCALE\|[^|]+\|web\|-/);
  const stopped = await ask("stop calm api");
  assertEquals([stopped.code, stopped.out], [1, "api stopped"]);
  assertStringIncludes(stopped.err, "calm is stopped already");
  const json = await ask("restart api --json");
  assertEquals(JSON.parse(json.out), { apps: [{ app: "api", ok: true }] });
  for (const wrong of ["scale api", "scale api=many", "stop Not.An.App"]) {
    assertEquals((await ask(wrong)).code, 2, wrong);
  }
});

Deno.test("history lists generations, newest first, with what became of them", async () => {
  const { code, out } = await ask("history api");
  assertEquals(code, 0);
  const [head, second, first] = out.split("\n");
  assertMatch(head!, /^GEN +SIGNED +BY +DIGEST +FALLBACK +OUTCOME/);
  assertMatch(second!, /^2 \* .* dddddddddddd .* done/);
  assertMatch(first!, /^1 +.* done/);
});
