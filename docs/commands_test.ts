// Commands that the documents name stand in the command table, with their options.

import { assert, assertEquals } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { parseCommandLine } from "../cli/arguments.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

/** CLI.md is made from the table; in the others texts that are signed begin with `skr8tr`. */
const OTHERS = ["CLI.md", "PROTOCOL.md", "SEAL.md"];

/** Command lines in a page, in code spans, indented code and fenced blocks. */
function linesIn(page: string): string[] {
  const prose = page.replace(/^```[^]*?^```$/gm, "");
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, text]) => text!.replace(/\s+/g, " "));
  const code = page.split("\n").map((line) => line.trim());
  return [...spans, ...code].flatMap((text) => {
    const line = /^(?:\$ )?(?:deno task )?(skr8tr [a-z].*)$/.exec(text)?.[1];
    return line === undefined ? [] : [line];
  });
}

/** The words before a pipe, a redirection or a comment, without their quotes. */
function wordsOf(line: string): string[] {
  const command = line.split(/ (?:[|>#]|&&|\|\|) ?/)[0]!;
  return (command.match(/'[^']*'|"[^"]*"|\S+/g) ?? [])
    .map((word) => word.replace(/^(['"])(.*)\1$/, "$2"));
}

Deno.test("every command that a document names is one, with its options", async () => {
  const pages = ["README.md"];
  for await (const { name } of Deno.readDir(`${ROOT}/docs`)) {
    if (name.endsWith(".md") && !OTHERS.includes(name)) pages.push(`docs/${name}`);
  }
  let count = 0;
  const wrong: string[] = [];
  for (const page of pages.sort()) {
    for (const line of linesIn(await Deno.readTextFile(`${ROOT}/${page}`))) {
      count++;
      const [, ...words] = wordsOf(line);
      try {
        await parseCommandLine(words);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        // A name without its arguments is a way to speak of a command.
        if (!/needs|takes/.test(error.message)) wrong.push(`${page}: ${line}: ${error.message}`);
      }
    }
  }
  assertEquals(wrong, []);
  assert(count > 80, `only ${count} were found`);
});
