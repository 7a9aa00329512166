// Help, made from the command table.

import type { Command, Option } from "./command.ts";
import { GLOBAL_OPTIONS, LISTED_COMMANDS } from "./table.ts";

const EXIT_CODES = [
  "Exit codes:",
  "  0  done",
  "  1  refused or failed: the cluster said no, a deploy failed, a manifest has errors",
  "  2  nobody answered, or the command line is wrong",
];

/** What `skr8tr help` prints. */
export function helpOfAll(width: number): string {
  const left = (command: Command) => `${command.name} ${command.usage}`.trimEnd();
  return [
    "skr8tr: deploy services to machines you control",
    "",
    "Usage: skr8tr [options] COMMAND [arguments]",
    "",
    "Commands:",
    ...rows(LISTED_COMMANDS.map((command) => [left(command), command.summary]), width),
    "",
    "Options of every command:",
    ...rows(GLOBAL_OPTIONS.map(optionRow), width),
    "",
    ...EXIT_CODES,
  ].join("\n");
}

/** What `skr8tr help COMMAND` prints. */
export function helpOf(command: Command, width: number): string {
  return [
    `skr8tr ${command.name}: ${command.summary}`,
    "",
    `Usage: skr8tr ${command.name} ${command.usage}`.trimEnd() +
    (command.options.length > 0 ? " [options]" : ""),
    ...(command.details ?? []).flatMap((text) => ["", ...wrap(text, width)]),
    ...section("Options:", rows(command.options.map(optionRow), width)),
    ...section("Options of every command:", rows(GLOBAL_OPTIONS.map(optionRow), width)),
    ...section("Examples:", (command.examples ?? []).map((example) => `  ${example}`)),
    "",
    ...EXIT_CODES,
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function optionRow(option: Option): [string, string] {
  const short = option.short ? `-${option.short}, ` : "";
  const alias = option.alias ? `, --${option.alias}` : "";
  const value = option.value ? ` ${option.value}` : "";
  const standard = option.default ? ` (${option.default})` : "";
  return [`${short}--${option.name}${alias}${value}`, option.help + standard];
}

/** Two columns, the second wrapped to the width. */
export function rows(pairs: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.max(0, ...pairs.map(([term]) => term.length)) + 4;
  return pairs.flatMap(([term, text]) =>
    wrap(text, width - left).map((line, at) =>
      (at === 0 ? `  ${term}`.padEnd(left) : " ".repeat(left)) + line
    )
  );
}

/** Breaks a text into lines of at most `width` characters, at least 30. */
function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + 1 + word.length > Math.max(30, width)) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
