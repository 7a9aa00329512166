import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { parseAnchor, parseIntroduction } from "../../core/seal/member.ts";
import { JOIN_ROLES, type JoinRole } from "../../core/seal/member.ts";
import type { Context } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { keyPathOf, openSigner } from "../keys.ts";
import { targetOf } from "../target.ts";
import { makeToken } from "../token.ts";
import { told } from "../told.ts";
import type { Head } from "../../core/log.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  if (args.positional[0] !== "create") throw new Failure("usage", "skr8tr token knows create");
  const role = args.value("role") ?? "node";
  if (!JOIN_ROLES.includes(role as JoinRole)) {
    throw new Failure("usage", `--role needs ${JOIN_ROLES.join(", ")}, not ${role}`);
  }
  const target = targetOf(args);
  const keyPath = keyPathOf(args);
  const signer = await openSigner(keyPath);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const said = await conductor.get<{ readonly head: Head; readonly anchor?: unknown }>("/identity");
  const introduction = parseIntroduction(JSON.stringify(said));
  if (introduction === null) {
    throw new Failure("refused", "the conductor has no identity: its mesh is not sealed");
  }
  const anchor = parseAnchor(said.anchor);
  const { publicKeyOf } = await import("../../core/sign.ts");
  const ttlS = Math.ceil(args.durationMs("ttl", 3_600_000) / 1_000);
  const token = await makeToken({
    role: role as JoinRole,
    ttlS,
    conductor: introduction,
    address: showAddress(target.conductor),
    head: said.head,
    ...(anchor === null ? {} : { anchor }),
    publicKey: publicKeyOf(await Deno.readFile(keyPath)),
    signer,
    wallMs: Date.now(),
  });
  return told(context, { role, ttlS, token }, token);
}
