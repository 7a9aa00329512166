// What the rows `sign` and `verify` share.

import type { Recorder, Row } from "../row.ts";
import { ROOT } from "../world.ts";

const PROVIDERS = ["webcrypto", "noble"] as const;

async function inProcess(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", `--config=${ROOT}/deno.json`],
      ...[`${ROOT}/bench/rows/signature_process.ts`, ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** The row of one operation. */
export function signatureRow(operation: "sign" | "verify"): Row {
  return {
    name: operation,
    measures:
      `ML-DSA-65 ${operation}: cold is the first of a fresh process with loading and key, ` +
      "warm the median of 200 after it",
    runs: 10,
    figures: PROVIDERS.flatMap((provider) => [
      { key: `${provider}-cold`, label: `${provider} cold`, unit: "ms" },
      { key: `${provider}-warm`, label: `${provider} warm`, unit: "ms" },
    ]),
    async run(recorder: Recorder) {
      for (const provider of PROVIDERS) {
        const folder = await inProcess(provider, operation);
        try {
          for (let run = 0; run < recorder.runs; run++) {
            const said = await inProcess(provider, operation, folder);
            const { coldMs, warmMs } = JSON.parse(said) as { coldMs: number; warmMs: number };
            recorder.sample(`${provider}-cold`, coldMs);
            recorder.sample(`${provider}-warm`, warmMs);
          }
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      }
    },
  };
}
