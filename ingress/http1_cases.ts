// Requests that a strict proxy must refuse, and some that it must pass, written from RFC 9112 and
// RFC 9110. Test data: nothing of the ingress imports it.

/** One stream of bytes on a connection and what must become of it. */
export interface RequestCase {
  readonly name: string;
  /** Latin-1; what is sent. */
  readonly text: string;
  readonly expect: "accept" | "reject";
  /** As many requests may reach a replica at most (exactly so many if it is accepted). */
  readonly requests: number;
}

const HOST = "Host: a.test\r\n";
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n";

function get(fields: string, target = "/"): string {
  return `GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`;
}

function post(fields: string, body: string): string {
  return `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

function chunked(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}

type Group = readonly (readonly [name: string, text: string])[];

function byteName(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** Control bytes that may stand nowhere in a head. */
const CONTROLS = [0x00, 0x01, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x1b, 0x1f, 0x7f];
/** What is neither a token character nor a control byte nor a colon. */
const SEPARATORS = [
  '"',
  "(",
  ")",
  ",",
  "/",
  ";",
  "<",
  "=",
  ">",
  "?",
  "@",
  "[",
  "\\",
  "]",
  "{",
  "}",
];

// RFC 9112 3: request-line = method SP request-target SP HTTP-version.
const requestLine: Group = [
  ["two spaces after the method", `GET  / HTTP/1.1\r\n${HOST}\r\n`],
  ["two spaces before the version", `GET /  HTTP/1.1\r\n${HOST}\r\n`],
  ["tab after the method", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`],
  ["tab before the version", `GET /\tHTTP/1.1\r\n${HOST}\r\n`],
  ["space before the method", ` GET / HTTP/1.1\r\n${HOST}\r\n`],
  ["space after the version", `GET / HTTP/1.1 \r\n${HOST}\r\n`],
  ["tab after the version", `GET / HTTP/1.1\t\r\n${HOST}\r\n`],
  ["no version", `GET /\r\n${HOST}\r\n`],
  ["no target", `GET HTTP/1.1\r\n${HOST}\r\n`],
  ["empty target", `GET  HTTP/1.1\r\n${HOST}\r\n`],
  ["a third word", `GET / x HTTP/1.1\r\n${HOST}\r\n`],
  ["bare LF", `GET / HTTP/1.1\n${HOST}\r\n`],
  ["bare CR", `GET / HTTP/1.1\r${HOST}\r\n`],
  ["CR CR LF", `GET / HTTP/1.1\r\r\n${HOST}\r\n`],
  ["LF before it", `\nGET / HTTP/1.1\r\n${HOST}\r\n`],
  ["CR before it", `\rGET / HTTP/1.1\r\n${HOST}\r\n`],
  ["two empty lines before it", `\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`],
  ["lower-case http", `GET / http/1.1\r\n${HOST}\r\n`],
  ["another protocol", `GET / RTSP/1.1\r\n${HOST}\r\n`],
  ["two digits of major version", `GET / HTTP/11.1\r\n${HOST}\r\n`],
  ["two digits of minor version", `GET / HTTP/1.11\r\n${HOST}\r\n`],
  ["zero before the version", `GET / HTTP/01.1\r\n${HOST}\r\n`],
  ["version without a dot", `GET / HTTP/11\r\n${HOST}\r\n`],
  ["version with a comma", `GET / HTTP/1,1\r\n${HOST}\r\n`],
  ["version with a letter", `GET / HTTP/1.x\r\n${HOST}\r\n`],
  ["negative version", `GET / HTTP/-1.1\r\n${HOST}\r\n`],
  ["version 0.9", `GET / HTTP/0.9\r\n${HOST}\r\n`],
  ["version 2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`],
  ["version 3.0", `GET / HTTP/3.0\r\n${HOST}\r\n`],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["something else altogether", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["a method of 60 letters", `${"M".repeat(60)} / HTTP/1.1\r\n${HOST}\r\n`],
  ["empty method", ` / HTTP/1.1\r\n${HOST}\r\n`],
  ...SEPARATORS.map((sign) =>
    [`${sign} in the method`, `GE${sign}T / HTTP/1.1\r\n${HOST}\r\n`] as const
  ),
  ...CONTROLS.map((byte) =>
    [
      `${byteName(byte)} in the target`,
      `GET /a${String.fromCharCode(byte)}b HTTP/1.1\r\n${HOST}\r\n`,
    ] as const
  ),
];

// RFC 9112 3.2: origin-form, absolute-form, authority-form, asterisk-form.
const target: Group = [
  ["a path without a slash", get("", "index.html")],
  ["a fragment", get("", "/a#b")],
  ["a raw byte above 0x7f", get("", "/caf\xe9")],
  ["an escape cut short", get("", "/a%2")],
  ["an escape of no hexadecimal digits", get("", "/a%zz")],
  ["a backslash in the path", get("", "/a\\..\\b")],
  ["a star for GET", get("", "*")],
  ["a star and more", `OPTIONS *x HTTP/1.1\r\n${HOST}\r\n`],
  ["an authority for GET", get("", "a.test:80")],
  ["another scheme", get("", "ftp://a.test/")],
  ["a scheme without slashes", get("", "http:a.test/")],
  ["a scheme with one slash", get("", "http:/a.test/")],
  ["an absolute form without a host", get("", "http:///a")],
  ["an absolute form with user information", get("", "http://me:secret@a.test/")],
  ["an absolute form with a bad port", get("", "http://a.test:8x/")],
  ["an absolute form with a port too large", get("", "http://a.test:65536/")],
  ["an absolute form with half an IPv6 address", get("", "http://[::1/")],
  ["an absolute form with an IPv6 zone", get("", "http://[fe80::1%25eth0]/")],
  ["CONNECT without a port", `CONNECT a.test HTTP/1.1\r\n${HOST}\r\n`],
  ["CONNECT with a path", `CONNECT / HTTP/1.1\r\n${HOST}\r\n`],
  ["CONNECT to anywhere", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"],
  ["an absolute form with an empty port and a sign", get("", "http://a.test:+80/")],
  ["an absolute form with a space escaped in its host", get("", "http://a%20.test/")],
  ["an absolute form with a backslash as a slash", get("", "http:\\\\a.test\\")],
  ["an absolute form with an at sign in its path's place", get("", "http://a.test@b.test/")],
  ["an absolute form with a fragment", get("", "http://a.test/#b")],
  ["an absolute form cut off by a question mark", get("", "http://?a.test/")],
  ["a path relative to nothing", get("", "../a")],
  ["a query without a path", get("", "?a=b")],
  ["a target of 20,000 bytes", get("", `/${"a".repeat(20_000)}`)],
];

// RFC 9112 3.2 and RFC 9110 7.2.
const host: Group = [
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["two Hosts", `GET / HTTP/1.1\r\n${HOST}Host: b.test\r\n\r\n`],
  ["the same Host twice", `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
  ["two Hosts in HTTP/1.0", `GET / HTTP/1.0\r\n${HOST}Host: b.test\r\n\r\n`],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"],
  ["a Host with a space", "GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n"],
  ["a list as Host", "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n"],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a.test/path\r\n\r\n"],
  ["a Host with user information", "GET / HTTP/1.1\r\nHost: me@a.test\r\n\r\n"],
  ["a Host with a letter in its port", "GET / HTTP/1.1\r\nHost: a.test:8o\r\n\r\n"],
  ["a Host with two ports", "GET / HTTP/1.1\r\nHost: a.test:80:81\r\n\r\n"],
  ["a Host with a negative port", "GET / HTTP/1.1\r\nHost: a.test:-1\r\n\r\n"],
  ["a Host with a port too large", "GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n"],
  ["a Host of only a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"],
  ["a Host of only dots", "GET / HTTP/1.1\r\nHost: ..\r\n\r\n"],
  ["a Host with an empty label", "GET / HTTP/1.1\r\nHost: a..test\r\n\r\n"],
  ["a Host that begins with a dot", "GET / HTTP/1.1\r\nHost: .a.test\r\n\r\n"],
  ["a bare IPv6 address as Host", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"],
  ["an open bracket as Host", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"],
  ["an IPv6 address of nine groups", "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n"],
  ["an IPv6 address with two gaps", "GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n"],
  ["an IPv6 address with five digits", "GET / HTTP/1.1\r\nHost: [12345::1]\r\n\r\n"],
  ["letters behind an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"],
  ["a Host above 0x7f", "GET / HTTP/1.1\r\nHost: caf\xe9.test\r\n\r\n"],
  ["an escape in Host", "GET / HTTP/1.1\r\nHost: a%2etest\r\n\r\n"],
  ["a Host of 10,000 bytes", `GET / HTTP/1.1\r\nHost: ${"a.".repeat(5_000)}test\r\n\r\n`],
  ["Host in disguise only", "GET / HTTP/1.1\r\nHost_: a.test\r\n\r\n"],
];

// RFC 9112 5: field-line = field-name ":" OWS field-value OWS.
const fields: Group = [
  ["a space before the colon", get("X-A : b\r\n")],
  ["a tab before the colon", get("X-A\t: b\r\n")],
  ["a space before the colon of Content-Length", post("Content-Length : 3\r\n", "abc")],
  [
    "a space before the colon of Transfer-Encoding",
    post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
  ],
  ["no colon", get("X-A\r\n")],
  ["an empty name", get(": b\r\n")],
  ["a space in a name", get("X A: b\r\n")],
  ["a folded line", get("X-A: b\r\n c\r\n")],
  ["a line folded by a tab", get("X-A: b\r\n\tc\r\n")],
  ["a folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")],
  ["a line folded to nothing", get("X-A: b\r\n \r\n")],
  ["a space before the first field", `GET / HTTP/1.1\r\n ${HOST}\r\n`],
  ["a tab before the first field", `GET / HTTP/1.1\r\n\t${HOST}\r\n`],
  ["a bare LF after a field", get("X-A: b\nX-B: c\r\n")],
  ["a bare LF after the last field", `GET / HTTP/1.1\r\n${HOST.trim()}\n\r\n`],
  ["a bare LF as the empty line", `GET / HTTP/1.1\r\n${HOST}\n${HIDDEN}`],
  ["a bare CR in a value", get("X-A: b\rX-B: c\r\n")],
  ["a bare CR before CRLF", get("X-A: b\r\r\n")],
  ["a bare CR as the empty line", `GET / HTTP/1.1\r\n${HOST}\r${HIDDEN}`],
  ["a line break in a value by LF", get("X-A: b\nContent-Length: 38\r\n") + HIDDEN],
  ["a name above 0x7f", get("X-\xe9: b\r\n")],
  ["200 fields", get("X-A: b\r\n".repeat(200))],
  ["a field of 20,000 bytes", get(`X-A: ${"b".repeat(20_000)}\r\n`)],
  ["a name of 20,000 bytes", get(`${"X".repeat(20_000)}: b\r\n`)],
  ...SEPARATORS.map((sign) => [`${sign} in a name`, get(`X${sign}A: b\r\n`)] as const),
  ...CONTROLS.map((byte) =>
    [`${byteName(byte)} in a name`, get(`X${String.fromCharCode(byte)}A: b\r\n`)] as const
  ),
  ...CONTROLS.map((byte) =>
    [`${byteName(byte)} in a value`, get(`X-A: b${String.fromCharCode(byte)}c\r\n`)] as const
  ),
];

// RFC 9112 6.1 to 6.3, RFC 9110 8.6: how long the content is.
const framing: Group = [
  ...([
    "-1",
    "+3",
    "3.0",
    "0x3",
    "3 3",
    "3,3",
    "3, 3",
    "3,4",
    "",
    ",",
    "3,",
    "three",
    "3e0",
    "\xb3",
    "18446744073709551619",
    "9".repeat(400),
    "1_0",
    "3;q=1",
    "'3'",
    '"3"',
    "3 ;",
    "3\x0b",
  ].map((length) =>
    [
      `Content-Length ${JSON.stringify(length.slice(0, 30))}`,
      post(`Content-Length: ${length}\r\n`, "abc"),
    ] as const
  )),
  ["two Content-Lengths that differ", post("Content-Length: 3\r\nContent-Length: 38\r\n", HIDDEN)],
  ["the same Content-Length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")],
  [
    "Content-Length and chunks",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ],
  [
    "chunks and Content-Length",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
  ],
  [
    "chunks and Content-Length with a request hidden between",
    post("Content-Length: 43\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${HIDDEN}`),
  ],
  ...([
    "identity",
    "gzip",
    "deflate",
    "x",
    "",
    ",",
    "chunked,",
    ",chunked",
    "chunked, chunked",
    "chunked, gzip",
    "gzip, chunked",
    "chunked;q=1",
    "chunked; x",
    "chunked chunked",
    '"chunked"',
    "chunkedx",
    "xchunked",
    "chunked\x0b",
    "\x0bchunked",
    "chunke",
    "identity, chunked",
    "chunked, identity",
    "chunked,,",
    "[chunked]",
    "chunked\xa0",
  ].map((coding) =>
    [
      `Transfer-Encoding ${JSON.stringify(coding)}`,
      post(`Transfer-Encoding: ${coding}\r\n`, "0\r\n\r\n"),
    ] as const
  )),
  [
    "Transfer-Encoding twice",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ],
  [
    "Transfer-Encoding chunked, then identity in another line",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
  ],
  [
    "Transfer-Encoding in HTTP/1.0",
    `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["an unknown expectation", post("Expect: 200-ok\r\nContent-Length: 3\r\n", "abc")],
];

// RFC 9112 7.1.
const chunks: Group = [
  ["no size", chunked("\r\nabc\r\n0\r\n\r\n")],
  ["a size of letters", chunked("xyz\r\nabc\r\n0\r\n\r\n")],
  ["a negative size", chunked("-3\r\nabc\r\n0\r\n\r\n")],
  ["a size with a plus", chunked("+3\r\nabc\r\n0\r\n\r\n")],
  ["a size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")],
  ["a size with an underscore", chunked("0_3\r\nabc\r\n0\r\n\r\n")],
  ["a size with a dot", chunked("3.0\r\nabc\r\n0\r\n\r\n")],
  ["a space before the size", chunked(" 3\r\nabc\r\n0\r\n\r\n")],
  ["a space after the size", chunked("3 \r\nabc\r\n0\r\n\r\n")],
  ["a tab after the size", chunked("3\t\r\nabc\r\n0\r\n\r\n")],
  ["a size of 17 digits", chunked("00000000000000003\r\nabc\r\n0\r\n\r\n")],
  ["a size that overflows 64 bits", chunked("ffffffffffffffff3\r\nabc\r\n0\r\n\r\n")],
  ["a size above 2^53", chunked("ffffffffffffffff\r\nabc\r\n0\r\n\r\n")],
  ["a bare LF after the size", chunked("3\nabc\r\n0\r\n\r\n")],
  ["a bare CR after the size", chunked("3\rabc\r\n0\r\n\r\n")],
  ["CR CR LF after the size", chunked("3\r\r\nabc\r\n0\r\n\r\n")],
  ["data longer than the size", chunked("3\r\nabcd\r\n0\r\n\r\n")],
  ["data shorter than the size", chunked("3\r\nab\r\n0\r\n\r\n")],
  ["no CRLF after the data", chunked("3\r\nabc0\r\n\r\n")],
  ["a bare LF after the data", chunked("3\r\nabc\n0\r\n\r\n")],
  ["a bare CR after the data", chunked("3\r\nabc\r0\r\n\r\n")],
  ["an extension of nothing", chunked("3;\r\nabc\r\n0\r\n\r\n")],
  ["an extension with a bare LF", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n")],
  ["an extension with a bare CR", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n")],
  ["an extension with a NUL", chunked("3;a\0b\r\nabc\r\n0\r\n\r\n")],
  ["an extension whose quotes stay open", chunked('3;a="b\r\nabc\r\n0\r\n\r\n')],
  ["an extension without a value", chunked("3;a=\r\nabc\r\n0\r\n\r\n")],
  ["an extension that ends in a space", chunked("3;a \r\nabc\r\n0\r\n\r\n")],
  ["an extension without a semicolon", chunked("3 a=b\r\nabc\r\n0\r\n\r\n")],
  ["an extension of 10 KiB", chunked(`3;${"a".repeat(10_240)}\r\nabc\r\n0\r\n\r\n`)],
  ["a bare LF after the last size", chunked("3\r\nabc\r\n0\n\r\n")],
  ["a bare LF as the end", chunked("3\r\nabc\r\n0\r\n\n")],
  ["a trailer without a colon", chunked("3\r\nabc\r\n0\r\nX-A\r\n\r\n")],
  ["a trailer with a space before the colon", chunked("3\r\nabc\r\n0\r\nX-A : b\r\n\r\n")],
  ["a folded trailer", chunked("3\r\nabc\r\n0\r\nX-A: b\r\n c\r\n\r\n")],
  ["a trailer with a bare LF", chunked("3\r\nabc\r\n0\r\nX-A: b\n\r\n")],
  ["a trailer with a NUL", chunked("3\r\nabc\r\n0\r\nX-A: b\0\r\n\r\n")],
  ["Content-Length as a trailer", chunked("3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n")],
  [
    "Transfer-Encoding as a trailer",
    chunked("3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
  ],
  ["Host as a trailer", chunked("3\r\nabc\r\n0\r\nHost: b.test\r\n\r\n")],
  ["X-Forwarded-For as a trailer", chunked("3\r\nabc\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")],
  ["Connection as a trailer", chunked("3\r\nabc\r\n0\r\nConnection: close\r\n\r\n")],
  ["trailers of 20,000 bytes", chunked(`3\r\nabc\r\n0\r\nX-A: ${"b".repeat(20_000)}\r\n\r\n`)],
  ["a request line as a trailer", chunked(`3\r\nabc\r\n0\r\n${HIDDEN}`)],
];

// What must pass, so that strictness is not bought by refusing everything.
const good: readonly (readonly [name: string, text: string, requests: number])[] = [
  ["a plain GET", get(""), 1],
  ["an empty line before it", `\r\n${get("")}`, 1],
  ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 1],
  ["version 1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`, 1],
  ["an unknown method", `BREW / HTTP/1.1\r\n${HOST}\r\n`, 1],
  ["a query with odd signs", get("", "/?a=[1]&b={2}|^`'\"\\"), 1],
  ["an absolute form", get("", "http://a.test/path?query"), 1],
  ["an absolute form of another host", get("", "http://b.test/"), 1],
  ["an absolute form without a path", get("", "http://a.test?query"), 1],
  ["an absolute form with an IPv6 address", get("", "http://[2001:db8::1]:8080/"), 1],
  ["tabs around a value", get("X-A:\tb\t\r\n"), 1],
  ["no space after the colon", get("X-A:b\r\n"), 1],
  ["an empty value", get("X-A:\r\n"), 1],
  ["a value above 0x7f", get("X-A: caf\xe9\r\n"), 1],
  ["every sign of a token in a name", get("!#$%&'*+-.^_`|~09AZaz: b\r\n"), 1],
  ["100 fields", get("X-A: b\r\n".repeat(100)), 1],
  ["zeros before the length", post("Content-Length: 0003\r\n", "abc"), 1],
  ["a length of zero", post("Content-Length: 0\r\n", ""), 1],
  ["content in a GET", get("Content-Length: 3\r\n") + "abc", 1],
  ["CHUNKED", post("Transfer-Encoding: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n"), 1],
  ["chunks", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), 1],
  ["zeros before sizes", chunked("0003\r\nabc\r\n000\r\n\r\n"), 1],
  ["extensions", chunked('3;a;b=c;d="e;\\"f";g = h ; i\r\nabc\r\n0;z\r\n\r\n'), 1],
  ["a trailer", chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), 1],
  ["two requests at once", get("") + get(""), 2],
  ["three requests with content at once", post("Content-Length: 3\r\n", "abc").repeat(3), 3],
  ["chunks, then another request", chunked("3\r\nabc\r\n0\r\n\r\n") + get(""), 2],
  ["a request after Connection: close", get("Connection: close\r\n") + HIDDEN, 1],
  ["a request after HTTP/1.0", `GET / HTTP/1.0\r\n${HOST}\r\n${HIDDEN}`, 1],
  [
    "Transfer-Encoding in disguise",
    post("Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", "abc"),
    1,
  ],
  [
    "Content-Length named by Connection",
    post("Connection: content-length\r\nContent-Length: 3\r\n", "abc"),
    1,
  ],
  [
    "an Upgrade to HTTP/2, which is not passed on",
    get("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
    1,
  ],
  [
    "an Expect of HTTP/1.0",
    `POST / HTTP/1.0\r\n${HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
    1,
  ],
  ["every token in Connection", get("Connection: close, x-a, te , ,keep-alive\r\nX-A: b\r\n"), 1],
  ["an Upgrade that nobody takes", get("Connection: upgrade\r\nUpgrade: websocket\r\n"), 1],
];

function cases(title: string, group: Group): RequestCase[] {
  return group.map(([name, text]) => ({
    name: `${title}: ${name}`,
    // Whatever follows a refused message must not be read as one.
    text,
    expect: "reject",
    requests: 0,
  }));
}

const hostile = [
  ...cases("request line", requestLine),
  ...cases("target", target),
  ...cases("host", host),
  ...cases("fields", fields),
  ...cases("framing", framing),
  ...cases("chunks", chunks),
];

/** Every case, and every hostile one again behind a good request and before a hidden one. */
export const REQUEST_CASES: readonly RequestCase[] = [
  ...hostile,
  ...hostile.map((each): RequestCase => ({
    name: `${each.name}, between two good requests`,
    text: get("") + each.text + HIDDEN,
    expect: "reject",
    requests: 1,
  })),
  ...good.map(([name, text, requests]): RequestCase => ({
    name: `good: ${name}`,
    text,
    expect: "accept",
    requests,
  })),
];

/** How many hostile requests there are, each once. */
export const HOSTILE_REQUESTS = hostile.length;

/** A response of a replica, after which it ends the connection. */
export interface ResponseCase {
  readonly name: string;
  readonly text: string;
  readonly method: "GET" | "HEAD";
  /** `reject`: nobody may take what the client gets for a whole response of the replica. */
  readonly expect: "accept" | "reject";
}

const OK = "HTTP/1.1 200 OK\r\n";

function answer(fields: string, content = ""): string {
  return `${OK}${fields}\r\n${content}`;
}

const CHUNKED_FIELD = "Transfer-Encoding: chunked\r\n";

const badResponses: Group = [
  ["nothing", ""],
  ["half a status line", "HTTP/1.1 20"],
  ["half a head", `${OK}Content-Type: text/plain\r\n`],
  ["no HTTP at all", "hello\r\n\r\n"],
  ["an empty line before it", `\r\n${answer("Content-Length: 0\r\n")}`],
  ["lower-case http", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["another protocol", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["version 2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["version 0.9", "HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["version 1.10", "HTTP/1.10 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a tab before the status", "HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of letters", "HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status above 599", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of 0", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a NUL in the reason", "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"],
  ["a bare CR in the reason", "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"],
  ["a bare LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"],
  ["a bare LF after a field", `${OK}X-A: b\nContent-Length: 0\r\n\r\n`],
  ["a bare LF as the empty line", `${OK}Content-Length: 0\r\n\n`],
  ["a bare CR in a value", answer("X-A: b\rX-B: c\r\nContent-Length: 0\r\n")],
  ["a NUL in a value", answer("X-A: b\0\r\nContent-Length: 0\r\n")],
  ["a control byte in a value", answer("X-A: b\x07\r\nContent-Length: 0\r\n")],
  ["a space before the colon", answer("Content-Length : 0\r\n")],
  ["a folded line", answer("X-A: b\r\n c\r\nContent-Length: 0\r\n")],
  ["a line without a colon", answer("X-A\r\nContent-Length: 0\r\n")],
  ["an empty name", answer(": b\r\nContent-Length: 0\r\n")],
  ["a name with a space", answer("X A: b\r\nContent-Length: 0\r\n")],
  ["a name above 0x7f", answer("X-\xe9: b\r\nContent-Length: 0\r\n")],
  ["a head of 20,000 bytes", answer(`X-A: ${"b".repeat(20_000)}\r\nContent-Length: 0\r\n`)],
  ["200 fields", answer(`${"X-A: b\r\n".repeat(200)}Content-Length: 0\r\n`)],
  ["a length of letters", answer("Content-Length: abc\r\n", "abc")],
  ["a negative length", answer("Content-Length: -3\r\n", "abc")],
  ["an empty length", answer("Content-Length:\r\n", "abc")],
  ["a list as length", answer("Content-Length: 3, 3\r\n", "abc")],
  ["two lengths that differ", answer("Content-Length: 3\r\nContent-Length: 2\r\n", "abc")],
  ["the same length twice", answer("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")],
  ["length and chunks", answer(`Content-Length: 3\r\n${CHUNKED_FIELD}`, "3\r\nabc\r\n0\r\n\r\n")],
  ["an unknown coding", answer("Transfer-Encoding: x\r\n", "abc")],
  ["chunked twice", answer("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")],
  ["chunked not last", answer("Transfer-Encoding: chunked, gzip\r\n", "abc")],
  ["chunks in HTTP/1.0", `HTTP/1.0 200 OK\r\n${CHUNKED_FIELD}\r\n0\r\n\r\n`],
  ["content shorter than its length", answer("Content-Length: 10\r\n", "abc")],
  ["no content but a length", answer("Content-Length: 10\r\n")],
  ["chunks without an end", answer(CHUNKED_FIELD, "3\r\nabc\r\n")],
  ["half a chunk", answer(CHUNKED_FIELD, "5\r\nabc")],
  ["half a size", answer(CHUNKED_FIELD, "5")],
  ["no chunks at all", answer(CHUNKED_FIELD)],
  ["an end without its empty line", answer(CHUNKED_FIELD, "3\r\nabc\r\n0\r\n")],
  ["a size of letters", answer(CHUNKED_FIELD, "xyz\r\nabc\r\n0\r\n\r\n")],
  ["data longer than the size", answer(CHUNKED_FIELD, "3\r\nabcd\r\n0\r\n\r\n")],
  ["a bare LF after the size", answer(CHUNKED_FIELD, "3\nabc\r\n0\r\n\r\n")],
  ["a size above 2^53", answer(CHUNKED_FIELD, "ffffffffffffffff\r\nabc\r\n0\r\n\r\n")],
  ["a bad extension", answer(CHUNKED_FIELD, "3;\0\r\nabc\r\n0\r\n\r\n")],
  [
    "Content-Length as a trailer",
    answer(CHUNKED_FIELD, "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
  ],
  ["a trailer that never ends", answer(CHUNKED_FIELD, `0\r\nX-A: ${"b".repeat(20_000)}`)],
  ["a switch of protocols unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
  ["a switch of protocols without Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
  ["a minus before the status", "HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["no space before the reason", "HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n"],
  ["a vertical tab before the length", answer("Content-Length: \x0b3\r\n", "abc")],
  ["a length with a plus", answer("Content-Length: +3\r\n", "abc")],
  ["a length above 2^53", answer("Content-Length: 9007199254740993\r\n", "abc")],
  ["chunked by another name", answer("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")],
  ["an empty coding", answer("Transfer-Encoding:\r\n", "abc")],
  ["chunks cut off within CRLF", answer(CHUNKED_FIELD, "3\r\nabc\r")],
  ["a size with 0x", answer(CHUNKED_FIELD, "0x3\r\nabc\r\n0\r\n\r\n")],
  ["interim responses only", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3)],
  ["interim responses without end", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)],
  ["an interim response, then rubbish", "HTTP/1.1 100 Continue\r\n\r\nrubbish\r\n\r\n"],
  [
    "an interim response, then half a body",
    `HTTP/1.1 100 Continue\r\n\r\n${answer("Content-Length: 9\r\n", "abc")}`,
  ],
];

const goodResponses: readonly (readonly [string, string, "GET" | "HEAD"])[] = [
  ["content by length", answer("Content-Length: 3\r\n", "abc"), "GET"],
  ["content by chunks", answer(CHUNKED_FIELD, "3\r\nabc\r\n0\r\n\r\n"), "GET"],
  ["content until the end", answer("", "abc"), "GET"],
  ["no content until the end", answer(""), "GET"],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc", "GET"],
  ["no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "GET"],
  ["205 with a length", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", "GET"],
  ["content after a 204", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", "GET"],
  ["no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "GET"],
  ["a reason above 0x7f", "HTTP/1.1 200 caf\xe9\r\nContent-Length: 0\r\n\r\n", "GET"],
  ["204", "HTTP/1.1 204 No Content\r\n\r\n", "GET"],
  ["304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET"],
  ["HEAD with a length", answer("Content-Length: 9\r\n"), "HEAD"],
  ["HEAD with chunks", answer(CHUNKED_FIELD), "HEAD"],
  [
    "interim responses first",
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer("Content-Length: 3\r\n", "abc")}`,
    "GET",
  ],
  ["a trailer", answer(CHUNKED_FIELD, "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), "GET"],
];

export const RESPONSE_CASES: readonly ResponseCase[] = [
  ...badResponses.map(([name, text]): ResponseCase => ({
    name,
    text,
    method: "GET",
    expect: "reject",
  })),
  ...goodResponses.map(([name, text, method]): ResponseCase => ({
    name: `good: ${name}`,
    text,
    method,
    expect: "accept",
  })),
];

/** How many of the responses are hostile. */
export const HOSTILE_RESPONSES = badResponses.length;
