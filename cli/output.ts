// Where a command writes: results to stdout, everything else to stderr.

/** A command's way out, replaced in tests. */
export interface Output {
  /** Writes a line to stdout: a result. */
  print(line: string): void;
  /** Writes a line to stderr: notes, progress, errors. */
  note(line: string): void;
  /** Writes to stderr as it is: control sequences of the progress block. */
  raw(text: string): void;
  /** Paints text for stdout. */
  readonly paint: Paint;
  /** Paints text for stderr. */
  readonly notePaint: Paint;
  /** Columns of the terminal on stdout; infinite where stdout is none. */
  readonly columns: number;
  /** Columns of the terminal on stderr; `null` where stderr is none. */
  readonly noteColumns: number | null;
}

/** Colours by meaning; text comes back unchanged where colours are off. */
export interface Paint {
  readonly on: boolean;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/** Makes a `Paint` that paints, or one that does not. */
export function paint(on: boolean): Paint {
  const by = (code: number) => (text: string) =>
    on && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  return { on, good: by(32), bad: by(31), warn: by(33), strong: by(1), faint: by(2) };
}

/** Stdout and stderr of this process; notes may be sent to stdout as well. */
export function standardOutput(
  noColor: boolean,
  notes: typeof Deno.stdout | typeof Deno.stderr = Deno.stderr,
): Output {
  const plain = noColor || (Deno.env.get("NO_COLOR") ?? "") !== "";
  const columns = (stream: { isTerminal(): boolean }) => stream.isTerminal() ? width() : null;
  return {
    print: (line) => writeAll(Deno.stdout, `${line}\n`),
    note: (line) => writeAll(notes, `${line}\n`),
    raw: (text) => writeAll(notes, text),
    paint: paint(!plain && Deno.stdout.isTerminal()),
    notePaint: paint(!plain && notes.isTerminal()),
    get columns() {
      return columns(Deno.stdout) ?? Infinity;
    },
    get noteColumns() {
      return columns(notes);
    },
  };
}

function width(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80; // stdin, stdout and stderr are none that knows its size
  }
}

const encoder = new TextEncoder();

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}

/** The same output, which goes on when nobody reads it any more. */
export function unheard(output: Output): Output {
  const quietly = (write: (text: string) => void) => (text: string) => {
    try {
      write(text);
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  };
  return Object.create(output, {
    print: { value: quietly(output.print) },
    note: { value: quietly(output.note) },
    raw: { value: quietly(output.raw) },
  });
}

/** Text from elsewhere with nothing in it that a terminal would act on. */
export function harmless(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\u00b7");
}
