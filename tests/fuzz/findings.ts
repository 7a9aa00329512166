// Inputs that a parser once did not take well, each with what it did. They are never removed.

export interface Case {
  readonly target: string;
  readonly name: string;
  readonly base64: string;
}

export const FINDINGS: readonly Case[] = [
  { target: "store", name: "a log entry that is a list", base64: btoa("[]") },
  { target: "store", name: "a snapshot that is null", base64: btoa("null") },
  {
    target: "store",
    name: "a snapshot of which a list is missing",
    base64: btoa(
      '{"version":2,"apps":[],"nodes":[],"roster":{"keys":[],"grants":[]},"log":"","chain":{}}',
    ),
  },
  { target: "claims", name: "claims that name nobody", base64: btoa("{}") },
  { target: "copy", name: "a line that is no object", base64: btoa('7\n[]\nnull\n"x"\n') },
];
