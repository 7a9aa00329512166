import { Failure } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import { contextNamed, readContexts } from "./context.ts";

/**
 * The secret key's file: `--key`, `SKR8TR_KEY`, that of the context, or
 * `~/.skr8tr/signing.sec`.
 */
export function keyPathOf(args: Arguments): string {
  const given = args.value("key") ?? (Deno.env.get("SKR8TR_KEY") || undefined) ?? contextKey(args);
  if (given !== undefined) return given;
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  if (!home) throw new Failure("usage", "no home folder (HOME is not set): give --key FILE");
  return `${home}/.skr8tr/signing.sec`;
}

function contextKey(args: Arguments): string | undefined {
  const contexts = readContexts();
  const name = args.value("context") ?? contexts.current;
  return name === undefined ? undefined : contextNamed(contexts, name).key;
}
