// What a specification looks like as text: no comments, no defaults. This is what operators sign.

import { APP } from "./keys.ts";
import type { Kind } from "./kinds.ts";
import { writeValue } from "./quote.ts";
import { type Line, render } from "./render.ts";
import { type AnyKey, type BlockOf, defaultOf, type Extra, sameValue } from "./schema.ts";
import type { AppSpec } from "./spec.ts";

/**
 * The canonical text of one app. `parseManifest` reads it back as an equal specification.
 * Fields stand in the order of the key table; variables of the environment in their own.
 */
export function canonical(spec: AppSpec): string {
  return render([{ ...blockLine("app", APP, spec), bare: true }]);
}

function blockLine<B>(name: string, block: BlockOf<B>, spec: B): Line {
  const raw = block.unfinish(spec);
  const lines: Line[] = [];
  let head: string | undefined;
  for (const [field, key] of Object.entries(block.keys)) {
    const value = raw[field];
    if (value === undefined) continue;
    if (field === block.head && key.type === "value") head = written(key.kind, value);
    else lines.push(...keyLines(key, value));
  }
  for (const extra of (raw.extra as readonly Extra[] | undefined) ?? []) {
    lines.push(extraLine(extra));
  }
  if (head !== undefined && lines.length === 0 && name !== "app") return { key: name, value: head };
  return { key: name, value: head, lines };
}

function keyLines(key: AnyKey, value: unknown): readonly Line[] {
  if (sameValue(value, defaultOf(key))) return [];
  switch (key.type) {
    case "value":
      return [{ key: key.name, value: written(key.kind, value) }];
    case "list":
      return [{ key: key.name, value: written(key.kind, value) }];
    case "map": {
      const pairs = Object.entries(value as Readonly<Record<string, string>>);
      const lines = pairs.map(([name, text]) =>
        key.bare && name === text ? { key: name } : { key: name, value: written(key.kind, text) }
      );
      return [{ key: key.name, lines }];
    }
    case "block":
      return [blockLine(key.name, key.block, value)];
    case "blocks":
      return (value as readonly unknown[]).map((one) => blockLine(key.name, key.block, one));
    default:
      return key satisfies never;
  }
}

function written<T>(kind: Kind<T>, value: unknown): string {
  const text = kind.print(value as T);
  return kind.mode === "shell" ? text : writeValue(text, kind.oneWord);
}

function extraLine(extra: Extra): Line {
  return {
    key: extra.key,
    ...(extra.value === undefined ? {} : { value: writeValue(extra.value) }),
    ...(extra.lines === undefined ? {} : { lines: extra.lines.map(extraLine) }),
  };
}
