import { conductorAt } from "../../cli/conductor.ts";
import { openSigner } from "../../cli/keys.ts";
import { commandId, sendSigned, signCommand } from "../../cli/send.ts";
import type { Recorder, Row } from "../row.ts";

const HOST = "127.0.27.91";
const FLOODER = "127.0.27.92";
const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const PER_SECOND = 20_000;

/** Sends forged commands of full size, so many a second, and prints how many it could each second. */
const FLOOD = `
const socket = Deno.listenDatagram({ transport: "udp", hostname: "${FLOODER}", port: 0 });
const [port, perSecond] = Deno.args.map(Number);
const to = { transport: "udp", hostname: "${HOST}", port };
const text = (n) => "DOWN|forged-" + String(n).padStart(8, "0") + "|web|" +
  Math.floor(Date.now() / 1000) + "|" + "ab".repeat(3309);
const encoder = new TextEncoder();
let sent = 0;
const began = performance.now();
let told = began;
for (;;) {
  const due = (performance.now() - began) / 1000 * perSecond;
  const bytes = encoder.encode(text(sent));
  while (sent < due) {
    await socket.send(bytes, to);
    sent++;
  }
  if (performance.now() - told > 1000) {
    told = performance.now();
    console.log(Math.round(sent / (told - began) * 1000));
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}`;

export const row: Row = {
  name: "flood",
  measures:
    "a real operator's command to its answer, while forged commands of full size come by UDP " +
    "from one source at 20,000 a second",
  runs: 40,
  figures: [
    { key: "tcp", label: "answered over TCP", unit: "ms", mustReach: 100, goal: 20 },
    { key: "both", label: "answered by UDP, then TCP", unit: "ms" },
    { key: "calm", label: "over TCP without a flood", unit: "ms" },
    { key: "forged", label: "forged commands sent", unit: "/s" },
    { key: "cpu", label: "conductor's CPU", unit: "%" },
  ],
  async run(recorder: Recorder) {
    const folder = await Deno.makeTempDir({ prefix: "flood-" });
    const children: Deno.ChildProcess[] = [];
    const start = (args: string[], stdout: "piped" | "null" = "null") => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", `--config=${ROOT}deno.json`, ...args],
        stdin: "null",
        stdout,
        stderr: "null",
      }).spawn();
      children.push(child);
      return child;
    };
    try {
      const key = `${folder}/signing.sec`;
      await start([`${ROOT}cli/main.ts`, "keygen", "--key", key, "--out", `${folder}/pub`]).status;
      const port = freePort();
      const conductor = start([
        `${ROOT}conductor/main.ts`,
        ...["--bind", HOST, "--port", String(port), "--mesh-port", "0"],
        ...["--state", `${folder}/state`, "--pubkey", `${folder}/pub`],
      ]);
      const at = conductorAt({ hostname: HOST, port }, 10_000);
      for (;;) {
        if (await at.get("/api/status").then(() => true, () => false)) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const signer = await openSigner(key);
      let apps = 0;
      const sign = () =>
        signCommand(signer, {
          verb: "QUOTA",
          id: commandId(),
          namespace: `space-${++apps}`,
          replicaLimit: "5",
          ramLimit: "-",
          cpuLimit: "-",
        });
      const byTcp = async (figure: string) => {
        const signed = await sign();
        const begun = performance.now();
        const reply = await at.post("/command", signed);
        if (!reply.startsWith("OK|")) throw new Error(reply);
        recorder.sample(figure, performance.now() - begun);
      };
      for (let run = 0; run < recorder.runs; run++) await byTcp("calm");
      await Deno.writeTextFile(`${folder}/flood.ts`, FLOOD);
      const flooder = start([`${folder}/flood.ts`, String(port), String(PER_SECOND)], "piped");
      const rates = flooder.stdout.pipeThrough(new TextDecoderStream()).getReader();
      for (let second = 0; second < 3; second++) await rates.read();
      const cpuBefore = cpuMs(conductor.pid);
      const begunMs = performance.now();
      for (let run = 0; run < recorder.runs; run++) {
        await byTcp("tcp");
        const signed = await sign();
        const begun = performance.now();
        const reply = await sendSigned(at, signed, 10_000);
        if (!reply.startsWith("OK|")) throw new Error(reply);
        recorder.sample("both", performance.now() - begun);
      }
      recorder.sample(
        "cpu",
        (cpuMs(conductor.pid) - cpuBefore) / (performance.now() - begunMs) * 100,
      );
      const { value = "0" } = await rates.read();
      recorder.sample("forged", Number(value.trim().split("\n").at(-1)));
      await rates.cancel();
    } finally {
      for (const child of children) {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await child.status;
      }
      await Deno.remove(folder, { recursive: true });
    }
  },
};

/** CPU time of a process so far. */
function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
