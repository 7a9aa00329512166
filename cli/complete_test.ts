import { assert, assertEquals } from "@std/assert";
import { denoFolder } from "../core/live/deno_folder_testing.ts";
import { candidatesOf, SCRIPTS } from "./complete.ts";
import { COMMANDS } from "./table.ts";

function wordsOf(...typed: string[]): readonly string[] {
  const candidates = candidatesOf(typed);
  assert(candidates.of === "words", `${typed.join(" ")} completes to ${candidates.of}`);
  return candidates.words;
}

Deno.test("candidatesOf() offers commands first, and hides what is not for people", () => {
  const words = wordsOf("");
  assert(words.includes("up") && words.includes("status"));
  assert(!words.includes("complete"));
  assertEquals(wordsOf("--conductor", "10.0.0.1", "st"), words);
  assertEquals(wordsOf("help", ""), words);
});

Deno.test("candidatesOf() offers the options of the command, and values where they are known", () => {
  assert(wordsOf("up", "--").includes("--dry-run"));
  assert(!wordsOf("down", "--").includes("--dry-run"));
  assert(wordsOf("down", "--").includes("--key"));
  assertEquals(candidatesOf(["up", "--key", ""]), { of: "file" });
  assertEquals(candidatesOf(["logs", "-n", ""]), { of: "nothing" });
  assertEquals(wordsOf("completion", ""), ["bash", "zsh", "fish"]);
});

Deno.test("candidatesOf() says what each command's arguments name", () => {
  assertEquals(candidatesOf(["down", ""]), { of: "app" });
  assertEquals(candidatesOf(["down", "one", ""]), { of: "app" });
  assertEquals(candidatesOf(["up", ""]), { of: "file" });
  assertEquals(candidatesOf(["describe", ""]), { of: "any" });
  assertEquals(candidatesOf(["nosuch", ""]).of, "words");
});

Deno.test("every command that takes apps, nodes, replicas, keys or files says so", () => {
  for (const { name, usage, completes } of COMMANDS) {
    const names = /\b(APP|NODE|REPLICA|KEY|FILE)\b/.test(usage);
    assert(!names || completes, `${name} ${usage}: say in the table what it completes to`);
  }
});

/** What each shell offers after these words, with a `skr8tr` that answers as ours does. */
const ASKING: Readonly<Record<string, (words: string) => string>> = {
  bash: (words) =>
    `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _skr8tr; ` +
    `printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: (words) =>
    `compadd() { shift; print -l -- "$@" }; words=(${words}); CURRENT=$#words; _skr8tr`,
  fish: (words) => `complete -C '${words.replaceAll("''", "").replace(/'(.*)'/, "$1")}'`,
};

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

for (const [shell, script] of Object.entries(SCRIPTS)) {
  Deno.test(`${shell} completes skr8tr's words`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-completion-" });
    try {
      const run =
        `exec ${Deno.execPath()} run -A --quiet --config=${ROOT}/deno.json ${ROOT}/cli/main.ts`;
      await Deno.writeTextFile(`${folder}/skr8tr`, `#!/bin/sh\n${run} "$@"\n`, { mode: 0o755 });
      const ask = async (words: string) => {
        // zsh's own machinery is for terminals: only what our function needs of it stands in.
        const begin = shell === "zsh" ? "compdef() {}; _files() { print :files }\n" : "";
        const { success, stdout, stderr } = await new Deno.Command(shell, {
          args: ["-c", `${begin}${script}\n${ASKING[shell]!(words)}`],
          env: {
            PATH: `${folder}:${Deno.env.get("PATH")}`,
            HOME: folder,
            DENO_DIR: denoFolder(),
          },
          cwd: folder,
        }).output();
        assert(success, new TextDecoder().decode(stderr));
        return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
      };
      assertEquals(await ask("skr8tr sta"), ["start", "status"]);
      assert((await ask("skr8tr up --dr")).some((word) => word.startsWith("--dry-run")));
      assertEquals(
        await ask("skr8tr completion ''"),
        ["bash", "zsh", "fish"].toSorted(
          (a, b) => shell === "fish" ? a.localeCompare(b) : 0,
        ),
      );
      // Nobody answers there: nothing is offered, and nothing is said.
      assertEquals(await ask("skr8tr --conductor 127.0.0.1:1 down ''"), []);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      console.log(`not run: ${shell} is not installed`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
