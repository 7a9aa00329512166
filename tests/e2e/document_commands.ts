// The commands of the documents: found in their pages, told apart by who runs them.

import { COMMANDS } from "../../cli/table.ts";
import { ROOT } from "./documents.ts";

/** A command as a page prints it, or as its prose speaks of it. */
export interface Command {
  readonly page: string;
  /** One line, without comment; `deno task skr8tr` is `skr8tr`. */
  readonly line: string;
  /** A line of code is to be typed as it stands; `said` ones may be short, or have placeholders. */
  readonly kind: "code" | "said";
  /** The info string of its fenced block. */
  readonly info?: string;
}

const PROGRAMS =
  /^(sudo |skr8tr|deno|npx|openssl|curl|dig|nats-server|conductor|tower|node|ingress) /;

/** Prose, lines of indented code, and fenced blocks of a page. */
function partsOf(page: string) {
  const prose: string[] = [];
  const code: { readonly line: string; readonly info?: string }[] = [];
  let info: string | null = null;
  let begun = "";
  for (const line of page.split("\n")) {
    const fence = /^```(.*)$/.exec(line);
    if (fence) info = info === null ? fence[1]! : null;
    else if (info !== null || /^ {4,}\S/.test(line)) {
      begun += line.trim().replace(/\\$/, "");
      if (line.endsWith("\\")) continue;
      const words = begun.replace(/ +# .*$/, "").replace(/\s+/g, " ").trim();
      code.push({ line: words, ...(info === null ? {} : { info }) });
      begun = "";
    } else prose.push(line);
  }
  return { prose: prose.join("\n"), code };
}

const plain = (line: string) => line.replace(/^deno task (-q )?skr8tr /, "skr8tr ");

/** Whatever a page tells its reader to type. */
export function commandsOf(page: string, markdown: string): Command[] {
  const { prose, code } = partsOf(markdown);
  const commands: Command[] = [];
  for (const { line, info } of code) {
    const isShell = info?.startsWith("sh") === true;
    if (isShell ? line === "" : !(PROGRAMS.test(line) && (info ?? "") === "")) continue;
    commands.push({
      page,
      line: plain(line),
      kind: "code",
      ...(info === undefined ? {} : { info }),
    });
  }
  for (const [, span] of prose.matchAll(/`([^`]+)`/g)) {
    const line = plain(span!.replace(/\s+/g, " ").replaceAll("\\|", "|"));
    if (/^(skr8tr|deno task) \S/.test(line)) {
      commands.push(
        ...alternatives(line).map((each) => ({ page, line: each, kind: "said" as const })),
      );
    }
  }
  return commands;
}

/** `skr8tr rollout FILE...|status APP` is two; only what the table has as usage is told that way. */
function alternatives(line: string): string[] {
  const command = COMMANDS.find(({ name, usage }) => line === `skr8tr ${name} ${usage}`);
  if (!command?.usage.includes("|")) return [line];
  return command.usage.split("|").map((usage) => `skr8tr ${command.name} ${usage}`);
}

/** All commands of all pages, in their order. */
export async function allCommands(): Promise<Command[]> {
  const pages = ["README.md"];
  for await (const { name } of Deno.readDir(`${ROOT}/docs`)) {
    if (name.endsWith(".md")) pages.push(`docs/${name}`);
  }
  const found: Command[] = [];
  for (const page of pages.sort()) {
    found.push(...commandsOf(page, await Deno.readTextFile(`${ROOT}/${page}`)));
  }
  return found;
}

/**
 * Says whether a command that is run is one that is spoken of: its words in their order, then
 * whatever follows. A word in capitals stands for any, and options may stand elsewhere.
 */
export function isSpoken(said: string, run: string): boolean {
  const [words, options] = [
    said.replace(/ --.*$/, ""),
    said.match(/--[a-z-]+|(?<= )-[a-z]\b/g) ?? [],
  ];
  const pattern = words.split(" ").filter((word) => !/^[-[]/.test(word)).map((word) =>
    /^[A-Z]{2,}|^N$/.test(word) || /\.\.\.$/.test(word)
      ? "(?:--?[a-z]\\S* )*\\S+"
      : word.replace(/[.*+?^$(){}|[\]\\]/g, "\\$&")
  ).join(" ");
  const given = ` ${run} `;
  return new RegExp(`^ ?${pattern} `).test(`${run} `) &&
    options.every((option) => given.includes(` ${option} `) || given.includes(` ${option}=`));
}
