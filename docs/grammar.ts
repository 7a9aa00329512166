// The editor grammar of manifests (TextMate, which VS Code, Sublime Text, Zed's and GitHub's
// highlighters read), made from the key table.

import { allKeys, type KeyDocument } from "../core/manifest/explain.ts";
import { VARIABLES } from "../core/manifest/variables.ts";

export const GRAMMAR_PATH = "docs/editor/skr8tr.tmLanguage.json";

const escaped = (word: string) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const anyOf = (words: Iterable<string>) =>
  [...new Set(words)].toSorted((a, b) => b.length - a.length || (a < b ? -1 : 1)).map(escaped)
    .join("|");

const namesOf = (key: KeyDocument) => [key.path.split(".").at(-1)!, ...key.aliases];

/** The grammar as JSON text. */
export function grammarText(): string {
  const keys = allKeys();
  const isBlock = (key: KeyDocument) => keys.some((other) => other.path.startsWith(`${key.path}.`));
  const variables = anyOf(Object.keys(VARIABLES));
  const grammar = {
    $schema: "https://json.schemastore.org/tmlanguage.json",
    name: "skr8tr manifest",
    scopeName: "source.skr8tr",
    fileTypes: ["skr8tr"],
    patterns: [
      { include: "#comment" },
      {
        match: "^\\s*(app)\\s+([a-z][a-z0-9-]*)",
        captures: {
          1: { name: "keyword.control.app.skr8tr" },
          2: { name: "entity.name.type.app.skr8tr" },
        },
      },
      {
        match: `^\\s*(${anyOf([...keys.filter(isBlock).flatMap(namesOf), "env", "secret"])})` +
          "(?=\\s*(?:\\{|$|#))",
        name: "storage.type.block.skr8tr",
      },
      {
        begin: `^\\s*(${anyOf(keys.flatMap(namesOf))}|x-[a-z0-9-]+)(?=\\s)`,
        beginCaptures: { 1: { name: "keyword.other.key.skr8tr" } },
        end: "$",
        patterns: [{ include: "#value" }],
      },
      {
        begin: "^\\s*([A-Za-z_][A-Za-z0-9_]*)(?=\\s)",
        beginCaptures: { 1: { name: "variable.other.environment.skr8tr" } },
        end: "$",
        patterns: [{ include: "#value" }],
      },
      { match: "[{}]", name: "punctuation.section.block.skr8tr" },
    ],
    repository: {
      comment: { match: "(?:^|(?<=\\s))#.*$", name: "comment.line.number-sign.skr8tr" },
      value: {
        patterns: [
          { include: "#comment" },
          {
            begin: '"',
            end: '"|$',
            name: "string.quoted.double.skr8tr",
            patterns: [
              {
                match: '\\\\(?:["\\\\nt]|u\\{[0-9a-fA-F]+\\})',
                name: "constant.character.escape.skr8tr",
              },
              { include: "#variable" },
            ],
          },
          { include: "#variable" },
          {
            match: "(?<![^\\s=])[0-9]+(?:\\.[0-9]+)?(?:ms|[smhd]|[kmgKMG]b?|%|/s)?(?![^\\s])",
            name: "constant.numeric.skr8tr",
          },
          {
            match: `(?<!\\S)(?:${anyOf(["true", "false", "yes", "no", ...wordsOf(keys)])})(?!\\S)`,
            name: "constant.language.skr8tr",
          },
          { match: "[{}]", name: "punctuation.section.block.skr8tr" },
        ],
      },
      variable: {
        patterns: [
          { match: "\\$\\$", name: "constant.character.escape.skr8tr" },
          { match: `\\$\\{(?:${variables})\\}`, name: "variable.language.skr8tr" },
        ],
      },
    },
  };
  return `${JSON.stringify(grammar, null, 2)}\n`;
}

function wordsOf(keys: readonly KeyDocument[]): string[] {
  return keys.flatMap((key) => key.words).filter((word) => /^[A-Za-z-]+$/.test(word));
}
