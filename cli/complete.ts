/** What could come next on a command line: made from the command table. */

import type { Command, Completes, Option } from "./command.ts";
import { findCommand, GLOBAL_OPTIONS, LISTED_COMMANDS } from "./table.ts";

/** What may stand in the place of the word that is being typed. */
export type Candidates =
  /** One of these. */
  | { readonly of: "words"; readonly words: readonly string[] }
  /** A name that only the cluster, or the disk, knows. */
  | { readonly of: Completes }
  /** Anything: nothing can be offered. */
  | { readonly of: "nothing" };

/**
 * Says what may follow.
 *
 * @param words what stands after `skr8tr`; the last one is being typed and may be empty
 */
export function candidatesOf(words: readonly string[]): Candidates {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const command = commandOf(before);
  const options = [...GLOBAL_OPTIONS, ...(command?.options ?? [])];
  const asked = optionNamed(before.at(-1) ?? "", options);
  if (asked?.value !== undefined) return valueOf(asked);
  if (typed.startsWith("-")) {
    return { of: "words", words: options.map((option) => `--${option.name}`) };
  }
  if (!command) return { of: "words", words: LISTED_COMMANDS.map(({ name }) => name) };
  if (command.name === "help") {
    return { of: "words", words: LISTED_COMMANDS.map(({ name }) => name) };
  }
  const verbs = verbsOf(command);
  const isFirst = before.at(-1) === command.name;
  if (verbs.length > 0 && isFirst) return { of: "words", words: verbs };
  return command.completes === undefined ? { of: "nothing" } : { of: command.completes };
}

/** The first word that is neither an option nor an option's value. */
function commandOf(words: readonly string[]) {
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!word.startsWith("-")) return findCommand(word);
    if (optionNamed(word, GLOBAL_OPTIONS)?.value !== undefined) at++;
  }
  return undefined;
}

/** The words that a usage like `list|add NAME` begins with. */
function verbsOf({ usage }: Command): string[] {
  return usage.split("|").flatMap((each) => /^[a-z][a-z-]*/.exec(each)?.[0] ?? []);
}

function optionNamed(word: string, options: readonly Option[]): Option | undefined {
  if (!word.startsWith("-") || word.includes("=")) return undefined;
  const name = word.replace(/^--?/, "");
  return options.find((option) =>
    word.startsWith("--") ? option.name === name || option.alias === name : option.short === name
  );
}

function valueOf(option: Option): Candidates {
  return /FILE|DIR/.test(option.value ?? "") ? { of: "file" } : { of: "nothing" };
}

/** What a shell runs to be taught: each calls `skr8tr complete` with the words so far. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# skr8tr's completion for bash: source <(skr8tr completion bash)
_skr8tr() {
  local typed="\${COMP_WORDS[COMP_CWORD]}" found
  found="$(skr8tr complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
  if [[ $found == :files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$typed")
  else
    mapfile -t COMPREPLY < <(compgen -W "$found" -- "$typed")
  fi
}
complete -F _skr8tr skr8tr
`,
  zsh: `#compdef skr8tr
# skr8tr's completion for zsh: source <(skr8tr completion zsh)
_skr8tr() {
  local -a found
  found=("\${(@f)$(skr8tr complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[1] == :files ]]; then
    _files
  elif [[ -n $found[1] ]]; then
    compadd -- "\${found[@]}"
  fi
}
compdef _skr8tr skr8tr
`,
  fish: `# skr8tr's completion for fish: skr8tr completion fish | source
function __skr8tr_complete
  set -l found (skr8tr complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
  if test "$found[1]" = :files
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c skr8tr -f -a '(__skr8tr_complete)'
`,
};
