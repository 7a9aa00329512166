// What the tests read in the shop's mails.

/** The text of a mail as it came (RFC 2045, 6.7). */
export function textOf(raw: string): string {
  const text = raw.slice(raw.indexOf("\r\n\r\n"));
  if (!/^Content-Transfer-Encoding: quoted-printable\r$/mi.test(raw)) return text;
  return text.replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

/** The link in a mail about a forgotten password; undefined where there is none. */
export function linkIn(raw: string): string | undefined {
  return /^(https?:\S+\/reset#[\w-]{43})\r$/m.exec(textOf(raw))?.[1];
}

/** The token in a mail about a forgotten password; undefined where there is none. */
export function tokenIn(raw: string): string | undefined {
  return /(?:\/reset#|code:\r\n)([\w-]{43})\r$/m.exec(textOf(raw))?.[1];
}
