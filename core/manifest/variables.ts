// `${PORT}` and its like in args and environment values: what there is, and the replacing.

import { nearest, quoted } from "./errors.ts";
import type { FaultAt } from "./quote.ts";

/** What `${...}` may name, with what it stands for. */
export const VARIABLES = {
  PORT: "the port the replica listens at",
  REPLICA: "the number of the replica, from 0",
  APP: "the name of the app",
  NODE: "the name of the replica's node",
  IP: "the address of the replica's node",
  ARTIFACT: "the folder of the app's artifact",
} as const;

export type VariableName = keyof typeof VARIABLES;

/** The longest name that is looked for before a `${` counts as never closed. */
const NAME_LENGTH = 64;

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string; readonly start: number }
  | { readonly kind: "unclosed"; readonly start: number };

/** Takes a text apart at `$$` and `${...}`; any other dollar is text. */
function* parts(text: string): Generator<Part> {
  let from = 0;
  for (let dollar = text.indexOf("$"); dollar >= 0; dollar = text.indexOf("$", from)) {
    const next = text[dollar + 1];
    const plainEnd = next === "{" ? dollar : dollar + 1;
    if (plainEnd > from) yield { kind: "text", text: text.slice(from, plainEnd) };
    from = next === "$" ? dollar + 2 : dollar + 1;
    if (next !== "{") continue;
    const close = text.slice(dollar + 2, dollar + 3 + NAME_LENGTH).indexOf("}");
    if (close < 0) {
      yield { kind: "unclosed", start: dollar };
      yield { kind: "text", text: "$" };
      continue;
    }
    yield { kind: "variable", name: text.slice(dollar + 2, dollar + 2 + close), start: dollar };
    from = dollar + 3 + close;
  }
  if (from < text.length) yield { kind: "text", text: text.slice(from) };
}

/** Reports every `${...}` that names nothing, at its offset in `text`. */
export function checkVariables(text: string, fail: FaultAt): void {
  for (const part of parts(text)) {
    if (part.kind === "unclosed") {
      fail(part.start, 2, {
        code: "unknown-variable",
        message: "this ${ has no }; a dollar that stands for itself is $$",
      });
    } else if (part.kind === "variable" && !Object.hasOwn(VARIABLES, part.name)) {
      fail(part.start, part.name.length + 3, {
        code: "unknown-variable",
        message: `there is no variable ${quoted(part.name)}; known are ` +
          `${Object.keys(VARIABLES).join(" ")}, and a dollar that stands for itself is $$`,
        nearest: nearest(part.name, Object.keys(VARIABLES)),
      });
    }
  }
}

/** The variables that a text names. */
export function variablesIn(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const part of parts(text)) if (part.kind === "variable") names.add(part.name);
  return names;
}

/**
 * Replaces `${NAME}` by its value and `$$` by a dollar. A variable without a value stays as it
 * is written, so that nobody takes an empty text for an answer.
 */
export function substitute(text: string, values: Readonly<Record<string, string>>): string {
  if (!text.includes("$")) return text;
  let out = "";
  for (const part of parts(text)) {
    if (part.kind === "text") out += part.text;
    else if (part.kind === "variable") {
      out += Object.hasOwn(values, part.name) ? values[part.name] : `\${${part.name}}`;
    }
  }
  return out;
}
