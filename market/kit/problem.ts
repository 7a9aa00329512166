/** A fact of life that a request meets, answered with `status` and `{ error, field, ... }`. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  /** What the error is about: a body field's path, a parameter, `body`, `session`, an app. */
  readonly field: string;
  /** Further members of the answer, such as `available`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    field: string,
    error: string,
    more: { details?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(error);
    this.status = status;
    this.field = field;
    this.details = more.details ?? {};
    this.headers = more.headers ?? {};
  }
}

/** 400: the client must send something else. */
export function badRequest(field: string, error: string): Problem {
  return new Problem(400, field, error);
}

/** 404: there is no such thing. */
export function notFound(field: string, error: string): Problem {
  return new Problem(404, field, error);
}

/** 401: a session is needed, or the one sent proves nothing. */
export function unauthorized(field: string, error: string): Problem {
  return new Problem(401, field, error, { headers: { "www-authenticate": "Bearer" } });
}

/** 503: another service, or this one's data, is away just now. */
export function unavailable(field: string, error: string): Problem {
  return new Problem(503, field, error, { headers: { "retry-after": "1" } });
}

/** The answer to a request that met a problem. */
export function problemResponse(problem: Problem): Response {
  return Response.json(
    { error: problem.message, field: problem.field, ...problem.details },
    { status: problem.status, headers: problem.headers },
  );
}
